//! What a simulated provider is told to be. The engine fills this in from the configuration.

use std::time::Duration;

/// A simulated provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Its models.
    pub models: Vec<Model>,
    /// Where its random choices start.
    pub seed: u64,
}

/// A model that does not exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Time to the first token.
    pub first_token: Duration,
    /// Speed after that; `None`: all at once.
    pub tokens_per_second: Option<f64>,
    /// Latencies vary by up to this part of themselves, both ways: 0 to 1.
    pub jitter: f64,
    /// Tokens of an answer that is made up.
    pub output_tokens: u32,
    /// The answer; `None`: made-up text of `output_tokens` tokens.
    pub text: Option<String>,
    /// Whether a request with tools is answered with a call of the first one.
    pub calls_tools: bool,
    /// Requests a minute before it answers 429; `None`: no limit.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, read and written, before it answers 429; `None`: no limit.
    pub tokens_per_minute: Option<u64>,
    /// What goes wrong. The first that applies to a call holds.
    pub faults: Vec<FaultRule>,
}

impl Model {
    /// A model without latency, limits or faults, that writes 16 tokens and calls tools.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            first_token: Duration::ZERO,
            tokens_per_second: None,
            jitter: 0.0,
            output_tokens: 16,
            text: None,
            calls_tools: true,
            requests_per_minute: None,
            tokens_per_minute: None,
            faults: Vec::new(),
        }
    }
}

/// A fault and when it comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultRule {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Which calls it hits.
    pub when: When,
}

/// Which calls a fault hits. Calls of one model are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// Every n-th call.
    Every(u64),
    /// All calls after the first n.
    After(u64),
    /// The first n calls: then it has recovered.
    First(u64),
    /// Each call with this probability, 0 to 1.
    Probability(f64),
    /// Every call.
    Always,
}

/// What can go wrong at a simulated provider.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultKind {
    /// An HTTP error.
    Status {
        /// 400 to 599.
        status: u16,
        /// The `Retry-After` that comes with it.
        retry_after: Option<Duration>,
    },
    /// The connection is refused.
    Refuse,
    /// The connection is reset before the answer.
    Reset,
    /// Nothing comes after this many tokens, for ever. 0, or an answer that is no stream: no answer at all.
    Stall {
        /// Tokens before it.
        after_tokens: u32,
    },
    /// The connection is closed after this many tokens; half-way, in an answer that is no stream.
    Cut {
        /// Tokens before it.
        after_tokens: u32,
    },
    /// All times are this many times as long.
    Slow {
        /// 1 or more.
        factor: f64,
    },
    /// An answer that is not the protocol.
    Malformed,
}
