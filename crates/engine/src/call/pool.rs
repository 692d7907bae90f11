//! Which of a route's models is asked first, where that is not simply the first.

use std::sync::Arc;

use config::Route;
use config::route::Strategy;
use policy::balance::{Balance, Endpoint, Kind, Outstanding, Settings};
use policy::breaker::State;
use types::Moment;

use crate::call::Target;
use crate::health::Deployment;
use crate::ids;

/// Members that are looked at; a route has no more models that are ever asked.
const MOST: usize = 64;

/// The models of a route that share its calls.
#[derive(Debug)]
pub(crate) struct Pool {
    balance: Balance,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    target: usize,
    deployment: Arc<Deployment>,
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
            Strategy::Latency => Kind::PowerOfTwo,
        };
        let even = route.terms.iter().all(|terms| terms.weight == 1);
        let owned = kind == Kind::Weighted || (kind == Kind::LeastOutstanding && !even);
        let members = route.terms.iter().zip(targets).enumerate().take(MOST);
        let members = members.filter(|(_, (terms, _))| terms.when.is_empty());
        let members = members.map(|(target, (terms, at))| Member {
            target,
            deployment: Arc::clone(&at.deployment),
            own: owned.then(|| {
                let id = at.deployment.endpoint.id();
                let weight = at.deployment.weighed(terms.weight);
                let endpoint = Endpoint::new(id, weight, Settings::default(), now);
                Own { weight: terms.weight, endpoint: Arc::new(endpoint) }
            }),
        });
        Some(Self { balance: Balance::new(kind), members: members.collect() })
    }

    /// The target to ask first: one whose breaker is not open.
    pub(super) fn choose(&self, tokens: u64, now: Moment) -> Option<usize> {
        let first = self.members.first()?;
        let mut endpoints = [&*first.deployment.endpoint; MOST];
        let mut targets = [first.target; MOST];
        let open = |member: &&Member| member.deployment.health.breaker.state(now) == State::Open;
        let mut found = 0;
        let slots = endpoints.iter_mut().zip(&mut targets);
        for (member, slot) in self.members.iter().filter(|member| !open(member)).zip(slots) {
            (*slot.0, *slot.1) = (member.endpoint(), member.target);
            found += 1;
        }
        let at = self.balance.pick(endpoints.get(..found)?, tokens, ids::seed(), now)?;
        targets.get(at).copied()
    }

    /// The target is asked: what the route's own balance must know of it.
    pub(super) fn send(&self, target: usize, tokens: u64) -> Option<Outstanding> {
        let own = self.members.iter().find(|member| member.target == target)?.own.as_ref()?;
        Some(own.endpoint.send(tokens))
    }
}

impl Member {
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
