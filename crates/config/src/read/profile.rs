//! `tasks` and `profiles`: the operator's own, and other numbers for the built-in ones.

use document::{Diagnostic, Reader, closest};
use policy::profile::{ADAPTIVE, NONE, Response, Table, Task};
use types::Parameters;

use crate::fields::Fields;
use crate::names;
use crate::table::{Field, Is, Section, option, words};

const UNSET: &str = "nothing, or as built in";

const TEMPERATURE: Field = option("temperature", Is::Number(0.0, 2.0), UNSET, "How much is left to chance.");
const MAX_TOKENS: Field =
    option("max_tokens", Is::Integer(1, 10_000_000), UNSET, "The greatest number of tokens to write.");
const TOP_P: Field = option("top_p", Is::Number(0.0, 1.0), UNSET, "Nucleus sampling.");
const FREQUENCY_PENALTY: Field = option(
    "frequency_penalty",
    Is::Number(-2.0, 2.0),
    UNSET,
    "Penalty for tokens by how often they stand there already.",
);
const PRESENCE_PENALTY: Field =
    option("presence_penalty", Is::Number(-2.0, 2.0), UNSET, "Penalty for tokens that stand there already.");

pub(crate) static PROFILE: Section = Section {
    name: "profiles.NAME",
    doc: "Parameters for calls that ask for this profile and do not set them. Built in are `speed_optimized`, \
          `quality_optimized`, `balanced` and `cost_optimized`; naming one of these changes the numbers that stand here.",
    fields: &[TEMPERATURE, MAX_TOKENS, TOP_P, FREQUENCY_PENALTY, PRESENCE_PENALTY],
};

pub(crate) static TASK: Section = Section {
    name: "tasks.NAME",
    doc: "Parameters for calls that say that this is what they are for, and do not set them. Built in are `chat`, \
          `code`, `analysis` and `creative`; naming one of these changes what stands here.",
    fields: &[
        TEMPERATURE,
        MAX_TOKENS,
        TOP_P,
        FREQUENCY_PENALTY,
        PRESENCE_PENALTY,
        option(
            "response",
            words(&["code", "creative", "factual"]),
            "none, or as built in",
            "What kind of answer the profile `adaptive` takes it to want.",
        ),
    ],
};

/// The built-in tasks and profiles with what the two sections say.
pub(crate) fn table(tasks: Vec<(String, Reader<'_>)>, profiles: Vec<(String, Reader<'_>)>) -> Table {
    let mut table = Table::default();
    for (name, at) in tasks {
        let usable = check(&name, &at, "task");
        let mut fields = Fields::open(&TASK, Some(at));
        let parameters = parameters(&mut fields);
        let kinds = Response::ALL.map(|kind| (kind.as_str(), kind));
        let response = fields.word("response", &kinds);
        fields.finish();
        if usable {
            table.set_task(&name, Task { parameters, response });
        }
    }
    for (name, at) in profiles {
        let usable = check(&name, &at, "profile");
        let mut fields = Fields::open(&PROFILE, Some(at));
        let parameters = parameters(&mut fields);
        fields.finish();
        if usable {
            table.set_profile(&name, parameters);
        }
    }
    table
}

fn parameters(fields: &mut Fields<'_>) -> Parameters {
    Parameters {
        temperature: fields.number_if_set("temperature"),
        max_tokens: fields.integer_if_set("max_tokens"),
        top_p: fields.number_if_set("top_p"),
        frequency_penalty: fields.number_if_set("frequency_penalty"),
        presence_penalty: fields.number_if_set("presence_penalty"),
    }
}

/// Notes what is wrong with a name. A reserved one is of no use at all.
fn check(name: &str, at: &Reader<'_>, what: &str) -> bool {
    names::check_plain(name, at, what);
    let reserved = name == NONE || name == ADAPTIVE;
    if reserved {
        at.problems().error(at.path(), at.key_span(), format!("`{name}` cannot be the name of a {what}"));
    }
    !reserved
}

/// A task's name that stands at `at`; what is unknown is noted there.
pub(crate) fn task_name(at: Option<Reader<'_>>, table: &Table) -> Option<String> {
    name(at, "task", table.task_names())
}

/// A profile's name, in the same way.
pub(crate) fn profile_name(at: Option<Reader<'_>>, table: &Table) -> Option<String> {
    name(at, "profile", table.profile_names())
}

fn name<'t>(at: Option<Reader<'_>>, what: &str, known: impl Iterator<Item = &'t str>) -> Option<String> {
    let at = at?;
    let name = at.clone().nonempty_text()?;
    let known: Vec<&str> = known.collect();
    if known.contains(&&*name) {
        return Some(name).filter(|name| name != NONE);
    }
    let message = format!("no {what} is called `{name}`");
    let help = match closest(&name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    let diagnostic = Diagnostic::error(at.problems().code(), message).with_path(at.path());
    at.problems().add(diagnostic.with_span(at.span()).with_help(help));
    None
}
