//! How often the same model is asked again, and how long to wait in between.

use std::time::Duration;

/// How waiting times grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backoff {
    /// Doubling: base, 2 × base, 4 × base …
    #[default]
    Exponential,
    /// The same each time.
    Fixed,
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
    /// The wait before try number `next` (2 for the first repetition): anywhere between nothing and the
    /// ceiling, all equally likely. `random` is 64 uniform bits.
    ///
    /// Full jitter, because it spreads a crowd of callers that failed together better than any other
    /// (Brooker, "Exponential Backoff And Jitter", 2015).
    pub fn wait(&self, next: u16, random: u64) -> Duration {
        let doublings = u32::from(next.saturating_sub(2)).min(31);
        let ceiling = match self.backoff {
            Backoff::Exponential => self.base.saturating_mul(1 << doublings),
            Backoff::Fixed => self.base,
        }
        .min(self.max);
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        // The high half of a 128-bit product maps 64 uniform bits onto 0..=nanos without a division.
        let part = (u128::from(random) * (u128::from(nanos) + 1)) >> 64;
        Duration::from_nanos(u64::try_from(part).unwrap_or(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_lie_under_their_ceiling() {
        let policy = Policy { attempts: 9, ..Policy::default() };
        for (next, ceiling_ms) in [(2, 250), (3, 500), (4, 1_000), (7, 8_000), (60, 8_000)] {
            assert_eq!(policy.wait(next, u64::MAX), Duration::from_millis(ceiling_ms));
            assert_eq!(policy.wait(next, 0), Duration::ZERO);
            let middle = policy.wait(next, u64::MAX / 2);
            assert!(middle.abs_diff(Duration::from_millis(ceiling_ms / 2)) < Duration::from_micros(1));
        }
        let fixed = Policy { backoff: Backoff::Fixed, ..policy };
        assert_eq!(fixed.wait(9, u64::MAX), fixed.base);
    }
}
