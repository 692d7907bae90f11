//! The breakers of one deployment: one by the defaults, and one more for each other set of numbers that a route has.
//!
//! What happens at a deployment is a fact for everybody, so every attempt's sample is told to all of them, whatever
//! route it came by: a route with little traffic learns of an outage from the others. What follows from it is each
//! one's own: it opens by its own numbers, and its own calls are the probes that close it again.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use config::route;
use policy::breaker::{Breaker, Judge, Permit, Sample, State};
use types::Moment;

/// A breaker and its numbers.
#[derive(Debug)]
pub(crate) struct Switch {
    pub(crate) breaker: Arc<Breaker>,
    settings: route::Breaker,
    /// A route that has these numbers; `None`: they are the defaults'.
    route: Option<Arc<str>>,
}

impl Switch {
    pub(super) fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    pub(super) const fn settings(&self) -> &route::Breaker {
        &self.settings
    }

    /// What an answer that took so long to begin is by these numbers.
    pub(crate) fn judge(&self, took: Duration) -> Sample {
        if self.settings.slow.is_some_and(|slow| took > slow) { Sample::Slow } else { Sample::Good }
    }

    pub(crate) fn is_open(&self, now: Moment) -> bool {
        self.breaker.state(now) == State::Open
    }

    /// An attempt has come to `sample`; `permit` is this breaker's, if it gave one and it is not settled yet.
    pub(super) fn settle(
        &self,
        permit: Option<Permit>,
        sample: Sample,
        now: Moment,
        random: u64,
    ) -> Option<policy::breaker::Change> {
        // Settled once already, or by another breaker: what it says is news all the same.
        permit.unwrap_or_else(|| self.breaker.ignore()).settle(sample, now, random)
    }
}

/// All breakers of a deployment.
#[derive(Debug)]
pub(super) struct Switches {
    usual: Arc<Switch>,
    /// Seldom any; changed when a plan is made, and after a reload.
    special: ArcSwap<Vec<Arc<Switch>>>,
}

impl Switches {
    pub(super) fn new(breaker: &Arc<Breaker>, settings: route::Breaker) -> Self {
        let usual = Switch { breaker: Arc::clone(breaker), settings, route: None };
        Self { usual: Arc::new(usual), special: ArcSwap::default() }
    }

    pub(super) const fn usual(&self) -> &Arc<Switch> {
        &self.usual
    }

    /// The one with these numbers, made if `route` is the first that has them.
    pub(super) fn of(&self, route: &str, settings: &route::Breaker, judge: &Arc<Judge>) -> Arc<Switch> {
        let same = |switch: &&Arc<Switch>| switch.settings == *settings;
        let new = Arc::new(Switch {
            breaker: Arc::new(Breaker::new(Arc::clone(judge))),
            settings: *settings,
            route: Some(Arc::from(route)),
        });
        // Two plans may be made at once; both get the one that is in the list in the end.
        self.special.rcu(|special| {
            let mut more = Vec::clone(special);
            if !more.iter().any(|switch| same(&switch)) {
                more.push(Arc::clone(&new));
            }
            more
        });
        self.special.load().iter().find(same).cloned().unwrap_or(new)
    }

    /// Forgets those whose numbers no route has any more.
    pub(super) fn keep(&self, wanted: &[route::Breaker]) {
        if self.special.load().iter().any(|switch| !wanted.contains(&switch.settings)) {
            self.special.rcu(|special| {
                let kept = special.iter().filter(|switch| wanted.contains(&switch.settings));
                kept.cloned().collect::<Vec<_>>()
            });
        }
    }

    /// Calls `on` for each.
    pub(super) fn each(&self, mut on: impl FnMut(&Switch)) {
        on(&self.usual);
        self.special.load().iter().for_each(|switch| on(switch));
    }
}
