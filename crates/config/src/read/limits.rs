//! `limits`.

use std::time::Duration;

use document::{Reader, Value};
use policy::limit::{Action, Adaptive, Algorithm, Excess, QueueSettings, Rule, Rules, Shares, Tier, Unit};

use super::limits_table::{EXCESS, RULES};
use crate::fields::Fields;
use crate::names::Unread;
use crate::resolve::resolve_model;
use crate::{Key, Limits, Provider};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The limits in calls and in tokens that a tier may have, the shortest span of calls first.
const RATES: [(&str, Unit, Duration); 7] = [
    ("requests_per_second", Unit::Requests, SECOND),
    ("requests_per_minute", Unit::Requests, MINUTE),
    ("requests_per_hour", Unit::Requests, HOUR),
    ("requests_per_day", Unit::Requests, DAY),
    ("tokens_per_minute", Unit::Tokens, MINUTE),
    ("tokens_per_hour", Unit::Tokens, HOUR),
    ("tokens_per_day", Unit::Tokens, DAY),
];

const TIERS: [(Tier, &str, &str); 6] = [
    (Tier::Global, "global", ""),
    (Tier::Tenant, "per_tenant", "tenants"),
    (Tier::User, "per_user", "users"),
    (Tier::Key, "per_key", "keys"),
    (Tier::Endpoint, "per_endpoint", "endpoints"),
    (Tier::Model, "per_model", "models"),
];

#[derive(Clone, Copy)]
enum Counting {
    Bucket,
    Window,
    Adaptive,
}

const COUNTINGS: [(&str, Counting); 3] = [
    ("token_bucket", Counting::Bucket),
    ("sliding_window", Counting::Window),
    ("adaptive", Counting::Adaptive),
];

/// What tiers have that do not say it themselves.
struct Usual {
    counting: Counting,
    /// `None`: switched off.
    adaptive: Option<Pace>,
    refill: Option<u64>,
    burst: Option<u64>,
}

/// How rates adapt.
struct Pace {
    target_bad: u32,
    target_latency: Option<Duration>,
    period: Duration,
    /// Calls a second.
    least: Option<u64>,
    most: Option<u64>,
}

/// Reads the section; `keys` and `providers` are what its names must be among.
pub(crate) fn limits(
    mut fields: Fields<'_>,
    keys: &[Key],
    (providers, unread): (&[Provider], &Unread),
) -> Limits {
    let enabled = fields.bool("enabled");
    let adaptive = adaptive(fields.section("adaptive"));
    let counting = fields.word("algorithm", &COUNTINGS).unwrap_or(Counting::Bucket);
    let mut bucket = fields.section("token_bucket");
    let refill = refill(&mut bucket);
    let burst = bucket.integer_if_set("bucket_capacity");
    let _one: Option<u64> = bucket.integer_if_set("cost_per_request");
    bucket.finish();
    let usual = Usual { counting, adaptive, refill, burst };

    let mut limits = Limits::default();
    excess(&mut fields, &mut limits);
    limits.shares = shares(fields.section("priorities"));
    limits.replicas = fields.integer("replicas");
    for (tier, each, own) in TIERS {
        let rules = fields.value(each).and_then(|at| rules(tier, Fields::open(&RULES, Some(at)), &usual));
        limits.set_tier(tier, rules);
        if own.is_empty() {
            continue;
        }
        for (name, at) in fields.names(own) {
            let known = known(tier, &name, &at, keys, (providers, unread));
            let rules = self::rules(tier, Fields::open(&RULES, Some(at)), &usual);
            limits.set_own(tier, known, rules);
        }
    }
    fields.finish();
    if enabled { limits } else { Limits::default() }
}

/// The paths at which calls come in, each by the name that all its spellings are counted under.
const ENDPOINTS: [&str; 4] = ["/v1/chat/completions", "/v1/embeddings", "/v1/messages", "/v1/responses"];

