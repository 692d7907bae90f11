//! What is known about one deployment, and the attempt machine's [`Allowances`] made of it: the piece that
//! ties budgets, breakers, latency and hedging to a call. Decides nothing itself.

use std::sync::Arc;
use std::time::Duration;

use types::{Moment, Money};

use crate::analysis::Tally;
use crate::attempt::{Allowances, Cause, Refused};
use crate::breaker::{Breaker, Judge, Permit, State, panic_mode};
use crate::hedge::Hedger;
use crate::latency::{Adaptive, Answers, Window};
use crate::retry::{Budgets, Pressure};

/// One deployment's health. Shared by all its calls; about 45 KiB.
#[derive(Debug)]
pub struct Health {
    /// Whether it is asked at all.
    pub breaker: Arc<Breaker>,
    /// Times to first token.
    pub first_token: Window,
    /// Answers that came whole, by their length.
    pub answers: Answers,
    /// Times of whole calls.
    pub total: Window,
    /// Outcomes by class.
    pub tally: Tally,
}

impl Health {
    /// Nothing is known yet.
    pub fn new(judge: Arc<Judge>) -> Self {
        Self {
            breaker: Arc::new(Breaker::new(judge)),
            first_token: Window::new(),
            answers: Answers::new(),
            total: Window::new(),
            tally: Tally::new(),
        }
    }

    /// How it does, for adaptive back-off.
    pub fn pressure(&self, now: Moment) -> Pressure {
        Pressure {
            latency: self.first_token.quantiles(now).p50().unwrap_or_default(),
            failing: self.breaker.failing(now),
        }
    }
}

/// What a call needs to know of one target.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its health.
    pub health: &'a Health,
    /// The breaker that holds for the call: not the health's own where its route has other numbers.
    pub breaker: &'a Arc<Breaker>,
}

impl<'a> From<&'a Health> for Known<'a> {
    fn from(health: &'a Health) -> Self {
        Self { health, breaker: &health.breaker }
    }
}

/// Hedging, for one call.
#[derive(Clone, Copy, Debug)]
pub struct Hedging<'a> {
    /// The route's.
    pub hedger: &'a Hedger,
    /// What one more attempt of this call is expected to cost.
    pub cost: Money,
    /// The used share of the concurrency limit, 0 to 1.
    pub load: f32,
    /// The most tokens that its answer may have, where that comes whole; `None`: it streams.
    pub whole: Option<u64>,
}

/// The allowances of one call.
///
/// After each `Step::Send` and each `Machine::slow` that returned one, the driver takes the attempt's permit
/// with [`Guards::permit`] and settles or drops it with the attempt.
#[derive(Debug)]
pub struct Guards<'a, F> {
    /// How many targets the route has.
    pub targets: usize,
    /// What is known of the nth target.
    pub known: F,
    /// Retry budgets; `None`: unlimited.
    pub budgets: Option<Budgets<'a>>,
    /// Deadlines to first content that follow the p99; `None`: as configured.
    pub adaptive: Option<Adaptive>,
    /// Backups; `None`: never for this call.
    pub hedging: Option<Hedging<'a>>,
    permit: Option<Permit>,
}

impl<'a, F: Fn(usize) -> Option<Known<'a>>> Guards<'a, F> {
    /// Breakers only; set the other fields as wanted.
    pub fn new(targets: usize, known: F) -> Self {
        Self { targets, known, budgets: None, adaptive: None, hedging: None, permit: None }
    }

    /// The permit of the attempt that the machine has just asked for.
    pub fn permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    fn of(&self, target: usize) -> Option<Known<'a>> {
        (self.known)(target)
    }
}

impl<'a, F: Fn(usize) -> Option<Known<'a>>> Allowances for Guards<'a, F> {
    fn retry(&mut self, now: Moment) -> bool {
        self.budgets.is_none_or(|budgets| budgets.take(now))
    }

    fn admit(&mut self, target: usize, now: Moment, random: u64) -> Result<(), Refused> {
        self.permit = match self.of(target) {
            Some(known) => {
                let asked = known.breaker.admit(now, random);
                let refused = |refused: crate::breaker::Refused| Refused {
                    until: refused.until,
                    cause: Cause::BreakerOpen,
                };
                Some(asked.map_err(refused)?)
            }
            None => None,
        };
        Ok(())
    }

    fn panic(&mut self, target: usize, now: Moment) -> bool {
        let open =
            |target: &usize| self.of(*target).is_some_and(|known| known.breaker.state(now) == State::Open);
        let panic = panic_mode((0..self.targets).filter(open).count(), self.targets);
        if panic {
            self.permit = self.of(target).map(|known| known.breaker.ignore());
        }
        panic
    }

    fn pressure(&self, target: usize, now: Moment) -> Pressure {
        self.of(target).map(|known| known.health.pressure(now)).unwrap_or_default()
    }

    fn first_token(&self, target: usize, now: Moment) -> Option<Duration> {
        let health = self.of(target)?.health;
        Some(self.adaptive?.deadline(health.first_token.quantiles(now)))
    }

    fn hedge_after(&self, target: usize, now: Moment) -> Option<Duration> {
        let hedging = self.hedging?;
        let health = self.of(target)?.health;
        match hedging.whole {
            None => hedging.hedger.after(health.first_token.quantiles(now)),
            Some(most) => {
                let after = hedging.hedger.after(health.answers.beginnings(now))?;
                Some(after.saturating_add(health.answers.writing(now, most)))
            }
        }
    }

    fn hedge(&mut self, _: usize, now: Moment) -> bool {
        let taken =
            self.hedging.is_some_and(|hedging| hedging.hedger.take(now, hedging.cost, hedging.load).is_ok());
        if !taken {
            self.permit = None;
        }
        taken
    }
}

#[cfg(test)]
mod tests;
