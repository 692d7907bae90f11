//! `routes` and `defaults`, and the deadline maps that providers have too.

use document::Reader;
use policy::attempt::{Cause, Filtered};
use policy::profile::Table;
use policy::{Timeouts, hedge};

use crate::fields::Fields;
use crate::read::breaker::{self, BREAKER, HEDGE};
use crate::read::profile;
use crate::read::retry::{RETRY, Retry, retry};
use crate::route::{Breaker, Deadlines, Defaults, Strategy, StreamFailure, Terms, Unsupported};
use crate::table::{Is, Section, Words, field, later, option, required, words};

pub(crate) static ROUTE: Section = Section {
    name: "routes.NAME",
    doc: "A model name for callers with several models behind it.",
    fields: &[
        required(
            "models",
            Is::List(&Is::Either(&[Is::Text, Is::Section(&CANDIDATE)])),
            "The models, in order: `provider/model`, a model that a provider lists, an alias or another route.",
        ),
        field(
            "strategy",
            STRATEGY,
            "fallback",
            "Which model is asked first: the first that works, one after the other, as often as its weight says, the one \
             with the fewest tokens to do for its weight, the quicker of two random ones, or the one that calls which \
             begin alike go to. The others come after, in order.",
        ),
        option("retry", Is::Section(&RETRY), "as `defaults.retry`", "How often each model is asked."),
        option("timeouts", Is::Section(&TIMEOUTS), "as the provider's", "Deadlines."),
        option("adaptive_timeouts", Is::Bool, "as `defaults.adaptive_timeouts`", ADAPTIVE),
        option(
            "breaker",
            Is::Section(&BREAKER),
            "as `defaults.breaker`",
            "When a failing model is left alone by the calls of this route.",
        ),
        option("hedge", Is::Section(&HEDGE), "off", "Backups for calls that take unusually long."),
        field(
            "filtered",
            words(&["return", "route_around"]),
            "return",
            "What happens to a call that a provider refuses for its content: the caller gets the refusal, or the next \
             model is asked.",
        ),
        field(
            "stream_failure",
            words(&["error", "continue"]),
            "error",
            "What happens to a stream that breaks after its first content: the caller gets an error event, or, while \
             all that came is plain text, the rest is asked for and goes on in the same stream.",
        ),
        field(
            "unsupported",
            words(&["refuse", "drop"]),
            "refuse",
            "What becomes of a field that the chosen provider cannot take: a 400 that names it, or it is left out and \
             the answer's `x-windlass-dropped` header names it.",
        ),
        option(
            "task",
            Is::Text,
            "none",
            "What its calls are for: a name of `tasks`, for the parameters that they do not set themselves.",
        ),
        option(
            "profile",
            Is::Text,
            "none",
            "The performance profile of its calls: a name of `profiles`, or `adaptive`, which looks at how long the \
             content is and at the task.",
        ),
        later("cache", "Answers that are remembered."),
    ],
};

pub(crate) static CANDIDATE: Section = Section {
    name: "routes.NAME.models[]",
    doc: "One model of a route, where more is to be said than its name.",
    fields: &[
        required("model", Is::Text, "As in the short form."),
        option(
            "weight",
            Is::Integer(0, 1_000),
            "1",
            "Its share under the strategies `weighted` and `least_outstanding`.",
        ),
        option(
            "when",
            Is::List(&Is::Words(Words { now: &CAUSES, later: &[] })),
            "always",
            "Asked only after one of these has happened in the call.",
        ),
    ],
};

