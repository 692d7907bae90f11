//! What runs write, gathered into as few transactions as there is time for.
//!
//! Whatever is handed in while a transaction is under way goes into the next one, all of it; what waits of one
//! run is one statement text, so one message to the connection's thread, and its events are one row; where the
//! run itself is among it, all of it is the run's row. A task writes for as long as something waits, and there is
//! none when nothing does. A kill between two transactions leaves of each run the beginning that was committed;
//! why that is enough is in `docs/book/decisions/0005`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::TryStreamExt as _;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Either, Executor as _, Sqlite as Engine, SqliteConnection, SqlitePool};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use types::{Timestamp, TraceId};

use super::contents::{Hash, Texts};
use super::journal::id;
use super::statement::{Bounds, NEXT, Parts, text};
use super::transaction::{Lent, Transaction};
use crate::journal::{Claim, Status};
use crate::{Answer, StoreError};

/// Texts that are remembered as stored, so that a chain file is not offered again with each of its runs.
const MOST_KNOWN: usize = 1_024;

type Kept = Result<(), StoreError>;

/// A run to be created.
#[derive(Debug)]
pub(super) struct Creation {
    pub(super) chain: Arc<str>,
    pub(super) source: Hash,
    pub(super) inputs: String,
    pub(super) trace: TraceId,
    pub(super) caller: Option<Arc<str>>,
    pub(super) tenant: Option<Arc<str>>,
    pub(super) at: Timestamp,
    pub(super) owner: Arc<str>,
    pub(super) until: i64,
}

/// A run's end, after `seq` events.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) seq: u64,
    pub(super) status: Status,
    pub(super) result: String,
    pub(super) at: Timestamp,
}

/// Events that follow one another, as JSON with commas between.
#[derive(Debug)]
struct Events {
    seq: u64,
    count: u64,
    body: String,
}

impl Events {
    /// As a row has them.
    fn stored(&self) -> String {
        if self.count == 1 { self.body.clone() } else { ["[", &self.body, "]"].concat() }
    }
}

/// All that waits of one claim.
#[derive(Debug)]
struct Pending {
    claim: Claim,
    creation: Option<Creation>,
    events: Option<Events>,
    closing: Option<Closing>,
    texts: Texts,
    waiters: Vec<oneshot::Sender<Kept>>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Pending>,
    /// Whether a task writes.
    writing: bool,
}

/// Where writes wait. Bounded by those who write: a run does not go on while its oldest write is late.
#[derive(Debug)]
pub(super) struct Queue {
    write: SqlitePool,
    state: Mutex<State>,
    /// Texts that are stored. Held by whoever writes.
    known: tokio::sync::Mutex<HashSet<Hash>>,
    idle: Notify,
}

impl Queue {
    pub(super) fn new(write: SqlitePool) -> Self {
        Self { write, state: Mutex::default(), known: tokio::sync::Mutex::default(), idle: Notify::new() }
    }

    pub(super) fn create(
        self: &Arc<Self>,
        claim: &Claim,
        creation: Creation,
        texts: Texts,
    ) -> Answer<'static, ()> {
        self.push(claim, texts, |pending| {
            if pending.creation.is_some() || pending.events.is_some() || pending.closing.is_some() {
                return Err(StoreError::KnownRun(pending.claim.run));
            }
            pending.creation = Some(creation);
            Ok(())
        })
    }

    /// So many events, as JSON with commas between; the first of them has the number `seq`.
    pub(super) fn append(
        self: &Arc<Self>,
        claim: &Claim,
        (seq, count): (u64, u64),
        body: String,
        texts: Texts,
    ) -> Answer<'static, ()> {
        self.push(claim, texts, |pending| {
            if pending.closing.is_some() {
                return Err(StoreError::ClaimLost(pending.claim.run));
            }
            match &mut pending.events {
                None => {
                    // A run that begins here has no events before.
                    let expected = if pending.creation.is_some() { 0 } else { seq };
                    in_step(&pending.claim, expected, seq)?;
                    pending.events = Some(Events { seq, count, body });
                }
                Some(events) => {
                    in_step(&pending.claim, events.seq + events.count, seq)?;
                    events.count += count;
                    events.body.push(',');
                    events.body.push_str(&body);
                }
            }
            Ok(())
        })
    }

    pub(super) fn finish(
        self: &Arc<Self>,
        claim: &Claim,
        closing: Closing,
        texts: Texts,
    ) -> Answer<'static, ()> {
        self.push(claim, texts, |pending| {
            if pending.closing.is_some() {
                return Err(StoreError::ClaimLost(pending.claim.run));
            }
            match (&pending.events, &pending.creation) {
                (Some(events), _) => in_step(&pending.claim, events.seq + events.count, closing.seq)?,
                (None, Some(_)) => in_step(&pending.claim, 0, closing.seq)?,
                (None, None) => {}
            }
            pending.closing = Some(closing);
            Ok(())
        })
    }

    /// Done once nothing waits.
    pub(super) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            if !self.lock().writing {
                return;
            }
            idle.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a write with what waits of the same claim, and sees to it that somebody writes.
    fn push(
        self: &Arc<Self>,
        claim: &Claim,
        texts: Texts,
        put: impl FnOnce(&mut Pending) -> Kept,
    ) -> Answer<'static, ()> {
        let (waiter, kept) = oneshot::channel();
        match self.put(claim, texts, waiter, put) {
            Ok(true) => match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(Writing { queue: Arc::clone(self), done: false }.work())),
                Err(_) => drop(Writing { queue: Arc::clone(self), done: false }),
            },
            Ok(false) => {}
            Err((waiter, error)) => drop(waiter.send(Err(error))),
        }
        Box::pin(async move { kept.await.unwrap_or_else(|_| Err(stopped())) })
    }

    /// Whether a task must be started. A write that does not fit what waits already is given back.
    fn put(
        &self,
        claim: &Claim,
        texts: Texts,
        waiter: oneshot::Sender<Kept>,
        put: impl FnOnce(&mut Pending) -> Kept,
    ) -> Result<bool, (oneshot::Sender<Kept>, StoreError)> {
        let mut state = self.lock();
        let place = state.waiting.iter().rposition(|pending| pending.claim == *claim);
        let place = place.unwrap_or_else(|| {
            state.waiting.push(Pending::of(claim.clone()));
            state.waiting.len() - 1
        });
        if let Some(pending) = state.waiting.get_mut(place) {
            if let Err(error) = put(pending) {
                return Err((waiter, error));
            }
            pending.texts.join(texts);
            pending.waiters.push(waiter);
        }
        Ok(!std::mem::replace(&mut state.writing, true))
    }
}

