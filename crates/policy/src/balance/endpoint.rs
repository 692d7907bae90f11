//! What is known of one deployment for choosing it: its time to first token and what it still owes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use types::Moment;

use crate::number::float;

/// How loads are estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A measurement counts a third after this long.
    pub decay: Duration,
    /// What a deployment's first token is taken to need before it was seen.
    pub unknown: Duration,
    /// A failure counts as an answer at least this slow: failing fast is not being fast.
    pub failure: Duration,
    /// A new deployment looks busier than it is for this long: less and less, from ten times.
    pub slow_start: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            decay: Duration::from_secs(10),
            unknown: Duration::from_secs(1),
            failure: Duration::from_secs(5),
            slow_start: Duration::from_secs(10),
        }
    }
}

/// What every call costs beside its tokens, in tokens.
const CALL: u64 = 100;

/// One deployment.
#[derive(Debug)]
pub struct Endpoint {
    settings: Settings,
    id: u64,
    weight: AtomicU32,
    since: AtomicU64,
    in_flight: AtomicU32,
    outstanding: AtomicU64,
    /// What is believed, in one word: see [`Belief`].
    latency: AtomicU64,
    credit: AtomicI64,
    /// Failures since the last first token.
    failures: AtomicU32,
}

impl Endpoint {
    /// A deployment that takes part from `since`. `id`: a stable hash of its name, for [`super::affine`].
    pub fn new(id: u64, weight: u32, settings: Settings, since: Moment) -> Self {
        let latency = AtomicU64::new(Belief::unknown(&settings, since).pack());
        Self {
            settings,
            id,
            weight: AtomicU32::new(weight),
            since: AtomicU64::new(since.as_nanos()),
            in_flight: AtomicU32::new(0),
            outstanding: AtomicU64::new(0),
            latency,
            credit: AtomicI64::new(0),
            failures: AtomicU32::new(0),
        }
    }

    /// Its stable hash.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Its weight.
    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// Changes its weight.
    pub fn set_weight(&self, weight: u32) {
        self.weight.store(weight, Ordering::Relaxed);
    }

    /// Forgets what was measured and begins slowly again: for when its breaker has closed.
    pub fn renew(&self, now: Moment) {
        self.since.store(now.as_nanos(), Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.latency.store(Belief::unknown(&self.settings, now).pack(), Ordering::Relaxed);
    }

    /// Calls that it is working on.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Predicted tokens that it still owes, with what each call costs beside them.
    pub fn outstanding(&self) -> u64 {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// The time to first token as it is believed now: old measurements fade.
    pub fn latency(&self, now: Moment) -> Duration {
        Duration::try_from_secs_f64(self.faded(now)).unwrap_or_default()
    }

    /// A call of `tokens` is sent to it.
    pub fn send(self: &Arc<Self>, tokens: u64) -> Outstanding {
        let owed = tokens.saturating_add(CALL);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.outstanding.fetch_add(owed, Ordering::Relaxed);
        Outstanding { endpoint: Arc::clone(self), owed }
    }

    /// The time to first token as it is believed now, in seconds. It fades only while nothing is under way: one call
    /// finds out whether it has become better, the others need not.
    pub(super) fn seconds(&self, now: Moment) -> f64 {
        let belief = Belief::unpack(self.latency.load(Ordering::Relaxed));
        if self.in_flight() > 0 { belief.seconds.abs().into() } else { belief.faded(&self.settings, now) }
    }

    /// What a call of `tokens` would meet here: only good for comparing.
    pub(super) fn load(&self, tokens: u64, now: Moment) -> f64 {
        let owed = self.outstanding().saturating_add(tokens).saturating_add(CALL);
        // Per token of the call, so that a long one is not taken for a busy pool.
        self.seconds(now) * self.newness(now) * self.failing() * float(owed)
            / float(tokens.saturating_add(CALL))
    }

    pub(super) fn outstanding_for_weight(&self) -> f64 {
        match self.weight() {
            0 => f64::INFINITY,
            weight => float(self.outstanding()) / f64::from(weight),
        }
    }

    /// Adds to its credit in the weighted turn; what it has then.
    pub(super) fn credit(&self, by: i64) -> i64 {
        self.credit.fetch_add(by, Ordering::Relaxed) + by
    }

    /// Who fails fast owes nothing, and would look good beside a busy pool: each failure in a row counts as one
    /// more call that it owes.
    fn failing(&self) -> f64 {
        f64::from(1 + self.failures.load(Ordering::Relaxed).min(15))
    }

    fn newness(&self, now: Moment) -> f64 {
        let window = self.settings.slow_start.as_secs_f64();
        let left = 1.0
            - now.since(Moment::from_nanos(self.since.load(Ordering::Relaxed))).as_secs_f64()
                / window.max(1e-9);
        1.0 + 9.0 * left.max(0.0)
    }

    fn faded(&self, now: Moment) -> f64 {
        Belief::unpack(self.latency.load(Ordering::Relaxed)).faded(&self.settings, now)
    }

    fn measured(&self, rtt: Duration, now: Moment) {
        let _always = self.latency.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            Some(Belief::unpack(word).after(rtt.as_secs_f64(), &self.settings, now).pack())
        });
    }
}

