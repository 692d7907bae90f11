//! The attempt machine: every retry and every fallback of a call is decided here and nowhere else, so they
//! cannot multiply across layers.
//!
//! The machine is told what happened and says what to do next: [`Machine::next`]. It sends nothing, sleeps
//! nowhere and knows the time only from its driver.
//!
//! ```text
//!          ┌──────── Failed, again ◀─────────────┐
//! Start ─▶ Send ─▶ Committed ─▶ Emit ─▶ Completed ─▶ Finish
//!            │         └──────── Failed ──────────▶ Finish (cut; never tried again)
//!            └─ Failed ─▶ Sleep ─▶ Woke ─▶ Send │ Send to the next target │ Finish
//! ```

use std::time::Duration;

use types::{Code, Fault, Kind, Moment, Progress, Retry};

use crate::{Timeouts, retry};

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The call begins.
    Start,
    /// The wait that was asked for is over.
    Woke,
    /// The first content of a stream is here: from now on the caller sees this attempt.
    Committed,
    /// The attempt brought its whole answer.
    Completed,
    /// The attempt failed.
    Failed(Fault),
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask a target.
    Send(Send),
    /// Do nothing until then, and come back with [`Event::Woke`].
    Sleep(Moment),
    /// Pass the stream on to the caller.
    Emit,
    /// The call is over.
    Finish(Result<(), Fault>),
}

/// One attempt to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Which target of the route, from 0.
    pub target: usize,
    /// The attempt's number in the call, from 1.
    pub attempt: u16,
    /// The connection must stand by then.
    pub connect_by: Moment,
    /// A stream must have brought content by then.
    pub first_token_by: Moment,
    /// The longest silence.
    pub idle: Duration,
    /// The call's end: nothing goes on after it.
    pub total_by: Moment,
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Give up: no target would do better.
    GiveUp,
    /// This target will not do it; another one may.
    Next,
    /// The same target may do it next time.
    Again,
}

/// The state of one call's attempts.
#[derive(Clone, Debug)]
pub struct Machine {
    targets: usize,
    retry: retry::Policy,
    timeouts: Timeouts,
    total_by: Moment,
    target: usize,
    tries_here: u16,
    attempts: u16,
    committed: bool,
    finished: bool,
    random: u64,
}

impl Machine {
    /// A machine for a call that began at `now` and may ask `targets` targets in order. `deadline` is the
    /// caller's own, if it set one; `seed` makes the jitter repeatable.
    pub fn new(
        targets: usize,
        retry: retry::Policy,
        timeouts: Timeouts,
        (now, deadline): (Moment, Option<Moment>),
        seed: u64,
    ) -> Self {
        let total_by = now + timeouts.total;
        Self {
            targets,
            retry,
            timeouts,
            total_by: deadline.map_or(total_by, |by| by.min(total_by)),
            target: 0,
            tries_here: 0,
            attempts: 0,
            committed: false,
            finished: false,
            random: seed,
        }
    }

    /// Attempts made so far.
    pub const fn attempts(&self) -> u16 {
        self.attempts
    }

    /// The moment after which nothing of this call goes on.
    pub const fn total_by(&self) -> Moment {
        self.total_by
    }

    /// The next step. After `Finish` every further event gives the same kind of end.
    pub fn next(&mut self, event: Event, now: Moment) -> Step {
        match event {
            _ if self.finished => Step::Finish(Err(Fault::internal("the call was already over"))),
            Event::Start | Event::Woke => self.send(now),
            Event::Committed => {
                self.committed = true;
                Step::Emit
            }
            Event::Completed => self.finish(Ok(())),
            Event::Failed(fault) => self.failed(fault, now),
        }
    }

    fn finish(&mut self, end: Result<(), Fault>) -> Step {
        self.finished = true;
        Step::Finish(end)
    }

    fn send(&mut self, now: Moment) -> Step {
        if self.target >= self.targets {
            return self.finish(Err(Fault::internal("a route without targets was planned")));
        }
        if now >= self.total_by {
            return self.finish(Err(self.out_of_time()));
        }
        self.attempts = self.attempts.saturating_add(1);
        self.tries_here = self.tries_here.saturating_add(1);
        Step::Send(Send {
            target: self.target,
            attempt: self.attempts,
            connect_by: (now + self.timeouts.connect).min(self.total_by),
            first_token_by: (now + self.timeouts.first_token).min(self.total_by),
            idle: self.timeouts.idle,
            total_by: self.total_by,
        })
    }

    fn failed(&mut self, fault: Fault, now: Moment) -> Step {
        if self.committed {
            return self.finish(Err(fault));
        }
        match judge(&fault) {
            Verdict::GiveUp => self.finish(Err(fault)),
            Verdict::Next => self.next_target(fault, now),
            Verdict::Again if self.tries_here >= self.retry.attempts => self.next_target(fault, now),
            Verdict::Again => self.wait(fault, now),
        }
    }

    /// Waits for another try of the same target, or moves on where the wait would be too long.
    fn wait(&mut self, fault: Fault, now: Moment) -> Step {
        let random = self.draw();
        let jitter = self.retry.wait(self.tries_here + 1, random);
        let until = match fault.retry {
            // The provider's word is a floor; the jitter on top keeps a crowd from coming back at once.
            Retry::After(floor) if floor > self.retry.max => return self.next_target(fault, now),
            Retry::After(floor) => now + floor + jitter.min(self.retry.base),
            Retry::Maybe | Retry::Never => now + jitter,
        };
        if until >= self.total_by {
            return self.next_target(fault, now);
        }
        if until == now {
            return self.send(now);
        }
        Step::Sleep(until)
    }

    fn next_target(&mut self, fault: Fault, now: Moment) -> Step {
        if self.target + 1 >= self.targets || now >= self.total_by {
            return self.finish(Err(fault));
        }
        self.target += 1;
        self.tries_here = 0;
        self.send(now)
    }

    fn out_of_time(&self) -> Fault {
        let message = format!("the call's deadline passed after {} attempts", self.attempts);
        Fault::new(Kind::NetworkTimeout, Code::Timeout, message)
            .with_hint("raise the route's timeouts.total or the caller's deadline")
            .with_retry(Retry::Never)
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

/// What kind of second chance a fault deserves. One line per kind: a new kind does not compile without one.
fn judge(fault: &Fault) -> Verdict {
    if fault.progress == Progress::Streaming {
        return Verdict::GiveUp;
    }
    match (fault.kind, fault.code) {
        // The caller's own: no provider would take it. What one provider cannot express another one may.
        (Kind::Validation, Code::Unsupported) => Verdict::Next,
        (Kind::Validation | Kind::Parsing | Kind::Cancelled, _) => Verdict::GiveUp,
        // A refusal for content is the provider's answer, not a failure to route around.
        (Kind::Permanent, Code::ContentFiltered | Code::Internal) => Verdict::GiveUp,
        // Silence: asking the silent one again would double the caller's wait.
        (Kind::NetworkTimeout, Code::Timeout) => Verdict::Next,
        // Our credentials, our credit or the model's absence there: another provider is not concerned.
        (Kind::Authentication | Kind::Budget | Kind::Permanent, _) => Verdict::Next,
        (
            Kind::NetworkTimeout
            | Kind::RateLimit
            | Kind::InvalidResponse
            | Kind::DependencyFailure
            | Kind::ResourceExhausted
            | Kind::Throttling,
            _,
        ) => match fault.retry {
            Retry::Never => Verdict::Next,
            Retry::Maybe | Retry::After(_) => Verdict::Again,
        },
    }
}

#[cfg(test)]
mod tests;
