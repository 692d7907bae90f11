//! How many calls a deployment may have at once (B9): a limit that follows its latency, and a pace that
//! follows what it says about its own limits.
//!
//! A [`Permit`] is held until the stream ends. Tell it the time to the first token as soon as that is known
//! ([`Permit::first_token`]), and how the call ended. Dropped without a word, it only gives its place back:
//! a cancelled call says nothing about the provider.
//!
//! Fed with the time to first token, or with `latency − a·tokens`: never with raw latency, because a long
//! answer is not a slow server.

mod aimd;
mod gradient;
mod pace;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use types::Moment;

pub use aimd::Aimd;
pub use gradient::Gradient;
pub use pace::{Pace, Report, Room, Sent};

use crate::number::{float, small};

/// How the limit is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Algorithm {
    /// From latency.
    Gradient(Gradient),
    /// From refusals and time-outs alone.
    Aimd(Aimd),
    /// Not at all: it stays at `initial`.
    Fixed,
}

/// A deployment's limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Where it starts.
    pub initial: u32,
    /// It never falls under this; at least 1.
    pub least: u32,
    /// It never rises over this.
    pub most: u32,
    /// How it moves.
    pub algorithm: Algorithm,
}

impl Default for Settings {
    fn default() -> Self {
        Self { initial: 20, least: 2, most: 1_000, algorithm: Algorithm::Gradient(Gradient::default()) }
    }
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// All places are taken.
    #[error("{limit} calls are already running there")]
    Full {
        /// How many may run.
        limit: u32,
    },
    /// The provider said that it would refuse before then.
    #[error("the provider's own limit is used up for {} ms", wait.as_millis())]
    Paced {
        /// Until it may be asked again.
        wait: Duration,
    },
}

#[derive(Debug)]
enum State {
    Gradient(gradient::State),
    Aimd(aimd::State),
    Fixed,
}

/// One deployment's limit and who is within it.
#[derive(Debug)]
pub struct Limiter {
    settings: Settings,
    limit: AtomicU32,
    /// Percent of the limit that may be used: memory and load pull it down.
    percent: AtomicU32,
    in_flight: AtomicU32,
    refused: AtomicU32,
    pace: Pace,
    /// Averages that move together, once or twice per call.
    state: Mutex<State>,
}

impl Limiter {
    /// A limiter at its initial limit.
    pub fn new(settings: Settings) -> Self {
        let least = settings.least.max(1);
        let settings = Settings { least, most: settings.most.max(least), ..settings };
        let initial = settings.initial.clamp(least, settings.most);
        let state = match settings.algorithm {
            Algorithm::Gradient(_) => State::Gradient(gradient::State::new(initial)),
            Algorithm::Aimd(_) => State::Aimd(aimd::State::new(initial)),
            Algorithm::Fixed => State::Fixed,
        };
        Self {
            settings,
            limit: AtomicU32::new(initial),
            percent: AtomicU32::new(100),
            in_flight: AtomicU32::new(0),
            refused: AtomicU32::new(0),
            pace: Pace::default(),
            state: Mutex::new(state),
        }
    }

    /// The number of calls that may run now.
    pub fn limit(&self) -> u32 {
        let limit = self.limit.load(Ordering::Relaxed);
        let percent = u64::from(self.percent.load(Ordering::Relaxed));
        u32::try_from(u64::from(limit) * percent / 100).unwrap_or(limit).max(1)
    }

    /// The number of calls that run now.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Calls that found no place so far.
    pub fn refused(&self) -> u32 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Uses only `percent` of the limit from now on: what load and memory allow. At least one call may run.
    pub fn scale(&self, percent: u32) {
        self.percent.store(percent.min(100), Ordering::Relaxed);
    }

    /// A place for a call that will likely use `tokens`, in and out.
    pub fn acquire(self: &Arc<Self>, tokens: u64, now: Moment) -> Result<Permit, Refused> {
        let limit = self.limit();
        let taken = self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |running| {
            (running < limit).then_some(running + 1)
        });
        let Ok(running) = taken else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Refused::Full { limit });
        };
        match self.pace.take(tokens, now) {
            Ok(sent) => Ok(Permit {
                limiter: Arc::clone(self),
                started: now,
                beside: running + 1,
                tokens,
                sent,
                first: Duration::ZERO,
            }),
            Err(wait) => {
                self.in_flight.fetch_sub(1, Ordering::AcqRel);
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(Refused::Paced { wait })
            }
        }
    }

    /// Whether the provider would refuse a call of `tokens` now, by what it has said.
    pub fn is_paced(&self, tokens: u64, now: Moment) -> bool {
        self.pace.would_wait(tokens, now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, limit: f64) {
        let (least, most) = (f64::from(self.settings.least), f64::from(self.settings.most));
        self.limit.store(small(limit.clamp(least, most)), Ordering::Relaxed);
    }

    fn bounds(&self) -> (f64, f64) {
        (f64::from(self.settings.least), f64::from(self.settings.most))
    }
}

/// A place among the running calls; given back when dropped.
#[derive(Debug)]
#[must_use = "a permit is held as long as the call runs"]
pub struct Permit {
    limiter: Arc<Limiter>,
    started: Moment,
    /// How many ran when this one began, itself included.
    beside: u32,
    tokens: u64,
    sent: Sent,
    first: Duration,
}

impl Permit {
    /// The first token came `rtt` after the request was sent (or: the call took `latency − a·tokens`).
    pub fn first_token(&mut self, rtt: Duration) {
        self.first = rtt;
        let beside = self.beside;
        let bounds = self.limiter.bounds();
        let limit = match (&mut *self.limiter.state(), &self.limiter.settings.algorithm) {
            (State::Gradient(state), Algorithm::Gradient(settings)) => {
                state.first_token(settings, rtt, beside, bounds)
            }
            (State::Aimd(state), Algorithm::Aimd(_)) => state.answered(beside, bounds),
            _ => return,
        };
        self.limiter.publish(limit);
    }

    /// Nothing is sent after all: what was counted against the provider's own limits is free again.
    pub fn unsent(self) {
        self.limiter.pace.unsent(self.tokens, self.sent);
    }

    /// What the provider's headers say about its own limits.
    pub fn report(&self, report: &Report, now: Moment) {
        self.limiter.pace.report(report, self.sent, now);
    }

    /// The answer is complete.
    pub fn finish(self, now: Moment) {
        if let State::Gradient(state) = &mut *self.limiter.state() {
            state.finished(now.since(self.started), self.first);
        }
    }

    /// The provider refused for load, or said nothing until the time-out: fewer at once from now on. A 429
    /// belongs to [`Permit::report`] instead: it is about a rate, not about how many run.
    pub fn overloaded(self, now: Moment) {
        let bounds = self.limiter.bounds();
        let limit = match (&mut *self.limiter.state(), &self.limiter.settings.algorithm) {
            (State::Gradient(state), Algorithm::Gradient(_)) => state.overloaded((self.started, now), bounds),
            (State::Aimd(state), Algorithm::Aimd(settings)) => {
                state.overloaded(*settings, (self.started, now), bounds)
            }
            _ => return,
        };
        self.limiter.publish(limit);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The same figure for a dashboard.
impl Limiter {
    /// The used part of the limit, 1 is all of it.
    pub fn utilisation(&self) -> f64 {
        float(u64::from(self.in_flight())) / float(u64::from(self.limit()))
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "test figures are small")]
mod tests;
