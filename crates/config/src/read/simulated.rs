//! `providers.NAME` of kind `simulated`.

use document::Reader;
use std::time::Duration;

use crate::fields::Fields;
use crate::read::price::{PRICE, price};
use crate::read::route::TIMEOUTS;
use crate::simulated::{FaultKind, FaultRule, Simulated, SimulatedModel, When};
use crate::table::{Is, Section, field, option, required, words};

pub(crate) static SIMULATED: Section = Section {
    name: "providers.NAME (kind: simulated)",
    doc: "Nobody: answers are made up, and say so. For demonstrations, load tests and rehearsing failure.",
    fields: &[
        required("kind", words(&["simulated"]), "How it is reached."),
        required("models", Is::Map(&Is::Section(&SIMULATED_MODEL)), "Its models."),
        field(
            "seed",
            Is::Integer(0, u64::MAX),
            "0",
            "Where its random choices start: the same seed and the same calls give the same answers.",
        ),
        option("timeouts", Is::Section(&TIMEOUTS), "as `defaults.timeouts`", "Deadlines."),
    ],
};

pub(crate) static SIMULATED_MODEL: Section = Section {
    name: "providers.NAME.models.MODEL (kind: simulated)",
    doc: "A model that does not exist.",
    fields: &[
        field("first_token", Is::Wait, "0s", "Time to the first token."),
        option("tokens_per_second", Is::Number(0.001, 1e9), "all at once", "Speed after that."),
        field("jitter", Is::Number(0.0, 1.0), "0", "Times vary by up to this part of themselves, both ways."),
        field("output_tokens", Is::Integer(0, 1_000_000), "32", "Tokens of a made-up answer."),
        option("text", Is::Text, "made up", "The answer."),
        option("price", Is::Section(&PRICE), "unknown", "What it charges."),
        option("limits", Is::Section(&LIMITS), "none", "When it answers 429."),
        option(
            "faults",
            Is::List(&Is::Section(&FAULT)),
            "none",
            "What goes wrong; the first that applies holds.",
        ),
    ],
};

pub(crate) static LIMITS: Section = Section {
    name: "providers.NAME.models.MODEL.limits (kind: simulated)",
    doc: "When a simulated model answers 429.",
    fields: &[
        option("rpm", Is::Integer(1, 1_000_000_000), "no limit", "Requests a minute."),
        option("tpm", Is::Integer(1, 1_000_000_000_000), "no limit", "Tokens a minute."),
    ],
};

pub(crate) static FAULT: Section = Section {
    name: "providers.NAME.models.MODEL.faults[] (kind: simulated)",
    doc: "A fault, and which calls it hits: one of `every`, `after`, `first` and `probability`, or all calls.",
    fields: &[
        required(
            "kind",
            words(&["status", "refuse", "reset", "stall", "cut", "slow", "malformed"]),
            "An HTTP error; a refused or reset connection; silence or a cut inside the answer; slowness; an answer \
             that breaks the protocol.",
        ),
        option("status", Is::Integer(400, 599), "500", "For `status`: the HTTP status."),
        option("retry_after", Is::Wait, "none", "For `status`: the `Retry-After` that comes with it."),
        option("after_tokens", Is::Integer(0, 1_000_000), "0", "For `stall` and `cut`: tokens before it."),
        option("factor", Is::Number(1.0, 1e6), "10", "For `slow`: all times are this many times as long."),
        option("every", Is::Integer(1, u64::MAX), "all", "Every n-th call."),
        option("after", Is::Integer(0, u64::MAX), "all", "All calls after the first n."),
        option("first", Is::Integer(1, u64::MAX), "all", "The first n calls."),
        option("probability", Is::Number(0.0, 1.0), "all", "Each call with this probability."),
    ],
};

pub(crate) fn simulated(fields: &mut Fields<'_>) -> Simulated {
    let at = fields.value("models");
    let models: Vec<_> = fields.names("models").into_iter().map(|(name, at)| model(name, at)).collect();
    if let Some(at) = at
        && models.is_empty()
    {
        at.error("a simulated provider needs at least one model");
    }
    Simulated { models, seed: fields.integer("seed") }
}

fn model(name: String, reader: Reader<'_>) -> SimulatedModel {
    let mut fields = Fields::open(&SIMULATED_MODEL, Some(reader));
    let price_at = fields.value("price");
    let mut limits = fields.section("limits");
    let model = SimulatedModel {
        name,
        first_token: fields.duration("first_token"),
        tokens_per_second: fields.number_if_set("tokens_per_second"),
        jitter: fields.number("jitter"),
        output_tokens: fields.integer("output_tokens"),
        text: fields.text("text"),
        price: price_at.and_then(|at| price(Some(at))),
        requests_per_minute: limits.integer_if_set("rpm"),
        tokens_per_minute: limits.integer_if_set("tpm"),
        faults: fields.items("faults").into_iter().filter_map(fault).collect(),
    };
    limits.finish();
    fields.finish();
    model
}

/// The fault without its details.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Status,
    Refuse,
    Reset,
    Stall,
    Cut,
    Slow,
    Malformed,
}

fn fault(reader: Reader<'_>) -> Option<FaultRule> {
    let mut fields = Fields::open(&FAULT, Some(reader));
    let kinds = [
        ("status", Word::Status),
        ("refuse", Word::Refuse),
        ("reset", Word::Reset),
        ("stall", Word::Stall),
        ("cut", Word::Cut),
        ("slow", Word::Slow),
        ("malformed", Word::Malformed),
    ];
    let word = fields.word("kind", &kinds);
    let status = fields.integer_if_set("status");
    let retry_after: Option<Duration> = fields.duration_if_set("retry_after");
    let after_tokens = fields.integer_if_set("after_tokens");
    let factor = fields.number_if_set("factor");
    for (key, given, for_whom) in [
        ("status", status.is_some(), &[Word::Status][..]),
        ("retry_after", retry_after.is_some(), &[Word::Status]),
        ("after_tokens", after_tokens.is_some(), &[Word::Stall, Word::Cut]),
        ("factor", factor.is_some(), &[Word::Slow]),
    ] {
        if given && word.is_some_and(|word| !for_whom.contains(&word)) {
            fields.error(format!("`{key}` says nothing about this kind of fault"));
        }
    }
    let when = when(&mut fields);
    fields.finish();
    let kind = match word? {
        Word::Status => FaultKind::Status { status: status.unwrap_or(500), retry_after },
        Word::Refuse => FaultKind::Refuse,
        Word::Reset => FaultKind::Reset,
        Word::Stall => FaultKind::Stall { after_tokens: after_tokens.unwrap_or(0) },
        Word::Cut => FaultKind::Cut { after_tokens: after_tokens.unwrap_or(0) },
        Word::Slow => FaultKind::Slow { factor: factor.unwrap_or(10.0) },
        Word::Malformed => FaultKind::Malformed,
    };
    Some(FaultRule { kind, when })
}

fn when(fields: &mut Fields<'_>) -> When {
    let given = [
        fields.integer_if_set("every").map(When::Every),
        fields.integer_if_set("after").map(When::After),
        fields.integer_if_set("first").map(When::First),
        fields.number_if_set("probability").map(When::Probability),
    ];
    let mut given = given.into_iter().flatten();
    let when = given.next().unwrap_or(When::Always);
    if given.next().is_some() {
        fields.error("`every`, `after`, `first` and `probability` exclude each other");
    }
    when
}
