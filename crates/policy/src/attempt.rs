//! The attempt machine: every retry, every fallback and every backup of a call is decided here and nowhere
//! else, so they cannot multiply across layers.
//!
//! The machine is told what happened and says what to do next: [`Machine::next_with`]. It sends nothing,
//! sleeps nowhere and knows the time only from its driver. What it must ask for (retry budgets, breakers,
//! hedging) it asks through [`Allowances`].
//!
//! ```text
//!          ┌──────── Failed, again ◀─────────────┐
//! Start ─▶ Send ─▶ Committed ─▶ Emit ─▶ Completed ─▶ Finish
//!            │         ├──────── Broken ──────────▶ Send, as after Failed, on a route that continues
//!            │         └──────── Failed ──────────▶ Finish (cut; never tried again)
//!            ├─ Withheld ─▶ Send to another target │ Finish
//!            └─ Failed ─▶ Sleep ─▶ Woke ─▶ Send │ Send to another target │ Finish
//! ```
//!
//! A backup runs beside an attempt, so it is no step of its own. At [`Send::hedge_at`] the driver calls
//! [`Machine::slow`], and sends what that returns without stopping the first. If one of the two fails it says
//! so with [`Machine::fell`] and waits for the other; the first content of either is [`Event::Committed`], and
//! the driver cancels the loser.
//!
//! Invariants: attempts ≤ targets × tries of the policy; a target that was left is never asked again; at most
//! one backup; nothing begins at or after the deadline; after the first content nothing is tried again, unless the
//! route continues broken streams and the driver says that it can.
//!
//! Two of them are wider there: a target that refused the beginning of the answer is asked once more without it,
//! and the loser of a backup's race may be asked for the rest.

mod allowances;
mod none_left;
mod patience;
mod route;
mod step;
mod verdict;

use std::sync::Arc;

use types::{Fault, Moment, Progress, Retry};

pub use allowances::{Allowances, Refused, Unlimited};
use none_left::{no_target, unavailable};
use route::MOST_TARGETS;
pub use route::{Cause, Causes, Filtered, Route, StreamFailure, Target};
pub use step::{Event, Role, Send, Step};
use verdict::{Verdict, judge};

use crate::{Timeouts, retry};

/// An attempt that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Running {
    target: usize,
    attempt: u16,
    tries: u16,
    role: Role,
}

/// How far the call is.
#[derive(Clone, Debug)]
enum Phase {
    Fresh,
    Running(Running),
    /// The second is the backup.
    Paired(Running, Running),
    /// Before another try of the same target; the fault that led to it.
    Waiting(Running, Fault),
    /// The caller sees it; the second is the other one of a pair.
    Committed(Running, Option<Running>),
    Over,
}

/// The state of one call's attempts.
#[derive(Clone, Debug)]
pub struct Machine {
    route: Arc<Route>,
    /// Instead of the route's, for all kinds of fault.
    retry: Option<retry::Policy>,
    timeouts: Timeouts,
    total_by: Moment,
    preferred: Option<usize>,
    needed_tokens: Option<u64>,
    most_tries: u16,
    /// Whether the answer comes whole: its first content is all of it.
    whole: bool,
    phase: Phase,
    attempts: u16,
    hedged: bool,
    /// Targets that are not asked again, one bit each.
    left: u64,
    met: Causes,
    /// Targets that refused the beginning of the answer, one bit each.
    unsuited: u64,
    /// Contexts of at most so many tokens were too small.
    too_small: Option<u64>,
    random: u64,
}

/// No place.
const OVERLOADED: Causes = Causes::NONE.with(Cause::Overloaded);

/// What a look along the route found.
enum Pick {
    Target(usize),
    /// Only targets that may not be asked now: the first of them, when one of them may be, and why not now.
    Closed(usize, Moment, Causes),
    None,
}

impl Machine {
    /// A machine for a call that began at `now` and may ask `targets` targets in order. `deadline` is the
    /// caller's own, if it set one; `seed` makes the jitter repeatable.
    pub fn new(
        targets: usize,
        retry: retry::Policy,
        timeouts: Timeouts,
        clock: (Moment, Option<Moment>),
        seed: u64,
    ) -> Self {
        Self::on(Arc::new(Route::plain(targets, retry)), timeouts, clock, seed)
    }

