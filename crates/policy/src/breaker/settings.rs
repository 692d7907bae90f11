//! What opens a breaker and how it comes back, as numbers; and what is computed from them once.

use std::time::Duration;

use crate::breaker::bound::Bound;
use crate::breaker::drift::Marks;

/// A streak is too long when the usual share would bring one as long less often than once in so many calls.
const STREAK_DOUBT: f32 = 1e-9;
/// One breaker's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The share of failing calls that is too much.
    pub threshold: f64,
    /// The share of slow calls that is too much.
    pub slow_threshold: f64,
    /// How unsure the proof of either may be: 0.05 is the 5 % quantile.
    pub doubt: f64,
    /// Calls below which nothing is proven.
    pub least_calls: u32,
    /// Bounds of the streak that opens it.
    pub streak: (u32, u32),
    /// How long it stays open the first time; at most 32 × as long later.
    pub base: Duration,
    /// Probes at the same time.
    pub probes: u16,
    /// From 1 % of the traffic to all of it.
    pub ramp: Duration,
    /// Closed for so long, the next outage is a first one again.
    pub forget: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: 0.1,
            slow_threshold: 0.5,
            doubt: 0.05,
            least_calls: 20,
            streak: (3, 20),
            base: Duration::from_millis(250),
            probes: 3,
            ramp: Duration::from_secs(3),
            forget: Duration::from_secs(60),
        }
    }
}

/// Settings with their tables. Shared by all breakers that have the same.
#[derive(Clone, Debug)]
pub struct Judge {
    pub(super) settings: Settings,
    pub(super) failing: Bound,
    pub(super) slow: Bound,
    pub(super) marks: Marks,
}

impl Judge {
    /// Computes the tables: some milliseconds, once a configuration.
    pub fn new(settings: Settings) -> Self {
        let settings = Settings {
            probes: settings.probes.max(1),
            base: settings.base.max(Duration::from_millis(1)),
            ..settings
        };
        Self {
            failing: Bound::new(settings.threshold, settings.doubt),
            slow: Bound::new(settings.slow_threshold, settings.doubt),
            marks: Marks::new(settings.threshold),
            settings,
        }
    }

    /// Failures in a row that chance does not bring where `usual` of the calls fail.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number, rounded up"
    )]
    pub(super) fn streak_limit(&self, usual: f32) -> u32 {
        let (least, most) = self.settings.streak;
        let by_chance = STREAK_DOUBT.ln() / usual.clamp(1e-6, 0.999).ln();
        (by_chance.ceil() as u32).min(most).max(least).max(1)
    }
}

impl Default for Judge {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}
