//! What the attempt machine may, for one call: `policy`'s guards, with their refusals counted and the changes
//! of breakers told.

use std::time::Duration;

use policy::attempt::{Allowances, Cause, Refused};
use policy::breaker::Permit;
use policy::bulkhead::{Kind as Bulkhead, Pass};
use policy::health::{Guards, Hedging, Known};
use policy::latency::Adaptive;
use policy::retry::{Budgets, Pressure};
use telemetry::Metrics;
use types::{Code, Fault, Kind, Moment, Money, Retry};
use upstream::clock;

use crate::call::{Plan, Planned};
use crate::health::{Full, Place};
use crate::limits::Grant;
use crate::overload::Overload;

/// When it is worth asking a full compartment again.
const MEANWHILE: Duration = Duration::from_millis(250);

/// The allowances of one call.
pub(super) struct Permissions<'a, F> {
    guards: Guards<'a, F>,
    plan: &'a Plan,
    metrics: &'a Metrics,
    overload: &'a Overload,
    tokens: u64,
    granted: Granted,
    /// A place that the call has waited for, and at which target.
    reserved: Option<(usize, Place)>,
    /// The first target that had no place for it.
    crowded: Option<Crowded>,
}

/// A target that had no place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowded {
    pub(super) target: usize,
    pub(super) full: Full,
}

impl Crowded {
    /// The provider's own refusal, told before it is made; `None`: it is we who have no place.
    pub(super) fn limited(&self, planned: &Planned<'_>) -> Option<Fault> {
        let target = planned.plan.targets.get(self.target).filter(|_| self.full.told)?;
        let message = "the provider's own limit is used up, and it has said when to come back";
        let fault = Fault::new(Kind::RateLimit, Code::RateLimited, message);
        let wait = self.full.until.since(clock::now());
        Some(fault.with_provider(&*target.provider.name).with_retry(Retry::After(wait)))
    }
}

/// What an attempt holds while it runs.
#[derive(Debug, Default)]
pub(super) struct Granted {
    /// The breaker's permit.
    pub(super) permit: Option<Permit>,
    /// Its place among the deployment's calls.
    pub(super) place: Option<Place>,
    /// Its place among the provider's.
    pub(super) pass: Option<Pass>,
    /// What it counts of its model's own limit.
    pub(super) counted: Option<Box<Grant>>,
}

impl Granted {
    /// The attempt is not made: all of it is free again.
    pub(super) fn unsent(self) {
        if let Some(place) = self.place {
            place.unsent();
        }
        if let Some(counted) = self.counted {
            counted.cancel(clock::now());
        }
    }
}

/// Those of a call that begins at `now`, which is counted here.
pub(super) fn permissions<'a>(
    planned: &'a Planned<'_>,
    metrics: &'a Metrics,
    now: Moment,
) -> Permissions<'a, impl Fn(usize) -> Option<Known<'a>> + use<'a>> {
    let mut permissions = later_permissions(planned, metrics);
    let Permissions { guards, plan, .. } = &mut permissions;
    Budgets { route: &plan.budget, overall: &plan.overall }.call(now);
    if plan.hedges && planned.terms.ration.is_none_or(|ration| ration.extras) {
        let cost = expected_cost(planned);
        plan.hedger.call(now, cost);
        let load = planned.first().map_or(0.0, |target| target.deployment.room.limiter().utilisation());
        #[expect(clippy::cast_possible_truncation, reason = "a share of a limit")]
        let load = load as f32;
        guards.hedging = Some(Hedging { hedger: &plan.hedger, cost, load, whole: longest(planned) });
    }
    permissions
}

/// Those of a call that was counted when it began, and has no backups any more.
pub(super) fn later_permissions<'a>(
    planned: &'a Planned<'_>,
    metrics: &'a Metrics,
) -> Permissions<'a, impl Fn(usize) -> Option<Known<'a>> + use<'a>> {
    let plan = &*planned.plan;
    let known = |target: usize| {
        let target = plan.targets.get(target)?;
        Some(Known { health: &target.deployment.health, breaker: &target.switch.breaker })
    };
    let mut guards = Guards::new(plan.targets.len(), known);
    guards.budgets = Some(Budgets { route: &plan.budget, overall: &plan.overall });
    guards.adaptive = plan.adaptive.then(|| Adaptive::upto(plan.timeouts.first_token));
    Permissions {
        guards,
        plan,
        metrics,
        overload: planned.admitted.snapshot.overload(),
        tokens: planned.terms.tokens(),
        granted: Granted::default(),
        reserved: None,
        crowded: None,
    }
}

