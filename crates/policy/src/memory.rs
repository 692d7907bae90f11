//! The memory guard (B14): under pressure fewer calls run at once, and then new ones are refused, lowest
//! priority first, before the process is killed. The marks are seed 004's: 80 % and 90 %.
//!
//! Reading the memory is the driver's; here it is a number.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use types::Priority;

/// The marks, in percent of the memory that the process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From here on fewer calls run.
    pub tight: u32,
    /// From here on new calls are refused.
    pub shedding: u32,
    /// A mark is left only this much below it.
    pub margin: u32,
    /// The part of the concurrency that is left at the second mark, in percent.
    pub least: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { tight: 80, shedding: 90, margin: 3, least: 25 }
    }
}

/// How near the end of memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zone {
    /// Far.
    Ample,
    /// Near: fewer calls run.
    Tight,
    /// Very near: new calls are refused.
    Shedding,
}

impl Zone {
    /// The name in events and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ample => "ample",
            Self::Tight => "tight",
            Self::Shedding => "shedding",
        }
    }
}

/// No memory for this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("memory is nearly used up ({percent} %): calls of this priority are not taken for now")]
pub struct Refused {
    /// What is used.
    pub percent: u32,
    /// `Retry-After`.
    pub retry_after: Duration,
}

/// The guard. Reading it is one load.
#[derive(Debug)]
pub struct Guard {
    settings: Settings,
    /// The zone and the percent: `zone << 16 | percent`.
    state: AtomicU32,
}

impl Guard {
    /// A guard with ample memory.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, state: AtomicU32::new(0) }
    }

    /// Takes a reading: bytes used of bytes allowed. Says the new zone if it changed. One reader calls this.
    pub fn read(&self, used: u64, allowed: u64) -> Option<Zone> {
        let percent = u128::from(used) * 100 / u128::from(allowed.max(1));
        let percent = u32::try_from(percent).unwrap_or(u32::MAX).min(999);
        let before = self.zone();
        // The mark of a zone that holds lies lower by the margin.
        let mark =
            |zone: Zone, at: u32| if before >= zone { at.saturating_sub(self.settings.margin) } else { at };
        let zone = if percent >= mark(Zone::Shedding, self.settings.shedding) {
            Zone::Shedding
        } else if percent >= mark(Zone::Tight, self.settings.tight) {
            Zone::Tight
        } else {
            Zone::Ample
        };
        self.state.store((zone as u32) << 16 | percent, Ordering::Relaxed);
        (zone != before).then_some(zone)
    }

    /// The zone.
    pub fn zone(&self) -> Zone {
        match self.state.load(Ordering::Relaxed) >> 16 {
            0 => Zone::Ample,
            1 => Zone::Tight,
            _ => Zone::Shedding,
        }
    }

    /// Percent of the memory in use.
    pub fn percent(&self) -> u32 {
        self.state.load(Ordering::Relaxed) & 0xFFFF
    }

    /// The part of the usual concurrency that may run, in percent: 100, and between the marks evenly down.
    pub fn concurrency(&self) -> u32 {
        let Settings { tight, shedding, least, .. } = self.settings;
        let over = self.percent().saturating_sub(tight);
        let span = shedding.saturating_sub(tight).max(1);
        let less = 100_u32.saturating_sub(least);
        100 - (less * over.min(span) / span)
    }

    /// Whether a new call is taken. Every third of the way from the second mark to the end refuses one more
    /// priority; critical calls are taken to the last.
    pub fn admit(&self, priority: Priority) -> Result<(), Refused> {
        if self.zone() != Zone::Shedding {
            return Ok(());
        }
        let percent = self.percent();
        let third = (100_u32.saturating_sub(self.settings.shedding) / 3).max(1);
        let refused = 1 + percent.saturating_sub(self.settings.shedding) / third;
        if priority == Priority::Critical || priority as u32 >= refused {
            return Ok(());
        }
        Err(Refused { percent, retry_after: Duration::from_secs(5) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn concurrency_falls_then_calls_are_refused_by_priority() {
        let guard = Guard::new(Settings::default());
        let ladder = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];
        let mut table = Vec::new();
        for used in [50, 80, 85, 90, 93, 96, 99, 88, 86, 78, 76] {
            guard.read(used, 100);
            let taken = ladder.iter().filter(|priority| guard.admit(**priority).is_ok()).count();
            table.push((used, guard.zone(), guard.concurrency(), taken));
        }
        assert_eq!(
            table,
            [
                (50, Zone::Ample, 100, 4),
                (80, Zone::Tight, 100, 4),
                (85, Zone::Tight, 63, 4),
                (90, Zone::Shedding, 25, 3),
                (93, Zone::Shedding, 25, 2),
                (96, Zone::Shedding, 25, 1),
                (99, Zone::Shedding, 25, 1),
                (88, Zone::Shedding, 40, 3),
                (86, Zone::Tight, 55, 4),
                (78, Zone::Tight, 100, 4),
                (76, Zone::Ample, 100, 4),
            ]
        );
    }

    proptest! {
        #[test]
        fn more_memory_never_allows_less(used in prop::collection::vec(0_u64..120, 2..50)) {
            let guard = Guard::new(Settings::default());
            let mut previous: Option<(u64, u32, Zone)> = None;
            for used in used {
                let changed = guard.read(used, 100);
                let now = (used, guard.concurrency(), guard.zone());
                prop_assert!((25..=100).contains(&now.1));
                if let Some(before) = previous {
                    prop_assert!(used < before.0 || (now.1 <= before.1 && now.2 >= before.2));
                    prop_assert_eq!(changed.is_some(), now.2 != before.2);
                }
                previous = Some(now);
            }
        }
    }
}