/// The task that writes.
struct Writing {
    queue: Arc<Queue>,
    /// Whether it found nothing more to write.
    done: bool,
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.done {
            // A panic, a runtime that ends, or none at all: who waits hears that nobody writes.
            let mut state = self.queue.lock();
            state.writing = false;
            state.waiting.clear();
        }
        self.queue.idle.notify_waiters();
    }
}

impl Writing {
    async fn work(mut self) {
        // Whoever has just begun to write has more to say: let it go on until it waits.
        tokio::task::yield_now().await;
        loop {
            let batch = {
                let mut state = self.queue.lock();
                if state.waiting.is_empty() {
                    // Under the lock under which the next write comes in, so that it finds out.
                    state.writing = false;
                    break;
                }
                std::mem::take(&mut state.waiting)
            };
            self.queue.write_all(batch).await;
        }
        self.done = true;
    }
}

impl Queue {
    /// Writes a batch; if it cannot be written whole, each run's part by itself, so that one that cannot be
    /// written takes nobody else's with it.
    async fn write_all(&self, mut batch: Vec<Pending>) {
        let failed = match self.commit(&batch).await {
            Ok(kept) => {
                batch.into_iter().zip(kept).for_each(|(pending, kept)| pending.answer(&kept));
                return;
            }
            Err(error) => error,
        };
        if batch.len() == 1 {
            batch.drain(..).for_each(|pending| pending.answer(&Err(again(&failed))));
            return;
        }
        for pending in batch {
            let kept = self.commit(std::slice::from_ref(&pending)).await;
            pending.answer(&kept.and_then(|mut kept| kept.pop().unwrap_or(Ok(()))));
        }
    }

    /// One transaction. An error undoes all of it; what a claim does not allow any more is in the answer, which
    /// has an item for each part of the batch.
    async fn commit(&self, batch: &[Pending]) -> Result<Vec<Kept>, StoreError> {
        let mut known = self.known.lock().await;
        let result = self.commit_knowing(batch, &known).await;
        match &result {
            Ok(_) if known.len() < MOST_KNOWN => {
                known.extend(batch.iter().filter_map(|pending| Some(pending.creation.as_ref()?.source)));
            }
            _ => known.clear(),
        }
        result
    }

    async fn commit_knowing(
        &self,
        batch: &[Pending],
        known: &HashSet<Hash>,
    ) -> Result<Vec<Kept>, StoreError> {
        if let [pending] = batch
            && pending.texts.are_in(known)
        {
            let mut connection = Lent::from(&self.write).await?;
            let written = pending.write(&mut connection, Bounds::Own).await?;
            connection.give_back();
            return Ok(vec![written]);
        }
        let mut transaction = Transaction::begin(&self.write).await?;
        let mut kept = Vec::with_capacity(batch.len());
        for pending in batch {
            pending.texts.store(&mut transaction, known).await?;
            kept.push(pending.write(&mut transaction, Bounds::Given).await?);
        }
        transaction.commit("write a journal").await?;
        Ok(kept)
    }
}

impl Pending {
    fn of(claim: Claim) -> Self {
        let (creation, events, closing) = (None, None, None);
        Self { claim, creation, events, closing, texts: Texts::default(), waiters: Vec::new() }
    }