    /// A machine for a call on `route` that began at `now`; the rest as for [`Machine::new`].
    pub fn on(
        route: Arc<Route>,
        timeouts: Timeouts,
        (now, deadline): (Moment, Option<Moment>),
        seed: u64,
    ) -> Self {
        let total_by = now + timeouts.total;
        Self {
            route,
            retry: None,
            timeouts,
            total_by: deadline.map_or(total_by, |by| by.min(total_by)),
            preferred: None,
            needed_tokens: None,
            most_tries: u16::MAX,
            whole: false,
            phase: Phase::Fresh,
            attempts: 0,
            hedged: false,
            left: 0,
            met: Causes::NONE,
            unsuited: 0,
            too_small: None,
            random: seed,
        }
    }

    /// With the call's own retry policy instead of the route's.
    #[must_use]
    pub fn retrying(mut self, retry: retry::Policy) -> Self {
        self.retry = Some(retry);
        self
    }

    /// With a target to be asked before others of its priority: what the balance chose.
    #[must_use]
    pub fn preferring(mut self, target: usize) -> Self {
        self.preferred = Some(target);
        self
    }

    /// With the tokens that the call is expected to need: after a target of unknown context was too small,
    /// one that holds as many is large enough.
    #[must_use]
    pub fn needing(mut self, tokens: u64) -> Self {
        self.needed_tokens = Some(tokens);
        self
    }

    /// With at most so many tries of each target, whatever its policy says.
    #[must_use]
    pub fn trying_at_most(mut self, tries: u16) -> Self {
        self.most_tries = tries;
        self
    }

    /// With an answer that comes whole: [`Send::answer_by`] is then when all of it must be there.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Attempts made so far.
    pub const fn attempts(&self) -> u16 {
        self.attempts
    }

    /// The moment after which nothing of this call goes on.
    pub const fn total_by(&self) -> Moment {
        self.total_by
    }

    /// Why the call has left targets so far.
    pub const fn met(&self) -> Causes {
        self.met
    }

    /// [`Machine::next_with`] where everything is allowed.
    pub fn next(&mut self, event: Event, now: Moment) -> Step {
        self.next_with(event, now, &mut Unlimited)
    }

    /// The next step. After `Finish` every further event gives the same kind of end.
    pub fn next_with(&mut self, event: Event, now: Moment, allow: &mut impl Allowances) -> Step {
        match (event, std::mem::replace(&mut self.phase, Phase::Over)) {
            (_, Phase::Over) => Step::Finish(Err(Fault::internal("the call was already over"))),
            (Event::Completed, _) => Step::Finish(Ok(())),
            (Event::Committed, phase) => {
                self.phase = match phase {
                    Phase::Running(running) => Phase::Committed(running, None),
                    Phase::Paired(first, backup) => Phase::Committed(first, Some(backup)),
                    other => other,
                };
                Step::Emit
            }
            (Event::Broken(attempt, fault), Phase::Committed(first, backup)) => {
                let seen = backup.filter(|backup| backup.attempt == attempt).unwrap_or(first);
                self.broken(seen, fault, now, allow)
            }
            (Event::Unsuited(fault), Phase::Running(running)) => self.unsuited(running, fault, now, allow),
            (Event::Withheld(fault), Phase::Running(running)) => self.withheld(running, fault, now, allow),
            (Event::Broken(_, fault) | Event::Unsuited(fault) | Event::Withheld(fault), _) => {
                Step::Finish(Err(fault))
            }
            (Event::Failed(fault), Phase::Running(running)) => self.failed(running, fault, now, allow),
            (Event::Failed(fault), Phase::Paired(first, backup)) => {
                self.leave(first.target);
                self.failed(backup, fault, now, allow)
            }
            (Event::Failed(fault), _) => Step::Finish(Err(fault)),
            (_, Phase::Waiting(running, fault)) => self.again(running, fault, now, allow),
            (_, _) => self.walk(None, now, allow),
        }
    }

    /// The attempt that runs has brought no content by its `hedge_at`. What to send beside it, if anything.
    pub fn slow(&mut self, now: Moment, allow: &mut impl Allowances) -> Option<Send> {
        let Phase::Running(first) = self.phase else { return None };
        if self.hedged || now >= self.total_by {
            return None;
        }
        let Pick::Target(target) = self.pick(now, 1 << (first.target % MOST_TARGETS), allow) else {
            return None;
        };
        if !allow.hedge(target, now) {
            return None;
        }
        self.hedged = true;
        let send = self.send(target, Role::Backup, now, allow);
        let backup = Running { target, attempt: send.attempt, tries: 1, role: Role::Backup };
        self.phase = Phase::Paired(first, backup);
        Some(send)
    }

