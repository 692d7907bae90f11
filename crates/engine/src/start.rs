//! Start, reload, stop.
//!
//! Start opens the spool and the database and takes up what an earlier process left. Stop takes no new work,
//! waits for what is in flight, cuts off what does not end in time, and empties the spool.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use config::Config;
use rand::RngExt as _;
use store::drain::{DrainOptions, Drained};
use store::limits::{self, RedisLimits, Shared};
use store::spool::{Recovery, SpoolOptions};
use store::{Drain, Ledger, Spool, SpoolError, Sqlite};
use telemetry::Metrics;
use telemetry::metrics::Build;
use telemetry::trace::{self, Exporter};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::Fault;
use upstream::clock;

use crate::Engine;
use crate::counting::Counting;
use crate::engine;
use crate::estimates::Estimates;
use crate::gauges::{self, Gauges};
use crate::limits::Keeper;
use crate::pulse::Pulse;
use crate::runs::Runs;
use crate::snapshot::Snapshot;
use crate::stores::Stores;
use crate::trouble::Figures;

/// Processes that may share one `storage.spool` on one machine, each with a folder of its own in it.
const MAX_PROCESSES: usize = 64;
/// How often idle connections and the gauges are looked after.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How long the trace collector may take for the last spans.
const LAST_SPANS: Duration = Duration::from_secs(3);
/// Names whose rate limits have state, over all tiers.
const NAMES: usize = 100_000;
/// The version that traces and metrics tell.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The ledger's spool.
    #[error("the ledger's spool at {path} cannot be used")]
    Spool {
        /// Where.
        path: String,
        /// Why.
        source: SpoolError,
    },
    /// Too many processes at once.
    #[error("{MAX_PROCESSES} processes already use the spool at {0}")]
    Crowded(String),
    /// The database.
    #[error("the database cannot be used")]
    Store(#[from] store::StoreError),
    /// A provider.
    #[error("{0}")]
    Provider(Fault),
    /// Redis.
    #[error("storage.redis cannot be used: {0}")]
    Redis(#[from] store::limits::NoAddress),
    /// Traces.
    #[error(transparent)]
    Telemetry(#[from] trace::StartError),
}

/// An engine that has started.
#[derive(Debug)]
pub struct Started {
    /// The engine.
    pub engine: Engine,
    /// What an earlier process left in the spool, now on its way to the database.
    pub recovered: Recovery,
    drain: tokio::task::JoinHandle<Drained>,
    database: Option<Sqlite>,
}

impl Engine {
    /// Starts an engine on a checked configuration. Must be called inside a tokio runtime.
    pub async fn start(config: Config) -> Result<Started, StartError> {
        let stores = Stores::open(&config.storage.database).await?;
        Self::start_with(config, stores)
    }

    /// The same with stores of the caller's own, whatever the configuration says of a database.
    pub fn start_with(config: Config, stores: Stores) -> Result<Started, StartError> {
        let tasks = TaskTracker::new();
        let (folder, spool, recovered) = open_spool(&config)?;
        let spools = config.storage.spool.clone();
        let Stores { ledger, journal, responses, drain, database } = stores;
        let metrics = Metrics::new(Build { version: VERSION, commit: None, started: clock::wall() });
        metrics.set_large_call_tokens(config.telemetry.large_call_tokens);
        let traces = trace::Settings {
            otlp: config.telemetry.otlp.as_ref().map(|url| url.as_str().to_owned()),
            sample: config.telemetry.sample,
        };
        let exporter = Exporter::start(&traces, VERSION, &metrics)?;
        let shared = limits(&config)?;
        let config = Arc::new(config);
        let snapshot = Snapshot::new(config, metrics.clone(), &tasks, None).map_err(StartError::Provider)?;
        let (estimates, learner) = Estimates::new();
        let estimates = Arc::new(estimates);
        let (counting, counter) = Counting::new(spool.clone());
        let (stopping, stopped) = watch::channel(false);
        let engine = Self(Arc::new(engine::Shared {
            snapshot: ArcSwap::from_pointee(snapshot),
            metrics,
            exporter,
            spool: spool.clone(),
            ledger: Arc::clone(&ledger),
            journal,
            responses,
            keeps: Arc::default(),
            estimates: Arc::clone(&estimates),
            counting,
            tasks: tasks.clone(),
            stopping,
            aborting: CancellationToken::new(),
            cutting: AtomicBool::new(false),
            runs: Runs::default(),
            chains: ArcSwap::default(),
            in_flight: AtomicUsize::new(0),
            limits: Keeper::new(shared),
            pulse: Pulse::default(),
            refusals: telemetry::log::Refusals::default(),
            figures: Figures::default(),
            idle: Notify::new(),
        }));
        let drain = Drain::new(spool, Arc::clone(&ledger), drain, || rand::rng().random());
        let settled = tasks.clone();
        let drain = tokio::spawn(drain.run(async move { settled.wait().await }));
        tasks.spawn(until(stopped.clone(), estimates.learn(learner)));
        tasks.spawn(until(stopped.clone(), counter.count()));
        tasks.spawn(until(stopped.clone(), adopt(spools, folder, ledger)));
        tasks.spawn(until(stopped.clone(), engine.clone().forget_old_responses()));
        tasks.spawn(until(stopped, engine.clone().keep_house()));
        Ok(Started { engine, recovered, drain, database })
    }

    /// Puts another configuration in force: all of it, or none where an error is returned. Calls in flight
    /// end with the one that they began with. Where to listen and where to store does not change in flight.
    pub fn reload(&self, config: Config) -> Result<(), Fault> {
        let before = self.snapshot();
        let large = config.telemetry.large_call_tokens;
        let after = Snapshot::new(Arc::new(config), self.metrics().clone(), &self.0.tasks, Some(&before))?;
        self.metrics().set_large_call_tokens(large);
        self.0.limits.shared().set_replicas(after.config().limits.replicas);
        self.0.snapshot.store(Arc::new(after));
        let now = self.snapshot();
        for gone in before.providers().filter(|provider| !now.has(provider)) {
            let gone = Arc::clone(gone);
            self.0.tasks.spawn(async move { gone.stop().await });
        }
        Ok(())
    }

    /// Takes no new work from now on.
    pub fn stop_taking(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Done once no call is in flight.
    pub async fn idle(&self) {
        loop {
            let idle = self.0.idle.notified();
            if self.calls_in_flight() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Whatever is cut off from now on is so because this process stops. Calls in flight end with a fault that says
    /// so when they are polled next: who polls them is to be woken.
    pub fn abort(&self) {
        self.0.cutting.store(true, Ordering::Relaxed);
        self.0.aborting.cancel();
    }

    async fn keep_house(self) {
        let mut tick = tokio::time::interval(HOUSEKEEPING);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let allowed = gauges::allowed();
        let (mut load, mut read) = (Gauges::default(), clock::now());
        loop {
            tick.tick().await;
            for provider in self.snapshot().providers() {
                provider.sweep();
            }
            let (snapshot, now) = (self.snapshot(), clock::now());
            let overload = snapshot.overload();
            let memory = gauges::memory().zip(overload.memory_limit().or(allowed)).unwrap_or((0, 1));
            self.0.figures.read(memory.0, self.calls_in_flight(), now);
            let percent = overload.memory(memory, self.calls_in_flight());
            snapshot.deployments().tick(percent, now);
            if overload.reads_load().is_some_and(|every| now.since(read) >= every) {
                read = now;
                overload.read(&load.read(&self.0.pulse, self.calls_in_flight(), memory, now), now);
            }
            self.metrics().set_overload(&overload.figures(snapshot.deployments().lines()));
            let stats = self.0.spool.stats();
            self.metrics().set_spool(stats.bytes, stats.waiting);
            self.0.refusals.sum_up(now);
        }
    }
}

/// The keeper of rate limits: in Redis, if there is one, else in this process.
fn limits(config: &Config) -> Result<Shared, StartError> {
    let redis = match &config.storage.redis {
        Some(address) => {
            let read = |path| std::fs::read(path).map_err(|_| limits::NoAddress::Authority);
            let authority = config.storage.redis_ca.as_ref().map(read).transpose()?;
            let settings = limits::Settings::new(address.expose(), config.storage.redis_timeout)
                .trusting(authority.as_deref());
            let (redis, tend) = RedisLimits::new(settings)?;
            // Not among the tasks that stopping waits for: it ends with the last of what it settles.
            tokio::spawn(tend);
            Some(redis)
        }
        None => None,
    };
    let local = policy::limit::Limits::new(NAMES, crate::ids::seed());
    Ok(Shared::new(redis, local, config.limits.replicas))
}

impl Started {
    /// Stops in order: no new work, then up to `drain` for what is in flight, then the rest is told to end, and is
    /// polled and at last dropped by `connections`; the spool is emptied and the database closed. Gives what the drain did.
    pub async fn stop<F: Future<Output = ()>>(self, drain: Duration, connections: F) -> Drained {
        let Self { engine, drain: draining, database, .. } = self;
        engine.stop_taking();
        let _ = tokio::time::timeout(drain, engine.idle()).await;
        engine.abort();
        connections.await;
        for provider in engine.snapshot().providers() {
            provider.stop().await;
        }
        if let Some(redis) = engine.0.limits.shared().redis() {
            redis.flush().await;
        }
        engine.0.tasks.close();
        let drained = draining.await.unwrap_or_default();
        engine.0.refusals.sum_up(clock::now() + HOUSEKEEPING);
        // What the collector does not take in time is lost; it was told so in the log.
        let _ = engine.exporter().shutdown(LAST_SPANS).await;
        if let Some(database) = database {
            database.close().await;
        }
        drained
    }
}

/// Does `work` until the engine stops.
async fn until(mut stopping: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        _ = stopping.wait_for(|stopping| *stopping) => {}
        () = work => {}
    }
}

/// Takes to the database what killed processes left in other folders of the spool than ours. A folder that a
/// living process has is locked, and left alone.
async fn adopt(root: PathBuf, own: usize, ledger: Arc<dyn Ledger>) {
    for number in (0..MAX_PROCESSES).filter(|number| *number != own) {
        let path = root.join(number.to_string());
        if !path.is_dir() {
            continue;
        }
        // No call will write here.
        let options = SpoolOptions { reserve_bytes: 0, ..SpoolOptions::default() };
        let Ok((spool, found)) = Spool::open(&path, options) else { continue };
        if found.rows > 0 {
            telemetry::log::ledger_recovered(found.rows);
            let drain =
                Drain::new(spool, Arc::clone(&ledger), DrainOptions::default(), || rand::rng().random());
            drain.run(std::future::ready(())).await;
        }
    }
}

/// The spool of this process: the first folder under `storage.spool` that no living process has, with what
/// its last owner left. So a command can run beside a server on the same database.
fn open_spool(config: &Config) -> Result<(usize, Spool, Recovery), StartError> {
    let root = &config.storage.spool;
    let options = SpoolOptions { max_bytes: config.storage.spool_max, ..SpoolOptions::default() };
    for number in 0..MAX_PROCESSES {
        let path = root.join(number.to_string());
        match Spool::open(&path, options.clone()) {
            Ok((spool, recovery)) => return Ok((number, spool, recovery)),
            Err(SpoolError::InUse { .. }) => {}
            Err(source) => return Err(StartError::Spool { path: shown(&path), source }),
        }
    }
    Err(StartError::Crowded(shown(root)))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
