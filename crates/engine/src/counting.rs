//! Exact counts for attempts whose provider told no usage: a stream that was cut, a caller who hung up, a server
//! that never tells.
//!
//! Counting takes time and a vocabulary, and the row must be safe before the caller has its last bytes. So the row
//! is written at once with the estimate, as ever, and the counted one follows under the same key: the ledger takes
//! it in its place. What is not counted (a full queue, a process that stops, a prompt with pictures or tools, whose
//! markup nobody publishes) stays the estimate that it says it is.

use std::sync::Arc;

use bytes::Bytes;
use store::Spool;
use tokio::sync::mpsc;
use types::ledger::Row;
use types::{Dialect, Usage, UsageSource};

use crate::call::{Target, tokens_of};

/// Attempts that may wait to be counted; more stay estimates.
const QUEUE: usize = 64;
/// Longer requests are not kept for this, in bytes.
const LONGEST: usize = 256 << 10;

/// What there is to count of an attempt.
#[derive(Debug)]
pub(crate) struct Told {
    dialect: Dialect,
    request: Bytes,
    /// What came of the answer; `None`: not only text.
    answer: Option<String>,
}

impl Told {
    /// `None`: this call's tokens cannot be counted exactly here.
    pub(crate) fn of(dialect: Dialect, request: &Bytes, model: &str) -> Option<Box<Self>> {
        let possible = dialect != Dialect::OpenaiEmbeddings
            && request.len() <= LONGEST
            && models::tokens::chats_are_exact(model);
        let told = || Self { dialect, request: request.clone(), answer: Some(String::new()) };
        possible.then(|| Box::new(told()))
    }

    /// All of the answer that came.
    pub(crate) fn answered(&mut self, text: Option<&str>) {
        self.answer = text.map(str::to_owned);
    }
}

/// An attempt whose row holds an estimate.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) row: Box<Row>,
    pub(crate) target: Arc<Target>,
    pub(crate) told: Box<Told>,
}

impl Job {
    /// The row with the exact figures. Takes long: reads the request, and counts.
    fn counted(self) -> Option<Box<Row>> {
        let Self { mut row, target, told } = self;
        let request = wire::decode_request(told.dialect, &told.request).ok()?;
        let input = tokens_of(&target.id, &request);
        let output = models::count(&target.id, told.answer.as_deref()?);
        if !(input.exact && output.exact) {
            return None;
        }
        row.usage = Usage::plain(input.tokens, output.tokens);
        row.usage_source = UsageSource::Counted;
        row.cost = target.cost(&row.usage);
        Some(row)
    }
}

/// Where attempts wait to be counted.
#[derive(Debug)]
pub(crate) struct Counting(mpsc::Sender<Job>);

/// The counting side, to be spawned.
pub(crate) struct Counter {
    queue: mpsc::Receiver<Job>,
    spool: Spool,
}

impl Counting {
    pub(crate) fn new(spool: Spool) -> (Self, Counter) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (Self(sender), Counter { queue, spool })
    }

    /// Counts it some time.
    pub(crate) fn later(&self, job: Job) {
        let _ = self.0.try_send(job);
    }
}

impl Counter {
    /// Counts one attempt after the other until the engine is gone.
    pub(crate) async fn count(mut self) {
        while let Some(job) = self.queue.recv().await {
            let spool = self.spool.clone();
            let work = move || job.counted().map(|row| spool.append(&row));
            if let Ok(Some(Err(error))) = tokio::task::spawn_blocking(work).await {
                tracing::warn!(%error, "an exact count could not be kept; the estimate stays");
            }
        }
    }
}
