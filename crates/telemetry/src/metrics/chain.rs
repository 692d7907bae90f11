//! What is counted of the runs of one chain.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use types::{Kind, Money, Usage};

use super::histograms::{Lazy, WHOLE_CALL};
use super::label;
use super::target::KINDS;

/// Steps that have series of their own, over all chains; the others are counted as `other`.
const STEP_SERIES: u64 = 2_000;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// Every step that had to was completed.
    Completed,
    /// A step failed for good, or a limit was reached.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

pub(super) const STATUSES: [RunStatus; 3] = [RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled];

impl RunStatus {
    /// The name in labels and attributes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A finished run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// How it ended.
    pub status: RunStatus,
    /// What went wrong, if something did.
    pub fault: Option<Kind>,
    /// From its start to its end; of a resumed run, the part that ran here.
    pub duration: Duration,
    /// What its steps cost together; `None` where a price is not known.
    pub cost: Option<Money>,
    /// What its steps used together.
    pub usage: Usage,
    /// How many steps it finished.
    pub steps: u64,
}

/// The counters of one chain. Get one from [`Metrics::chain`](super::Metrics::chain).
#[derive(Debug)]
pub struct ChainMetrics {
    pub(super) name: Arc<str>,
    pub(super) runs: [AtomicU64; STATUSES.len()],
    pub(super) errors: [AtomicU64; KINDS.len()],
    pub(super) tokens: [AtomicU64; 2],
    /// Pico-dollars, as in [`Target`](super::Target).
    pub(super) cost: AtomicU64,
    pub(super) steps: AtomicU64,
    pub(super) duration: Lazy,
    pub(super) step_durations: RwLock<BTreeMap<Arc<str>, Arc<Lazy>>>,
    shared: Arc<Shared>,
}

/// What all chains have in common.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) active: AtomicI64,
    step_series: AtomicU64,
}

impl ChainMetrics {
    pub(super) fn new(name: Arc<str>, shared: Arc<Shared>) -> Self {
        Self {
            name,
            runs: Default::default(),
            errors: Default::default(),
            tokens: Default::default(),
            cost: AtomicU64::new(0),
            steps: AtomicU64::new(0),
            duration: Lazy::new(&WHOLE_CALL),
            step_durations: RwLock::default(),
            shared,
        }
    }

    /// Counts a run as active until the guard is dropped.
    pub fn run_started(&self) -> ActiveRun {
        self.shared.active.fetch_add(1, Relaxed);
        ActiveRun(Arc::clone(&self.shared))
    }

    /// Counts a finished run.
    pub fn run_ended(&self, end: &RunEnd) {
        self.runs[end.status as usize].fetch_add(1, Relaxed);
        if let Some(kind) = end.fault {
            self.errors[kind as usize].fetch_add(1, Relaxed);
        }
        self.duration.observe(end.duration);
        if let Some(cost) = end.cost {
            self.cost.fetch_add(u64::try_from(cost.as_pico()).unwrap_or(0), Relaxed);
        }
        self.tokens[0].fetch_add(end.usage.input, Relaxed);
        self.tokens[1].fetch_add(end.usage.output, Relaxed);
        self.steps.fetch_add(end.steps, Relaxed);
    }

    /// Counts a finished step, with all its attempts.
    pub fn step_ended(&self, step: &str, duration: Duration) {
        self.step(step).observe(duration);
    }

    fn step(&self, step: &str) -> Arc<Lazy> {
        let step = label::cut(step);
        let known = self.step_durations.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(step) {
            return Arc::clone(series);
        }
        drop(known);
        let mut known = self.step_durations.write().unwrap_or_else(PoisonError::into_inner);
        let name = if known.contains_key(step) || self.shared.step_series.load(Relaxed) < STEP_SERIES {
            step
        } else {
            label::OTHER
        };
        if let Some(series) = known.get(name) {
            return Arc::clone(series);
        }
        self.shared.step_series.fetch_add(1, Relaxed);
        let series = Arc::new(Lazy::new(&WHOLE_CALL));
        known.insert(Arc::from(name), Arc::clone(&series));
        series
    }
}

/// A run in `chain_active_executions`; it leaves when this is dropped, whatever way the run ends.
#[derive(Debug)]
#[must_use = "the run counts as active only while this is held"]
pub struct ActiveRun(Arc<Shared>);

impl Drop for ActiveRun {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Relaxed);
    }
}
