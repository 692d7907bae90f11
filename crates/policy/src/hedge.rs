//! Hedged requests (B11): a backup to another target when the first has been silent for longer than it is for
//! 95 of 100 calls (Dean and Barroso, "The Tail at Scale", 2013). Off unless a route switches it on.
//!
//! Here: when, and whether. The attempt machine asks, chooses the target and keeps it to one backup a call.
//! Three things keep it from doubling the load when everything is slow: a share of calls, a share of money,
//! and a look at how many calls want one: in a slowdown that is far more than one in twenty.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use types::{Moment, Money};

use crate::latency::Quantiles;
use crate::window::{Counter, Window};

/// What one backup costs of the credit of calls.
const ONE: i64 = 1_000;
/// Backups that may be saved up in quiet times.
const SAVED: i64 = 5;
/// Seconds over which the wish for backups is watched.
const WATCHED: u64 = 4;
/// After a slowdown nothing is hedged for as long as the p95 still speaks of the time before it.
const HOLD: Duration = Duration::from_secs(60);

/// A route's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Whether at all.
    pub on: bool,
    /// Backups for a thousand calls.
    pub per_thousand: u16,
    /// Money for backups, for a thousand spent on calls.
    pub money_per_thousand: u16,
    /// Samples of time to first token below which nothing is hedged.
    pub samples: u32,
    /// The load (share of the concurrency limit in use) above which nothing is hedged.
    pub load: f32,
    /// Calls of a thousand that may want a backup before it counts as a slowdown of everything.
    pub wanted_per_thousand: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            on: false,
            per_thousand: 40,
            money_per_thousand: 40,
            samples: 100,
            load: 0.8,
            wanted_per_thousand: 150,
        }
    }
}

/// Why there is no backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Hedging is off.
    Off,
    /// The deployment or the process has too much to do already.
    Busy,
    /// Everything is slow, not this one call.
    Slowdown,
    /// The share of calls is used up.
    Calls,
    /// The share of money is used up.
    Money,
}

/// One route's hedging. Shared by its calls: no lock, no allocation.
///
/// Invariant: backups so far ≤ `per_thousand` of the calls so far, and the money promised to backups so far ≤
/// `money_per_thousand` of the money of calls so far (what settling adds is taken from later backups).
#[derive(Debug)]
pub struct Hedger {
    settings: Settings,
    /// In thousandths of a backup.
    calls: AtomicI64,
    /// In thousandths of a nano-dollar.
    money: AtomicI64,
    wanted: Window,
    /// A slowdown holds hedging back until then, in nanoseconds.
    held_until: AtomicU64,
}

impl Hedger {
    /// Without any credit.
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            calls: AtomicI64::new(0),
            money: AtomicI64::new(0),
            wanted: Window::new(),
            held_until: AtomicU64::new(0),
        }
    }

    /// A call of the route begins, and is expected to cost so much. (Backups are no calls.)
    pub fn call(&self, now: Moment, cost: Money) {
        if !self.settings.on {
            return;
        }
        let _ = self.wanted.add(now, Counter::All);
        deposit(&self.calls, i64::from(self.settings.per_thousand), SAVED * ONE);
        let nanos = nanos(cost);
        // No more is saved up than a few backups of calls like this one cost.
        let most = nanos.saturating_mul(ONE * SAVED);
        deposit(&self.money, nanos.saturating_mul(i64::from(self.settings.money_per_thousand)), most);
    }

    /// After how much silence a call wants a backup, by the times to first token of its target. `None`: never.
    pub fn after(&self, first_token: Quantiles) -> Option<Duration> {
        (self.settings.on && first_token.samples >= self.settings.samples).then(|| first_token.p95())?
    }

    /// Takes the permission for one backup that is expected to cost `cost`. `load` is the used share of the
    /// concurrency limit, 0 to 1.
    ///
    /// # Errors
    /// [`Denied`] says why not; nothing is taken then.
    pub fn take(&self, now: Moment, cost: Money, load: f32) -> Result<(), Denied> {
        if !self.settings.on {
            return Err(Denied::Off);
        }
        let _ = self.wanted.add(now, Counter::Part);
        // Not "load > limit", so that a load which is no number means no.
        if load.partial_cmp(&self.settings.load).is_none_or(std::cmp::Ordering::is_gt) {
            return Err(Denied::Busy);
        }
        let counts = self.wanted.sum(now, WATCHED);
        let slowdown = counts.all.saturating_mul(u64::from(self.settings.wanted_per_thousand));
        if counts.part.saturating_mul(1_000) > slowdown.max(chance(counts.all)) {
            self.held_until.fetch_max((now + HOLD).as_nanos(), Ordering::Relaxed);
        }
        if now.as_nanos() < self.held_until.load(Ordering::Relaxed) {
            return Err(Denied::Slowdown);
        }
        if !withdraw(&self.calls, ONE) {
            return Err(Denied::Calls);
        }
        if !withdraw(&self.money, nanos(cost).saturating_mul(ONE)) {
            self.calls.fetch_add(ONE, Ordering::Relaxed);
            return Err(Denied::Money);
        }
        Ok(())
    }

    /// Returns what was taken for a backup that was not sent.
    pub fn give_back(&self, cost: Money) {
        self.calls.fetch_add(ONE, Ordering::Relaxed);
        self.money.fetch_add(nanos(cost).saturating_mul(ONE), Ordering::Relaxed);
    }

    /// A backup, or the attempt that it beat, has cost `actual`, of which `expected` was taken.
    pub fn settle(&self, expected: Money, actual: Money) {
        let less = nanos(expected).saturating_sub(nanos(actual)).saturating_mul(ONE);
        self.money.fetch_add(less, Ordering::Relaxed);
    }
}

/// How many of so many calls may want a backup by chance, in thousandths: one in twenty does, four standard deviations
/// more are luck, and so are the first three.
const fn chance(calls: u64) -> u64 {
    // 4 × √(0.05 × 0.95) = 0.872
    calls.saturating_mul(50).saturating_add(872 * calls.isqrt()).saturating_add(3_000)
}

fn nanos(money: Money) -> i64 {
    // A millionth of what fits, so that no product with a share overflows.
    i64::try_from(money.as_pico() / 1_000).unwrap_or(i64::MAX).clamp(0, i64::MAX / 1_000_000)
}

fn deposit(credit: &AtomicI64, more: i64, most: i64) {
    let add = |held: i64| (held < most).then(|| held.saturating_add(more).min(most));
    let _ = credit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
}

fn withdraw(credit: &AtomicI64, price: i64) -> bool {
    credit
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| (held >= price).then(|| held - price))
        .is_ok()
}

#[cfg(test)]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures of simulations"
)]
mod tests;
