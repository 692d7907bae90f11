//! Metrics: who counts what, and the text that Prometheus reads.
//!
//! A [`Metrics`] is a registry of its own; there is no global one. Series are bounded: labels are provider,
//! model, outcome, kind, chain and step, never a caller or an id, and what lies beyond the cap is `other`.
//! When something is counted is the engine's decision.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use prometheus_client::registry::Registry;
use types::ledger::Outcome;
use types::{Dialect, Kind, Timestamp};

mod chain;
mod exposition;
mod histograms;
mod label;
mod process;
mod target;
mod text;

pub use chain::{ActiveRun, ChainMetrics, RunEnd, RunStatus};
pub(crate) use target::KINDS;
pub use target::{BreakerState, CLASSES, Size, Target};

/// What the answer to a scrape says about itself.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// (provider, model) pairs that have series of their own.
const TARGETS: usize = 1_000;
/// Chains that have series of their own.
const CHAINS: usize = 1_000;
/// All dialects, in the order of their counters.
/// The dialects in which calls come in.
const DIALECTS: [Dialect; 4] =
    [Dialect::OpenaiChat, Dialect::OpenaiEmbeddings, Dialect::AnthropicMessages, Dialect::OpenaiResponses];

/// What stays the same while the process lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// Our version.
    pub version: &'static str,
    /// The commit that it was built from, where known.
    pub commit: Option<&'static str>,
    /// When the process started.
    pub started: Timestamp,
}

/// Where overload control stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overload {
    /// How well calls are served.
    pub level: &'static str,
    /// The load level, where it is looked at.
    pub load: Option<&'static str>,
    /// The used part of the memory, where there is a guard.
    pub memory_percent: Option<u32>,
    /// Calls that may run at once now.
    pub ceiling: u32,
    /// Calls that wait for a place.
    pub waiting: u64,
    /// Calls shed so far.
    pub shed: u64,
}

impl Default for Overload {
    fn default() -> Self {
        Self { level: "full", load: None, memory_percent: None, ceiling: 0, waiting: 0, shed: 0 }
    }
}

/// All metrics of one process. Cheap to clone: one pointer.
#[derive(Clone, Debug)]
pub struct Metrics {
    board: Arc<Board>,
    registry: Arc<Registry>,
}

/// Where everything is counted.
#[derive(Debug)]
struct Board {
    build: Build,
    targets: RwLock<Targets>,
    chains: RwLock<BTreeMap<Arc<str>, Arc<ChainMetrics>>>,
    chains_shared: Arc<chain::Shared>,
    large_from: Arc<AtomicU64>,
    in_flight: Arc<AtomicI64>,
    calls: [[AtomicU64; target::OUTCOMES.len()]; DIALECTS.len()],
    spool_bytes: AtomicU64,
    spool_rows: AtomicU64,
    spool_refused: AtomicU64,
    refusals: [AtomicU64; KINDS.len()],
    retries_denied: AtomicU64,
    hedges_denied: AtomicU64,
    overload: Mutex<Overload>,
    spans: Arc<Spans>,
}

/// The targets by provider and model; `count` is the number of those that calls have named, over all providers.
#[derive(Debug, Default)]
struct Targets {
    by_provider: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<Target>>>,
    count: usize,
    /// Those beside them that are there because the configuration names them.
    configured: usize,
}

/// What became of the spans that were to be exported.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    pub(crate) exported: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) failed: AtomicU64,
}

impl Metrics {
    /// Empty metrics.
    pub fn new(build: Build) -> Self {
        let board = Arc::new(Board {
            build,
            targets: RwLock::default(),
            chains: RwLock::default(),
            chains_shared: Arc::default(),
            large_from: Arc::new(AtomicU64::new(u64::MAX)),
            in_flight: Arc::default(),
            calls: Default::default(),
            spool_bytes: AtomicU64::new(0),
            spool_rows: AtomicU64::new(0),
            spool_refused: AtomicU64::new(0),
            refusals: Default::default(),
            retries_denied: AtomicU64::new(0),
            hedges_denied: AtomicU64::new(0),
            overload: Mutex::default(),
            spans: Arc::default(),
        });
        let mut registry = Registry::default();
        registry.register_collector(Box::new(exposition::Collector(Arc::clone(&board))));
        Self { board, registry: Arc::new(registry) }
    }

    /// From how many input tokens a call is large (`telemetry.large_call_tokens`); at first none is.
    pub fn set_large_call_tokens(&self, tokens: u64) {
        self.board.large_from.store(tokens, Relaxed);
    }

    /// The counters of a model of a provider. Keep it: finding it costs a look-up in two maps.
    ///
    /// Beyond 1,000 pairs the model is `other`, and a provider that was not seen before is `other` too.
    pub fn target(&self, provider: &str, model: &str) -> Arc<Target> {
        let (provider, model) = (label::cut(provider), label::cut(model));
        let known = self.board.targets.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = known.find(provider, model) {
            return target;
        }
        drop(known);
        let mut known = self.board.targets.write().unwrap_or_else(PoisonError::into_inner);
        known.find_or_add(provider, model, &self.board.large_from)
    }

