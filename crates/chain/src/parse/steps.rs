//! `steps` with their names, and the short form `prompts`.

use document::{MapReader, Reader, Span};
use types::Priority;

use super::{Places, StepPlaces, few_enough, settings};
use crate::Spec;
use crate::spec::StepSpec;

/// Kinds of steps that the language will have and this version has not.
const LATER: [&str; 9] =
    ["for_each", "parallel", "when", "repeat", "chain", "http", "tool", "human", "compensate"];

/// The words for a step's priority.
const PRIORITIES: [(&str, Priority); 5] = [
    ("low", Priority::Low),
    ("normal", Priority::Normal),
    ("medium", Priority::Normal),
    ("high", Priority::High),
    ("critical", Priority::Critical),
];

/// A map of names to steps; a step that is only a text is its prompt.
pub(super) fn read(reader: Reader<'_>, spec: &mut Spec, places: &mut Places) {
    let document::Value::Map(entries) = &reader.node().value else {
        let hint = "write `steps:` as a map of names, or `prompts:` as a list";
        reader.error_with_help(format!("expected a map of steps, found {}", reader.node().kind()), hint);
        return;
    };
    if !few_enough(entries.len(), &reader) {
        return;
    }
    let steps = reader.map_of(|r| {
        let mut places = StepPlaces { name: r.key_span(), ..StepPlaces::default() };
        let step = one(r, &mut places);
        Some((step, places))
    });
    for (name, (mut step, place)) in steps.unwrap_or_default() {
        step.name = name;
        spec.steps.push(step);
        places.steps.push(place);
    }
}

/// A list of prompts, each after the one before.
pub(super) fn read_short(reader: &Reader<'_>, spec: &mut Spec, places: &mut Places) {
    let Some(prompts) = reader.list() else { return };
    if !few_enough(prompts.len(), reader) {
        return;
    }
    for (index, prompt) in prompts.into_iter().enumerate() {
        let span = prompt.span();
        spec.steps.push(short_step(index, prompt.nonempty_text().unwrap_or_default()));
        places.steps.push(StepPlaces {
            name: span,
            prompt: span,
            after: vec![span],
            ..StepPlaces::default()
        });
    }
}

/// The step of the short form at `index`, from 0: `step_1` is the first.
pub(crate) fn short_step(index: usize, prompt: String) -> StepSpec {
    let after = if index == 0 { Vec::new() } else { vec![format!("step_{index}")] };
    StepSpec { name: format!("step_{}", index + 1), prompt, after, ..StepSpec::default() }
}

fn one(reader: Reader<'_>, places: &mut StepPlaces) -> StepSpec {
    let mut step = StepSpec::default();
    if let document::Value::Text(_) = reader.node().value {
        places.prompt = reader.span();
        step.prompt = reader.nonempty_text().unwrap_or_default();
        return step;
    }
    let Some(mut map) = reader.map() else { return step };
    let later = later(&mut map);
    let prompt = |r: Reader<'_>| {
        places.prompt = r.span();
        r.nonempty_text()
    };
    // A step of another kind may well have no prompt; that it is not supported is enough to say.
    let prompt = if later { map.optional("prompt", prompt) } else { map.required("prompt", prompt) };
    step.prompt = prompt.unwrap_or_default();
    settings::read(&mut map, &mut step.settings, &mut places.system);
    let after: Option<Vec<(String, Span)>> =
        map.optional("after", |r| r.one_or_many(|r| Some((r.clone().nonempty_text()?, r.span()))));
    (step.after, places.after) = after.unwrap_or_default().into_iter().unzip();
    step.priority = map.optional("priority", |r| r.one_of(&PRIORITIES)).unwrap_or_default();
    map.optional("output", |r| {
        let mut map = r.map()?;
        step.schema = map.optional("schema", |r| {
            places.schema = Some(r.span());
            r.json()
        });
        map.finish();
        Some(())
    });
    if later {
        // Its other fields belong to that kind, and its templates may use words of it.
        step.prompt.clear();
        return step;
    }
    map.finish();
    step
}

/// Whether the step is of a kind that is not there yet; it has been noted.
fn later(map: &mut MapReader<'_>) -> bool {
    let mut found = false;
    for kind in LATER.into_iter().filter(|kind| map.has(kind)).collect::<Vec<_>>() {
        if let Some(reader) = map.take(kind) {
            let message = format!("`{kind}` is not supported in this version");
            reader.problems().error(reader.path(), reader.key_span(), message);
            found = true;
        }
    }
    found
}
