//! The connection to Redis, and its absence. While it is away nobody is made to wait for it: a call finds no
//! line and goes on at once, and one background task tries to get it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{ErrorKind, RedisError, Script};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::address::{Connection, Place};
use super::ask::Call;

/// A connection may take this long: nobody waits for it.
const CONNECT: Duration = Duration::from_secs(1);
/// Settlements that are sent at once.
const BATCH: usize = 64;
/// Settlements that wait to be sent.
pub(super) const WAITING: usize = 8_192;

/// What is asked of the background task.
#[derive(Debug)]
pub(super) enum Job {
    Shift(Call),
    /// Answered when everything before it has been sent.
    Flush(oneshot::Sender<()>),
}

/// A connection that worked when it was last used.
#[derive(Clone, Debug)]
struct Line {
    number: u64,
    connection: Connection,
}

#[derive(Debug)]
pub(super) struct Link {
    place: Place,
    script: Script,
    /// The longest that a call waits.
    patience: Duration,
    /// How long nobody asks after a failure.
    rest: Duration,
    line: watch::Sender<Option<Line>>,
    lines: AtomicU64,
    /// Settlements that never reached it.
    pub(super) dropped: AtomicU64,
}

/// No answer: nothing is known of what would have been granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis is away")]
pub struct Away;

impl Link {
    pub(super) fn new(place: Place, patience: Duration, rest: Duration) -> Self {
        Self {
            place,
            script: Script::new(include_str!("script.lua")),
            patience,
            rest,
            line: watch::Sender::new(None),
            lines: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Whether it worked when it was last used.
    pub(super) fn is_there(&self) -> bool {
        self.line.borrow().is_some()
    }

    /// Waits until it is there, or away.
    pub(super) async fn until(&self, there: bool) {
        let mut line = self.line.subscribe();
        // An error means that the sender is gone, and it is a part of `self`.
        let _always = line.wait_for(|line| line.is_some() == there).await;
    }

    /// Runs the script; never longer than the patience.
    pub(super) async fn run(&self, call: &Call) -> Result<Vec<i64>, Away> {
        let Some(mut line) = self.line.borrow().clone() else { return Err(Away) };
        let mut invocation = self.script.prepare_invoke();
        invocation.key(&call.keys).arg(&call.arguments);
        match timeout(self.patience, invocation.invoke_async(&mut line.connection)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(self.lost(line.number, Some(&error))),
            Err(_) => Err(self.lost(line.number, None)),
        }
    }

    /// Gives the line up, once however many calls notice.
    pub(super) fn lost(&self, number: u64, error: Option<&RedisError>) -> Away {
        let first = self.line.send_if_modified(|line| {
            let was = line.as_ref().is_some_and(|line| line.number == number);
            if was {
                *line = None;
            }
            was
        });
        if first {
            tracing::warn!(
                reason = reason(error),
                "Redis is away: each replica goes on with its share of the limits"
            );
        }
        Away
    }

    /// A reply that is none: something else answers there.
    pub(super) fn misunderstood(&self) -> Away {
        let number = self.line.borrow().as_ref().map(|line| line.number);
        number.map_or(Away, |number| self.lost(number, None))
    }

    /// A line that has proven that it answers in time.
    async fn connect(&self) -> Result<Connection, Option<RedisError>> {
        let open = async {
            let mut connection = self.place.open().await?;
            self.script.load_async(&mut connection).await?;
            Ok(connection)
        };
        let mut connection = timeout(CONNECT, open).await.map_err(|_| None)?.map_err(Some)?;
        let ping = redis::cmd("PING");
        timeout(self.patience, ping.query_async::<String>(&mut connection))
            .await
            .map_err(|_| None)?
            .map_err(Some)?;
        Ok(connection)
    }

    /// Sends what waits, or leaves it waiting if there is no line.
    async fn send(&self, jobs: &mut Vec<Job>) {
        let Some(mut line) = self.line.borrow().clone() else { return };
        let mut pipe = redis::pipe();
        let mut flushed = Vec::new();
        let mut shifts = 0;
        for job in jobs.drain(..) {
            match job {
                Job::Flush(done) => flushed.push(done),
                Job::Shift(call) => {
                    shifts += 1;
                    let keys = call.keys.len();
                    pipe.cmd("EVALSHA")
                        .arg(self.script.get_hash())
                        .arg(keys)
                        .arg(call.keys)
                        .arg(call.arguments)
                        .ignore();
                }
            }
        }
        if shifts > 0 {
            // What a batch has done when it fails is not known, and giving back twice would be a gift: it is
            // not repeated. What was taken stays taken, which is the safe side.
            let sent =
                timeout(self.rest.max(self.patience), pipe.query_async::<()>(&mut line.connection)).await;
            let error = match sent {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(Some(error)),
                Err(_) => Some(None),
            };
            if let Some(error) = error {
                self.dropped.fetch_add(shifts, Ordering::Relaxed);
                self.lost(line.number, error.as_ref());
            }
        }
        for done in flushed {
            let _whoever_asked_is_gone = done.send(());
        }
    }
}

/// Keeps the line and sends settlements, until every keeper and every reservation is gone.
pub(super) async fn tend(link: Arc<Link>, mut jobs: mpsc::Receiver<Job>) {
    let mut changes = link.line.subscribe();
    let mut told = false;
    let mut batch = Vec::with_capacity(BATCH);
    while !(jobs.is_closed() && jobs.is_empty()) {
        if !link.is_there() {
            match link.connect().await {
                Ok(connection) => {
                    let number = link.lines.fetch_add(1, Ordering::Relaxed);
                    link.line.send_replace(Some(Line { number, connection }));
                    tracing::info!("Redis is there: replicas share their limits");
                    told = true;
                }
                Err(error) => {
                    if !told {
                        told = true;
                        let reason = reason(error.as_ref());
                        tracing::warn!(
                            reason,
                            "Redis is away: each replica goes on with its share of the limits"
                        );
                    }
                    tokio::time::sleep(link.rest).await;
                    continue;
                }
            }
        }
        if changes.borrow_and_update().is_some() {
            if batch.is_empty() {
                tokio::select! {
                    _ = jobs.recv_many(&mut batch, BATCH) => {}
                    _ = changes.changed() => {}
                }
            }
            if !batch.is_empty() {
                link.send(&mut batch).await;
            }
        }
        if !link.is_there() {
            // Whatever it was, asking again at once would cost a call's patience each time.
            tokio::time::sleep(link.rest).await;
        }
    }
}

/// A word about what went wrong; what Redis or the library says in full may hold an address.
fn reason(error: Option<&RedisError>) -> &'static str {
    let Some(error) = error else { return "no answer in time" };
    match error.kind() {
        ErrorKind::Io => "the connection broke, or could not be made",
        ErrorKind::AuthenticationFailed => "it refuses the password",
        ErrorKind::Server(_) | ErrorKind::Extension => "it answers with an error",
        _ => "it answers what it should not",
    }
}
