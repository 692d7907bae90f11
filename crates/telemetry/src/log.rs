//! The log: lines on standard error, as JSON or for people, at a level that can change while running.
//!
//! Everything that is logged about calls has a function here that takes ids, rows and faults; there is none
//! that takes a prompt, an answer or a header, so none can slip in. Lines of libraries are shown from
//! warnings on only, whatever the level: their finer ones may show what they carry.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, reload};

mod event;
mod refusals;

pub use event::{
    BreakerChange, CallEnd, RunEnded, attempt_failed, breaker_changed, call_done, call_failed,
    collector_away, collector_back, config_refused, config_reloaded, config_waits, foreseen, large_call,
    leaving, ledger_failed, ledger_recovered, load_level, memory_zone, panicked, provider_started,
    provider_stopped, response_not_kept, run_done, run_failed, run_resumed, serving, spans_lost, stopped,
    stopping,
};
pub use refusals::{REFUSALS_A_SECOND, Refusals};

/// The names of our crates: whose lines follow the level.
const OURS: [&str; 16] = [
    "chain",
    "config",
    "document",
    "engine",
    "learn",
    "models",
    "policy",
    "server",
    "store",
    "telemetry",
    "testkit",
    "types",
    "upstream",
    "windlass",
    "wire",
    "xtask",
];

/// The part of the section `telemetry` that is about the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The least level that is logged.
    pub level: Level,
    /// How lines are written.
    pub format: Format,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What ended a call or threatens the process.
    Error,
    /// And what was repaired.
    Warn,
    /// And what happens at large.
    #[default]
    Info,
    /// And each call.
    Debug,
    /// And each event.
    Trace,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line; on a terminal the same as [`Text`](Self::Text).
    #[default]
    Json,
    /// For people.
    Text,
}

/// Why the log cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("a log was already started in this process")]
pub struct AlreadyStarted;

/// Changes the level of a running log.
#[derive(Clone, Debug)]
pub struct Handle(reload::Handle<Targets, Registry>);

impl Handle {
    /// From now on, this level.
    pub fn set_level(&self, level: Level) {
        // Fails only when the subscriber is gone, and then there is no log to change.
        let _gone = self.0.reload(filter(level));
    }
}

/// Starts the log of this process on standard error. For the program only: a library leaves this to its host.
///
/// # Errors
/// Somebody started one before.
pub fn start(settings: Settings) -> Result<Handle, AlreadyStarted> {
    let terminal = io::stderr().is_terminal();
    let style = match (settings.format, terminal) {
        (Format::Json, false) => Style::Json,
        (_, terminal) => Style::Text { colour: terminal && std::env::var_os("NO_COLOR").is_none() },
    };
    let (subscriber, handle) = subscriber(settings.level, style, io::stderr);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| AlreadyStarted)?;
    Ok(handle)
}

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One JSON object a line.
    Json,
    /// Text.
    Text {
        /// With the terminal's colours.
        colour: bool,
    },
}

/// A log that writes to `writer`, without making it the process's.
pub fn subscriber<W>(level: Level, style: Style, writer: W) -> (impl Subscriber + Send + Sync, Handle)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter(level));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
    let lines = match style {
        Style::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
        Style::Text { colour } => lines.with_ansi(colour).boxed(),
    };
    (Registry::default().with(filter).with(lines), Handle(handle))
}

fn filter(level: Level) -> Targets {
    let ours = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let theirs = ours.min(LevelFilter::WARN);
    Targets::new().with_default(theirs).with_targets(OURS.map(|name| (name, ours)))
}
