//! What the machine must ask for before it acts: permissions that are shared by many calls.
//!
//! The machine decides; what it may is kept by others (budgets, breakers, hedging). They reach it through
//! this trait, so that it stays pure and its tests can say no to anything. `health::Guards` is the real one.

use std::time::Duration;

use types::Moment;

use super::Cause;
use crate::retry::Pressure;

/// A target that may not be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When it may be, as far as that is known.
    pub until: Moment,
    /// Why: [`Cause::BreakerOpen`], or [`Cause::Overloaded`] where it has no place for another call.
    pub cause: Cause,
}

/// Permissions and observations. Every method has a default that allows and knows nothing.
pub trait Allowances {
    /// Takes the permission for one more try of the same target.
    fn retry(&mut self, now: Moment) -> bool {
        let _ = now;
        true
    }

    /// Asks the target's breaker, and for a place. After `Ok` the machine sends to this target in the same step.
    ///
    /// # Errors
    /// [`Refused`]: not before then.
    fn admit(&mut self, target: usize, now: Moment, random: u64) -> Result<(), Refused> {
        let _ = (target, now, random);
        Ok(())
    }

    /// All breakers said no: may they be ignored for one attempt, at `target`?
    fn panic(&mut self, target: usize, now: Moment) -> bool {
        let _ = (target, now);
        false
    }

    /// How the target does, for adaptive back-off.
    fn pressure(&self, target: usize, now: Moment) -> Pressure {
        let _ = (target, now);
        Pressure::default()
    }

    /// The target's own deadline to first content; the configured one holds where it is shorter.
    fn first_token(&self, target: usize, now: Moment) -> Option<Duration> {
        let _ = (target, now);
        None
    }

    /// After how much silence of the target a backup is wanted. `None`: never.
    fn hedge_after(&self, target: usize, now: Moment) -> Option<Duration> {
        let _ = (target, now);
        None
    }

    /// Takes the permission for a backup at `target`, which has just been admitted. After a no the admission
    /// is void.
    fn hedge(&mut self, target: usize, now: Moment) -> bool {
        let _ = (target, now);
        false
    }
}

/// Everything is allowed, but no backup.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlimited;

impl Allowances for Unlimited {}
