//! Carries ledger rows from the spool to the database, in batches.
//!
//! One future that the caller spawns. It sleeps while nothing waits; while the database is away it tries
//! again ever more rarely and the spool grows up to its bound. Leaves alone: what a row is, and when to stop.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout, timeout_at};

use crate::spool::{Batch, Sync};
use crate::{Ledger, Spool, SpoolError, StoreError};

/// How the drain works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainOptions {
    /// Most rows in one transaction; so many waiting rows are taken at once.
    pub batch: usize,
    /// How long fewer rows wait for company.
    pub interval: Duration,
    /// How long one insert may take.
    pub insert_timeout: Duration,
    /// The pause after the first failed try; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause between tries.
    pub longest_pause: Duration,
    /// How long the last drain may take, once the process is stopping.
    pub last_drain: Duration,
}

impl Default for DrainOptions {
    /// 1,024 rows or 250 ms, 10 s per insert, pauses from 100 ms to 10 s, 5 s for the last drain.
    fn default() -> Self {
        Self {
            batch: 1_024,
            interval: Duration::from_millis(250),
            insert_timeout: Duration::from_secs(10),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            last_drain: Duration::from_secs(5),
        }
    }
}

/// What a drain did in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Rows that it brought to the database.
    pub new: u64,
    /// Rows that the database had already.
    pub known: u64,
    /// Rows that are still in the spool; the next process finds them there.
    pub left: u64,
}

/// The one that carries.
pub struct Drain {
    spool: Spool,
    ledger: Arc<dyn Ledger>,
    options: DrainOptions,
    jitter: Box<dyn FnMut() -> f64 + Send>,
    done: Drained,
    /// Tries that failed since the last that did not.
    failures: u32,
    /// Why the last of them did.
    reason: String,
}

impl Drain {
    /// A drain; the spool must have no other. `jitter` gives numbers from 0 to 1 that spread the pauses.
    pub fn new(
        spool: Spool,
        ledger: Arc<dyn Ledger>,
        options: DrainOptions,
        jitter: impl FnMut() -> f64 + Send + 'static,
    ) -> Self {
        spool.wake_at(options.batch as u64);
        Self {
            spool,
            ledger,
            options,
            jitter: Box::new(jitter),
            done: Drained::default(),
            failures: 0,
            reason: String::new(),
        }
    }

    /// Drains until `shutdown` is done, then once more until nothing is left or `last_drain` is over.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> Drained {
        let mut shutdown = pin!(shutdown);
        let syncing = sync_regularly(self.spool.clone());
        let retrying = retry_regularly(self.spool.clone());
        tokio::select! {
            () = &mut shutdown => {}
            () = self.carry() => {}
            () = syncing => {}
            () = retrying => {}
        }
        if timeout(self.options.last_drain, self.finish()).await.is_err() {
            tracing::warn!(
                rows = self.spool.waiting(),
                "stopped with ledger rows in the spool; they are safe there"
            );
        }
        self.done.left = self.spool.waiting();
        self.done
    }

    /// Never returns. May be dropped at any await: what is not committed is read again.
    async fn carry(&mut self) {
        loop {
            while self.spool.is_empty() {
                self.spool.woken().await;
            }
            let company = tokio::time::Instant::now() + self.options.interval;
            while self.spool.waiting() < self.options.batch as u64
                && timeout_at(company, self.spool.woken()).await.is_ok()
            {}
            if let Err(error) = self.empty().await {
                let pause = self.failed(&error);
                sleep(pause).await;
            }
        }
    }

    async fn finish(&mut self) {
        while let Err(error) = self.empty().await {
            let pause = self.failed(&error).min(Duration::from_millis(500));
            sleep(pause).await;
        }
        let spool = self.spool.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || spool.tidy()).await {
            tracing::warn!(%error, "a drained segment could not be deleted");
        }
    }

    /// Carries batches until nothing is left.
    async fn empty(&mut self) -> Result<(), Problem> {
        let mut done = None;
        loop {
            let Some(batch) = self.next(done.take()).await? else { return Ok(()) };
            if !batch.rows.is_empty() {
                let insert = self.ledger.keep(&batch.rows);
                let inserted = timeout(self.options.insert_timeout, insert).await;
                let inserted = inserted.unwrap_or(Err(StoreError::Slow))?;
                self.done.new += inserted.new;
                self.done.known += inserted.known;
            }
            if self.failures > 0 {
                tracing::info!(tries = self.failures, "the ledger's database takes rows again");
                self.failures = 0;
            }
            done = Some(batch);
        }
    }

    /// Commits the batch that is done and reads the next one.
    async fn next(&mut self, done: Option<Batch>) -> Result<Option<Batch>, Problem> {
        let (spool, most) = (self.spool.clone(), self.options.batch);
        let work = tokio::task::spawn_blocking(move || {
            if let Some(done) = done
                && let Err(error) = spool.commit(&done)
            {
                // Its rows are in the database; if the file is still there at the next start, they are known.
                tracing::warn!(%error, "a drained segment could not be deleted");
            }
            spool.retry();
            spool.read(most)
        });
        match work.await {
            Ok(read) => Ok(read?),
            Err(error) => Err(Problem::Task(error)),
        }
    }

    /// Notes a failed try; says how long to pause.
    fn failed(&mut self, problem: &Problem) -> Duration {
        let reason = problem.to_string();
        if self.failures == 0 {
            tracing::warn!(error = %reason, "ledger rows stay in the spool for now");
        } else if self.reason != reason {
            tracing::warn!(error = %reason, tries = self.failures, "ledger rows still stay in the spool");
        }
        self.reason = reason;
        let doubled = self.options.first_pause.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let longest = doubled.min(self.options.longest_pause);
        longest.mul_f64(0.5 + (self.jitter)().clamp(0.0, 1.0) / 2.0)
    }
}

impl std::fmt::Debug for Drain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drain").field("spool", &self.spool).field("done", &self.done).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("the spool's reader stopped: {0}")]
    Task(tokio::task::JoinError),
}

/// How long a spool that is full is left alone before it tries to write again.
const RETRY: Duration = Duration::from_millis(250);

/// Never returns; sleeps while the spool has room.
async fn retry_regularly(spool: Spool) {
    loop {
        let reason = spool.filled().await;
        tracing::warn!(%reason, "the ledger's spool takes no more rows: new calls are refused");
        while spool.is_full() {
            sleep(RETRY).await;
            let retried = spool.clone();
            // Where it stopped, it is tried again.
            let _ = tokio::task::spawn_blocking(move || retried.retry()).await;
        }
        tracing::info!("the ledger's spool has room again: calls are taken");
    }
}

/// Never returns; does nothing where no sync is wanted.
async fn sync_regularly(spool: Spool) {
    let Sync::Every(period) = spool.sync_policy() else { return std::future::pending().await };
    loop {
        spool.written().await;
        sleep(period).await;
        let synced = spool.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || synced.sync()).await {
            tracing::error!(%error, "ledger rows may not be on the disk itself");
        }
    }
}
