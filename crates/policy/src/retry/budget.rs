//! The retry budget (B3): at most a share of the calls of the last minute are retries, so that a failing
//! provider is not asked twice as often just because it fails.
//!
//! Shared by all calls of a route, and one by all of the process: no lock, no allocation, time from outside.

use types::Moment;

use crate::window::{Counter, Window};

/// Seconds of the sliding window.
const WINDOW: u64 = 60;

/// How much a budget allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Retries for a thousand calls.
    pub per_thousand: u32,
    /// Retries in a window that are allowed however few calls there are, so that a quiet route can retry at
    /// all. It is not added to the share: the greater of the two holds.
    pub floor: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { per_thousand: 100, floor: 10 }
    }
}

/// A sliding minute of calls and retries.
///
/// Invariant, whatever threads do: when [`Budget::take`] has said yes, the retries in the window that ends
/// at its `now` are at most `max(floor, share × calls)`.
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
        if counts.part <= self.allowed(counts.all) {
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

    fn allowed(&self, calls: u64) -> u64 {
        (calls * u64::from(self.share.per_thousand) / 1_000).max(u64::from(self.share.floor))
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
