//! What this process can take: how many calls run, how full its memory is, how loaded it is. What one deployment can
//! take, and who waits and goes there, is its `Room`'s. The machines are `policy`'s; the readings come from [`Gauges`](crate::gauges).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use config::overload::Load;
use policy::bulkhead::{Ask, Bulkheads, Kind as Bulkhead, Pass, Row};
use policy::load::{Allowance, Monitor, Reading};
use policy::memory::{Guard, Zone};
use policy::{degrade, load};
use types::{Blame, Code, Fault, Kind, Moment, Priority, Retry};

use crate::ids;

/// Names that bulkheads remember.
const COMPARTMENTS: usize = 10_000;
/// When to come back to a compartment that is full, or a process.
const COME_BACK: Duration = Duration::from_secs(1);

/// The state of one set of settings. Kept over a reload that does not change them.
#[derive(Debug)]
pub(crate) struct Overload {
    settings: config::Overload,
    guard: Option<Guard>,
    load: Option<(Load, Monitor)>,
    bulkheads: Option<Bulkheads>,
    /// Calls that may run now.
    ceiling: AtomicU32,
    /// Calls that ran when memory became tight.
    at_tight: AtomicU32,
}

impl Overload {
    /// That of `before`, if the settings are still the same.
    pub(crate) fn new(settings: &config::Overload, before: Option<&Arc<Self>>) -> Arc<Self> {
        if let Some(before) = before
            && before.settings == *settings
        {
            return Arc::clone(before);
        }
        let parted = settings.bulkheads != config::overload::Bulkheads::default();
        let made = Self {
            guard: settings.memory.map(|memory| Guard::new(memory.settings)),
            load: settings.load.map(|load| (load, Monitor::new(load.settings))),
            bulkheads: parted.then(|| Bulkheads::new(COMPARTMENTS, ids::seed())),
            ceiling: AtomicU32::new(settings.max_calls),
            at_tight: AtomicU32::new(settings.max_calls),
            settings: settings.clone(),
        };
        made.set_ceiling(100);
        Arc::new(made)
    }

    /// Whether another call is taken, beside `running` (itself included).
    pub(crate) fn admit(&self, priority: Priority, running: usize) -> Result<(), Fault> {
        if running > usize::try_from(self.ceiling.load(Ordering::Relaxed)).unwrap_or(usize::MAX) {
            let message = "as many calls run in this process as it can take";
            return Err(full(message, COME_BACK).with_hint("see overload.max_calls"));
        }
        if let Some(guard) = &self.guard {
            guard.admit(priority).map_err(|refused| full(&refused.to_string(), refused.retry_after))?;
        }
        Ok(())
    }

    /// A place in the compartment called `name`, if there are compartments of its kind.
    pub(crate) fn enter(&self, kind: Bulkhead, name: &str, now: Moment) -> Result<Option<Pass>, Fault> {
        let (Some(bulkheads), Some(size)) = (&self.bulkheads, self.settings.bulkheads.size(kind)) else {
            return Ok(None);
        };
        let entered = bulkheads.enter(&[Ask { kind, name, size }], now);
        entered.map(Some).map_err(|at| {
            let hint = format!("see overload.bulkheads.{}", kind.as_str());
            match kind {
                // Its own doing: others are served.
                Bulkhead::Tenant => Fault::new(Kind::RateLimit, Code::TenantFull, at.to_string())
                    .with_blame(Blame::Caller)
                    .with_retry(Retry::After(COME_BACK))
                    .with_hint(hint),
                Bulkhead::Provider | Bulkhead::Step => full(&at.to_string(), COME_BACK).with_hint(hint),
            }
        })
    }

    /// How well calls are served now.
    pub(crate) fn level(&self) -> degrade::Level {
        if !self.settings.degrade {
            return degrade::Level::Full;
        }
        degrade::level(self.load_level(), self.zone())
    }

    /// What the load level allows a call, where load is looked at.
    pub(crate) fn allowance(&self) -> Option<Allowance> {
        self.load.as_ref().map(|(load, monitor)| load.allowances.of(monitor.level()))
    }

    /// How often load is read; `None`: never.
    pub(crate) fn reads_load(&self) -> Option<Duration> {
        self.load.as_ref().map(|(load, _)| load.every)
    }

    /// What this process may use of memory, where the operator says so.
    pub(crate) fn memory_limit(&self) -> Option<u64> {
        self.settings.memory.and_then(|memory| memory.limit)
    }

