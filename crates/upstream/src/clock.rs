//! The process's clock, as [`Moment`]s and [`Timestamp`]s.
//!
//! Built on tokio's clock, so that a test that pauses time pauses this one too.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use types::{Moment, Timestamp};

/// Where moments count from: far enough back that a paused test clock cannot lie before it.
static ORIGIN: LazyLock<Instant> = LazyLock::new(|| {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(3600)).unwrap_or(now)
});

/// Now, on the monotonic clock.
pub fn now() -> Moment {
    moment(Instant::now())
}

/// The moment of an instant.
pub fn moment(instant: Instant) -> Moment {
    let nanos = instant.saturating_duration_since(origin()).as_nanos();
    Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The instant of a moment, for timers. Moments beyond a century from the origin are brought back to it.
pub fn instant(moment: Moment) -> Instant {
    const CENTURY: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;
    origin() + Duration::from_nanos(moment.as_nanos().min(CENTURY))
}

/// The wall clock.
pub fn wall() -> Timestamp {
    #[cfg(feature = "driven")]
    if let Some(wall) = crate::driven::wall() {
        return wall;
    }
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn origin() -> Instant {
    #[cfg(feature = "driven")]
    if let Some(origin) = crate::driven::origin() {
        return origin;
    }
    *ORIGIN
}