    fn answer(self, kept: &Kept) {
        for waiter in self.waiters {
            // Who waits no more need not be told.
            let _ = waiter.send(kept.as_ref().copied().map_err(again));
        }
    }

    /// Sends all of it at once.
    async fn write(&self, connection: &mut SqliteConnection, bounds: Bounds) -> Result<Kept, StoreError> {
        let failed = || StoreError::database("write a journal");
        let Some((text, statements)) = text(self.parts(), bounds) else { return Ok(Ok(())) };
        let changed = {
            let mut results = connection.fetch_many(self.query(text));
            let mut changed = Vec::with_capacity(4);
            while let Some(result) = results.try_next().await.map_err(|error| self.refused(error))? {
                if let Either::Left(done) = result {
                    changed.push(done.rows_affected());
                }
            }
            changed
        };
        let rows = changed.get(statements).unwrap_or_default();
        if !rows.is_empty() && rows.iter().all(|rows| *rows == 1) {
            return Ok(Ok(()));
        }
        let holds = sqlx::query("SELECT 1 FROM runs WHERE run = ? AND epoch = ? AND owner IS NOT NULL");
        let holds = holds.bind(id(self.claim.run)).bind(self.claim.epoch).fetch_optional(&mut *connection);
        if holds.await.map_err(failed())?.is_none() {
            return Ok(Err(StoreError::ClaimLost(self.claim.run)));
        }
        let next = sqlx::query_scalar(NEXT).bind(id(self.claim.run)).fetch_optional(&mut *connection);
        let next: Option<i64> = next.await.map_err(failed())?;
        let got = self.events.as_ref().map(|events| events.seq);
        let got = got.or(self.closing.as_ref().map(|closing| closing.seq)).unwrap_or_default();
        Ok(in_step(&self.claim, next.unwrap_or_default().unsigned_abs(), got))
    }

    fn refused(&self, error: sqlx::Error) -> StoreError {
        let is_there = error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation);
        if self.creation.is_some() && is_there {
            return StoreError::KnownRun(self.claim.run);
        }
        StoreError::Database { doing: "write a journal", source: error }
    }

    fn parts(&self) -> Parts {
        match (&self.creation, &self.events, &self.closing) {
            (Some(_), ..) => Parts::Run,
            (None, Some(_), None) => Parts::Events,
            (None, None, Some(_)) => Parts::End,
            (None, Some(_), Some(_)) => Parts::EventsAndEnd,
            (None, None, None) => Parts::Nothing,
        }
    }

    fn query(&self, text: &'static str) -> Query<'static, Engine, SqliteArguments> {
        let query = sqlx::query(text).bind(id(self.claim.run)).bind(self.claim.epoch);
        let query = match &self.events {
            Some(events) => {
                query.bind(number(events.seq)).bind(number(events.count)).bind(Some(events.stored()))
            }
            None => query.bind(NONE).bind(0).bind(None::<String>),
        };
        let query = match &self.closing {
            Some(Closing { seq, status, result, at }) => {
                query.bind(number(*seq)).bind(status.as_str()).bind(result.clone()).bind(at.as_micros())
            }
            None => query.bind(NONE).bind(Status::Running.as_str()).bind(NONE).bind(NONE),
        };
        let Some(creation) = &self.creation else { return query };
        // Nobody holds a run that has ended.
        let held = self.closing.is_none();
        query
            .bind(creation.chain.to_string())
            .bind(creation.source.to_vec())
            .bind(creation.inputs.clone())
            .bind(creation.trace.to_bytes().to_vec())
            .bind(creation.caller.as_deref().map(str::to_owned))
            .bind(creation.tenant.as_deref().map(str::to_owned))
            .bind(creation.at.as_micros())
            .bind(held.then(|| creation.owner.to_string()))
            .bind(held.then_some(creation.until))
    }
}

const NONE: Option<i64> = None;

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn in_step(claim: &Claim, expected: u64, got: u64) -> Kept {
    if got == expected { Ok(()) } else { Err(StoreError::OutOfStep { run: claim.run, expected, got }) }
}

/// The same error, for one more of those who waited together.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::KnownRun(run) => StoreError::KnownRun(*run),
        StoreError::ClaimLost(run) => StoreError::ClaimLost(*run),
        StoreError::OutOfStep { run, expected, got } => {
            StoreError::OutOfStep { run: *run, expected: *expected, got: *got }
        }
        StoreError::Database { doing, source } => {
            StoreError::Database { doing, source: sqlx::Error::Protocol(source.to_string()) }
        }
        other => StoreError::Database {
            doing: "write a journal",
            source: sqlx::Error::Protocol(other.to_string()),
        },
    }
}

fn stopped() -> StoreError {
    StoreError::Database { doing: "write a journal", source: sqlx::Error::PoolClosed }
}
