//! Which of a route's models is asked first, where that is not simply the first.

use std::sync::Arc;

use config::Route;
use config::route::Strategy;
use policy::balance::{Balance, Endpoint, Kind, Outstanding, Settings, affine};
use types::Moment;

use crate::call::Target;
use crate::health::{Deployment, Switch};
use crate::ids;

/// Members that are looked at; a route has no more models that are ever asked.
const MOST: usize = 64;

/// The models of a route that share its calls.
#[derive(Debug)]
pub(crate) struct Pool {
    balance: Balance,
    /// Whether calls that begin alike go to the same one.
    affine: bool,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    target: usize,
    deployment: Arc<Deployment>,
    switch: Arc<Switch>,
    /// With the route's weight and only the route's calls, where the route has weights.
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    weight: u32,
    endpoint: Arc<Endpoint>,
}

impl Pool {
    /// `None`: the route's models are asked in order.
    pub(super) fn new(route: &Route, targets: &[Arc<Target>], now: Moment) -> Option<Self> {
        let kind = match route.strategy {
            Strategy::Fallback => return None,
            Strategy::RoundRobin => Kind::RoundRobin,
            Strategy::Weighted => Kind::Weighted,
            Strategy::LeastOutstanding => Kind::LeastOutstanding,
            Strategy::Latency | Strategy::Affinity => Kind::PowerOfTwo,
        };
        let even = route.terms.iter().all(|terms| terms.weight == 1);
        let owned = kind == Kind::Weighted || (kind == Kind::LeastOutstanding && !even);
        let members = route.terms.iter().zip(targets).enumerate().take(MOST);
        let members = members.filter(|(_, (terms, _))| terms.when.is_empty());
        let members = members.map(|(target, (terms, at))| Member {
            target,
            deployment: Arc::clone(&at.deployment),
            switch: Arc::clone(&at.switch),
            own: owned.then(|| {
                let id = at.deployment.endpoint.id();
                let weight = at.deployment.weighed(terms.weight);
                let endpoint = Endpoint::new(id, weight, Settings::default(), now);
                Own { weight: terms.weight, endpoint: Arc::new(endpoint) }
            }),
        });
        let affine = route.strategy == Strategy::Affinity;
        Some(Self { balance: Balance::new(kind), affine, members: members.collect() })
    }

    /// Whether it matters how a prompt begins.
    pub(super) const fn is_affine(&self) -> bool {
        self.affine
    }

    /// The target to ask first: one whose breaker is not open; for a call with a `prefix` worth keeping the one that
    /// keeps it, while that has a place for it and not much more to do than the others.
    pub(super) fn choose(&self, tokens: u64, prefix: Option<u64>, now: Moment) -> Option<usize> {
        if let Some(prefix) = prefix {
            let kept = |endpoints: &[&Endpoint]| affine(endpoints, prefix);
            if let Some(target) = self.among(|member| !member.is_open(now) && !member.is_full(), kept) {
                return Some(target);
            }
        }
        let balanced = |endpoints: &[&Endpoint]| self.balance.pick(endpoints, tokens, ids::seed(), now);
        self.among(|member| !member.is_open(now), balanced)
    }

    /// The target of the one that `pick` picks of those that `may` be asked.
    fn among(
        &self,
        may: impl Fn(&Member) -> bool,
        pick: impl FnOnce(&[&Endpoint]) -> Option<usize>,
    ) -> Option<usize> {
        let first = self.members.first()?;
        let mut endpoints = [&*first.deployment.endpoint; MOST];
        let mut targets = [first.target; MOST];
        let mut found = 0;
        let slots = endpoints.iter_mut().zip(&mut targets);
        for (member, slot) in self.members.iter().filter(|member| may(member)).zip(slots) {
            (*slot.0, *slot.1) = (member.endpoint(), member.target);
            found += 1;
        }
        let at = pick(endpoints.get(..found)?)?;
        targets.get(at).copied()
    }

    /// The target is asked: what the route's own balance must know of it.
    pub(super) fn send(&self, target: usize, tokens: u64) -> Option<Outstanding> {
        let own = self.members.iter().find(|member| member.target == target)?.own.as_ref()?;
        Some(own.endpoint.send(tokens))
    }
}

impl Member {
    fn is_open(&self, now: Moment) -> bool {
        self.switch.is_open(now)
    }

    /// Whether it has no place for another call.
    fn is_full(&self) -> bool {
        let limiter = self.deployment.room.limiter();
        limiter.in_flight() >= limiter.limit()
    }

    fn endpoint(&self) -> &Endpoint {
        let Some(own) = &self.own else { return &self.deployment.endpoint };
        let weight = self.deployment.weighed(own.weight);
        // Read first: a store on every call would be a write that all cores wait for.
        if own.endpoint.weight() != weight {
            own.endpoint.set_weight(weight);
        }
        &own.endpoint
    }
}