/// The name as calls will be asked for by; notes one that no call can have.
fn known(
    tier: Tier,
    name: &str,
    at: &Reader<'_>,
    keys: &[Key],
    (providers, unread): (&[Provider], &Unread),
) -> String {
    match tier {
        Tier::Key if !keys.iter().any(|key| key.name == name) => {
            let near = document::closest(name, keys.iter().map(|key| key.name.as_str()));
            let help = near.map_or("name one of `keys`".to_owned(), |near| format!("did you mean `{near}`?"));
            at.error_with_help(format!("there is no key `{name}`"), help);
        }
        Tier::User if !name.contains('/') => {
            at.error_with_help("a user belongs to a tenant", format!("write tenant/{name}"));
        }
        Tier::Endpoint if !ENDPOINTS.contains(&name) => {
            let near = document::closest(name, ENDPOINTS);
            let help = near.map_or_else(
                || format!("limits are for the paths of calls: {}", ENDPOINTS.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            at.error_with_help("not a path at which calls come in", help);
        }
        Tier::Model => match resolve_model(providers, name) {
            Some(target) => return target.to_string(),
            None if !unread.may_mean(name) => at.error_with_help(
                format!("no provider offers a model `{name}`"),
                "write provider/model; a route has no limits of its own, its models have",
            ),
            None => {}
        },
        _ => {}
    }
    name.to_owned()
}

/// The rules of one tier; `None`: it says nothing.
fn rules(tier: Tier, mut fields: Fields<'_>, usual: &Usual) -> Option<Rules> {
    let counting = fields.word("algorithm", &COUNTINGS).unwrap_or(usual.counting);
    let mut burst = either(&mut fields, "burst", "burst_size", Fields::integer_if_set);
    let asked = burst.is_some();
    burst = burst.or(usual.burst);
    let mut rules = Vec::new();
    for (key, unit, per) in RATES {
        let mut limit = fields.integer_if_set(key);
        if per == SECOND && unit == Unit::Requests && fields.reader().is_some() {
            limit = limit.or(usual.refill);
        }
        let Some(limit) = limit else { continue };
        let mut rule = Rule::bucket(unit, limit, per);
        if unit == Unit::Requests
            && let Some(burst) = burst.take()
        {
            rule = rule.with_burst(burst);
        }
        rules.push(rule.with_algorithm(usual.algorithm(counting, &rule)));
    }
    if asked && burst.is_some() {
        fields.error("`burst` is of a limit in calls, and there is none");
    }
    fields.finish();
    if rules.is_empty() { None } else { Rules::new(tier, &rules).ok() }
}

impl Usual {
    fn algorithm(&self, counting: Counting, rule: &Rule) -> Algorithm {
        let paced = rule.unit == Unit::Requests && rule.per <= MINUTE && rule.limit > 0;
        match (counting, &self.adaptive) {
            (Counting::Window, _) => Algorithm::SlidingWindow,
            (Counting::Adaptive, Some(pace)) if paced => Algorithm::Adaptive(pace.around(rule)),
            _ => Algorithm::TokenBucket,
        }
    }
}

impl Pace {
    fn around(&self, rule: &Rule) -> Adaptive {
        let usual = Adaptive::around(rule.limit);
        let seconds = rule.per.as_secs();
        Adaptive {
            target_bad: self.target_bad,
            target_latency: self.target_latency,
            period: self.period,
            least: self.least.map_or(usual.least, |rate| rate.saturating_mul(seconds)),
            most: self.most.map_or(usual.most, |rate| rate.saturating_mul(seconds)),
        }
    }
}

/// `None`: switched off.
fn adaptive(mut fields: Fields<'_>) -> Option<Pace> {
    let enabled = fields.bool("enabled");
    let period =
        either(&mut fields, "adjustment_period", "adjustment_period_seconds", |fields, key| match key {
            "adjustment_period" => fields.duration_if_set(key),
            _ => fields.integer_if_set(key).map(Duration::from_secs),
        });
    let pace = Pace {
        target_bad: ten_thousandths(fields.share("target_error_rate")),
        target_latency: fields.duration_if_set("target_latency"),
        period: period.unwrap_or(MINUTE),
        least: fields.integer_if_set("min_rate"),
        most: fields.integer_if_set("max_rate"),
    };
    if let (Some(least), Some(most)) = (pace.least, pace.most)
        && least > most
    {
        fields.error("`min_rate` is more than `max_rate`");
    }
    fields.finish();
    enabled.then_some(pace)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is 0 to 1")]
fn ten_thousandths(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 10_000.0).round() as u32
}

/// The reference configuration writes 10.0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and 0 to 10¹²")]
fn refill(fields: &mut Fields<'_>) -> Option<u64> {
    let at = fields.value("refill_rate");
    let rate = fields.number_if_set("refill_rate")?;
    if rate.fract() != 0.0 {
        if let Some(at) = at {
            at.error_with_help(
                "must be a whole number of calls a second",
                "write requests_per_minute in the tiers",
            );
        }
        return None;
    }
    Some(rate as u64)
}

fn shares(mut fields: Fields<'_>) -> Shares {
    let normal = either(&mut fields, "normal", "medium", Fields::share_if_set);
    let shares = Shares {
        low: Shares::percent(fields.share("low")),
        normal: normal.map_or(100, Shares::percent),
        high: Shares::percent(fields.share("high")),
        critical: Shares::percent(fields.share("critical")),
    };
    let Shares { low, normal, high, critical } = shares;
    if !(low <= normal && normal <= high && high <= critical) {
        fields.error("a lower priority may not use more than a higher one");
    }
    fields.finish();
    shares
}

/// `on_exceeded`: a word, or a map.
fn excess(fields: &mut Fields<'_>, limits: &mut Limits) {
    const ACTIONS: [(&str, Action); 3] =
        [("deny", Action::Deny), ("queue", Action::Queue), ("degraded", Action::Degraded)];
    let at = either(fields, "on_exceeded", "on_limit_exceeded", Fields::value);
    let usual = Excess::default();
    let word = at.clone().filter(|at| !matches!(at.node().value, Value::Map(_)));
    if let Some(word) = word {
        limits.excess.action = word.one_of(&ACTIONS).unwrap_or_default();
        return;
    }
    let mut fields = Fields::open(&EXCESS, at);
    let wait = either(&mut fields, "queue_timeout", "queue_timeout_ms", |fields, key| match key {
        "queue_timeout" => fields.duration_if_set(key),
        _ => fields.integer_if_set(key).map(Duration::from_millis),
    });
    limits.excess = Excess {
        action: fields.word("action", &ACTIONS).unwrap_or_default(),
        queue_timeout: wait.unwrap_or(usual.queue_timeout),
    };
    limits.retry_after = either(&mut fields, "retry_after", "retry_after_seconds", |fields, key| match key {
        "retry_after" => fields.duration_if_set(key),
        _ => fields.integer_if_set(key).map(Duration::from_secs),
    });
    limits.queue =
        QueueSettings { capacity: fields.integer("queue_capacity"), aging: fields.duration("queue_aging") };
    fields.finish();
}

/// One setting with two names; both at once is an error.
fn either<'a, T>(
    fields: &mut Fields<'a>,
    name: &'static str,
    alias: &'static str,
    read: impl Fn(&mut Fields<'a>, &'static str) -> Option<T>,
) -> Option<T> {
    if fields.value(name).is_some()
        && let Some(at) = fields.value(alias)
    {
        let message = format!("`{alias}` and `{name}` are the same setting; keep one");
        at.problems().error(at.path(), at.key_span(), message);
    }
    let (first, second) = (read(fields, name), read(fields, alias));
    first.or(second)
}
