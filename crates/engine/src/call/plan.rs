//! Where a call goes: the models behind the name that the caller wrote, ready to be asked.
//!
//! A plan is made once per name and configuration, and then shared: making it looks up the price list.

use std::sync::Arc;

use config::{Config, Resolved, Route};
use policy::degrade::Level;
use policy::hedge::{self, Hedger};
use policy::limit::Standing;
use policy::{Timeouts, attempt, retry};
use types::{Code, Fault, Kind, Money, Price, Usage};
use upstream::{Provider, clock};

use crate::call::pool::Pool;
use crate::call::profile;
use crate::call::terms::Terms;
use crate::call::{Admitted, Parsed, Planned, Who};
use crate::health::{Deployment, Switch};
use crate::snapshot::Snapshot;

/// Bytes of a name that a caller gives.
const LONGEST_NAME: usize = 256;
/// Tokens of an answer whose caller sets no ceiling, and the most that a ceiling is taken to mean.
const USUAL_ANSWER: u64 = 256;
const LONG_ANSWER: u64 = 2_048;

/// What a model name means.
#[derive(Debug)]
pub struct Plan {
    /// The name as the caller wrote it.
    pub name: Arc<str>,
    /// What it stands for: `provider/model`, or the route's name.
    pub meaning: Arc<str>,
    /// The models, first choice first. Never empty.
    pub targets: Vec<Arc<Target>>,
    /// The same to the attempt machine: conditions, retries, contexts.
    pub(crate) route: Arc<attempt::Route>,
    /// Retries that its calls may make.
    pub(crate) budget: retry::Budget,
    /// Retries that all calls together may make.
    pub(crate) overall: Arc<retry::Budget>,
    /// Whether the deadline to first content follows what is usual.
    pub(crate) adaptive: bool,
    /// Whether there are backups.
    pub(crate) hedges: bool,
    /// What they may cost.
    pub(crate) hedger: Hedger,
    /// Who is asked first; `None`: the first.
    pub(crate) pool: Option<Pool>,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// What becomes of that which a target's dialect cannot say.
    pub unsupported: wire::Unsupported,
    /// The route's task and profile.
    pub(crate) task: Option<Arc<str>>,
    pub(crate) profile: Option<Arc<str>>,
}

/// One model at one provider.
#[derive(Debug)]
pub struct Target {
    /// The provider.
    pub provider: Arc<Provider>,
    /// `provider/model`, by the caller's name of the model: how limits name it.
    pub name: Arc<str>,
    /// The provider's name of the model.
    pub id: Arc<str>,
    /// The price; `None`: unknown.
    pub price: Option<Price>,
    /// The model's context in tokens, if known.
    pub context_tokens: Option<u64>,
    /// The tokens that it writes at most, if known.
    pub max_output_tokens: Option<u64>,
    /// Whether the price list says that the model takes the beginning of its own answer.
    pub(crate) prefill: Option<bool>,
    /// What is known of how it does.
    pub(crate) deployment: Arc<Deployment>,
    /// Its breaker, by the route's numbers.
    pub(crate) switch: Arc<Switch>,
    /// Where its figures go.
    pub(crate) metrics: Arc<telemetry::metrics::Target>,
}

impl Target {
    /// What `usage` costs here; `None`: unknown.
    pub fn cost(&self, usage: &Usage) -> Option<Money> {
        self.price.as_ref().map(|price| price.cost(usage))
    }
}

/// What `name` means to `who`.
pub(super) fn named(snapshot: &Snapshot, who: &Who, name: &str) -> Result<Arc<Plan>, Fault> {
    bounded("model", name)?;
    let plan = find(snapshot, name)?;
    if let Some(allowed) = &who.allowed
        && !allowed.covers(name, &plan.meaning)
    {
        let message = format!("this key may not use the model `{name}`");
        return Err(Fault::new(Kind::Authentication, Code::Forbidden, message)
            .with_param("model")
            .with_hint("ask the operator to add it to the key's `models`"));
    }
    Ok(plan)
}

/// A caller's name for something, short enough to be kept in rows, logs and tables.
pub(super) fn bounded(field: &str, name: &str) -> Result<(), Fault> {
    if name.len() <= LONGEST_NAME {
        return Ok(());
    }
    let message = format!("`{field}` is {} bytes long; a name may have {LONGEST_NAME}", name.len());
    Err(Fault::invalid(Code::NameTooLong, field, message))
}

/// Whether a call of `who` may name this model.
pub(crate) fn check_model(snapshot: &Snapshot, who: &Who, name: &str) -> Result<(), Fault> {
    named(snapshot, who, name).map(|_| ())
}

