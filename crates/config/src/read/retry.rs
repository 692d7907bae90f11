//! `retry`: how often, after which faults, how long to wait, and how many retries a route may make at all.

use policy::retry;
use types::Kind;

use crate::fields::Fields;
use crate::table::{Field, Is, Section, field, option, words};

pub(crate) static RETRY: Section = Section {
    name: "retry",
    doc: "When a failed attempt is repeated on the same model. Waits are random, between nothing and the ceiling; \
          a provider's `Retry-After` comes first. A provider that stayed silent is not asked again: the route goes on.",
    fields: &[
        ATTEMPTS,
        BACKOFF,
        BASE,
        MAX,
        option(
            "budget",
            Is::Share,
            "10%",
            "Retries of the last minute, as a share of its calls, or `budget_floor` if that is more. In `defaults` it \
             holds for all routes together, too.",
        ),
        option(
            "budget_floor",
            Is::Integer(0, 1_000),
            "1, or 0 where `budget` is 0%",
            "Retries a second that are allowed however few calls there are; twenty times as many may come at once.",
        ),
        option("classes", Is::Section(&CLASSES), "none", "Other numbers for some kinds of fault."),
    ],
};

static CLASSES: Section = Section {
    name: "retry.classes",
    doc: "Retries after one kind of fault, where they differ. Other kinds of fault are never repeated.",
    fields: &[
        class("network_timeout", "The connection could not be made, or broke."),
        class("rate_limit", "The provider's rate limit."),
        class("invalid_response", "An answer that breaks its protocol."),
        class("dependency_failure", "The provider failed."),
        class("resource_exhausted", "The provider ran out of something."),
        class("throttling", "The provider is overloaded."),
    ],
};

static CLASS: Section = Section {
    name: "retry.classes.KIND",
    doc: "Retries after this kind of fault. What is left out holds as in `retry`.",
    fields: &[ATTEMPTS, BACKOFF, BASE, MAX],
};

const ATTEMPTS: Field =
    field("attempts", Is::Integer(1, 100), "2", "Attempts on each model, the first one included.");
const BACKOFF: Field = field(
    "backoff",
    words(&["exponential", "linear", "fixed", "fibonacci", "adaptive"]),
    "exponential",
    "How the ceiling grows: doubling, by one base each time, not at all, like the sums of two before, or from how the \
     model does now: the slower it answers and the more of its calls fail, the longer.",
);
const BASE: Field = field("base", Is::Wait, "250ms", "The first ceiling.");
const MAX: Field =
    field("max", Is::Wait, "8s", "The greatest ceiling, and the longest `Retry-After` that is waited for.");

/// The kinds of fault that are ever repeated.
const KINDS: [Kind; 6] = [
    Kind::NetworkTimeout,
    Kind::RateLimit,
    Kind::InvalidResponse,
    Kind::DependencyFailure,
    Kind::ResourceExhausted,
    Kind::Throttling,
];

const fn class(key: &'static str, doc: &'static str) -> Field {
    option(key, Is::Section(&CLASS), "as the others", doc)
}

/// Retries, and how many there may be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retry {
    pub(crate) rules: retry::Rules,
    pub(crate) budget: retry::Share,
}

/// What is not set here holds as in `base`.
pub(crate) fn retry(mut fields: Fields<'_>, base: &Retry) -> Retry {
    let usual = policy(&mut fields, *base.rules.usual());
    let mut classes = fields.section("classes");
    let mut rules = retry::Rules::new(usual);
    for kind in KINDS {
        let own = base.rules.of(kind);
        let inherited = if own == base.rules.usual() { usual } else { *own };
        let mut class = classes.section(kind.as_str());
        let policy = policy(&mut class, inherited);
        class.finish();
        if policy != usual {
            rules = rules.with(kind, policy);
        }
    }
    classes.finish();
    let budget = budget(&mut fields, base.budget);
    fields.finish();
    Retry { rules, budget }
}

/// The numbers that a class and the whole have in common.
fn policy(fields: &mut Fields<'_>, base: retry::Policy) -> retry::Policy {
    let backoffs = retry::Backoff::ALL.map(|backoff| (backoff.as_str(), backoff));
    let own = retry::Policy {
        attempts: pick(fields, "attempts", base.attempts, Fields::integer),
        backoff: pick(fields, "backoff", base.backoff, |fields, key| {
            fields.word(key, &backoffs).unwrap_or_default()
        }),
        base: pick(fields, "base", base.base, Fields::duration),
        max: pick(fields, "max", base.max, Fields::duration),
    };
    if own.base > own.max {
        fields.error("`base` is longer than `max`");
    }
    own
}

fn budget(fields: &mut Fields<'_>, base: retry::Share) -> retry::Share {
    let own = fields.share_if_set("budget").map(|share| u32::from(per_thousand(share)));
    let floor = match own {
        Some(0) => 0,
        Some(_) if base.per_thousand == 0 => retry::Share::default().floor,
        _ => base.floor,
    };
    retry::Share {
        per_thousand: own.unwrap_or(base.per_thousand),
        floor: fields.integer_if_set("budget_floor").unwrap_or(floor),
    }
}

/// A share in thousandths.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is 0 to 1")]
pub(crate) fn per_thousand(share: f64) -> u16 {
    (share.clamp(0.0, 1.0) * 1_000.0).round() as u16
}

/// The key's value where it is set, else `base`.
pub(crate) fn pick<'a, T>(
    fields: &mut Fields<'a>,
    key: &'static str,
    base: T,
    read: impl FnOnce(&mut Fields<'a>, &'static str) -> T,
) -> T {
    let set = fields.value(key).is_some();
    let value = read(fields, key);
    if set { value } else { base }
}
