//! The retry budget (B3): at most a share of the calls of the last minute are retries, so that a failing
//! provider is not asked twice as often just because it fails. Where there are few calls, a few retries a second are
//! allowed all the same: they burden nobody, and a share of little is nothing.
//!
//! Finagle and linkerd allow 20 % and ten a second on top. Here the greater of the two counts and the floor is lower:
//! when everything is out, retries are to stay under a fifth of the calls also at ten calls a second.
//!
//! Shared by all calls of a route, and one by all of the process: no lock, no allocation, time from outside.

use types::Moment;

use crate::window::{Counter, Window};

/// Seconds of the sliding window.
const WINDOW: u64 = 60;
/// Seconds over which the floor is taken: so many times the floor may come at once.
const BURST: u64 = 20;

/// How much a budget allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Retries for a thousand calls.
    pub per_thousand: u32,
    /// Retries a second that are allowed however few calls there are, so that a quiet route can retry at all; taken
    /// over twenty seconds. It is not added to the share: the greater of the two holds.
    pub floor: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { per_thousand: 100, floor: 1 }
    }
}

/// A sliding minute of calls and retries.
///
/// Invariant, whatever threads do: when [`Budget::take`] has said yes, the retries in the window that ends
/// at its `now` are at most `max(60 × floor, share × calls)`, and where they are more than `share × calls`, those of the
/// last twenty seconds are at most `20 × floor`.
#[derive(Debug)]
pub struct Budget {
    share: Share,
    window: Window,
}

impl Budget {
    /// An empty window.
    pub const fn new(share: Share) -> Self {
        Self { share, window: Window::new() }
    }

    /// A call begins (once a call, not once an attempt).
    pub fn call(&self, now: Moment) {
        // More than a million calls in one second: the rest does not widen the budget.
        let _ = self.window.add(now, Counter::All);
    }

    /// Takes the permission for one retry, or says no.
    pub fn take(&self, now: Moment) -> bool {
        // First count, then look, then perhaps take back: of two threads that race for the last permission
        // at least the later one to look sees both, so neither order grants too many.
        if !self.window.add(now, Counter::Part) {
            return false;
        }
        let counts = self.window.sum(now, WINDOW);
        if counts.part <= counts.all * u64::from(self.share.per_thousand) / 1_000
            || self.under_floor(counts.part, now)
        {
            return true;
        }
        self.give_back(now);
        false
    }

    /// Returns a permission that was taken at `now` and not used.
    pub fn give_back(&self, now: Moment) {
        self.window.sub(now, Counter::Part);
    }

    /// Calls and retries in the window.
    pub fn counts(&self, now: Moment) -> (u64, u64) {
        let counts = self.window.sum(now, WINDOW);
        (counts.all, counts.part)
    }

    fn under_floor(&self, retries: u64, now: Moment) -> bool {
        let floor = u64::from(self.share.floor);
        retries <= WINDOW * floor && self.window.sum(now, BURST).part <= BURST * floor
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Share::default())
    }
}

/// The two budgets that a retry needs: the route's and the process's.
#[derive(Clone, Copy, Debug)]
pub struct Budgets<'a> {
    /// Of the route.
    pub route: &'a Budget,
    /// Of all routes together.
    pub overall: &'a Budget,
}

impl Budgets<'_> {
    /// A call begins.
    pub fn call(&self, now: Moment) {
        self.route.call(now);
        self.overall.call(now);
    }

    /// Takes from both, or from none.
    pub fn take(&self, now: Moment) -> bool {
        if !self.route.take(now) {
            return false;
        }
        let both = self.overall.take(now);
        if !both {
            self.route.give_back(now);
        }
        both
    }
}
