//! How often the same model is asked again, how long to wait in between, and how many calls may do so at all.
//!
//! Whether a fault deserves a second chance is the attempt machine's business (`attempt`).

mod budget;
mod rules;

use std::time::Duration;

pub use budget::{Budget, Budgets, Share};
pub use rules::Rules;

/// How waiting times grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backoff {
    /// Doubling: base, 2 × base, 4 × base …
    #[default]
    Exponential,
    /// By one base each time: base, 2 × base, 3 × base …
    Linear,
    /// The same each time.
    Fixed,
    /// Like the sums of two before: base, 2 × base, 3 × base, 5 × base …
    Fibonacci,
    /// From how the target does now ([`Pressure`]): at least as long as it takes to answer, and growing the
    /// faster the more of its calls fail.
    Adaptive,
}

impl Backoff {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Exponential, Self::Linear, Self::Fixed, Self::Fibonacci, Self::Adaptive];

    /// The name in configuration files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exponential => "exponential",
            Self::Linear => "linear",
            Self::Fixed => "fixed",
            Self::Fibonacci => "fibonacci",
            Self::Adaptive => "adaptive",
        }
    }
}

/// How a target does at the moment, for [`Backoff::Adaptive`]. Zero is a target of which nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// Its usual time to an answer's beginning (p50).
    pub latency: Duration,
    /// The share of its last calls that failed, 0 to 1.
    pub failing: f32,
}

/// When a failed attempt is repeated on the same model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Attempts on each model of a route, the first one included. 1 means never again.
    pub attempts: u16,
    /// How waiting times grow.
    pub backoff: Backoff,
    /// The first ceiling.
    pub base: Duration,
    /// The greatest ceiling; also the longest `Retry-After` that is waited for.
    pub max: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            attempts: 2,
            backoff: Backoff::Exponential,
            base: Duration::from_millis(250),
            max: Duration::from_secs(8),
        }
    }
}

impl Policy {
    /// Never a second attempt.
    pub const NEVER: Self =
        Self { attempts: 1, backoff: Backoff::Fixed, base: Duration::ZERO, max: Duration::ZERO };

    /// The wait before try number `next` (2 for the first repetition) of a target of which nothing is known.
    /// `random` is 64 uniform bits.
    pub fn wait(&self, next: u16, random: u64) -> Duration {
        self.wait_under(next, Pressure::default(), random)
    }

    /// The wait before try number `next` (2 for the first repetition): anywhere between nothing and the
    /// ceiling, all equally likely. `random` is 64 uniform bits.
    ///
    /// Full jitter, because it spreads a crowd of callers that failed together better than any other
    /// (Brooker, "Exponential Backoff And Jitter", 2015).
    pub fn wait_under(&self, next: u16, pressure: Pressure, random: u64) -> Duration {
        scaled(self.ceiling(next, pressure), random)
    }

    /// The longest wait before try number `next`; never above `max`.
    pub fn ceiling(&self, next: u16, pressure: Pressure) -> Duration {
        let before = u32::from(next.saturating_sub(2));
        let ceiling = match self.backoff {
            Backoff::Exponential => self.base.saturating_mul(1 << before.min(31)),
            Backoff::Linear => self.base.saturating_mul(before + 1),
            Backoff::Fixed => self.base,
            Backoff::Fibonacci => self.base.saturating_mul(fibonacci(before)),
            Backoff::Adaptive => {
                adaptive(self.base.max(pressure.latency), before, pressure.failing, self.max)
            }
        };
        ceiling.min(self.max)
    }
}

/// 1, 2, 3, 5, 8 … for 0, 1, 2, 3, 4 …
fn fibonacci(nth: u32) -> u32 {
    let (mut value, mut next) = (1_u32, 2_u32);
    for _ in 0..nth.min(45) {
        (value, next) = (next, value.saturating_add(next));
    }
    value
}

/// Grows by half each time where nearly all goes well, and by four where nothing does.
fn adaptive(first: Duration, before: u32, failing: f32, max: Duration) -> Duration {
    let failing = if failing.is_finite() { f64::from(failing.clamp(0.0, 1.0)) } else { 1.0 };
    let growth = 1.5 + 2.5 * failing;
    let factor = growth.powi(i32::try_from(before.min(64)).unwrap_or(64));
    Duration::try_from_secs_f64(first.as_secs_f64() * factor).unwrap_or(max)
}

/// A part of `most`, by 64 uniform bits.
pub(crate) fn scaled(most: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    // The high half of a 128-bit product maps 64 uniform bits onto 0..=nanos without a division.
    let part = (u128::from(random) * (u128::from(nanos) + 1)) >> 64;
    Duration::from_nanos(u64::try_from(part).unwrap_or(nanos))
}

#[cfg(test)]
mod tests;
