//! What a relay does when its stream breaks: it asks for the rest, where the route wants that and the answer allows
//! it, and reads the new stream in place of the old one; else the caller gets the error.

use std::pin::Pin;
use std::task::{Context, Poll};

use types::ledger::Outcome;
use types::{Code, Fault, Progress};
use upstream::clock;

use super::Relay;
use crate::call::attempt::Started;
use crate::call::continuation::{Beginning, Came, Continuation, Next};

/// The rest of an answer, as far as it has come.
pub(super) enum Rest {
    /// It is to be asked for: the attempt that broke, and why.
    Wanted(Box<Continuation>, Box<Beginning>, (u16, Fault)),
    Asked(Pin<Box<dyn Future<Output = Came> + Send>>),
}

impl Relay {
    /// Goes on elsewhere, should the stream break.
    pub(in crate::call) fn going_on(&mut self, continuation: Option<Box<Continuation>>) {
        self.continuation = continuation;
    }

    /// The stream will not be whole: the rest is asked for, or the caller is told so, in its dialect; and so is the
    /// ledger.
    pub(super) fn broken(&mut self, outcome: Outcome, fault: &Fault) {
        self.body = None;
        // After the end marker nothing can be missing: a late error concerns the connection, not the answer.
        if self.record.is_none() {
            return;
        }
        let fault = fault.clone().with_progress(Progress::Streaming).with_provider(&*self.provider);
        let Some(mut continuation) = self.continuation.take() else {
            return self.fail((outcome, &fault), (outcome, &fault));
        };
        let diverged = fault.code == Code::StreamDiverged;
        let (told, cause) = continuation.caused(outcome, &fault, self.reader.usage());
        let model = self.record.as_ref().map(|record| record.target().id.clone()).unwrap_or_default();
        let beginning = if diverged { None } else { continuation.beginning(&self.reader, &model) };
        match beginning {
            Some(beginning) => {
                self.close(outcome, Some(&fault));
                self.rest = Some(Rest::Wanted(continuation, Box::new(beginning), (self.attempt, fault)));
            }
            None if diverged => self.fail((Outcome::Failed, &fault), (told, &in_vain(cause, &fault))),
            None => self.fail((outcome, &fault), (told, &cause)),
        }
    }

    /// This process stops and waits no longer: the caller is told so.
    pub(super) fn cut_off(&mut self, fault: &Fault) {
        (self.body, self.rest, self.continuation) = (None, None, None);
        let fault = fault.clone().with_progress(Progress::Streaming);
        self.fail((Outcome::Stopped, &fault), (Outcome::Stopped, &fault));
    }

    /// The attempt ends with `fault`, and the call with what the caller is told.
    fn fail(&mut self, attempt: (Outcome, &Fault), call: (Outcome, &Fault)) {
        self.close(attempt.0, Some(attempt.1));
        self.give_up(call.0, call.1);
    }

    /// The caller is told that there is no more, and why.
    fn give_up(&mut self, outcome: Outcome, cause: &Fault) {
        self.out.push(wire::error_event(self.dialect, cause, Some(self.about.call)));
        self.tell(outcome, Some(cause));
    }

    /// Waits for the rest. Gives whether there is more to read or to pass on.
    pub(super) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut asked = match self.rest.take() {
            None => return Poll::Ready(false),
            Some(Rest::Asked(asked)) => asked,
            Some(Rest::Wanted(continuation, beginning, broken)) => match self.tally.take() {
                Some(tally) => Box::pin(continuation.ask(tally, broken, *beginning)),
                None => return Poll::Ready(false),
            },
        };
        match asked.as_mut().poll(cx) {
            Poll::Ready(came) => {
                self.came(came);
                Poll::Ready(true)
            }
            Poll::Pending => {
                if let Some(fault) = self.engine.cut_off() {
                    drop(asked);
                    self.cut_off(&fault);
                    return Poll::Ready(true);
                }
                self.rest = Some(Rest::Asked(asked));
                Poll::Pending
            }
        }
    }

    fn came(&mut self, Came { mut continuation, tally, result }: Came) {
        self.tally = Some(tally);
        let next = match result {
            Ok(next) => next,
            Err(fault) => {
                let (outcome, cause) = continuation.caused(Outcome::Cut, &fault, None);
                let cause = if cause.code == fault.code { cause } else { in_vain(cause, &fault) };
                return self.give_up(outcome, &cause);
            }
        };
        let Next { started, settling: (mut record, watch), send } = next;
        let Started { body, reader, about, mut out, sent_at, first_token_at, seen } = *started;
        if let Some(row) = record.row() {
            row.timing.first_token = Some(first_token_at - sent_at);
        }
        self.timer.as_mut().reset(clock::instant(send.total_by));
        (self.body, self.reader, self.record, self.watch) = (Some(body), reader, Some(record), Some(watch));
        (self.provider, self.attempt) = (about.provider, send.attempt);
        (self.idle, self.total_by, self.sent_at, self.waiting) = (send.idle, send.total_by, sent_at, None);
        self.continuation = Some(continuation);
        self.out.push(out.take());
        self.note(seen);
    }
}

/// The cause, with what came of going on.
fn in_vain(cause: Fault, fault: &Fault) -> Fault {
    cause.with_hint(format!("the route continues broken streams, but {}", fault.message))
}
