//! What breakers did, heard where an operator would hear it: in the log.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A change of a breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Duration,
    /// Whose.
    pub provider: String,
    /// `closed`, `open`, `half_open`, `ramping`.
    pub from: String,
    /// The same.
    pub to: String,
    /// What the log says.
    pub why: String,
}

/// Hears the log of one thread.
pub(crate) struct Listener {
    changes: Arc<Mutex<Vec<Change>>>,
    /// When the run began, on its own clock: known once it has.
    began: Arc<Mutex<Option<Instant>>>,
}

impl Listener {
    pub(crate) fn new(changes: Arc<Mutex<Vec<Change>>>, began: Arc<Mutex<Option<Instant>>>) -> Self {
        Self { changes, began }
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.fields().field("from").is_some() && metadata.fields().field("to").is_some()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut change = Change::default();
        event.record(&mut change);
        if change.provider.is_empty() {
            return;
        }
        let began = self.began.lock().ok().and_then(|began| *began);
        change.at = began.map(|began| began.elapsed()).unwrap_or_default();
        if let Ok(mut changes) = self.changes.lock() {
            changes.push(change);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Change {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "provider" => value.clone_into(&mut self.provider),
            "from" => value.clone_into(&mut self.from),
            "to" => value.clone_into(&mut self.to),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "why" {
            self.why = format!("{value:?}");
        }
    }
}
