//! What the attempt machine may, for one call: `policy`'s guards, with their refusals counted and the changes
//! of breakers told.

use std::time::Duration;

use policy::attempt::Allowances;
use policy::breaker::{Permit, Refused};
use policy::health::{Guards, Health, Hedging};
use policy::latency::Adaptive;
use policy::retry::{Budgets, Pressure};
use telemetry::Metrics;
use types::{Moment, Money};

use crate::call::{Plan, Planned};

/// The allowances of one call.
pub(super) struct Permissions<'a, F> {
    guards: Guards<'a, F>,
    plan: &'a Plan,
    metrics: &'a Metrics,
    permit: Option<Permit>,
}

/// Those of a call that begins at `now`, which is counted here.
pub(super) fn permissions<'a>(
    planned: &'a Planned<'_>,
    metrics: &'a Metrics,
    now: Moment,
) -> Permissions<'a, impl Fn(usize) -> Option<&'a Health> + use<'a>> {
    let plan = &*planned.plan;
    let health = |target: usize| plan.targets.get(target).map(|target| &target.deployment.health);
    let mut guards = Guards::new(plan.targets.len(), health);
    let budgets = Budgets { route: &plan.budget, overall: &plan.overall };
    budgets.call(now);
    guards.budgets = Some(budgets);
    guards.adaptive = plan.adaptive.then(|| Adaptive::upto(plan.timeouts.first_token));
    if plan.hedges {
        let cost = expected_cost(planned);
        plan.hedger.call(now, cost);
        // Whole answers have no first token to wait for.
        let streamed = planned.admitted.parsed.peek.stream;
        guards.hedging = streamed.then_some(Hedging { hedger: &plan.hedger, cost, load: 0.0 });
    }
    Permissions { guards, plan, metrics, permit: None }
}

/// What one attempt of the call will likely cost; nothing where the price is unknown.
fn expected_cost(planned: &Planned<'_>) -> Money {
    let usage = types::Usage::plain(planned.expected.0, planned.expected.1);
    let target = planned.plan.targets.get(planned.preferred.unwrap_or(0));
    target.and_then(|target| target.cost(&usage)).unwrap_or(Money::ZERO)
}

impl<'a, F: Fn(usize) -> Option<&'a Health>> Permissions<'a, F> {
    /// The permit of the attempt that the machine has just asked for.
    pub(super) fn permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    /// What the loser of two attempts cost, where backups may be sent.
    pub(super) fn settle_backup(&self, cost: Option<Money>) {
        if let Some(hedging) = self.guards.hedging {
            hedging.hedger.settle(hedging.cost, cost.unwrap_or(hedging.cost));
        }
    }

    /// Takes over a permit, and tells what asking for it has changed.
    fn hold(&mut self, target: usize, now: Moment) {
        self.permit = self.guards.permit();
        let change = self.permit.as_ref().and_then(Permit::change);
        if let Some(target) = self.plan.targets.get(target) {
            target.deployment.changed(change, now);
        }
    }
}

impl<'a, F: Fn(usize) -> Option<&'a Health>> Allowances for Permissions<'a, F> {
    fn retry(&mut self, now: Moment) -> bool {
        let allowed = self.guards.retry(now);
        if !allowed {
            self.metrics.retry_denied();
        }
        allowed
    }

    fn admit(&mut self, target: usize, now: Moment, random: u64) -> Result<(), Refused> {
        self.guards.admit(target, now, random)?;
        self.hold(target, now);
        Ok(())
    }

    fn panic(&mut self, target: usize, now: Moment) -> bool {
        let panic = self.guards.panic(target, now);
        if panic {
            self.hold(target, now);
        }
        panic
    }

    fn pressure(&self, target: usize, now: Moment) -> Pressure {
        self.guards.pressure(target, now)
    }

    fn first_token(&self, target: usize, now: Moment) -> Option<Duration> {
        self.guards.first_token(target, now)
    }

    fn hedge_after(&self, target: usize, now: Moment) -> Option<Duration> {
        self.guards.hedge_after(target, now)
    }

    fn hedge(&mut self, target: usize, now: Moment) -> bool {
        let allowed = self.guards.hedge(target, now);
        if !allowed {
            self.permit = None;
            self.metrics.hedge_denied();
        }
        allowed
    }
}
