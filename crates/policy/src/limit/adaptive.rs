//! A rate that follows how calls fare: a tenth less when too many go wrong, a tenth more when not
//! (seed 003 §3, with its numbers).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::Moment;

use crate::number::{float, scale_down, scale_up};

/// How a rate adapts. Rates are in the rule's own unit and span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Adaptive {
    /// Bad calls that are accepted, in parts of 10,000. Seed: 1 %, so 100.
    pub target_bad: u32,
    /// An answer slower than this is a bad one; `None`: only failures are bad.
    pub target_latency: Option<Duration>,
    /// How often the rate is adjusted. Seed: 60 s.
    pub period: Duration,
    /// The rate never falls under this.
    pub least: u64,
    /// The rate never rises over this.
    pub most: u64,
}

/// Fewer calls than this in a period say nothing. Seed: 10.
const ENOUGH: u64 = 10;

impl Adaptive {
    /// The seed's numbers around a limit: from a tenth of it to ten times (10 and 1,000 around 100).
    pub const fn around(limit: u64) -> Self {
        let least = if limit < 10 { 1 } else { limit / 10 };
        Self {
            target_bad: 100,
            target_latency: None,
            period: Duration::from_secs(60),
            least,
            most: limit.saturating_mul(10),
        }
    }
}

/// How a call fared, as far as a limit cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Nothing to learn from: cancelled, served from the cache, the caller's own mistake.
    None,
    /// It failed, or was refused by the provider.
    Failed,
    /// It was answered; this long to its first token.
    Answered(Duration),
}

#[derive(Debug)]
struct Counts {
    good: u64,
    bad: u64,
    since: Option<Moment>,
}

/// The rate of one key.
#[derive(Debug)]
pub(super) struct Pace {
    rate: AtomicU64,
    counts: Mutex<Counts>,
}

impl Pace {
    pub(super) fn new(limit: u64, rule: &Adaptive) -> Self {
        let rate = limit.clamp(rule.least.max(1), rule.most.max(rule.least).max(1));
        Self { rate: AtomicU64::new(rate), counts: Mutex::new(Counts { good: 0, bad: 0, since: None }) }
    }

    /// The rate now, never 0.
    pub(super) fn rate(&self) -> u64 {
        self.rate.load(Ordering::Relaxed)
    }

    /// Takes a call's end into account; at a period's end the rate moves.
    pub(super) fn learn(&self, rule: &Adaptive, signal: Signal, now: Moment) {
        let bad = match signal {
            Signal::None => return,
            Signal::Failed => true,
            Signal::Answered(after) => rule.target_latency.is_some_and(|target| after > target),
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *counts.since.get_or_insert(now);
        if bad {
            counts.bad += 1;
        } else {
            counts.good += 1;
        }
        let seen = counts.good + counts.bad;
        if now.since(since) < rule.period || seen < ENOUGH {
            return;
        }
        let too_many = float(counts.bad) * 10_000.0 > float(seen) * f64::from(rule.target_bad);
        let rate = self.rate();
        let moved = if too_many {
            scale_down(rate, 9, 10).max(rule.least)
        } else {
            scale_up(rate, 11, 10).min(rule.most)
        };
        self.rate.store(moved.max(1), Ordering::Relaxed);
        *counts = Counts { good: 0, bad: 0, since: Some(now) };
    }
}
