//! A run's events as they happen: first what the journal has, then what comes, then the result.

use std::convert::Infallible;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use engine::{Engine, Seen};
use futures_util::stream;
use http::HeaderMap;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use types::RunId;

use super::{Failed, run_id, visible};

/// `GET /api/v1/runs/{id}/events`.
pub(super) async fn follow(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let id = run_id(&id)?;
    visible(&engine, &headers, id).await?;
    stream(engine, id).await
}

/// Where a watcher stands.
struct Watcher {
    engine: Engine,
    run: RunId,
    live: Option<Receiver<Seen>>,
    /// Events of the journal that are still to be told.
    told: std::vec::IntoIter<Value>,
    /// The number of the next event.
    next: u64,
    ended: bool,
}

/// The events of a run from its beginning.
pub(super) async fn stream(engine: Engine, run: RunId) -> Result<Response, Failed> {
    // Watching begins before the journal is read, so that nothing falls between the two.
    let live = engine.watch_run(run);
    let stored = engine.journal().load(run).await?;
    let watcher = Watcher { engine, run, live, told: stored.events.into_iter(), next: 0, ended: false };
    let events = stream::unfold(watcher, |mut watcher| async {
        let event = watcher.event().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Watcher {
    async fn event(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        if let Some(event) = self.told.next() {
            return Some(self.number(&event));
        }
        while let Some(live) = &mut self.live {
            match live.recv().await {
                Ok(seen) if seen.seq < self.next => {}
                Ok(seen) => {
                    self.next = seen.seq;
                    let value = serde_json::to_value(&*seen.event).unwrap_or_default();
                    return Some(self.number(&value));
                }
                // Too slow for the channel: the journal has what was missed.
                Err(RecvError::Lagged(_)) => {
                    let stored = self.engine.journal().load(self.run).await.ok()?;
                    let missed = usize::try_from(self.next).unwrap_or(usize::MAX);
                    self.told = stored.events.into_iter().skip(missed).collect::<Vec<_>>().into_iter();
                    if let Some(event) = self.told.next() {
                        return Some(self.number(&event));
                    }
                }
                Err(RecvError::Closed) => self.live = None,
            }
        }
        self.ended = true;
        let stored = self.engine.journal().load(self.run).await.ok()?;
        let result = stored.result.unwrap_or_default();
        Some(Event::default().event("result").data(result.to_string()))
    }

    /// The event as it is sent: its number as the id, its kind as the name.
    fn number(&mut self, event: &Value) -> Event {
        let id = self.next;
        self.next += 1;
        let kind = event.get("event").and_then(Value::as_str).unwrap_or("event");
        Event::default().id(id.to_string()).event(kind).data(event.to_string())
    }
}
