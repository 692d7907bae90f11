//! What is counted of the attempts at one model of one provider.
//!
//! Everything that an attempt touches is resolved beforehand: settling an attempt is additions to atomics
//! and at most four short histogram locks, without allocation and without hashing a label.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use types::ledger::{Outcome, Rest, Row};
use types::{Kind, UsageSource};

use super::histograms::{BETWEEN_TOKENS, CONNECT, FIRST_TOKEN, Lazy, WHOLE_CALL};

/// All outcomes, in the order of their counters.
pub(super) const OUTCOMES: [Outcome; 7] = [
    Outcome::Complete,
    Outcome::Failed,
    Outcome::Cut,
    Outcome::Stalled,
    Outcome::HungUp,
    Outcome::Stopped,
    Outcome::Panicked,
];

/// All kinds of faults, in the order of their counters.
pub(crate) const KINDS: [Kind; 12] = [
    Kind::NetworkTimeout,
    Kind::RateLimit,
    Kind::InvalidResponse,
    Kind::DependencyFailure,
    Kind::ResourceExhausted,
    Kind::Parsing,
    Kind::Validation,
    Kind::Authentication,
    Kind::Permanent,
    Kind::Throttling,
    Kind::Budget,
    Kind::Cancelled,
];

/// The ways to ask for the rest of an answer, in the order of their counters.
pub(super) const RESTS: [Rest; 2] = [Rest::Prefill, Rest::Anew];

/// The values of the label `type` of `llm_tokens_used_total`, in the order of their counters.
pub(super) const TOKEN_TYPES: [&str; 4] = ["input", "output", "cached", "reasoning"];

/// The states of a breaker, in the order of their counters and of the gauge's values.
pub(super) const BREAKER_STATES: [&str; 4] = ["closed", "ramping", "half_open", "open"];

/// Why attempts fail, as the analysis of errors names it.
pub const CLASSES: [&str; 11] = [
    "unreachable",
    "silent",
    "rate_limited",
    "overloaded",
    "failed",
    "bad_answer",
    "context_too_long",
    "content_filtered",
    "refused",
    "out_of_credit",
    "breaker_open",
];

/// What a model's breaker does, as metrics tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerState {
    /// All calls go through.
    Closed,
    /// A growing share does.
    Ramping,
    /// A few probes do.
    HalfOpen,
    /// None does.
    Open,
}

/// The counters of one (provider, model). Get one from [`Metrics::target`](super::Metrics::target).
#[derive(Debug)]
pub struct Target {
    pub(super) provider: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) requests: [AtomicU64; OUTCOMES.len()],
    pub(super) errors: [AtomicU64; KINDS.len()],
    pub(super) tokens: [AtomicU64; TOKEN_TYPES.len()],
    /// Pico-dollars. Wraps at 18 million dollars, which Prometheus reads as a restart.
    pub(super) cost: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) fallbacks: AtomicU64,
    /// Attempts that went on with a broken stream: by [`Rest`](types::ledger::Rest), those that brought it to its
    /// end and those that did not.
    pub(super) continuations: [[AtomicU64; 2]; RESTS.len()],
    pub(super) large: AtomicU64,
    pub(super) unpriced: AtomicU64,
    pub(super) breaker: AtomicU64,
    pub(super) breaker_changes: [AtomicU64; BREAKER_STATES.len()],
    pub(super) classes: [AtomicU64; CLASSES.len()],
    pub(super) hedges: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) foreseen: AtomicU64,
    pub(super) duration: Lazy,
    pub(super) first_token: Lazy,
    pub(super) between_tokens: Lazy,
    pub(super) connect: Lazy,
    large_from: Arc<AtomicU64>,
}

/// What an attempt was, beside counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Nothing special.
    Usual,
    /// More input tokens than `telemetry.large_call_tokens`: worth a line in the log.
    Large,
}

impl Target {
    pub(super) fn new(provider: Arc<str>, model: Arc<str>, large_from: Arc<AtomicU64>) -> Self {
        Self {
            provider,
            model,
            requests: Default::default(),
            errors: Default::default(),
            tokens: Default::default(),
            cost: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            fallbacks: AtomicU64::new(0),
            continuations: Default::default(),
            large: AtomicU64::new(0),
            unpriced: AtomicU64::new(0),
            breaker: AtomicU64::new(0),
            breaker_changes: Default::default(),
            classes: Default::default(),
            hedges: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            foreseen: AtomicU64::new(0),
            duration: Lazy::new(&WHOLE_CALL),
            first_token: Lazy::new(&FIRST_TOKEN),
            between_tokens: Lazy::new(&BETWEEN_TOKENS),
            connect: Lazy::new(&CONNECT),
            large_from,
        }
    }

