//! What the provider says about its own limits is the truth: 429, `retry-after` and what its headers say is
//! left. Until the reset no more is sent than that.
//!
//! A report is as old as its answer: what was sent after that answer's request is taken off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use types::Moment;

use crate::number::{nanos, scale_down};

/// What is left of one of the provider's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The whole limit, if it says so: it then comes back evenly until `reset`; otherwise all at once.
    pub limit: Option<u64>,
    /// Units left.
    pub remaining: u64,
    /// Until all of it is there again.
    pub reset: Duration,
}

/// An answer's headers about limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// `x-ratelimit-*-requests` and their kin.
    pub requests: Option<Room>,
    /// `x-ratelimit-*-tokens` and their kin.
    pub tokens: Option<Room>,
    /// `retry-after` of a 429 or 503. Nothing is sent before.
    pub retry_after: Option<Duration>,
}

/// Everything sent so far, when a call was: what its answer can know of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    requests: u64,
    tokens: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    room: Room,
    since: Moment,
    /// Sent since the report, in its unit.
    used: u64,
}

impl Known {
    fn free(&self, now: Moment) -> u64 {
        let Room { limit, remaining, reset } = self.room;
        let back = limit.map_or(0, |limit| {
            let elapsed = nanos(now.since(self.since)).min(nanos(reset));
            scale_down(limit.saturating_sub(remaining), elapsed, nanos(reset))
        });
        remaining.saturating_add(back).saturating_sub(self.used)
    }

    fn over(&self, now: Moment) -> bool {
        now.since(self.since) >= self.room.reset
    }

    /// How long until `amount` is free, at the latest at the reset.
    fn wait(&self, amount: u64, now: Moment) -> Duration {
        let missing = amount.saturating_sub(self.free(now));
        let left = (self.since + self.room.reset).since(now);
        let Some(limit) = self.room.limit else { return left };
        let comes = limit.saturating_sub(self.room.remaining).max(1);
        left.min(Duration::from_nanos(scale_down(missing, nanos(self.room.reset), comes) + 1))
    }
}

#[derive(Debug, Default)]
struct State {
    sent: Sent,
    newest: Sent,
    requests: Option<Known>,
    tokens: Option<Known>,
    closed_until: Option<Moment>,
}

/// The pace of one deployment.
#[derive(Debug, Default)]
pub struct Pace {
    /// Whether anything was ever said: most providers never say anything.
    told: AtomicBool,
    state: Mutex<State>,
}

impl Pace {
    /// Counts a call of `tokens`, or says how long the provider would refuse it.
    pub(super) fn take(&self, tokens: u64, now: Moment) -> Result<Sent, Duration> {
        let mut state = self.lock();
        if self.told.load(Ordering::Relaxed) {
            let wait = state.wait(tokens, now);
            if !wait.is_zero() {
                return Err(wait);
            }
        }
        state.sent.requests += 1;
        state.sent.tokens = state.sent.tokens.saturating_add(tokens);
        if let Some(known) = &mut state.requests {
            known.used += 1;
        }
        if let Some(known) = &mut state.tokens {
            known.used = known.used.saturating_add(tokens);
        }
        Ok(state.sent)
    }

    /// The call of `tokens` that was counted as `sent` is not sent after all.
    pub(super) fn unsent(&self, tokens: u64, sent: Sent) {
        let mut state = self.lock();
        // What was counted before the last report is not a part of what came after it.
        if sent.requests <= state.newest.requests {
            return;
        }
        if let Some(known) = &mut state.requests {
            known.used = known.used.saturating_sub(1);
        }
        if let Some(known) = &mut state.tokens {
            known.used = known.used.saturating_sub(tokens);
        }
    }

    /// Whether a call of `tokens` would have to wait.
    pub(super) fn would_wait(&self, tokens: u64, now: Moment) -> bool {
        self.told.load(Ordering::Relaxed) && !self.lock().wait(tokens, now).is_zero()
    }

    /// Takes the headers of the answer to the call that was counted as `sent`.
    pub(super) fn report(&self, report: &Report, sent: Sent, now: Moment) {
        let mut state = self.lock();
        if let Some(after) = report.retry_after {
            state.closed_until = state.closed_until.max(Some(now + after));
            self.told.store(true, Ordering::Relaxed);
        }
        // Answers overtake each other: an older call's headers know less.
        if sent.requests < state.newest.requests {
            return;
        }
        state.newest = sent;
        if let Some(room) = report.requests {
            let used = state.sent.requests - sent.requests;
            state.requests = Some(Known { room, since: now, used });
            self.told.store(true, Ordering::Relaxed);
        }
        if let Some(room) = report.tokens {
            let used = state.sent.tokens.saturating_sub(sent.tokens);
            state.tokens = Some(Known { room, since: now, used });
            self.told.store(true, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, tokens: u64, now: Moment) -> Duration {
        if self.closed_until.is_some_and(|until| until <= now) {
            self.closed_until = None;
        }
        // After the reset nothing is known, and the next answer will tell.
        self.requests = self.requests.filter(|known| !known.over(now));
        self.tokens = self.tokens.filter(|known| !known.over(now));
        let closed = self.closed_until.map_or(Duration::ZERO, |until| until.since(now));
        let short = |known: &Option<Known>, amount: u64| match known {
            Some(known) if known.free(now) < amount => known.wait(amount, now),
            _ => Duration::ZERO,
        };
        closed.max(short(&self.requests, 1)).max(short(&self.tokens, tokens))
    }
}
