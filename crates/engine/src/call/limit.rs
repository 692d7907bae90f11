//! The caller's rate limits: taken before anything is sent, all tiers or none; on excess the call is refused,
//! waits, or is served worse. And a model's own limit, which every attempt at it counts.

use std::sync::Arc;
use std::time::Duration;

use policy::attempt::{Cause, Causes};
use policy::degrade::Level;
use policy::health::Known;
use policy::limit::{Action, Claim, Denial, Place, Rank, Rules, Take, Tier, Unit};
use types::{Blame, Code, Dialect, Fault, Kind, Retry};
use upstream::clock;

use crate::call::permissions::{Granted, Permissions};
use crate::call::tally::Tally;
use crate::call::{Plan, Planned, Target};
use crate::limits::{Ask, Grant};
use crate::{Engine, ids};

/// How well a call is served that exceeds a limit whose action is `degraded`.
const EXCEEDING: Level = Level::Minimal;

/// Who and what counts, in the words of each tier.
struct Names<'a> {
    tenant: Option<&'a str>,
    /// `tenant/user`.
    user: Option<String>,
    key: Option<&'a str>,
    endpoint: &'static str,
    /// The model that is asked first.
    model: Option<&'a str>,
}

/// Targets whose model's own limit was used up.
pub(super) struct UsedUp {
    targets: Vec<usize>,
    /// The first of them.
    denial: Denial,
}

impl<'a> Names<'a> {
    fn of(planned: &'a Planned<'_>) -> Self {
        let who = &planned.admitted.who;
        let tenant = who.tenant.as_deref();
        Self {
            tenant,
            user: who.user.as_deref().map(|user| [tenant.unwrap_or_default(), "/", user].concat()),
            key: who.key.as_deref(),
            endpoint: endpoint(planned.admitted.parsed.inbound.dialect),
            model: planned.first().map(|target| &*target.name),
        }
    }

    fn of_tier(&self, tier: Tier) -> Option<&str> {
        match tier {
            Tier::Global => Some(""),
            Tier::Tenant => self.tenant,
            Tier::User => self.user.as_deref(),
            Tier::Key => self.key,
            Tier::Endpoint => Some(self.endpoint),
            Tier::Model => self.model,
        }
    }
}

/// The path of a dialect, as it stands under `limits.endpoints`.
const fn endpoint(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => "/v1/chat/completions",
        Dialect::OpenaiEmbeddings => "/v1/embeddings",
        Dialect::OpenaiResponses => "/v1/responses",
        Dialect::AnthropicMessages => "/v1/messages",
        // Nothing comes in that way.
        Dialect::GeminiContent | Dialect::BedrockConverse => "",
    }
}

/// After which a target may be asked whose turn comes because of a limit.
const LIMITED: Causes = Causes::NONE.with(Cause::RateLimited);

impl Engine {
    /// Takes what the call will likely use. The tally keeps it until the call is over.
    ///
    /// Of models only one is counted: the one that is asked first, or, where its own limit is used up, the next one
    /// of the route whose is not. Every further attempt counts when it is made ([`Engine::holdings`]).
    pub(super) async fn limit(&self, planned: &mut Planned<'_>, tally: &mut Tally) -> Result<(), Fault> {
        if !planned.admitted.snapshot.limits() {
            return Ok(());
        }
        let config = Arc::clone(planned.admitted.snapshot.config());
        let limits = &config.limits;
        let names = Names::of(planned);
        let priority = planned.admitted.parsed.inbound.head.priority.unwrap_or_default();
        let tokens = planned.terms.tokens();
        let claims = Tier::ALL.into_iter().filter_map(|tier| {
            let name = names.of_tier(tier)?;
            Some((limits.rules(tier, name)?, name))
        });
        let take = Take::new(tokens, priority, clock::now()).with_shares(limits.shares);
        let take = claims.clone().fold(take, |take, (rules, name)| take.with(rules, name));
        let mut at = planned.terms.preferred.unwrap_or(0);
        let mut denial = match self.0.limits.take(&take).await {
            Ok(grant) => {
                granted(planned, tally, (grant, at), None);
                return Ok(());
            }
            Err(denial) => denial,
        };
        let mut used_up = UsedUp { targets: vec![at], denial };
        let plan = Arc::clone(&planned.plan);
        for (other, target) in others(&plan, at) {
            if denial.tier != Tier::Model {
                break;
            }
            let mut take = Take { now: clock::now(), ..take };
            let rules = limits.rules(Tier::Model, &target.name);
            take.claims[Tier::Model as usize] = rules.map(|rules| Claim { rules, name: &target.name });
            match self.0.limits.take(&take).await {
                Ok(grant) => {
                    granted(planned, tally, (grant, other), Some(used_up));
                    return Ok(());
                }
                // The one that is free soonest is waited for.
                Err(next) if next.tier != Tier::Model || next.retry_after < denial.retry_after => {
                    (denial, at) = (next, other);
                }
                Err(_) => {}
            }
            used_up.targets.push(other);
        }
        // Who would wait in vain is told at once.
        let waits =
            limits.excess.action == Action::Queue && denial.retry_after <= limits.excess.queue_timeout;
        let claim = |(rules, name): (&Rules, &str)| (rules.clone(), Arc::from(name));
        let model = planned.plan.targets.get(at).map(|target| &*target.name);
        let of_model = model.and_then(|name| Some((limits.rules(Tier::Model, name)?, name)));
        let ask = waits.then(|| Ask {
            claims: claims
                .filter(|(rules, _)| rules.tier != Tier::Model)
                .chain(of_model)
                .map(claim)
                .collect(),
            tokens,
            priority,
            shares: limits.shares,
        });
        planned.terms.limits = denial.standing;
        tally.denied(denial.standing);
        if limits.excess.action == Action::Degraded {
            planned.terms.least = EXCEEDING;
            return Ok(());
        }
        let grant = match ask {
            Some(ask) => Box::pin(self.wait_for_limit(planned, ask, &denial)).await,
            None => None,
        };
        let grant = grant.ok_or_else(|| refused(&denial, limits.retry_after))?;
        granted(planned, tally, (grant, at), None);
        Ok(())
    }

