//! Whether failures have become more than they usually are here: Page's cumulative sum (1954) of the likelihood of "far
//! too many" (twice the threshold) against "as usual", where "as usual" is what this deployment has shown itself.
//!
//! That is why it is quick: after a thousand good calls four failures in forty say much, where a fifth of the calls
//! usually fail they say nothing. And it does not cry wolf: an excursion begins with a failure, at most so often as usual, and rises to the limit by
//! chance with a probability of at most `exp(first step − limit)` (Ville's inequality), so that a
//! limit of `ln(ill ÷ doubt)` means at most `doubt` false alarms a call, whatever is usual.
//!
//! What fails during an excursion becomes part of what is usual only when it is over, one way or the other; otherwise
//! a brown-out would be what is usual before it is noticed.

use crate::breaker::Sample;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The share of failures that is usual before anything is known, and how many calls that is worth.
const FIRST: (f32, u32) = (0.05, 20);
/// Calls that the usual share is a mean over, the older the less.
const MEMORY: u32 = 1_024;
/// Nobody is believed to fail less often: so much is all that a memory can prove.
const LEAST: f32 = 0.001;
/// False alarms that there may be a call.
const DOUBT: f64 = 1e-6;

/// The numbers that follow from the threshold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// The most that is taken for usual.
    most: f32,
    /// What is far too much.
    ill: f32,
    limit: f32,
}

impl Marks {
    #[expect(clippy::cast_possible_truncation, reason = "logarithms of shares, needed to three places")]
    pub(super) fn new(threshold: f64) -> Self {
        let threshold = threshold.clamp(0.001, 0.999);
        let ill = (2.0 * threshold).min(f64::midpoint(threshold, 1.0));
        Self { most: threshold as f32, ill: ill as f32, limit: (ill / DOUBT).ln() as f32 }
    }

    /// What a failure and what a good call add, where `usual` fail.
    fn steps(self, usual: f32) -> (f32, f32) {
        let usual = usual.clamp(LEAST.min(self.most), self.most);
        ((self.ill / usual).ln(), ((1.0 - self.ill) / (1.0 - usual)).ln())
    }
}

/// One deployment's.
#[derive(Debug)]
pub(super) struct Drift {
    /// The usual share, and how many calls it is worth.
    usual: AtomicU64,
    /// The excursion: its sum, its calls and its failures in halves; 0: there is none.
    excursion: AtomicU64,
}

/// A word apart: the sum, calls, halves.
#[derive(Clone, Copy, Debug)]
struct Excursion {
    sum: f32,
    calls: u16,
    halves: u16,
}

impl Excursion {
    #[expect(clippy::cast_possible_truncation, reason = "the parts of a word")]
    const fn unpack(word: u64) -> Self {
        Self { sum: f32::from_bits((word >> 32) as u32), calls: (word >> 16) as u16, halves: word as u16 }
    }

    const fn pack(self) -> u64 {
        (self.sum.to_bits() as u64) << 32 | (self.calls as u64) << 16 | self.halves as u64
    }

    const fn add(self, step: f32, halves: u16) -> Self {
        Self {
            sum: self.sum + step,
            calls: self.calls.saturating_add(1),
            halves: self.halves.saturating_add(halves),
        }
    }
}

impl Drift {
    pub(super) fn new() -> Self {
        Self { usual: AtomicU64::new(pack(FIRST)), excursion: AtomicU64::new(0) }
    }

    /// The usual share of failures, 0 to 1.
    pub(super) fn usual(&self) -> f32 {
        unpack(self.usual.load(Ordering::Relaxed)).0
    }

    /// One went well.
    pub(super) fn well(&self, marks: Marks) {
        if self.excursion.load(Ordering::Relaxed) == 0 {
            self.learn(0, 1);
            return;
        }
        let (_, down) = marks.steps(self.usual());
        let next = |word: u64| {
            let next = Excursion::unpack(word).add(down, 0);
            if word == 0 || next.sum <= 0.0 { 0 } else { next.pack() }
        };
        let before =
            self.excursion.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| Some(next(word)));
        if let Ok(word) = before
            && word != 0
            && next(word) == 0
        {
            let over = Excursion::unpack(word).add(down, 0);
            self.learn(over.halves, over.calls);
        }
    }

    /// One failed; whether that is too much.
    pub(super) fn failed(&self, marks: Marks, sample: Sample) -> bool {
        let (up, down) = marks.steps(self.usual());
        let step = if sample == Sample::Overloaded { f32::midpoint(up, down).max(0.0) } else { up };
        let halves = sample.halves();
        let next = |word: u64| Excursion::unpack(word).add(step, halves);
        let before =
            self.excursion.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| Some(next(word).pack()));
        let (Ok(word) | Err(word)) = before;
        next(word).sum >= marks.limit
    }

    /// It was too much, and somebody acts on it: what was seen is known from now on. A deployment that stays as it is
    /// does not alarm for ever.
    pub(super) fn alarmed(&self) {
        let over = Excursion::unpack(self.excursion.swap(0, Ordering::Relaxed));
        if over.calls > 0 {
            self.learn(over.halves, over.calls);
        }
    }

    /// What was seen lately does not count: it was an outage.
    pub(super) fn forget(&self) {
        self.excursion.store(0, Ordering::Relaxed);
    }

    /// Writes may overtake each other: it is a mean.
    fn learn(&self, halves: u16, calls: u16) {
        let (mean, worth) = unpack(self.usual.load(Ordering::Relaxed));
        let worth = (worth + u32::from(calls)).min(MEMORY);
        let weight = (f32::from(calls) / float(worth)).min(1.0);
        let seen = f32::from(halves) / 2.0 / f32::from(calls.max(1));
        let mean = weight.mul_add(seen - mean, mean).clamp(0.0, 1.0);
        self.usual.store(pack((mean, worth)), Ordering::Relaxed);
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
const fn float(count: u32) -> f32 {
    count as f32
}

fn pack((mean, worth): (f32, u32)) -> u64 {
    u64::from(mean.to_bits()) << 32 | u64::from(worth)
}

#[expect(clippy::cast_possible_truncation, reason = "the parts of a word")]
const fn unpack(word: u64) -> (f32, u32) {
    (f32::from_bits((word >> 32) as u32), word as u32)
}
