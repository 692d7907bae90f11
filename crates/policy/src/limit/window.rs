//! A sliding window that never lets more than the limit pass in any span: counts in slots of 1/60 of it.

use std::time::Duration;

use types::Moment;

/// Slots of a span.
pub const SLOTS: u64 = 60;
/// One more than [`SLOTS`]: the oldest slot may still reach into the span.
const RING: usize = 61;

/// The counts of the last 61 slots.
#[derive(Debug)]
pub(super) struct Window {
    counts: [u64; RING],
    /// The number of the newest slot since the clock's origin.
    newest: u64,
    total: u64,
    slot: u64,
}

impl Window {
    /// A window of `span` nanoseconds, empty.
    pub(super) fn new(span: u64) -> Self {
        Self { counts: [0; RING], newest: 0, total: 0, slot: slot_of(span) }
    }

    /// Takes `amount` of `limit`, or says how long until it could.
    pub(super) fn take(&mut self, amount: u64, limit: u64, now: Moment) -> Result<(), Duration> {
        let wait = self.wait(amount, limit, now);
        if wait.is_zero() {
            self.add(amount);
            return Ok(());
        }
        Err(wait)
    }

    /// How long until `amount` could be taken of `limit`.
    pub(super) fn wait(&mut self, amount: u64, limit: u64, now: Moment) -> Duration {
        self.advance(now);
        let mut left = self.total;
        if left.saturating_add(amount) <= limit {
            return Duration::ZERO;
        }
        for slot in self.oldest()..=self.newest {
            left -= self.counts[place(slot)];
            if left.saturating_add(amount) <= limit {
                return self.leaves(slot).since(now);
            }
        }
        Duration::MAX
    }

    /// Makes what was taken at `at` as `from` into `to`. What is given back leaves the slot it was in; what is
    /// charged on counts from now.
    pub(super) fn shift(&mut self, at: Moment, (from, to): (u64, u64), now: Moment) {
        self.advance(now);
        if to >= from {
            self.add(to - from);
            return;
        }
        // A taker whose clock reading was behind another's was counted in the newest slot of that time, the one
        // after: only these two, or strangers' units would be given away. What has left counts no more.
        let slot = at.as_nanos() / self.slot;
        let mut owed = from - to;
        if slot < self.oldest() {
            return;
        }
        for slot in slot..=self.newest.min(slot + 1) {
            let count = &mut self.counts[place(slot)];
            let back = owed.min(*count);
            *count -= back;
            self.total -= back;
            owed -= back;
        }
    }

    /// Until nothing counts any more.
    pub(super) fn reset(&mut self, now: Moment) -> Duration {
        self.advance(now);
        let last = (self.oldest()..=self.newest).rev().find(|slot| self.counts[place(*slot)] > 0);
        last.map_or(Duration::ZERO, |slot| self.leaves(slot).since(now))
    }

    /// What counts now.
    pub(super) fn used(&mut self, now: Moment) -> u64 {
        self.advance(now);
        self.total
    }

    fn add(&mut self, amount: u64) {
        let count = &mut self.counts[place(self.newest)];
        *count = count.saturating_add(amount);
        self.total = self.total.saturating_add(amount);
    }

    fn oldest(&self) -> u64 {
        self.newest.saturating_sub(SLOTS)
    }

    fn leaves(&self, slot: u64) -> Moment {
        Moment::from_nanos((slot + SLOTS + 1).saturating_mul(self.slot))
    }

    fn advance(&mut self, now: Moment) {
        let current = now.as_nanos() / self.slot;
        if current <= self.newest {
            return;
        }
        if current - self.newest > SLOTS {
            self.counts = [0; RING];
            self.total = 0;
        } else {
            for slot in self.newest + 1..=current {
                let count = &mut self.counts[place(slot)];
                self.total -= *count;
                *count = 0;
            }
        }
        self.newest = current;
    }
}

/// The slot of a span of nanoseconds: whole microseconds, so that a keeper whose clock has no more counts alike.
pub(super) fn slot_of(span: u64) -> u64 {
    span.div_ceil(SLOTS).max(1).next_multiple_of(1_000)
}

#[expect(clippy::cast_possible_truncation, reason = "a remainder of 61")]
const fn place(slot: u64) -> usize {
    (slot % RING as u64) as usize
}