pub(crate) static TIMEOUTS: Section = Section {
    name: "timeouts",
    doc: "The deadlines of a call. What a route leaves out holds as at the provider, what that leaves out as in \
          `defaults`.",
    fields: &[
        option(
            "connect",
            Is::Duration,
            "5s",
            "Name look-up, TCP connect and TLS handshake together, per attempt.",
        ),
        option("first_token", Is::Duration, "60s", "From the request sent to the first content of a stream."),
        option(
            "answer",
            Is::Duration,
            "a share of `total`",
            "From the request sent to the whole of a plain answer, per attempt. Left out, the time left is shared \
             equally among the models still to be asked: at least `first_token` for each, and never more than half of \
             it while another one is left.",
        ),
        option("idle", Is::Duration, "30s", "Silence between two pieces of an answer."),
        option("total", Is::Duration, "10m", "The whole call with all its attempts and waits."),
    ],
};

pub(crate) static DEFAULTS: Section = Section {
    name: "defaults",
    doc: "What holds for calls, routes and providers that do not say otherwise.",
    fields: &[
        option("retry", Is::Section(&RETRY), "see there", "How often a model is asked."),
        option("timeouts", Is::Section(&TIMEOUTS), "see there", "Deadlines."),
        field("adaptive_timeouts", Is::Bool, "false", ADAPTIVE),
        option("breaker", Is::Section(&BREAKER), "see there", "When a failing model is left alone."),
    ],
};

const ADAPTIVE: &str = "Whether the deadline to first content is twice the p99 of the model's last minute, at least 5s and \
                        at most `timeouts.first_token`.";
const STRATEGY: Is = Is::Words(Words {
    now: &["fallback", "round_robin", "weighted", "least_outstanding", "latency", "affinity"],
    later: &["learned"],
});
const STRATEGIES: [(&str, Strategy); 6] = [
    ("fallback", Strategy::Fallback),
    ("round_robin", Strategy::RoundRobin),
    ("weighted", Strategy::Weighted),
    ("least_outstanding", Strategy::LeastOutstanding),
    ("latency", Strategy::Latency),
    ("affinity", Strategy::Affinity),
];

/// The names of all causes for leaving a model.
static CAUSES: [&str; Cause::ALL.len()] = {
    let mut names = [""; Cause::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Cause::ALL[at].as_str();
        at += 1;
    }
    names
};

/// A route whose models are still names.
#[derive(Debug)]
pub(crate) struct RawRoute<'a> {
    pub(crate) name: String,
    pub(crate) models: Vec<Candidate<'a>>,
    pub(crate) at: Reader<'a>,
    pub(crate) strategy: Strategy,
    pub(crate) retry: Retry,
    pub(crate) timeouts: Deadlines,
    pub(crate) adaptive_timeouts: bool,
    pub(crate) breaker: Breaker,
    pub(crate) hedge: hedge::Settings,
    pub(crate) filtered: Filtered,
    pub(crate) stream_failure: StreamFailure,
    pub(crate) unsupported: Unsupported,
    pub(crate) task: Option<String>,
    pub(crate) profile: Option<String>,
}

/// A model of a route that is still a name.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) name: String,
    pub(crate) at: Reader<'a>,
    pub(crate) weight: Option<u32>,
    pub(crate) when: Vec<Cause>,
}

impl Candidate<'_> {
    /// What it says, over what a route that names this one says of it.
    pub(crate) fn terms(&self, outer: Option<Terms>) -> Option<Terms> {
        let said = self.weight.is_some() || !self.when.is_empty();
        let own = Terms { weight: self.weight.unwrap_or(1), when: self.when.iter().copied().collect() };
        outer.or(said.then_some(own))
    }
}

/// The base of everybody's retries, breakers and deadlines.
pub(crate) fn defaults(mut fields: Fields<'_>) -> (Defaults, Timeouts) {
    let Retry { rules, budget } = retry(fields.section("retry"), &Retry::default());
    let timeouts = deadlines(fields.section("timeouts")).over(Timeouts::default());
    let defaults = Defaults {
        retry: rules,
        retry_budget: budget,
        adaptive_timeouts: fields.bool("adaptive_timeouts"),
        breaker: breaker::breaker(fields.section("breaker"), &breaker::usual()),
    };
    fields.finish();
    (defaults, timeouts)
}

