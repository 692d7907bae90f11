//! What is known of each deployment (one model at one provider): breaker, latencies, what it owes, and what
//! its trend foretells. Kept outside the snapshots, so that a reload does not forget who is failing.
//!
//! Decides nothing: the machines are `policy`'s. Attempts feed them (`call::watch`), and once a second
//! [`Deployments::tick`] asks the forecasts.

mod deeds;
mod deployment;
mod room;
mod switch;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use config::overload::Concurrency;
use config::route::Breaker;
use policy::breaker::Judge;
use policy::retry::{Budget, Share};
use policy::shed;
use types::Moment;

pub(crate) use deployment::Deployment;
pub(crate) use room::{Full, Place, Room};
pub(crate) use switch::Switch;

/// Deployments that are remembered beside the configured ones. About 45 KiB each.
const MOST: usize = 512;
/// More failures in a row, or calls, than a process will see: a breaker that is switched off.
const NEVER: u32 = u32::MAX / 4;

/// By provider, and then by the provider's name of the model. In an order, so that the same calls always lead to the
/// same decisions.
type Known = BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<Deployment>>>;

/// Models that the configuration names, by provider.
type Configured = HashMap<String, HashSet<String>>;

/// All deployments that were asked under one set of settings.
#[derive(Debug)]
pub(crate) struct Deployments {
    breaker: Breaker,
    concurrency: Concurrency,
    shed: Option<shed::Settings>,
    judge: Arc<Judge>,
    /// For the numbers that routes have in place of the defaults: tables that take a while to compute.
    judges: Mutex<Vec<(Breaker, Arc<Judge>)>>,
    known: Mutex<Known>,
    /// Those that the configuration itself names: provider, and its name of the model. They always have a place.
    configured: Mutex<Configured>,
}

impl Deployments {
    /// Those of `before`, if the settings are still the same; else none.
    pub(crate) fn new(
        breaker: Breaker,
        overload: &config::Overload,
        before: Option<&Arc<Self>>,
    ) -> Arc<Self> {
        let (concurrency, shed) = (overload.concurrency, overload.shed);
        match before {
            Some(before)
                if (before.breaker, before.concurrency, before.shed) == (breaker, concurrency, shed) =>
            {
                Arc::clone(before)
            }
            _ => {
                let (judge, judges) = (judge(&breaker), Mutex::default());
                let (known, configured) = (Mutex::default(), Mutex::default());
                Arc::new(Self { breaker, concurrency, shed, judge, judges, known, configured })
            }
        }
    }

    /// Routes have these numbers for breakers, and no others any more.
    pub(crate) fn prepare<'a>(&self, wanted: impl Iterator<Item = &'a Breaker>) {
        let wanted: Vec<Breaker> = wanted.filter(|wanted| **wanted != self.breaker).copied().collect();
        let mut judges = self.judges.lock().unwrap_or_else(PoisonError::into_inner);
        judges.retain(|(settings, _)| wanted.contains(settings));
        for settings in &wanted {
            if !judges.iter().any(|(known, _)| known == settings) {
                judges.push((*settings, judge(settings)));
            }
        }
        drop(judges);
        self.all().iter().for_each(|deployment| deployment.keep(&wanted));
    }

    /// The breaker of `deployment` by the numbers of `route`.
    pub(crate) fn switch(&self, deployment: &Deployment, route: Option<(&str, &Breaker)>) -> Arc<Switch> {
        match route.filter(|(_, settings)| **settings != self.breaker) {
            Some((name, settings)) => {
                let judges = self.judges.lock().unwrap_or_else(PoisonError::into_inner);
                let known = judges.iter().find(|(known, _)| known == settings);
                let known = known.map(|(_, judge)| Arc::clone(judge));
                drop(judges);
                deployment.switch(name, settings, &known.unwrap_or_else(|| judge(settings)))
            }
            None => Arc::clone(deployment.usual()),
        }
    }

    /// These are configured now, by provider and its name of the model: they are remembered whatever callers ask for.
    pub(crate) fn configure(&self, targets: impl Iterator<Item = (String, String)>) {
        let mut configured = Configured::new();
        for (provider, model) in targets {
            configured.entry(provider).or_default().insert(model);
        }
        *self.configured.lock().unwrap_or_else(PoisonError::into_inner) = configured;
    }

    /// The deployment whose figures go to `metrics`. Where too many that are not configured are in use, one that
    /// nobody remembers.
    pub(crate) fn get(
        &self,
        provider: &Arc<str>,
        model: &Arc<str>,
        metrics: &Arc<telemetry::metrics::Target>,
        now: Moment,
    ) -> Arc<Deployment> {
        let mut known = self.known();
        if let Some(found) = known.get(provider).and_then(|models| models.get(model)) {
            return Arc::clone(found);
        }
        let settings = (self.breaker, self.concurrency, self.shed);
        let made = Deployment::new((provider, model), &self.judge, settings, (metrics, now));
        let made = Arc::new(made);
        let configured = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |provider: &str, model: &str| {
            configured.get(provider).is_some_and(|models| models.contains(model))
        };
        let others = |known: &Known| {
            let of = |(provider, models): (&Arc<str>, &BTreeMap<Arc<str>, _>)| {
                models.keys().filter(|model| !own(provider, model)).count()
            };
            known.iter().map(of).sum::<usize>()
        };
        let mut place = own(provider, model) || others(&known) < MOST;
        if !place {
            known.iter_mut().for_each(|(provider, models)| {
                models.retain(|model, kept| Arc::strong_count(kept) > 1 || own(provider, model));
            });
            known.retain(|_, models| !models.is_empty());
            place = others(&known) < MOST;
        }
        if place {
            known.entry(Arc::clone(provider)).or_default().insert(Arc::clone(model), Arc::clone(&made));
        }
        made
    }

    /// The provider is another one now, under the same name.
    pub(crate) fn forget(&self, provider: &str) {
        self.known().remove(provider);
    }

    /// A second has passed; each may use `percent` of its places.
    pub(crate) fn tick(&self, percent: u32, now: Moment) {
        for deployment in self.all() {
            deployment.tick(now);
            deployment.room.scale(percent);
        }
    }

    /// Calls that wait for a place at any of them, and that were shed so far.
    pub(crate) fn lines(&self) -> (u64, u64) {
        let both = self.all().into_iter().map(|at| (at.room.waiting() as u64, at.room.shed()));
        both.fold((0, 0), |(waiting, shed), (one, other)| (waiting + one, shed + other))
    }

    /// All that are remembered.
    pub(crate) fn all(&self) -> Vec<Arc<Deployment>> {
        self.known().values().flat_map(BTreeMap::values).map(Arc::clone).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing under the lock can panic half-way.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn judge(breaker: &Breaker) -> Arc<Judge> {
    let mut settings = breaker.settings;
    if !breaker.enabled {
        settings.streak = (NEVER, NEVER);
        settings.least_calls = NEVER;
    }
    Arc::new(Judge::new(settings))
}

/// The retry budget of all routes together: the one before, if it allows the same.
pub(crate) fn overall(share: Share, before: Option<(&Arc<Budget>, Share)>) -> Arc<Budget> {
    match before {
        Some((budget, same)) if same == share => Arc::clone(budget),
        _ => Arc::new(Budget::new(share)),
    }
}
