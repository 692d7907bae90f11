//! Three quantiles of a histogram with censored samples, in one word.

use std::time::Duration;

use crate::latency::histogram::{BUCKETS, upper};

/// A bucket's number that says "longer than anything that was seen to its end".
const BEYOND: u8 = u8::MAX;

/// The quantiles of a window. The values are upper ends of buckets: up to 12.5 % too long, never too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// Attempts in the window, cut off or not.
    pub samples: u32,
    buckets: [u8; 3],
}

impl Quantiles {
    /// Nothing is known.
    pub const NONE: Self = Self { samples: 0, buckets: [BEYOND; 3] };

    /// Half of the attempts took at most so long. `None`: unknown, or too many were cut off to say.
    pub fn p50(self) -> Option<Duration> {
        self.value(0)
    }

    /// 95 of 100 did.
    pub fn p95(self) -> Option<Duration> {
        self.value(1)
    }

    /// 99 of 100 did.
    pub fn p99(self) -> Option<Duration> {
        self.value(2)
    }

    fn value(self, which: usize) -> Option<Duration> {
        let bucket = self.buckets.get(which).copied().filter(|bucket| *bucket != BEYOND)?;
        (self.samples > 0).then(|| upper(usize::from(bucket)))
    }

    pub(super) fn pack(self) -> u64 {
        let [p50, p95, p99] = self.buckets.map(u64::from);
        (u64::from(self.samples) << 24) | (p99 << 16) | (p95 << 8) | p50
    }

    pub(super) fn unpack(word: u64) -> Self {
        let [p50, p95, p99, ..] = word.to_le_bytes();
        Self { samples: u32::try_from(word >> 24).unwrap_or(u32::MAX), buckets: [p50, p95, p99] }
    }
}

/// Where the estimated share of those that take longer falls to 1/2, 1/20 and 1/100.
pub(super) fn kaplan_meier(seen: &[u32; BUCKETS], cut: &[u32; BUCKETS]) -> Quantiles {
    let count = |list: &[u32; BUCKETS]| list.iter().map(|count| u64::from(*count)).sum::<u64>();
    let samples = count(seen) + count(cut);
    let mut quantiles = Quantiles { samples: u32::try_from(samples).unwrap_or(u32::MAX), ..Quantiles::NONE };
    let mut at_risk = samples;
    let mut longer = 1.0_f64;
    let mut open = quantiles.buckets.iter_mut().zip([0.5, 0.05, 0.01]).peekable();
    for (bucket, (ended, cut)) in (0_u8..).zip(seen.iter().zip(cut)) {
        if *ended > 0 {
            longer *= 1.0 - ratio(u64::from(*ended), at_risk);
        }
        // A hair more than the share itself: the product above is rounded.
        while let Some((value, _)) = open.next_if(|(_, share)| longer <= share + 1e-9) {
            *value = bucket;
        }
        at_risk = at_risk.saturating_sub(u64::from(*ended) + u64::from(*cut));
    }
    quantiles
}

#[expect(clippy::cast_precision_loss, reason = "counts of one minute")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