pub(crate) fn route<'a>(name: String, at: Reader<'a>, base: &Defaults, profiles: &Table) -> RawRoute<'a> {
    let mut fields = Fields::open(&ROUTE, Some(at.clone()));
    if at.node().is_null() {
        at.error("a route needs `models`");
    }
    let listed = fields.value("models");
    if let Some(listed) = &listed
        && fields.items("models").is_empty()
    {
        listed.error("a route needs at least one model");
    }
    let models = fields.items("models").into_iter().filter_map(candidate).collect();
    let above = Retry { rules: base.retry, budget: base.retry_budget };
    let adaptive = fields.value("adaptive_timeouts").is_some();
    let route = RawRoute {
        name,
        models,
        strategy: fields.word("strategy", &STRATEGIES).unwrap_or_default(),
        retry: retry(fields.section("retry"), &above),
        timeouts: deadlines(fields.section("timeouts")),
        adaptive_timeouts: {
            let own = fields.bool("adaptive_timeouts");
            if adaptive { own } else { base.adaptive_timeouts }
        },
        breaker: breaker::breaker(fields.section("breaker"), &base.breaker),
        hedge: breaker::hedge(fields.section("hedge")),
        filtered: fields
            .word("filtered", &[("return", Filtered::Return), ("route_around", Filtered::RouteAround)])
            .unwrap_or_default(),
        unsupported: fields
            .word("unsupported", &[("refuse", Unsupported::Refuse), ("drop", Unsupported::Drop)])
            .unwrap_or_default(),
        task: profile::task_name(fields.value("task"), profiles),
        profile: profile::profile_name(fields.value("profile"), profiles),
        stream_failure: fields
            .word("stream_failure", &[("error", StreamFailure::Error), ("continue", StreamFailure::Continue)])
            .unwrap_or_default(),
        at,
    };
    fields.finish();
    check(&route);
    route
}

/// What the models say that does not go together.
fn check(route: &RawRoute<'_>) {
    let weighted = matches!(route.strategy, Strategy::Weighted | Strategy::LeastOutstanding);
    for candidate in route.models.iter().filter(|candidate| candidate.weight.is_some() && !weighted) {
        candidate.at.error_with_help(
            "a weight says nothing under this route's strategy",
            "set `strategy: weighted` or leave it out",
        );
    }
    if weighted && !route.models.is_empty() && route.models.iter().all(|model| model.weight == Some(0)) {
        route.at.error("all models of this route have the weight 0");
    }
    if !route.models.is_empty() && route.models.iter().all(|model| !model.when.is_empty()) {
        route.at.error_with_help(
            "no model of this route is there for a call's beginning",
            "leave out `when` of at least one",
        );
    }
}

fn candidate(reader: Reader<'_>) -> Option<Candidate<'_>> {
    if !matches!(reader.node().value, document::Value::Map(_)) {
        let name = reader.clone().nonempty_text()?;
        return Some(Candidate { name, at: reader, weight: None, when: Vec::new() });
    }
    let mut fields = Fields::open(&CANDIDATE, Some(reader));
    let at = fields.value("model");
    let model = at.and_then(|at| Some((at.clone().nonempty_text()?, at)));
    let weight = fields.integer_if_set("weight");
    let causes = Cause::ALL.map(|cause| (cause.as_str(), cause));
    let when = fields.items("when").into_iter().filter_map(|item| item.one_of(&causes)).collect();
    fields.finish();
    let (name, at) = model?;
    Some(Candidate { name, at, weight, when })
}

pub(crate) fn deadlines(mut fields: Fields<'_>) -> Deadlines {
    let deadlines = Deadlines {
        connect: fields.duration_if_set("connect"),
        first_token: fields.duration_if_set("first_token"),
        answer: fields.duration_if_set("answer"),
        idle: fields.duration_if_set("idle"),
        total: fields.duration_if_set("total"),
    };
    fields.finish();
    deadlines
}
