//! Two counters over the last seconds, shared by threads without a lock: the sliding window under the retry
//! budget and the hedge guard. Knows nothing of what is counted.

use std::sync::atomic::{AtomicU64, Ordering};

use types::Moment;

/// Seconds that are kept: a window may be as long as this, less a few for threads whose `now` is a little old.
const SLOTS: usize = 64;
/// Seconds that another thread's `now` may be ahead.
const AHEAD: u64 = 4;
/// Bits of one counter. A second holds at most a million of either kind; past that they stay full.
const BITS: u32 = 20;
const FULL: u64 = (1 << BITS) - 1;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Everything.
    pub(crate) all: u64,
    /// The part that is watched.
    pub(crate) part: u64,
}

/// Which of the two counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    All,
    Part,
}

/// One word a second: 24 bits of the second's own number, 20 of `all`, 20 of `part`. The second's number is
/// in the word, so that a slot is rolled over and counted in by one compare-and-swap.
#[derive(Debug)]
pub(crate) struct Window {
    slots: [AtomicU64; SLOTS],
}

impl Window {
    pub(crate) const fn new() -> Self {
        Self { slots: [const { AtomicU64::new(0) }; SLOTS] }
    }

    /// Counts one. `false`: the slot belongs to a later second already (`now` is a minute old), or is full.
    pub(crate) fn add(&self, now: Moment, counter: Counter) -> bool {
        let stamp = stamp(now);
        self.slot(now)
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
                let mut fresh = word;
                if word >> (2 * BITS) != stamp {
                    if later(word >> (2 * BITS), stamp) {
                        return None;
                    }
                    fresh = stamp << (2 * BITS);
                }
                counter.of(fresh).lt(&FULL).then(|| fresh + counter.one())
            })
            .is_ok()
    }

    /// Takes one back that was counted at the same `now`.
    pub(crate) fn sub(&self, now: Moment, counter: Counter) {
        let stamp = stamp(now);
        // A slot that has rolled over since has forgotten it already.
        let _ = self.slot(now).fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
            (word >> (2 * BITS) == stamp && counter.of(word) > 0).then(|| word - counter.one())
        });
    }

    /// What was counted in the `seconds` (at most 60) up to and with the one of `now`, and what threads whose
    /// `now` is up to four seconds later have counted already: two racing threads see each other either way.
    pub(crate) fn sum(&self, now: Moment, seconds: u64) -> Counts {
        let newest = second(now);
        let mut sum = Counts::default();
        for at in (newest + 1).saturating_sub(seconds.min(60))..=newest + AHEAD {
            let word = self.slots.get(index(at)).map_or(0, |slot| slot.load(Ordering::SeqCst));
            if word >> (2 * BITS) == stamp_of(at) {
                sum.all += Counter::All.of(word);
                sum.part += Counter::Part.of(word);
            }
        }
        sum
    }

    fn slot(&self, now: Moment) -> &AtomicU64 {
        // `index` is below SLOTS, so the first slot stands in only for the type checker.
        self.slots.get(index(second(now))).unwrap_or(&self.slots[0])
    }
}

impl Counter {
    const fn of(self, word: u64) -> u64 {
        match self {
            Self::All => (word >> BITS) & FULL,
            Self::Part => word & FULL,
        }
    }

    const fn one(self) -> u64 {
        match self {
            Self::All => 1 << BITS,
            Self::Part => 1,
        }
    }
}

const fn second(now: Moment) -> u64 {
    now.as_nanos() / 1_000_000_000
}

#[expect(clippy::cast_possible_truncation, reason = "the rest of a division by 64")]
const fn index(second: u64) -> usize {
    (second % SLOTS as u64) as usize
}

const fn stamp(now: Moment) -> u64 {
    stamp_of(second(now))
}

/// The second's number plus one, in 24 bits: zero is the slot that was never used. It comes again after 194
/// days; only a slot that nobody touched for exactly as long would be mistaken.
const fn stamp_of(second: u64) -> u64 {
    (second % 0xFF_FFFF) + 1
}

/// Whether the stamp `held` is of a later second than `ours`, the shorter way round.
const fn later(held: u64, ours: u64) -> bool {
    held != 0 && (held + 0xFF_FFFF - ours) % 0xFF_FFFF < 0x7F_FFFF && held != ours
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The window counts what a list of all events counts.
        #[test]
        fn it_counts_like_a_list(
            events in prop::collection::vec((0_u64..3_000, any::<bool>()), 1..300),
            seconds in 1_u64..=60,
        ) {
            let window = Window::new();
            let mut list: Vec<(u64, bool)> = Vec::new();
            let mut now = Moment::default();
            for (gap, part) in events {
                now = now + Duration::from_millis(gap);
                let counter = if part { Counter::Part } else { Counter::All };
                prop_assert!(window.add(now, counter));
                list.push((second(now), part));
                let recent = |wanted: bool| {
                    list.iter().filter(|(at, part)| *part == wanted && at + seconds > second(now)).count() as u64
                };
                prop_assert_eq!(window.sum(now, seconds), Counts { all: recent(false), part: recent(true) });
            }
        }
    }

    #[test]
    fn a_late_thread_does_not_wipe_a_newer_second() {
        let window = Window::new();
        let new = Moment::from_nanos(100_000_000_000);
        let old = Moment::from_nanos(36_000_000_000);
        assert!(window.add(new, Counter::All));
        assert!(!window.add(old, Counter::All));
        window.sub(old, Counter::All);
        assert_eq!(window.sum(new, 60).all, 1);
        window.sub(new, Counter::All);
        assert_eq!(window.sum(new, 60).all, 0);
    }
}