    /// What the attempt holds that is now to be made at `target`, its model's own limit taken, too.
    ///
    /// Fails where that is used up: the attempt is not made, and all that it held is free again.
    pub(super) async fn holdings<'a, F: Fn(usize) -> Option<Known<'a>>>(
        &self,
        planned: &Planned<'_>,
        target: usize,
        tally: &mut Tally,
        may: &mut Permissions<'a, F>,
    ) -> Result<Granted, Fault> {
        // Until then it stays with `may`: who stops waiting for this gives it back there.
        let counted = self.model_limit(planned, target, tally).await;
        let granted = may.granted();
        match counted {
            Ok(counted) => Ok(Granted { counted, ..granted }),
            Err(used_up) => {
                granted.unsent();
                Err(used_up)
            }
        }
    }

    /// What an attempt at `target` counts of its model's own limit; `None`: it has none, or the call is served worse
    /// instead.
    async fn model_limit(
        &self,
        planned: &Planned<'_>,
        target: usize,
        tally: &mut Tally,
    ) -> Result<Option<Box<Grant>>, Fault> {
        let snapshot = &planned.admitted.snapshot;
        if !snapshot.limits() || planned.terms.least == EXCEEDING {
            return Ok(None);
        }
        if let Some(ahead) = tally.ahead(target) {
            return Ok(Some(ahead));
        }
        let limits = &snapshot.config().limits;
        if let Some(used_up) = planned.used_up.as_ref().filter(|used_up| used_up.targets.contains(&target)) {
            return Err(refused(&used_up.denial, limits.retry_after));
        }
        let name = planned.plan.targets.get(target).map(|target| &*target.name);
        let Some((rules, name)) = name.and_then(|name| Some((limits.rules(Tier::Model, name)?, name))) else {
            return Ok(None);
        };
        let tokens = planned.terms.tokens();
        let priority = planned.admitted.parsed.inbound.head.priority.unwrap_or_default();
        let take = Take::new(tokens, priority, clock::now()).with_shares(limits.shares).with(rules, name);
        let taken = self.0.limits.take(&take).await;
        taken.map(|grant| Some(Box::new(grant))).map_err(|denial| refused(&denial, limits.retry_after))
    }

    async fn wait_for_limit(&self, planned: &Planned<'_>, ask: Ask, denial: &Denial) -> Option<Grant> {
        let limits = &planned.admitted.snapshot.config().limits;
        let now = clock::now();
        let by = now + limits.excess.queue_timeout;
        let total_by = planned.admitted.parsed.began + planned.plan.timeouts.total;
        let place = Place {
            priority: ask.priority,
            flow: planned.admitted.who.tenant.as_ref().map_or(0, |tenant| ids::hash(tenant.bytes())),
            cost: ask.tokens,
            deadline: planned.terms.over_by().into_iter().chain([by, total_by]).min().unwrap_or(by),
            rank: Rank::Spared,
        };
        self.0.limits.wait(ask, denial, place, limits.queue).await.ok()
    }
}

/// The call has its limits, and of models the one of `target`'s.
fn granted(
    planned: &mut Planned<'_>,
    tally: &mut Tally,
    (grant, target): (Grant, usize),
    used_up: Option<UsedUp>,
) {
    planned.terms.limits = grant.standing();
    planned.used_up = used_up.map(Box::new);
    tally.granted(grant, target);
}

/// The targets that the call may go to when the model of `first` has reached its own limit, in order.
fn others(plan: &Plan, first: usize) -> impl Iterator<Item = (usize, &Arc<Target>)> {
    let now = clock::now();
    let targets = plan.targets.iter().zip(&plan.route.targets).enumerate();
    targets
        .filter(move |(index, (target, terms))| {
            let meant = terms.when.is_empty() || terms.when.meets(LIMITED);
            *index != first && meant && !target.switch.is_open(now)
        })
        .map(|(index, (target, _))| (index, target))
}

/// The 429 that a limit gives.
fn refused(denial: &Denial, fixed: Option<Duration>) -> Fault {
    let Denial { tier, unit, limit, per, .. } = denial;
    let what = match unit {
        Unit::Requests => "requests",
        Unit::Tokens => "tokens",
    };
    let whose = match tier {
        Tier::Global => "this gateway",
        Tier::Tenant => "this tenant",
        Tier::User => "this user",
        Tier::Key => "this key",
        Tier::Endpoint => "this endpoint",
        Tier::Model => "this model",
    };
    let message = format!("the limit of {limit} {what} per {} for {whose} is used up", span(*per));
    Fault::new(Kind::RateLimit, Code::LimitExceeded, message)
        .with_blame(Blame::Caller)
        .with_hint("come again after the time in Retry-After, or ask the operator for more under `limits`")
        .with_retry(Retry::After(fixed.unwrap_or_else(|| wait(denial))))
}

fn wait(denial: &Denial) -> Duration {
    Duration::from_secs(denial.retry_after_seconds())
}

fn span(per: Duration) -> String {
    match per.as_secs() {
        1 => "second".to_owned(),
        60 => "minute".to_owned(),
        3_600 => "hour".to_owned(),
        86_400 => "day".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}
