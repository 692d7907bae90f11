//! A committed stream on its way to the caller.
//!
//! A [`Relay`] is an HTTP body: the task that owns the caller's connection polls it, and it polls the
//! provider's connection in turn, so a chunk never changes tasks. Dropping it, which is what happens when
//! the caller hangs up, drops the provider's connection and settles the record.
//!
//! The row is in the spool before the last bytes leave: what a caller has seen whole is accounted for.

mod rest;

use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use policy::attempt::Send;
use tokio::time::{Instant, Sleep};
use types::ledger::Outcome;
use types::{Code, Dialect, Fault, Kind, Moment, UsageSource};
use upstream::{Body, clock};
use wire::Seen;

use crate::Engine;
use crate::call::About;
use crate::call::attempt::Started;
use crate::call::continuation::Continuation;
use crate::call::conversation::Asked;
use crate::call::joined::Joined;
use crate::call::record::Record;
use crate::call::silence::overrun;
use crate::call::stream::Reader;
use crate::call::tally::Tally;
use crate::call::watch::Watch;
use rest::Rest;

/// Bytes that may wait to be passed on before the rest of the stream is read.
const MAX_JOINED: usize = 64 << 10;
/// How long after the end marker the provider may take to close its answer. Its connection can then be used
/// again; the caller does not wait longer than this for that.
const LINGER: Duration = Duration::from_millis(50);

/// A stream to pass on.
pub struct Relay {
    /// What the answer's headers tell.
    pub about: About,
    engine: Engine,
    dialect: Dialect,
    /// The provider's side; gone once it has ended.
    body: Option<Body>,
    reader: Reader,
    /// What came with the first content.
    first: Option<Seen>,
    /// Who is being read, and by which attempt.
    provider: Arc<str>,
    attempt: u16,
    /// What it takes to go on elsewhere; `None`: not wanted, or not possible any more.
    continuation: Option<Box<Continuation>>,
    rest: Option<Rest>,
    out: Joined,
    /// Gone once the row is in the spool.
    record: Option<Record>,
    /// What the deployment learns of it; gone with the record.
    watch: Option<Watch>,
    /// The call as a whole; told when the record is settled, and counted as in flight until then.
    tally: Option<Tally>,
    /// What is kept of the call with its answer, if it is kept.
    asked: Option<(Engine, Asked)>,
    idle: Duration,
    total_by: Moment,
    sent_at: Moment,
    /// Since when nothing has come.
    waiting: Option<Moment>,
    timer: Pin<Box<Sleep>>,
}

impl Relay {
    pub(super) fn new(
        started: Started,
        dialect: Dialect,
        (mut record, watch): (Record, Watch),
        send: Send,
    ) -> Self {
        let Started { body, reader, about, out, sent_at, first_token_at, seen } = started;
        if let Some(row) = record.row() {
            row.timing.first_token = Some(first_token_at - sent_at);
        }
        let timer = Box::pin(tokio::time::sleep_until(clock::instant(send.total_by)));
        Self {
            engine: record.engine().clone(),
            provider: Arc::clone(&about.provider),
            attempt: send.attempt,
            continuation: None,
            rest: None,
            first: Some(seen),
            about,
            dialect,
            body: Some(body),
            reader,
            out,
            record: Some(record),
            watch: Some(watch),
            tally: None,
            asked: None,
            idle: send.idle,
            total_by: send.total_by,
            sent_at,
            waiting: None,
            timer,
        }
    }