    /// The label `provider`.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The label `model`: the model's name, or `other` beyond the cap.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Counts a failed attempt of one of the [`CLASSES`]; any other is not counted.
    pub fn failed(&self, class: &str) {
        let found = CLASSES.iter().position(|known| *known == class);
        if let Some(counter) = found.and_then(|at| self.classes.get(at)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Counts a finished attempt. Under a microsecond; allocates at most once per histogram and process.
    pub fn attempt(&self, row: &Row) -> Size {
        self.requests[row.outcome as usize].fetch_add(1, Relaxed);
        if let Some(kind) = row.fault {
            self.errors[kind as usize].fetch_add(1, Relaxed);
        }
        if row.key.attempt > 1 {
            self.retries.fetch_add(1, Relaxed);
        }
        if row.fallback {
            self.fallbacks.fetch_add(1, Relaxed);
        }
        if let Some(seam) = row.seam {
            let broken = usize::from(row.outcome != Outcome::Complete);
            self.continuations[seam.how as usize][broken].fetch_add(1, Relaxed);
        }
        self.count_usage(row);
        self.observe_timing(row);
        if row.usage.input > self.large_from.load(Relaxed) {
            self.large.fetch_add(1, Relaxed);
            return Size::Large;
        }
        Size::Usual
    }

    /// Sets the gauge of the breaker.
    pub fn set_breaker(&self, state: BreakerState) {
        self.breaker.store(state as u64, Relaxed);
    }

    /// Counts a change of the breaker to `state`, and sets the gauge.
    pub fn breaker_changed(&self, state: BreakerState) {
        self.breaker_changes[state as usize].fetch_add(1, Relaxed);
        self.set_breaker(state);
    }

    /// Counts a backup that was sent because another model was slow.
    pub fn hedged(&self) {
        self.hedges.fetch_add(1, Relaxed);
    }

    /// Counts an attempt that was made although the breaker was open, because most were.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// Counts a failure or a slowdown that was foreseen and acted on.
    pub fn foreseen(&self) {
        self.foreseen.fetch_add(1, Relaxed);
    }

    fn count_usage(&self, row: &Row) {
        let usage = &row.usage;
        let counts = [usage.input, usage.output, usage.cache_read, usage.reasoning];
        for (counter, count) in self.tokens.iter().zip(counts) {
            if count > 0 {
                counter.fetch_add(count, Relaxed);
            }
        }
        match row.cost {
            Some(cost) => {
                // A price is never negative; a figure that is would make the counter go backwards.
                self.cost.fetch_add(u64::try_from(cost.as_pico()).unwrap_or(0), Relaxed);
            }
            None if row.usage_source != UsageSource::None => {
                self.unpriced.fetch_add(1, Relaxed);
            }
            None => {}
        }
    }

    fn observe_timing(&self, row: &Row) {
        let timing = &row.timing;
        if let Some(total) = timing.total {
            self.duration.observe(total);
        }
        if let Some(first_token) = timing.first_token {
            self.first_token.observe(first_token);
        }
        if let Some(mean) = mean_between_tokens(row) {
            self.between_tokens.observe(mean);
        }
        if let Some(connect) = timing.connect {
            self.connect.observe(connect + timing.dns.unwrap_or_default() + timing.tls.unwrap_or_default());
        }
    }
}

/// The mean time from one token of a stream to the next: what came after the first token, by its number.
fn mean_between_tokens(row: &Row) -> Option<Duration> {
    let timing = &row.timing;
    if !row.streamed || row.usage.output < 2 {
        return None;
    }
    let end = timing.first_byte?.checked_add(timing.transfer?)?;
    let writing = end.checked_sub(timing.first_token?)?;
    let steps = u32::try_from(row.usage.output - 1).ok()?;
    Some(writing / steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_the_order_of_the_enums() {
        for (index, outcome) in OUTCOMES.into_iter().enumerate() {
            assert_eq!(outcome as usize, index, "{outcome:?}");
        }
        for (index, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
        }
    }
}
