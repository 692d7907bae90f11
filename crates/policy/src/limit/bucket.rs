//! A token bucket in one atomic word (GCRA): the moment at which it will be full again.
//!
//! Being ahead of `now` means units are in use; by more than the burst means debt. Costs are rounded up to
//! whole nanoseconds, so the rate is never exceeded; a slack of less than one unit makes up for the rounding
//! within a burst, so that a burst of n lets exactly n single units pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use types::Moment;

use crate::number::{scale_down, scale_up};

/// A rate as the bucket needs it: `limit` units per `span` nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Units per span; not 0.
    pub(super) limit: u64,
    /// Nanoseconds.
    pub(super) span: u64,
}

impl Rate {
    /// Nanoseconds in which `amount` units come back.
    pub(super) fn cost(self, amount: u64) -> u64 {
        scale_up(amount, self.span, self.limit)
    }

    /// How far ahead of now the bucket may be when `burst` units are in use.
    pub(super) fn reach(self, burst: u64) -> u64 {
        let slack = if self.span.is_multiple_of(self.limit) { 0 } else { burst.min(self.cost(1) - 1) };
        self.cost(burst).saturating_add(slack)
    }

    /// Units left of `burst` when the bucket will be full `ahead` nanoseconds from now.
    pub(super) fn remaining(self, burst: u64, ahead: u64) -> u64 {
        scale_down(self.reach(burst).saturating_sub(ahead), self.limit, self.span).min(burst)
    }
}

/// The bucket's state.
#[derive(Debug, Default)]
pub struct Bucket(AtomicU64);

impl Bucket {
    /// Takes `amount` units of a bucket of `burst`, or says how long until it could.
    pub(super) fn take(&self, rate: Rate, amount: u64, burst: u64, now: Moment) -> Result<(), Duration> {
        let (cost, reach, now) = (rate.cost(amount), rate.reach(burst), now.as_nanos());
        let mut wait = 0;
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let next = full_at.max(now).saturating_add(cost);
            wait = next.saturating_sub(now.saturating_add(reach));
            (wait == 0).then_some(next)
        });
        taken.map(|_| ()).map_err(|_| Duration::from_nanos(wait))
    }

    /// How long until `amount` could be taken; zero if now.
    pub(super) fn wait(&self, rate: Rate, amount: u64, burst: u64, now: Moment) -> Duration {
        let next = self.0.load(Ordering::Relaxed).max(now.as_nanos()).saturating_add(rate.cost(amount));
        Duration::from_nanos(next.saturating_sub(now.as_nanos().saturating_add(rate.reach(burst))))
    }

    /// Makes what was taken as `from` into `to`: gives back or charges on, into debt if need be.
    pub(super) fn shift(&self, rate: Rate, from: u64, to: u64, now: Moment) {
        let (from, to) = (rate.cost(from), rate.cost(to));
        let _always = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            Some(if to >= from {
                full_at.max(now.as_nanos()).saturating_add(to - from)
            } else {
                full_at.saturating_sub(from - to)
            })
        });
    }

    /// Until the bucket is full.
    pub(super) fn reset(&self, now: Moment) -> Duration {
        Moment::from_nanos(self.0.load(Ordering::Relaxed)).since(now)
    }

    /// Units left of `burst`.
    pub(super) fn remaining(&self, rate: Rate, burst: u64, now: Moment) -> u64 {
        let used = self.0.load(Ordering::Relaxed).saturating_sub(now.as_nanos());
        rate.remaining(burst, used)
    }
}