    /// What the caller is to be sent next; `None` at the end.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(seen) = self.first.take() {
            self.note(seen);
        }
        loop {
            ready!(self.poll_stream(cx));
            if !self.out.is_empty() {
                return Poll::Ready(Some(self.out.take()));
            }
            if !ready!(self.poll_rest(cx)) {
                return Poll::Ready(None);
            }
        }
    }

    /// Reads until there is something to pass on, or nothing more comes.
    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(body) = &mut self.body
            && self.out.len() < MAX_JOINED
        {
            if self.record.is_some()
                && let Some(fault) = self.engine.cut_off()
            {
                self.cut_off(&fault);
                break;
            }
            match body.poll_chunk(cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    self.waiting = None;
                    match self.reader.feed(&chunk, &mut self.out) {
                        Ok(seen) => self.note(seen),
                        Err(fault) => self.broken(Outcome::Cut, &fault),
                    }
                }
                Poll::Ready(Some(Err(fault))) => self.broken(Outcome::Cut, &cut(fault)),
                Poll::Ready(None) => {
                    self.body = None;
                    match self.reader.finish(&mut self.out) {
                        Ok(seen) => self.note(seen),
                        Err(fault) => self.broken(Outcome::Cut, &fault),
                    }
                }
                Poll::Pending if !self.out.is_empty() => break,
                Poll::Pending => match self.overdue(cx) {
                    None => return Poll::Pending,
                    Some((outcome, fault)) => self.broken(outcome, &fault),
                },
            }
        }
        Poll::Ready(())
    }

    /// Takes in what a piece of the stream brought.
    fn note(&mut self, seen: Seen) {
        if let Some(fault) = seen.failed {
            self.broken(Outcome::Cut, &fault);
        } else if seen.complete {
            self.complete();
        }
    }

    /// All of it has come.
    fn complete(&mut self) {
        if self.record.is_none() {
            return;
        }
        self.keep();
        self.close(Outcome::Complete, None);
        self.tell(Outcome::Complete, None);
    }

    /// The attempt that is being read has ended.
    fn close(&mut self, outcome: Outcome, fault: Option<&Fault>) {
        let Some(mut record) = self.record.take() else { return };
        self.account(&mut record);
        match (self.watch.take(), fault) {
            // Who answers otherwise than another did has not failed, nor who is not heard to the end.
            (Some(mut watch), Some(fault))
                if !matches!(fault.code, Code::StreamDiverged | Code::Stopping) =>
            {
                watch.failed(fault);
            }
            (Some(mut watch), None) => watch.complete(),
            _ => {}
        }
        let settled = record.end(outcome, fault);
        if let Some(tally) = &mut self.tally {
            tally.spent(&settled);
        }
    }

    /// Takes the call's tally along: the call lasts as long as its stream. Nothing is read before that.
    pub(super) fn carry(&mut self, tally: Tally) {
        self.tally = Some(tally);
    }

    /// Keeps the answer once it is whole: it may be so already.
    pub(super) fn remember(&mut self, engine: Engine, asked: Asked) {
        self.asked = Some((engine, asked));
        self.keep();
    }

    fn keep(&mut self) {
        if let Some(last) = self.reader.last_event()
            && let Some((engine, asked)) = self.asked.take()
        {
            engine.remember(asked, &last);
        }
    }

    /// The call has ended.
    fn tell(&mut self, outcome: Outcome, fault: Option<&Fault>) {
        if let Some(tally) = self.tally.take() {
            tally.end(outcome, fault);
        }
    }

    /// Puts into the row what the stream has shown so far.
    fn account(&self, record: &mut Record) {
        match self.reader.usage() {
            Some(usage) if self.reader.is_complete() => record.know(usage, UsageSource::Reported),
            reported => {
                record.know_partial(reported, self.reader.text_bytes());
                if record.counts() {
                    record.heard(self.reader.said());
                }
            }
        }
        if let Some(row) = record.row() {
            let first_byte = row.timing.first_byte.unwrap_or_default();
            row.timing.transfer = Some((clock::now() - self.sent_at).saturating_sub(first_byte));
        }
    }

    /// Whether a deadline has passed while nothing came. One timer serves all deadlines: it is set when it
    /// fires, not when a chunk comes, because chunks are many and silences few.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Option<(Outcome, Fault)> {
        let now = clock::now();
        let since = *self.waiting.get_or_insert(now);
        let patience = if self.record.is_none() { LINGER } else { self.idle };
        let by = (since + patience).min(self.total_by);
        if now >= by {
            return Some(self.too_late(now));
        }
        let by = clock::instant(by);
        if self.timer.deadline() > by || self.timer.is_elapsed() {
            self.timer.as_mut().reset(by);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= by {
                return Some(self.too_late(clock::moment(by)));
            }
            self.timer.as_mut().reset(by);
        }
        None
    }

    fn too_late(&self, now: Moment) -> (Outcome, Fault) {
        let fault = if now >= self.total_by {
            overrun()
        } else {
            let message = format!("the stream went silent for {:?} (`timeouts.idle`)", self.idle);
            Fault::new(Kind::NetworkTimeout, Code::StreamStalled, message)
        };
        (Outcome::Stalled, fault)
    }
}

/// A connection that is lost under its stream: the provider was reached, and its stream was cut.
pub(super) fn cut(fault: Fault) -> Fault {
    if fault.code != Code::Unreachable {
        return fault;
    }
    let message = format!("the stream was cut: {}", fault.message);
    let told = Fault::new(fault.kind, Code::StreamCut, message).with_blame(fault.blame);
    told.with_progress(fault.progress).with_retry(fault.retry)
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The caller hung up, or the process stops: what it has seen so far is accounted for. The record's
        // own drop knows which of the two it was.
        if let Some(mut record) = self.record.take() {
            self.account(&mut record);
            let settled = record.dropped();
            if let Some(tally) = &mut self.tally {
                tally.spent(&settled);
            }
        }
    }
}

impl http_body::Body for Relay {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.get_mut().poll_bytes(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none() && self.out.is_empty() && self.rest.is_none()
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("about", &self.about).finish_non_exhaustive()
    }
}
