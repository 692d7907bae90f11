//! What a keeper outside the process needs of a rule: numbers to add and to compare. The arithmetic that turns
//! units into time, and back, stays here, so that every keeper counts alike.

use std::time::Duration;

use super::bucket::Rate;
use super::window::slot_of;
use super::{Algorithm, Gauge, Rule};

/// What one call asks of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The limit is 0: nothing passes.
    Closed,
    /// A bucket is a moment, at which it will be full: if that moment, or now if it is past, and `cost` later is
    /// at most `reach` from now, it becomes the new moment.
    Bucket {
        /// Nanoseconds.
        cost: u64,
        /// Nanoseconds.
        reach: u64,
    },
    /// The counts of the current slot and the [`SLOTS`](super::SLOTS) before it and `amount` are at most `capacity`.
    Window {
        /// Units.
        amount: u64,
        /// Units.
        capacity: u64,
        /// Nanoseconds, whole microseconds. Slots are counted since the clock's origin.
        slot: u64,
    },
}

/// Where the keeper found a rule's state, or left it after granting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The limit is 0.
    Closed,
    /// Nanoseconds until the bucket is full.
    Bucket(u64),
    /// A window.
    Window {
        /// Units that count now.
        used: u64,
        /// Until none does.
        reset: Duration,
        /// Until the call could pass.
        wait: Duration,
    },
}

impl Rule {
    /// What taking `amount` asks for a share of `percent`. `rate` is the limit, or where an adaptive one is now
    /// ([`Limits::rates`](super::Limits::rates)).
    pub fn ask(&self, amount: u64, percent: u8, rate: u64) -> Ask {
        let capacity = self.capacity_for(percent);
        match self.algorithm {
            _ if self.limit == 0 => Ask::Closed,
            Algorithm::SlidingWindow => Ask::Window { amount, capacity, slot: slot_of(self.span()) },
            Algorithm::TokenBucket | Algorithm::Adaptive(_) => {
                let rate = self.at(rate);
                Ask::Bucket { cost: rate.cost(amount), reach: rate.reach(capacity) }
            }
        }
    }

    /// How long until it could be granted, where the keeper refused.
    pub fn wait(&self, ask: Ask, seen: Seen) -> Duration {
        match (ask, seen) {
            (Ask::Bucket { cost, reach }, Seen::Bucket(ahead)) => {
                Duration::from_nanos(ahead.saturating_add(cost).saturating_sub(reach))
            }
            (_, Seen::Window { wait, .. }) => wait,
            _ => Duration::MAX,
        }
    }

    /// Where the rule stands for a share of `percent`.
    pub fn gauge(&self, percent: u8, rate: u64, seen: Seen) -> Gauge {
        let capacity = self.capacity_for(percent);
        let (limit, remaining, reset) = match seen {
            Seen::Closed => (0, 0, Duration::ZERO),
            Seen::Bucket(ahead) => {
                (rate, self.at(rate).remaining(capacity, ahead), Duration::from_nanos(ahead))
            }
            Seen::Window { used, reset, .. } => (self.limit, capacity.saturating_sub(used), reset),
        };
        Gauge { limit, remaining, reset }
    }

    fn at(&self, rate: u64) -> Rate {
        Rate { limit: rate.max(1), span: self.span() }
    }
}
