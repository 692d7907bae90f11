//! The words between the attempt machine and its driver: what happened, and what to do now.

use std::time::Duration;

use types::{Fault, Moment};

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
    /// The attempt failed, and no other of this call is running.
    Failed(Fault),
    /// The attempt is not made: its model's own rate limit is used up here. The fault is what the caller is told if
    /// there is nowhere else to go.
    Withheld(Fault),
    /// The stream of this attempt, which the caller sees, broke. The driver can go on with the answer if it is
    /// given another attempt.
    Broken(u16, Fault),
    /// The target refused an attempt to go on for the beginning of the answer that it was given. Without that it
    /// may take it.
    Unsuited(Fault),
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

/// What an attempt is in its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The first one.
    First,
    /// The same target once more.
    Again,
    /// Another target, because the one before failed or its breaker is open.
    Fallback,
    /// Another target, beside one that is slow.
    Backup,
    /// Although its breaker is open, because most are.
    Panic,
}

/// One attempt to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Which target of the route, from 0.
    pub target: usize,
    /// The attempt's number in the call, from 1.
    pub attempt: u16,
    /// What it is in the call.
    pub role: Role,
    /// The connection must stand by then.
    pub connect_by: Moment,
    /// Content must have come by then: the first of a stream, all of a whole answer.
    pub answer_by: Moment,
    /// If nothing has come by then: [`Machine::slow`](crate::attempt::Machine::slow). `None`: no backup.
    pub hedge_at: Option<Moment>,
    /// The longest silence.
    pub idle: Duration,
    /// The call's end: nothing goes on after it.
    pub total_by: Moment,
}