/// Where the call goes, and whether its caller may go there.
pub(super) fn plan(admitted: Admitted<'_>) -> Result<Planned<'_>, Fault> {
    let plan = named(&admitted.snapshot, &admitted.who, &admitted.parsed.peek.model)?;
    let head = &admitted.parsed.inbound.head;
    let deadline = head.deadline.map(|wait| admitted.parsed.began + wait);
    let retry = head.step.as_ref().and_then(|step| step.retry);
    let input = models::tokens::rough(admitted.parsed.inbound.body.len());
    let profile = profile::wanted(&admitted, &plan)?;
    let most = admitted.parsed.peek.max_tokens.or(profile.as_ref().and_then(|wanted| wanted.max_tokens()));
    let expected = (input, most.unwrap_or(USUAL_ANSWER).min(LONG_ANSWER));
    let preferred = plan.pool.as_ref().and_then(|pool| {
        let Parsed { began, inbound, peek, .. } = &admitted.parsed;
        let prefix = if pool.is_affine() { peek.prefix(&inbound.body) } else { None };
        pool.choose(expected.0 + expected.1, prefix, *began)
    });
    let terms = Terms {
        retry,
        deadline,
        within: None,
        preferred,
        expected,
        least: Level::Full,
        ration: None,
        limits: Standing::default(),
        profile,
    };
    Ok(Planned { admitted, plan, terms, used_up: None })
}

/// The plan for a model name: a known one, or one made now.
fn find(snapshot: &Snapshot, name: &str) -> Result<Arc<Plan>, Fault> {
    if let Some(plan) = snapshot.plans().get(name) {
        return Ok(plan);
    }
    let plan = Arc::new(make(snapshot, name)?);
    snapshot.plans().add(&plan, snapshot.config().is_configured(name, &plan.meaning));
    Ok(plan)
}

fn make(snapshot: &Snapshot, name: &str) -> Result<Plan, Fault> {
    let config = snapshot.config();
    let resolved = config.resolve(name).ok_or_else(|| unknown(config, name))?;
    let (targets, route): (&[config::Target], Option<&Route>) = match &resolved {
        Resolved::Route(route) => (&route.targets, Some(route)),
        Resolved::Model(target) => (std::slice::from_ref(target), None),
    };
    let targets: Vec<_> =
        targets.iter().map(|target| snapshot.target(target, route)).collect::<Result<_, _>>()?;
    let first = targets.first().ok_or_else(|| Fault::internal("a route without models"))?;
    let base = config.provider(&first.provider.name).map(|provider| provider.timeouts).unwrap_or_default();
    let defaults = &config.defaults;
    let budget = route.map_or(defaults.retry_budget, |route| route.retry_budget);
    let hedge = route.map_or_else(hedge::Settings::default, |route| route.hedge);
    Ok(Plan {
        name: Arc::from(name),
        meaning: match &resolved {
            Resolved::Route(route) => Arc::from(route.name.as_str()),
            Resolved::Model(target) => Arc::from(target.to_string()),
        },
        route: Arc::new(machine_route(route, &targets, &defaults.retry)),
        budget: retry::Budget::new(budget),
        overall: Arc::clone(snapshot.retry_budget()),
        adaptive: route.map_or(defaults.adaptive_timeouts, |route| route.adaptive_timeouts),
        hedges: hedge.on,
        hedger: Hedger::new(hedge),
        pool: route.and_then(|route| Pool::new(route, &targets, clock::now())),
        targets,
        // A route's call has one clock: its first model's provider says what the route leaves open.
        timeouts: route.map_or(base, |route| route.timeouts.over(base)),
        unsupported: match route.map(|route| route.unsupported) {
            Some(config::route::Unsupported::Drop) => wire::Unsupported::Drop,
            Some(config::route::Unsupported::Refuse) | None => wire::Unsupported::Refuse,
        },
        task: route.and_then(|route| route.task.as_deref()).map(Arc::from),
        profile: route.and_then(|route| route.profile.as_deref()).map(Arc::from),
    })
}

/// What the attempt machine needs to know of a route.
fn machine_route(route: Option<&Route>, targets: &[Arc<Target>], retry: &retry::Rules) -> attempt::Route {
    let when = |index: usize| route.and_then(|route| route.terms.get(index)).map(|terms| terms.when);
    let target = |(index, target): (usize, &Arc<Target>)| attempt::Target {
        context_tokens: target.context_tokens,
        when: when(index).unwrap_or_default(),
        priority: 0,
    };
    attempt::Route {
        targets: targets.iter().enumerate().map(target).collect(),
        retry: *route.map_or(retry, |route| &route.retry),
        filtered: route.map(|route| route.filtered).unwrap_or_default(),
        stream_failure: route.map(|route| route.stream_failure).unwrap_or_default(),
    }
}

fn unknown(config: &Config, name: &str) -> Fault {
    let names = config.model_names();
    let near = document::closest(name, names.iter().map(String::as_str));
    let shown = if name.len() > 100 { "that name" } else { name };
    let fault =
        Fault::invalid(Code::UnknownModel, "model", format!("no model, route or alias is called `{shown}`"));
    match near {
        Some(near) => fault.with_hint(format!("did you mean `{near}`? GET /v1/models lists all")),
        None => fault.with_hint("write `provider/model` or a route's name; GET /v1/models lists them"),
    }
}