    /// One of two running attempts failed; the other goes on, and what happens next is about that one.
    pub fn fell(&mut self, attempt: u16, fault: &Fault) {
        let Phase::Paired(first, backup) = self.phase else { return };
        let (fallen, other) = if attempt == backup.attempt { (backup, first) } else { (first, backup) };
        self.met = self.met.with(Cause::of(fault));
        self.leave(fallen.target);
        self.phase = Phase::Running(other);
    }

    /// The backup that [`Machine::slow`] has just named is not sent: its model's own rate limit is used up here.
    /// There is no other one.
    pub fn no_backup(&mut self) {
        let Phase::Paired(first, backup) = self.phase else { return };
        self.pass_over(backup.target);
        self.phase = Phase::Running(first);
    }

    /// On to the next target, as if this one had had no place.
    fn withheld(&mut self, at: Running, fault: Fault, now: Moment, allow: &mut impl Allowances) -> Step {
        self.pass_over(at.target);
        self.walk(Some(fault), now, allow)
    }

    /// The attempt at `target` that was announced last was not made, and none will be.
    fn pass_over(&mut self, target: usize) {
        self.attempts = self.attempts.saturating_sub(1);
        self.met = self.met.with(Cause::RateLimited);
        self.leave(target);
    }

    fn failed(&mut self, at: Running, fault: Fault, now: Moment, allow: &mut impl Allowances) -> Step {
        self.met = self.met.with(Cause::of(&fault));
        match judge(&fault) {
            Verdict::Filtered if self.route.filtered == Filtered::RouteAround => {}
            Verdict::GiveUp | Verdict::Filtered => return Step::Finish(Err(fault)),
            Verdict::Larger => {
                let held = self.route.targets.get(at.target).and_then(|target| target.context_tokens);
                let least = held.or_else(|| self.needed_tokens.map(|need| need.saturating_sub(1)));
                // Without a number no context is known to be larger.
                self.too_small = Some(self.too_small.max(least).unwrap_or(u64::MAX));
            }
            Verdict::Next => {}
            Verdict::Again => {
                if let Some(until) = self.wait(at, &fault, now, allow) {
                    if until > now {
                        self.phase = Phase::Waiting(at, fault);
                        return Step::Sleep(until);
                    }
                    return self.again(at, fault, now, allow);
                }
            }
        }
        self.leave(at.target);
        self.walk(Some(fault), now, allow)
    }

    /// The caller has the beginning of the answer: the rest is asked for where a whole answer would have been.
    fn broken(&mut self, at: Running, fault: Fault, now: Moment, allow: &mut impl Allowances) -> Step {
        match self.route.stream_failure {
            StreamFailure::Error => Step::Finish(Err(fault)),
            StreamFailure::Continue => {
                self.failed(at, fault.with_progress(Progress::PerhapsExecuted), now, allow)
            }
        }
    }

    /// The same target once more, at once and without what it refused; only once, and within the budget.
    fn unsuited(&mut self, at: Running, fault: Fault, now: Moment, allow: &mut impl Allowances) -> Step {
        let bit = 1 << (at.target % MOST_TARGETS);
        if self.unsuited & bit == 0 && allow.retry(now) {
            self.unsuited |= bit;
            return self.again(Running { tries: at.tries.saturating_sub(1), ..at }, fault, now, allow);
        }
        self.met = self.met.with(Cause::of(&fault));
        self.leave(at.target);
        self.walk(Some(fault), now, allow)
    }

    /// Until when to wait for another try of the same target. `None`: it is not tried again.
    fn wait(
        &mut self,
        at: Running,
        fault: &Fault,
        now: Moment,
        allow: &mut impl Allowances,
    ) -> Option<Moment> {
        let policy = self.retry.unwrap_or(*self.route.retry.of(fault.kind));
        if at.tries >= policy.attempts.min(self.most_tries) || at.role == Role::Panic {
            return None;
        }
        let random = self.draw();
        let pressure = match policy.backoff {
            retry::Backoff::Adaptive => allow.pressure(at.target, now),
            _ => retry::Pressure::default(),
        };
        let jitter = policy.wait_under(at.tries.saturating_add(1), pressure, random);
        let until = match fault.retry {
            // The provider's word is a floor; the jitter on top keeps a crowd from coming back at once.
            Retry::After(floor) if floor > policy.max => return None,
            Retry::After(floor) => now + floor + jitter.min(policy.base),
            Retry::Maybe | Retry::Never => now + jitter,
        };
        // The permission comes last: nobody takes one for a retry that cannot be.
        (until < self.total_by && allow.retry(now)).then_some(until)
    }