    /// The counters of a model that the configuration itself names: it has a place however many names callers have
    /// made up, as long as not more than that are configured.
    pub fn configured_target(&self, provider: &str, model: &str) -> Arc<Target> {
        let (provider, model) = (label::cut(provider), label::cut(model));
        let mut known = self.board.targets.write().unwrap_or_else(PoisonError::into_inner);
        if known.configured < TARGETS && known.find(provider, model).is_none() {
            known.configured += 1;
            return known.add(provider, model, &self.board.large_from);
        }
        known.find_or_add(provider, model, &self.board.large_from)
    }

    /// The counters of a chain. Keep it while the chain is configured.
    pub fn chain(&self, name: &str) -> Arc<ChainMetrics> {
        let name = label::cut(name);
        let known = self.board.chains.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(chain) = known.get(name) {
            return Arc::clone(chain);
        }
        drop(known);
        let mut known = self.board.chains.write().unwrap_or_else(PoisonError::into_inner);
        let name = if known.len() < CHAINS || known.contains_key(name) { name } else { label::OTHER };
        if let Some(chain) = known.get(name) {
            return Arc::clone(chain);
        }
        let name: Arc<str> = Arc::from(name);
        let chain = Arc::new(ChainMetrics::new(Arc::clone(&name), Arc::clone(&self.board.chains_shared)));
        known.insert(name, Arc::clone(&chain));
        chain
    }

    /// Counts a caller's call as in flight until the guard is dropped.
    pub fn call_started(&self) -> InFlight {
        self.board.in_flight.fetch_add(1, Relaxed);
        InFlight(Arc::clone(&self.board.in_flight))
    }

    /// Counts a caller's call that ended, however many attempts it took.
    pub fn call_ended(&self, dialect: Dialect, outcome: Outcome) {
        self.board.calls[dialect as usize][outcome as usize].fetch_add(1, Relaxed);
    }

    /// What waits in the ledger's spool: bytes on disk, and rows that are not in the database yet.
    pub fn set_spool(&self, bytes: u64, rows: u64) {
        self.board.spool_bytes.store(bytes, Relaxed);
        self.board.spool_rows.store(rows, Relaxed);
    }

    /// Counts a call that was refused because the spool takes no more rows.
    pub fn spool_refused(&self) {
        self.board.spool_refused.fetch_add(1, Relaxed);
    }

    /// Counts a request that was refused before anything was sent, whether or not it became a call.
    pub fn refused(&self, kind: Kind) {
        self.board.refusals[kind as usize].fetch_add(1, Relaxed);
    }

    /// Counts a retry that the budget did not allow.
    pub fn retry_denied(&self) {
        self.board.retries_denied.fetch_add(1, Relaxed);
    }

    /// Counts a backup that a slow call wanted and did not get.
    pub fn hedge_denied(&self) {
        self.board.hedges_denied.fetch_add(1, Relaxed);
    }

    /// Where overload control stands; told once a second.
    pub fn set_overload(&self, overload: &Overload) {
        *self.board.overload.lock().unwrap_or_else(PoisonError::into_inner) = *overload;
    }

    /// Everything in the Prometheus text exposition ([`CONTENT_TYPE`]), in a stable order.
    pub fn render(&self) -> String {
        let mut openmetrics = String::new();
        match prometheus_client::encoding::text::encode_registry(&mut openmetrics, &self.registry) {
            Ok(()) => text::prometheus(&openmetrics),
            // Writing to a string does not fail.
            Err(std::fmt::Error) => String::new(),
        }
    }

    pub(crate) fn spans(&self) -> Arc<Spans> {
        Arc::clone(&self.board.spans)
    }
}

impl Targets {
    fn find(&self, provider: &str, model: &str) -> Option<Arc<Target>> {
        self.by_provider.get(provider)?.get(model).map(Arc::clone)
    }

    fn find_or_add(&mut self, provider: &str, model: &str, large_from: &Arc<AtomicU64>) -> Arc<Target> {
        let full = self.count >= TARGETS;
        let (provider, model) = match self.by_provider.get(provider) {
            Some(models) if models.contains_key(model) || !full => (provider, model),
            Some(_) => (provider, label::OTHER),
            None if full => (label::OTHER, label::OTHER),
            None => (provider, model),
        };
        if let Some(target) = self.find(provider, model) {
            return target;
        }
        self.count += 1;
        self.add(provider, model, large_from)
    }

    fn add(&mut self, provider: &str, model: &str, large_from: &Arc<AtomicU64>) -> Arc<Target> {
        let (provider, model): (Arc<str>, Arc<str>) = (Arc::from(provider), Arc::from(model));
        let target = Arc::new(Target::new(Arc::clone(&provider), Arc::clone(&model), Arc::clone(large_from)));
        self.by_provider.entry(provider).or_default().insert(model, Arc::clone(&target));
        target
    }
}

/// A call in `llm_requests_in_flight`; it leaves when this is dropped, whatever way the call ends.
#[derive(Debug)]
#[must_use = "the call counts as in flight only while this is held"]
pub struct InFlight(Arc<AtomicI64>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
