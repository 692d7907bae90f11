//! A chain file's YAML to a [`Spec`] and the places of its parts. What the parts mean together is `check`'s.
//!
//! No environment is read into a chain: chains may come over HTTP from people who must not see it.

mod inputs;
mod settings;
mod steps;

use document::{MapReader, Problems, Reader, Source, Span};
use types::{Code, Money};

pub(crate) use steps::short_step;

use crate::spec::Limits;
use crate::{MAX_STEPS, Spec};

/// Where the parts of a spec stand in their file; empty for a chain that was built.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// The whole chain.
    pub(crate) root: Span,
    /// Each declared input.
    pub(crate) inputs: Vec<Span>,
    /// The default system prompt.
    pub(crate) system: Option<Span>,
    /// Each step.
    pub(crate) steps: Vec<StepPlaces>,
    /// Each output's template.
    pub(crate) outputs: Vec<Span>,
}

/// Where the parts of a step stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepPlaces {
    /// Its name.
    pub(crate) name: Span,
    /// Its prompt's text.
    pub(crate) prompt: Span,
    /// Its system prompt's text.
    pub(crate) system: Option<Span>,
    /// Each name in `after`.
    pub(crate) after: Vec<Span>,
    /// Its output schema.
    pub(crate) schema: Option<Span>,
}

/// Reads what can be read; what cannot has been noted.
pub(crate) fn read(problems: &Problems<'_>, root: &document::Node) -> (Spec, Places) {
    let mut spec = Spec { version: "1".to_owned(), ..Spec::default() };
    let mut places = Places { root: root.span, ..Places::default() };
    let reader = Reader::new(problems, root);
    if root.is_null() {
        reader.error_with_help("there is no chain here", "a chain needs `name` and `steps` or `prompts`");
        return (spec, places);
    }
    let Some(mut map) = reader.map() else { return (spec, places) };
    spec.name = map.optional("name", Reader::nonempty_text).unwrap_or_default();
    if let Some(version) = map.optional("version", |r| match r.node().value {
        document::Value::Integer(_) | document::Value::Float(_) => Some(r.node().raw().to_owned()),
        _ => r.nonempty_text(),
    }) {
        spec.version = version;
    }
    spec.description = map.optional("description", Reader::text);
    map.optional("inputs", |r| inputs::read(r, &mut spec, &mut places));
    map.optional("defaults", |r| {
        let mut map = r.map()?;
        settings::read(&mut map, &mut spec.defaults, &mut places.system);
        map.finish();
        Some(())
    });
    map.optional("limits", |r| limits(r, &mut spec.limits));
    map.optional("config", |r| {
        let mut map = r.map()?;
        settings::read(&mut map, &mut spec.defaults, &mut places.system);
        settings::read_seed(&mut map, &mut spec);
        map.finish();
        Some(())
    });
    settings::read_sampling(&mut map, &mut spec.defaults);
    settings::read_seed(&mut map, &mut spec);
    read_steps(&mut map, &mut spec, &mut places);
    map.optional("outputs", |r| {
        for (name, (template, span)) in r.map_of(|r| Some((r.clone().text()?, r.span())))? {
            spec.outputs.push((name, template));
            places.outputs.push(span);
        }
        Some(())
    });
    map.finish();
    (spec, places)
}

fn read_steps(map: &mut MapReader<'_>, spec: &mut Spec, places: &mut Places) {
    match (map.take("steps"), map.take("prompts")) {
        (Some(steps), None) => steps::read(steps, spec, places),
        (None, Some(prompts)) => steps::read_short(&prompts, spec, places),
        (Some(_), Some(prompts)) => prompts.error("a chain has `steps` or `prompts`, not both"),
        (None, None) => map.missing("steps"),
    }
}

/// Whether a chain of so many steps may be read any further.
fn few_enough(count: usize, reader: &Reader<'_>) -> bool {
    if count == 0 {
        reader.error("a chain needs at least one step");
    } else if count > MAX_STEPS {
        let message = format!("{count} steps, but a chain may have {MAX_STEPS}");
        let diagnostic = document::Diagnostic::error(Code::BadChain.as_str(), message);
        let help = "split it, or run one chain many times with different inputs";
        reader
            .problems()
            .add(diagnostic.with_help(help).with_span(reader.key_span()).with_path(reader.path()));
    }
    (1..=MAX_STEPS).contains(&count)
}

fn limits(reader: Reader<'_>, limits: &mut Limits) -> Option<()> {
    let mut map = reader.map()?;
    limits.cost = map.optional("cost", money);
    limits.time = map.optional("time", settings::duration);
    limits.concurrency = map.optional("concurrency", |r| r.integer(1..=1_000));
    map.finish();
    Some(())
}

/// An amount of dollars, read from its digits.
#[expect(clippy::needless_pass_by_value, reason = "the shape of a leaf reader")]
fn money(reader: Reader<'_>) -> Option<Money> {
    let text = reader.clone().decimal()?;
    match text.parse::<Money>() {
        Ok(money) if money >= Money::ZERO => Some(money),
        Ok(_) => {
            reader.error("must not be negative");
            None
        }
        Err(error) => {
            reader.error(error.to_string());
            None
        }
    }
}

/// A file's name without its folders and ending: what a chain without a name is called.
pub(crate) fn name_of(source: &Source<'_>) -> String {
    let file = source.name.rsplit(['/', '\\']).next().unwrap_or("");
    let stem = file.split('.').next().unwrap_or("");
    let name: String = stem.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    if name.is_empty() { "chain".to_owned() } else { name }
}