    /// Takes a reading of the memory: bytes used of bytes allowed, beside so many calls that run. Gives the
    /// percent of its usual concurrency that each deployment may use.
    pub(crate) fn memory(&self, (used, allowed): (u64, u64), running: usize) -> u32 {
        let Some(guard) = &self.guard else { return 100 };
        let running = u32::try_from(running).unwrap_or(u32::MAX);
        if let Some(zone) = guard.read(used, allowed) {
            telemetry::log::memory_zone(zone.as_str(), guard.percent());
        }
        if guard.zone() == Zone::Ample {
            self.at_tight.store(running.max(1), Ordering::Relaxed);
        }
        self.set_ceiling(guard.concurrency());
        guard.concurrency()
    }

    /// Takes a reading of the load.
    pub(crate) fn read(&self, reading: &Reading, now: Moment) {
        let Some((_, monitor)) = &self.load else { return };
        if let Some(change) = monitor.read(reading, now) {
            telemetry::log::load_level(change.from.as_str(), change.to.as_str(), change.points);
            self.set_ceiling(self.guard.as_ref().map_or(100, Guard::concurrency));
        }
    }

    fn set_ceiling(&self, percent: u32) {
        let most = self.allowance().map_or(u32::MAX, |allowance| allowance.concurrency);
        let most = most.min(self.settings.max_calls);
        // A share of what ran, not of what might: under pressure fewer run than did.
        let fewer = u64::from(self.at_tight.load(Ordering::Relaxed)) * u64::from(percent) / 100;
        let tight = if percent < 100 { u32::try_from(fewer).unwrap_or(u32::MAX).max(1) } else { u32::MAX };
        self.ceiling.store(most.min(tight), Ordering::Relaxed);
    }

    fn load_level(&self) -> load::Level {
        self.load.as_ref().map(|(_, monitor)| monitor.level()).unwrap_or_default()
    }

    fn zone(&self) -> Zone {
        self.guard.as_ref().map_or(Zone::Ample, Guard::zone)
    }

    /// What the metrics show, where so many calls wait for a place, and so many were shed.
    pub(crate) fn figures(&self, (waiting, shed): (u64, u64)) -> telemetry::metrics::Overload {
        telemetry::metrics::Overload {
            level: self.level().as_str(),
            load: self.load.as_ref().map(|(_, monitor)| monitor.level().as_str()),
            memory_percent: self.guard.as_ref().map(Guard::percent),
            ceiling: self.ceiling.load(Ordering::Relaxed),
            waiting,
            shed,
        }
    }

    /// Where everything stands, for people.
    pub(crate) fn overview(&self) -> Overview {
        Overview {
            level: self.level().as_str(),
            load: self.load.as_ref().map(|(_, monitor)| monitor.level().as_str()),
            memory: self.guard.as_ref().map(|guard| (guard.zone().as_str(), guard.percent())),
            ceiling: self.ceiling.load(Ordering::Relaxed),
            shed: 0,
            bulkheads: self.bulkheads.as_ref().map(Bulkheads::rows).unwrap_or_default(),
            places: Vec::new(),
            limited: 0,
        }
    }
}

/// Where overload control stands.
#[derive(Clone, Debug)]
pub struct Overview {
    /// How well calls are served.
    pub level: &'static str,
    /// How much there is to do; `None`: not looked at.
    pub load: Option<&'static str>,
    /// The memory's zone and the used percent; `None`: no guard.
    pub memory: Option<(&'static str, u32)>,
    /// Calls that may run at once now.
    pub ceiling: u32,
    /// Calls shed so far.
    pub shed: u64,
    /// The compartments, the fullest first.
    pub bulkheads: Vec<Row>,
    /// The deployments, by provider and model.
    pub places: Vec<Places>,
    /// Calls that wait for a rate limit.
    pub limited: usize,
}

/// How many calls a deployment has.
#[derive(Clone, Debug)]
pub struct Places {
    /// The provider.
    pub provider: Arc<str>,
    /// Its model.
    pub model: Arc<str>,
    /// Calls that may run at once.
    pub limit: u32,
    /// Calls that run.
    pub running: u32,
    /// Calls that wait for a place.
    pub waiting: usize,
    /// Calls that found no place at once, so far.
    pub refused: u32,
    /// Those of them that were shed, because too many waited.
    pub shed: u64,
}

/// More is asked than there is room for: come back after `wait`.
pub(crate) fn full(message: &str, wait: Duration) -> Fault {
    Fault::new(Kind::ResourceExhausted, Code::Overloaded, message).with_retry(Retry::After(wait))
}
