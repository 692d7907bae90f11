//! Deadlines from observed latency (B4), between bounds that the configuration sets.

use std::time::Duration;

use crate::latency::Quantiles;

/// How a deadline follows the p99.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// Times the p99.
    pub factor: f32,
    /// Never shorter than this.
    pub least: Duration,
    /// Never longer than this, and this where nothing is known: the configured deadline.
    pub most: Duration,
    /// Samples below which nothing is known.
    pub samples: u32,
}

impl Adaptive {
    /// Twice the p99, no shorter than five seconds, up to the configured deadline.
    pub fn upto(most: Duration) -> Self {
        Self { factor: 2.0, least: Duration::from_secs(5).min(most), most, samples: 100 }
    }

    /// The deadline now. Where more than one in a hundred was cut off the p99 is unknown and the deadline is
    /// `most`, so deadlines that are too short for a slower deployment widen by themselves.
    pub fn deadline(&self, quantiles: Quantiles) -> Duration {
        let known = quantiles.p99().filter(|_| quantiles.samples >= self.samples);
        let Some(p99) = known else { return self.most };
        let factor = if self.factor.is_finite() { self.factor.max(1.0) } else { 1.0 };
        let wanted = Duration::try_from_secs_f32(p99.as_secs_f32() * factor).unwrap_or(self.most);
        wanted.max(self.least).min(self.most)
    }
}
