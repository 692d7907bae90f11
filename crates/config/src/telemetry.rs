//! The `telemetry` section: what is said about calls, and to whom.

use crate::BaseUrl;

/// Logs, traces and alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// Where traces go (OTLP over HTTP); `None`: nowhere.
    pub otlp: Option<BaseUrl>,
    /// Which part of the traces is sent, 0 to 1. A caller's own sampling decision comes first.
    pub sample: f64,
    /// Whether callers' `baggage` goes to providers.
    pub pass_baggage: bool,
    /// The least level that is logged.
    pub log_level: LogLevel,
    /// How logs are written.
    pub log_format: LogFormat,
    /// A call of more input tokens than this is counted and logged as large.
    pub large_call_tokens: u64,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What ended a call or threatens the process.
    Error,
    /// And what was repaired.
    Warn,
    /// And what happens at large.
    #[default]
    Info,
    /// And each decision.
    Debug,
    /// And each event.
    Trace,
}

impl LogLevel {
    /// From the fewest lines to the most.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}
