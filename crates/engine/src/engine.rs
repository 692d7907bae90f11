//! The engine: what all calls share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use store::{Journal, Ledger, Responses, Spool};
use telemetry::Metrics;
use telemetry::log::Refusals;
use telemetry::metrics::Size;
use telemetry::trace::{Attempt, Context, Exporter};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::ledger::{Outcome, Row};
use types::{Code, Fault, Kind, UsageSource};

use crate::Chains;
use crate::call::{Target, Who, Writing};
use crate::counting::Counting;
use crate::estimates::Estimates;
use crate::limits::Keeper;
use crate::overload::{Overview, Places};
use crate::pulse::Pulse;
use crate::runs::Runs;
use crate::snapshot::Snapshot;
use crate::trouble::Figures;

/// The engine. Cheap to clone: all clones are the same one.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) metrics: Metrics,
    pub(crate) exporter: Exporter,
    pub(crate) spool: Spool,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) journal: Arc<dyn Journal>,
    /// Answers that a caller may go on from.
    pub(crate) responses: Arc<dyn Responses>,
    /// Those of them that are being written.
    pub(crate) keeps: Arc<Writing>,
    pub(crate) estimates: Arc<Estimates>,
    pub(crate) counting: Counting,
    pub(crate) tasks: TaskTracker,
    /// Turns true once, when no new work is taken.
    pub(crate) stopping: watch::Sender<bool>,
    /// Cancelled when what still runs is being cut off.
    pub(crate) aborting: CancellationToken,
    /// The same for calls, which look at it at each turn: a look at the token takes its lock.
    pub(crate) cutting: AtomicBool,
    /// Runs that this process works on.
    pub(crate) runs: Runs,
    /// Chains that can be run by name.
    pub(crate) chains: ArcSwap<Chains>,
    pub(crate) in_flight: AtomicUsize,
    /// The callers' rate limits.
    pub(crate) limits: Keeper,
    /// Calls that have ended.
    pub(crate) figures: Figures,
    pub(crate) pulse: Pulse,
    /// What the log was told of requests that were refused.
    pub(crate) refusals: Refusals,
    /// Told when the last call in flight has ended.
    pub(crate) idle: Notify,
}

impl Engine {
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<config::Config> {
        Arc::clone(self.0.snapshot.load().config())
    }

    /// The chains that can be run by name.
    pub fn chains(&self) -> Arc<Chains> {
        self.0.chains.load_full()
    }

    /// Offers other chains from now on.
    pub fn offer(&self, chains: Chains) {
        self.0.chains.store(Arc::new(chains));
    }

    /// The ledger: rows that have reached the database.
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.0.ledger
    }

    /// The journal of chain runs.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.0.journal
    }

    /// The metrics of this process.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn exporter(&self) -> &Exporter {
        &self.0.exporter
    }

    /// Where overload control stands.
    pub fn overview(&self) -> Overview {
        let snapshot = self.snapshot();
        let mut places: Vec<Places> = snapshot.deployments().all().iter().map(|at| at.places()).collect();
        places.sort_by(|one, two| (&one.provider, &one.model).cmp(&(&two.provider, &two.model)));
        let shed = places.iter().map(|at| at.shed).sum();
        Overview { places, shed, limited: self.0.limits.waiting(), ..snapshot.overload().overview() }
    }

    /// The names that `who` may give as a model.
    pub fn model_names(&self, who: &Who) -> Vec<String> {
        let config = self.config();
        let may = |name: &String| {
            let Some(allowed) = &who.allowed else { return true };
            config.resolve(name).is_some_and(|meaning| allowed.allows(name, &meaning))
        };
        config.model_names().into_iter().filter(may).collect()
    }

    /// The model of a call or step that names none: the first that a caller could name.
    pub fn default_model(&self) -> Option<String> {
        self.config().model_names().into_iter().next()
    }

    pub(crate) fn estimates(&self) -> &Estimates {
        &self.0.estimates
    }

    /// Attempts of which no usage is known.
    pub(crate) fn counting(&self) -> &Counting {
        &self.0.counting
    }

    /// One more call is in flight.
    pub(crate) fn enter(&self) {
        self.0.in_flight.fetch_add(1, Ordering::AcqRel);
    }

    /// A call that was in flight is over.
    pub(crate) fn leave(&self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }

    /// Calls in flight.
    pub fn calls_in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::Acquire)
    }

    /// Whether no new work is taken.
    pub fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// Why a call in flight must end now, if it must: this process cuts off what still runs.
    pub(crate) fn cut_off(&self) -> Option<Fault> {
        let cutting = self.0.cutting.load(Ordering::Relaxed);
        cutting.then(|| stopping("this process stops, and the call did not end in time"))
    }

    /// Why something that nobody ended is being dropped.
    pub(crate) fn why_dropped(&self) -> Outcome {
        if std::thread::panicking() {
            Outcome::Panicked
        } else if self.0.aborting.is_cancelled() {
            Outcome::Stopped
        } else {
            Outcome::HungUp
        }
    }

    /// Whether the disk takes no more ledger rows than those of calls under way.
    pub(crate) fn spool_is_full(&self) -> bool {
        self.0.spool.is_full()
    }

    /// Everything that follows from a settled attempt. Called once per attempt, on every way out.
    pub(crate) fn settled(
        &self,
        target: &Target,
        row: &Row,
        rough_input: u64,
        context: &Context,
        fault: Option<&Fault>,
    ) {
        if let Err(error) = self.0.spool.append(row) {
            telemetry::log::ledger_failed(1, &error);
        }
        if target.metrics.attempt(row) == Size::Large {
            telemetry::log::large_call(row);
        }
        if row.usage_source == UsageSource::Reported && row.outcome == Outcome::Complete {
            self.0.estimates.observe(&target.id, rough_input, row.usage.input);
        }
        if let Some(fault) = fault {
            telemetry::log::attempt_failed(row, fault);
        }
        if self.0.exporter.wants(context) {
            self.0
                .exporter
                .attempt(context, &Attempt { row, response_model: None, finish: None, server: None });
        }
    }
}

/// What is told to whom this process does not serve because it stops.
pub(crate) fn stopping(message: &str) -> Fault {
    Fault::new(Kind::ResourceExhausted, Code::Stopping, message)
        .with_hint("try again: another replica will take the call")
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("in_flight", &self.calls_in_flight()).finish_non_exhaustive()
    }
}