/// The most tokens that an answer may have which comes whole.
pub(super) fn longest(planned: &Planned<'_>) -> Option<u64> {
    let peek = &planned.admitted.parsed.peek;
    (!peek.stream).then(|| peek.max_tokens.unwrap_or(u64::MAX))
}

const fn full(until: Moment) -> Refused {
    Refused { until, cause: Cause::Overloaded }
}

/// What one attempt of the call will likely cost; nothing where the price is unknown.
fn expected_cost(planned: &Planned<'_>) -> Money {
    let usage = types::Usage::plain(planned.terms.expected.0, planned.terms.expected.1);
    planned.first().and_then(|target| target.cost(&usage)).unwrap_or(Money::ZERO)
}

impl<'a, F: Fn(usize) -> Option<Known<'a>>> Permissions<'a, F> {
    /// What the attempt holds that the machine has just asked for.
    pub(super) fn granted(&mut self) -> Granted {
        std::mem::take(&mut self.granted)
    }

    /// The first target that had no place for this call.
    pub(super) const fn crowded(&self) -> Option<Crowded> {
        self.crowded
    }

    /// The call has waited for this place at `target`.
    pub(super) fn reserve(&mut self, target: usize, place: Place) {
        self.reserved = Some((target, place));
    }

    /// Takes a place at the target's deployment and in its provider's compartment.
    fn place(&mut self, index: usize, now: Moment) -> Result<(), Refused> {
        let Some(target) = self.plan.targets.get(index) else { return Ok(()) };
        let name = &target.provider.name;
        let pass = self.overload.enter(Bulkhead::Provider, name, now).map_err(|_| full(now + MEANWHILE))?;
        let place = if let Some((_, place)) = self.reserved.take_if(|(at, _)| *at == index) {
            place
        } else {
            let deployment = &target.deployment;
            deployment.room.enter(self.tokens, deployment.obey, now).map_err(|refused| {
                self.crowded.get_or_insert(Crowded { target: index, full: refused });
                full(refused.until)
            })?
        };
        (self.granted.place, self.granted.pass) = (Some(place), pass);
        Ok(())
    }

    /// The backup that was allowed is not sent.
    pub(super) fn no_backup(&mut self) {
        self.granted().unsent();
        if let Some(hedging) = self.guards.hedging {
            hedging.hedger.give_back(hedging.cost);
        }
    }

    /// What the loser of two attempts cost, where backups may be sent.
    pub(super) fn settle_backup(&self, cost: Option<Money>) {
        if let Some(hedging) = self.guards.hedging {
            hedging.hedger.settle(hedging.cost, cost.unwrap_or(hedging.cost));
        }
    }

    /// Takes over a permit, and tells what asking for it has changed.
    fn hold(&mut self, target: usize, now: Moment) {
        self.granted.permit = self.guards.permit();
        let change = self.granted.permit.as_ref().and_then(Permit::change);
        if let Some(target) = self.plan.targets.get(target) {
            target.deployment.changed(&target.switch, change, now);
        }
    }
}

impl<'a, F: Fn(usize) -> Option<Known<'a>>> Allowances for Permissions<'a, F> {
    fn retry(&mut self, now: Moment) -> bool {
        let allowed = self.guards.retry(now);
        if !allowed {
            self.metrics.retry_denied();
        }
        allowed
    }

    fn admit(&mut self, target: usize, now: Moment, random: u64) -> Result<(), Refused> {
        // The breaker first: nobody waits for a place where nothing may be sent, and what is not sent does not
        // count against the provider's own limit. A permit that is given back says nothing.
        self.guards.admit(target, now, random)?;
        self.hold(target, now);
        let placed = self.place(target, now);
        if placed.is_err() {
            self.granted = Granted::default();
        }
        placed
    }

    fn panic(&mut self, target: usize, now: Moment) -> bool {
        if !self.guards.panic(target, now) {
            return false;
        }
        self.hold(target, now);
        let placed = self.place(target, now).is_ok();
        if !placed {
            self.granted = Granted::default();
        }
        placed
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
            self.granted().unsent();
            self.metrics.hedge_denied();
        }
        allowed
    }
}
