//! What the last ten seconds of one deployment brought, in one word a second.

use types::Moment;

use crate::breaker::Sample;
use crate::sync::atomic::{AtomicU64, Ordering};

const SLOTS: usize = 16;
/// Seconds that are summed.
const WINDOW: u64 = 10;
/// Calls that one second can hold; so many make the picture clear, and the halves of as many still fit.
const FULL: u64 = 0x7FFF;

/// Sums over the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) calls: u64,
    /// Failures in halves: an overload is one, everything else two.
    pub(super) halves: u64,
    pub(super) slow: u64,
}

/// A word is, from the top: 16 bits that name the second, calls, half failures, slow calls.
#[derive(Debug)]
pub(super) struct Ring([AtomicU64; SLOTS]);

impl Ring {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    pub(super) fn add(&self, now: Moment, sample: Sample) {
        let second = second(now);
        let stamp = stamp(second);
        let more = (1 << 32) + (u64::from(sample.halves()) << 16) + u64::from(sample == Sample::Slow);
        // Full: the second is known well enough. Relaxed: the counters stand for themselves.
        let _ = self.slot(second).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            let fresh = if word >> 48 == stamp { word } else { stamp << 48 };
            ((fresh >> 32) & 0xFFFF < FULL).then(|| fresh + more)
        });
    }

    pub(super) fn sums(&self, now: Moment) -> Sums {
        let newest = second(now);
        let mut sums = Sums::default();
        for age in 0..WINDOW.min(newest + 1) {
            let word = self.slot(newest - age).load(Ordering::Relaxed);
            if word >> 48 == stamp(newest - age) {
                sums.calls += (word >> 32) & 0xFFFF;
                sums.halves += (word >> 16) & 0xFFFF;
                sums.slow += word & 0xFFFF;
            }
        }
        sums
    }

    pub(super) fn clear(&self) {
        for slot in &self.0 {
            slot.store(0, Ordering::Relaxed);
        }
    }

    fn slot(&self, second: u64) -> &AtomicU64 {
        // The rest of a division by SLOTS is an index; the first slot stands in only for the type checker.
        usize::try_from(second % SLOTS as u64).ok().and_then(|at| self.0.get(at)).unwrap_or(&self.0[0])
    }
}

const fn second(now: Moment) -> u64 {
    now.as_nanos() / 1_000_000_000
}

/// Never zero, which is the slot that was never used. Comes again after 12 days: a slot that nobody touched
/// for exactly so long adds one old second to the picture.
const fn stamp(second: u64) -> u64 {
    (second / SLOTS as u64) % 0xFFFF + 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sums_like_a_list(events in prop::collection::vec((0_u64..1_500, 0_usize..4), 1..200)) {
            let ring = Ring::new();
            let mut list: Vec<(u64, Sample)> = Vec::new();
            let mut now = Moment::default();
            for (gap, which) in events {
                now = now + Duration::from_millis(gap);
                let sample = [Sample::Good, Sample::Slow, Sample::Failed, Sample::Overloaded][which];
                ring.add(now, sample);
                list.push((second(now), sample));
                let mut expect = Sums::default();
                for (_, sample) in list.iter().filter(|(at, _)| at + WINDOW > second(now)) {
                    expect.calls += 1;
                    expect.halves += u64::from(sample.halves());
                    expect.slow += u64::from(*sample == Sample::Slow);
                }
                prop_assert_eq!(ring.sums(now), expect);
            }
        }
    }
}
