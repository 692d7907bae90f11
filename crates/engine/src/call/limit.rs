//! The caller's rate limits: taken before anything is sent, all tiers or none; on excess the call is refused,
//! waits, or is served worse.

use std::sync::Arc;
use std::time::Duration;

use policy::degrade::Level;
use policy::limit::{Action, Denial, Place, Rank, Take, Tier, Unit};
use types::{Blame, Code, Dialect, Fault, Kind, Retry};
use upstream::clock;

use crate::call::Planned;
use crate::call::tally::Tally;
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

impl Engine {
    /// Takes what the call will likely use. The tally keeps it until the call is over.
    pub(super) async fn limit(&self, planned: &mut Planned<'_>, tally: &mut Tally) -> Result<(), Fault> {
        if !planned.admitted.snapshot.limits() {
            return Ok(());
        }
        let config = Arc::clone(planned.admitted.snapshot.config());
        let limits = &config.limits;
        let names = Names::of(planned);
        let priority = planned.admitted.parsed.inbound.head.priority;
        let tokens = planned.expected.0 + planned.expected.1;
        let claims = Tier::ALL.into_iter().filter_map(|tier| {
            let name = names.of_tier(tier)?;
            Some((limits.rules(tier, name)?, name))
        });
        let take = Take::new(tokens, priority, clock::now()).with_shares(limits.shares);
        let take = claims.clone().fold(take, |take, (rules, name)| take.with(rules, name));
        let denial = match self.0.limits.take(&take).await {
            Ok(grant) => {
                planned.limits = grant.standing();
                tally.granted(grant);
                return Ok(());
            }
            Err(denial) => denial,
        };
        // Who would wait in vain is told at once.
        let waits =
            limits.excess.action == Action::Queue && denial.retry_after <= limits.excess.queue_timeout;
        let ask = waits.then(|| Ask {
            claims: claims.map(|(rules, name)| (rules.clone(), Arc::from(name))).collect(),
            tokens,
            priority,
            shares: limits.shares,
        });
        planned.limits = denial.standing;
        tally.denied(denial.standing);
        if limits.excess.action == Action::Degraded {
            planned.least = EXCEEDING;
            return Ok(());
        }
        let grant = match ask {
            Some(ask) => self.wait_for_limit(planned, ask, &denial).await,
            None => None,
        };
        let grant = grant.ok_or_else(|| refused(&denial, limits.retry_after))?;
        planned.limits = grant.standing();
        tally.granted(grant);
        Ok(())
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
            deadline: planned.deadline().into_iter().chain([by, total_by]).min().unwrap_or(by),
            rank: Rank::Spared,
        };
        self.0.limits.wait(ask, denial, place, limits.queue).await.ok()
    }
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