    /// The same target once more, unless its breaker has opened meanwhile.
    fn again(&mut self, at: Running, fault: Fault, now: Moment, allow: &mut impl Allowances) -> Step {
        if now >= self.total_by {
            return Step::Finish(Err(self.out_of_time()));
        }
        let random = self.draw();
        if let Err(refused) = allow.admit(at.target, now, random) {
            self.met = self.met.with(refused.cause);
            self.leave(at.target);
            return self.walk(Some(fault), now, allow);
        }
        self.run(at.target, at.tries.saturating_add(1), Role::Again, now, allow)
    }

    /// To the next target that may be asked, or to the end: with `fault`, if there has been one.
    fn walk(&mut self, fault: Option<Fault>, now: Moment, allow: &mut impl Allowances) -> Step {
        if self.route.targets.is_empty() {
            return Step::Finish(Err(Fault::internal("a route without targets was planned")));
        }
        if now >= self.total_by {
            return Step::Finish(Err(fault.unwrap_or_else(|| self.out_of_time())));
        }
        let fresh = fault.is_none();
        match self.pick(now, 0, allow) {
            Pick::Target(target) => {
                let first = fresh && self.met.is_empty();
                self.run(target, 1, if first { Role::First } else { Role::Fallback }, now, allow)
            }
            // One attempt a call: after a real fault the breakers have been right.
            Pick::Closed(target, _, why) if fresh && !why.meets(OVERLOADED) && allow.panic(target, now) => {
                self.run(target, 1, Role::Panic, now, allow)
            }
            Pick::Closed(_, soonest, why) => {
                Step::Finish(Err(fault.unwrap_or_else(|| unavailable(soonest.since(now), why))))
            }
            Pick::None => Step::Finish(Err(fault.unwrap_or_else(no_target))),
        }
    }

    /// The first target, by priority and order, that is not in `without`, meets its conditions and whose
    /// breaker lets the call through.
    fn pick(&mut self, now: Moment, without: u64, allow: &mut impl Allowances) -> Pick {
        let mut skipped = without | self.left;
        let mut closed: Option<(usize, Moment, Causes)> = None;
        loop {
            let candidates = self.route.targets.iter().enumerate().take(MOST_TARGETS);
            let eligible = candidates
                .filter(|(index, target)| skipped & (1 << index) == 0 && self.suits(target, self.met));
            let rank = |(index, target): &(usize, &Target)| {
                (target.priority, self.preferred != Some(*index), *index)
            };
            let Some((index, _)) = eligible.min_by_key(rank) else {
                return closed.map_or(Pick::None, |(first, soonest, why)| Pick::Closed(first, soonest, why));
            };
            let random = self.draw();
            match allow.admit(index, now, random) {
                Ok(()) => return Pick::Target(index),
                Err(refused) => {
                    // From now on the targets that are there for this case may be asked, too.
                    self.met = self.met.with(refused.cause);
                    skipped |= 1 << index;
                    closed = Some(match closed {
                        Some((first, soonest, why)) => {
                            (first, soonest.min(refused.until), why.with(refused.cause))
                        }
                        None => (index, refused.until, Causes::NONE.with(refused.cause)),
                    });
                }
            }
        }
    }

    fn run(
        &mut self,
        target: usize,
        tries: u16,
        role: Role,
        now: Moment,
        allow: &mut impl Allowances,
    ) -> Step {
        let send = self.send(target, role, now, allow);
        self.phase = Phase::Running(Running { target, attempt: send.attempt, tries, role });
        Step::Send(send)
    }

    fn send(&mut self, target: usize, role: Role, now: Moment, allow: &mut impl Allowances) -> Send {
        self.attempts = self.attempts.saturating_add(1);
        let answer_by =
            if self.whole { self.whole_by(target, now) } else { self.content_by(target, now, allow) };
        let hedge_at = if self.hedged { None } else { allow.hedge_after(target, now) };
        Send {
            target,
            attempt: self.attempts,
            role,
            connect_by: (now + self.timeouts.connect).min(self.total_by),
            answer_by,
            hedge_at: hedge_at.map(|after| now + after).filter(|at| *at < answer_by),
            idle: self.timeouts.idle,
            total_by: self.total_by,
        }
    }

    fn leave(&mut self, target: usize) {
        self.left |= 1 << (target % MOST_TARGETS);
    }

    /// The next 64 bits of `SplitMix64` (Steele, Lea, Flood 2014): small, seeded, good enough to spread waits.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

#[cfg(test)]
mod tests;