/// The peak-EWMA of the time to first token.
#[derive(Clone, Copy, Debug)]
struct Belief {
    /// Seconds; negative where it is assumed and not measured.
    seconds: f32,
    /// How often in a row it had faded and was then found to have been right: 0 to [`Belief::MOST`]. It fades
    /// half as fast each time: who stays slow is tried less and less often.
    confirmed: u8,
    /// When it was measured, in milliseconds; wraps after 49 days.
    at: u32,
}

impl Belief {
    const MOST: u8 = 3;
    /// Faded when less than this part is left.
    const FADED: f64 = 0.75;

    fn unknown(settings: &Settings, now: Moment) -> Self {
        Self { seconds: -settings.unknown.as_secs_f32(), confirmed: 0, at: millis(now) }
    }

    /// The part of it that counts at `now`.
    fn kept(self, settings: &Settings, now: Moment) -> f64 {
        let elapsed = millis(now).wrapping_sub(self.at);
        // A clock reading a little older than the measurement; as a wrapped number it would be 49 days.
        let elapsed = if elapsed > u32::MAX / 2 { 0 } else { elapsed };
        let slower = f64::from(1_u32 << self.confirmed);
        (-f64::from(elapsed) / 1_000.0 / (settings.decay.as_secs_f64().max(1e-3) * slower)).exp()
    }

    fn faded(self, settings: &Settings, now: Moment) -> f64 {
        f64::from(self.seconds.abs()) * self.kept(settings, now)
    }

    /// What is believed after a measurement: slower counts at once, faster bit by bit.
    fn after(self, rtt: f64, settings: &Settings, now: Moment) -> Self {
        let (seconds, kept) = (f64::from(self.seconds), self.kept(settings, now));
        let confirmed = if seconds < 0.0 || rtt < seconds / 3.0 {
            0
        } else if kept < Self::FADED && rtt > seconds * f64::midpoint(1.0, kept) {
            (self.confirmed + 1).min(Self::MOST)
        } else {
            self.confirmed
        };
        let next = if rtt > seconds { rtt } else { seconds * kept + rtt * (1.0 - kept) };
        Self { seconds: narrow(next), confirmed, at: millis(now) }
    }

    /// In one word: the float, whose last two bits are the count, and the milliseconds.
    fn pack(self) -> u64 {
        let seconds = self.seconds.to_bits() & !0b11 | u32::from(self.confirmed);
        u64::from(seconds) << 32 | u64::from(self.at)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the parts of a word")]
    fn unpack(word: u64) -> Self {
        let seconds = (word >> 32) as u32;
        Self { seconds: f32::from_bits(seconds & !0b11), confirmed: (seconds & 0b11) as u8, at: word as u32 }
    }
}

/// A call that a deployment is working on; over when dropped.
#[derive(Debug)]
#[must_use = "held as long as the call runs"]
pub struct Outstanding {
    endpoint: Arc<Endpoint>,
    owed: u64,
}

impl Outstanding {
    /// Its first token came after `rtt`.
    pub fn first_token(&self, rtt: Duration, now: Moment) {
        // Read first: a store on every call would be a write that all cores wait for.
        if self.endpoint.failures.load(Ordering::Relaxed) > 0 {
            self.endpoint.failures.store(0, Ordering::Relaxed);
        }
        self.endpoint.measured(rtt, now);
    }

    /// It failed after `after`. Not for the caller's own mistakes, and not for 429: these say nothing about speed.
    pub fn failed(&self, after: Duration, now: Moment) {
        self.endpoint.failures.fetch_add(1, Ordering::Relaxed);
        self.endpoint.measured(after.max(self.endpoint.settings.failure), now);
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.endpoint.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.endpoint.outstanding.fetch_sub(self.owed, Ordering::Relaxed);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits of a latency are enough")]
const fn narrow(seconds: f64) -> f32 {
    seconds as f32
}

#[expect(clippy::cast_possible_truncation, reason = "wraps after 49 days, and differences are wrapping")]
const fn millis(now: Moment) -> u32 {
    (now.as_nanos() / 1_000_000) as u32
}
