//! `routes`, and the retry and deadline maps that `defaults` and providers have too.

use document::Reader;
use policy::{Timeouts, retry};

use crate::fields::Fields;
use crate::route::{Deadlines, Strategy, StreamFailure, Unsupported};
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
            "How the first is chosen: `fallback` takes the first that works.",
        ),
        option("retry", Is::Section(&RETRY), "as `defaults.retry`", "How often each model is asked."),
        option("timeouts", Is::Section(&TIMEOUTS), "as the provider's", "Deadlines."),
        field(
            "stream_failure",
            Is::Words(Words { now: &["error"], later: &["continue"] }),
            "error",
            "What happens to a stream that breaks after its first content: the caller gets an error event.",
        ),
        field(
            "unsupported",
            words(&["refuse", "drop"]),
            "refuse",
            "What becomes of a field that the chosen provider cannot take: a 400 that names it, or it is left out and \
             the answer's `x-windlass-dropped` header names it.",
        ),
        later("cache", "Answers that are remembered."),
    ],
};

pub(crate) static CANDIDATE: Section = Section {
    name: "routes.NAME.models[]",
    doc: "One model of a route, where more is to be said than its name.",
    fields: &[
        required("model", Is::Text, "As in the short form."),
        later("weight", "Its share under the strategy `weighted`."),
    ],
};

pub(crate) static RETRY: Section = Section {
    name: "retry",
    doc: "When a failed attempt is repeated on the same model. Waits are random, between nothing and the ceiling; \
          a provider's `Retry-After` comes first.",
    fields: &[
        field("attempts", Is::Integer(1, 100), "2", "Attempts on each model, the first one included."),
        field(
            "backoff",
            Is::Words(Words { now: &["exponential", "fixed"], later: &["linear", "fibonacci", "adaptive"] }),
            "exponential",
            "How the ceiling grows: doubling, or the same each time.",
        ),
        field("base", Is::Wait, "250ms", "The first ceiling."),
        field(
            "max",
            Is::Wait,
            "8s",
            "The greatest ceiling, and the longest `Retry-After` that is waited for.",
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
    ],
};

const STRATEGY: Is = Is::Words(Words { now: &["fallback"], later: &["weighted", "latency", "learned"] });

/// A route whose models are still names.
#[derive(Debug)]
pub(crate) struct RawRoute<'a> {
    pub(crate) name: String,
    pub(crate) models: Vec<(String, Reader<'a>)>,
    pub(crate) at: Reader<'a>,
    pub(crate) strategy: Strategy,
    pub(crate) retry: retry::Policy,
    pub(crate) timeouts: Deadlines,
    pub(crate) stream_failure: StreamFailure,
    pub(crate) unsupported: Unsupported,
}

/// The base of everybody's retries and deadlines.
pub(crate) fn defaults(mut fields: Fields<'_>) -> (retry::Policy, Timeouts) {
    let own = retry(fields.section("retry"), retry::Policy::default());
    let timeouts = deadlines(fields.section("timeouts")).over(Timeouts::default());
    fields.finish();
    (own, timeouts)
}

pub(crate) fn route(name: String, at: Reader<'_>, base: retry::Policy) -> RawRoute<'_> {
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
    let route = RawRoute {
        name,
        models,
        strategy: fields.word("strategy", &[("fallback", Strategy::Fallback)]).unwrap_or_default(),
        retry: retry(fields.section("retry"), base),
        timeouts: deadlines(fields.section("timeouts")),
        unsupported: fields
            .word("unsupported", &[("refuse", Unsupported::Refuse), ("drop", Unsupported::Drop)])
            .unwrap_or_default(),
        stream_failure: fields.word("stream_failure", &[("error", StreamFailure::Error)]).unwrap_or_default(),
        at,
    };
    fields.finish();
    route
}

fn candidate(reader: Reader<'_>) -> Option<(String, Reader<'_>)> {
    if !matches!(reader.node().value, document::Value::Map(_)) {
        let name = reader.clone().nonempty_text()?;
        return Some((name, reader));
    }
    let mut fields = Fields::open(&CANDIDATE, Some(reader));
    let at = fields.value("model");
    let model = at.and_then(|at| Some((at.clone().nonempty_text()?, at)));
    fields.finish();
    model
}

/// What is not set here holds as in `base`.
fn retry(mut fields: Fields<'_>, base: retry::Policy) -> retry::Policy {
    let backoffs = [("exponential", retry::Backoff::Exponential), ("fixed", retry::Backoff::Fixed)];
    let own = retry::Policy {
        attempts: pick(&mut fields, "attempts", base.attempts, Fields::integer),
        backoff: pick(&mut fields, "backoff", base.backoff, |fields, key| {
            fields.word(key, &backoffs).unwrap_or_default()
        }),
        base: pick(&mut fields, "base", base.base, Fields::duration),
        max: pick(&mut fields, "max", base.max, Fields::duration),
    };
    if own.base > own.max {
        fields.error("`base` is longer than `max`");
    }
    fields.finish();
    own
}

/// The key's value where it is set, else `base`.
fn pick<'a, T>(
    fields: &mut Fields<'a>,
    key: &'static str,
    base: T,
    read: impl FnOnce(&mut Fields<'a>, &'static str) -> T,
) -> T {
    let set = fields.value(key).is_some();
    let value = read(fields, key);
    if set { value } else { base }
}

pub(crate) fn deadlines(mut fields: Fields<'_>) -> Deadlines {
    let deadlines = Deadlines {
        connect: fields.duration_if_set("connect"),
        first_token: fields.duration_if_set("first_token"),
        idle: fields.duration_if_set("idle"),
        total: fields.duration_if_set("total"),
    };
    fields.finish();
    deadlines
}
