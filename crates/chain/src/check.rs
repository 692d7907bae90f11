//! A [`Spec`] to a [`Chain`]: names, templates, dependencies, schemas; every problem noted with its place.

mod bounds;
mod graph;
mod names;
mod place;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use document::{Diagnostic, Problems, Span};
use types::chat::{Format, Request};
use types::{Code, Priority};

use crate::MAX_STEPS;
use crate::answer::Schema;
use crate::chain::{Chain, Declared, PlannedStep, Planning};
use crate::parse::{Places, StepPlaces};
use crate::spec::{Input, InputKind, Settings, Spec};
use crate::template::{Analysis, Target, TemplateError, Templates, analyse};

/// Checks everything. `None` if there was a problem; it has been noted.
pub(crate) fn check(spec: Spec, places: &Places, problems: &Problems<'_>) -> Option<Chain> {
    let before = problems.errors();
    if spec.steps.is_empty() || spec.steps.len() > MAX_STEPS {
        let message = format!("a chain has from 1 to {MAX_STEPS} steps; this one has {}", spec.steps.len());
        problems.error("steps", places.root, message);
        return None;
    }
    if problems.source().text.is_empty() {
        bounds::check(&spec, problems);
    }
    let mut checker = Checker::new(&spec, places, problems);
    checker.names();
    let system =
        checker.template("defaults.system", spec.defaults.system.as_deref(), places.system, &At::Shared);
    let mut steps = Vec::with_capacity(spec.steps.len());
    for index in 0..spec.steps.len() {
        steps.push(checker.step(index, system.as_ref()));
    }
    let outputs = checker.outputs();
    let inputs = checker.inputs;
    let (templates, names) = (checker.templates, checker.names);
    graph::report_cycles(&steps, &spec, places, problems);
    if problems.errors() > before {
        return None;
    }
    for index in 0..steps.len() {
        let needs = steps.get(index).map(|step| step.needs.clone()).unwrap_or_default();
        for need in needs {
            if let Some(step) = steps.get_mut(need) {
                step.needed_by.push(index);
            }
        }
    }
    let file = problems.source().name.to_owned();
    Some(Chain { spec: Arc::new(spec), file, inputs, steps, names: Arc::new(names), templates, outputs })
}

/// Where a template stands in the chain, which decides what it may refer to.
enum At {
    /// In the defaults: used by every step, so it names no step.
    Shared,
    /// In the step at this place.
    Step(usize),
    /// Among the outputs: after all steps.
    Output,
}

/// A template that was compiled.
struct Compiled {
    name: String,
    needs: BTreeSet<usize>,
    expression: Option<String>,
}

struct Checker<'c, 's> {
    spec: &'c Spec,
    places: &'c Places,
    problems: &'c Problems<'s>,
    names: HashMap<String, usize>,
    inputs: Vec<Declared>,
    templates: Templates,
}

impl<'c, 's> Checker<'c, 's> {
    fn new(spec: &'c Spec, places: &'c Places, problems: &'c Problems<'s>) -> Self {
        let (names, inputs) = (HashMap::new(), Vec::new());
        Self { spec, places, problems, names, inputs, templates: Templates::new() }
    }

    fn names(&mut self) {
        names::chain(&self.spec.name, self.places.root, self.problems);
        for (index, step) in self.spec.steps.iter().enumerate() {
            let span = self.step_places(index).name;
            names::step(&step.name, span, self.problems);
            if self.names.insert(step.name.clone(), index).is_some() {
                self.problems.error("steps", span, format!("there are two steps `{}`", step.name));
            }
        }
        for (index, input) in self.spec.inputs.iter().flatten().enumerate() {
            let span = self.places.inputs.get(index).copied().unwrap_or_default();
            names::input(&input.name, span, self.problems);
            self.inputs.push(Declared { input: input.clone(), line: span.line });
        }
    }

    fn step_places(&self, index: usize) -> &'c StepPlaces {
        static NOWHERE: StepPlaces = StepPlaces {
            name: Span { line: 0, column: 0, offset: 0, len: 0 },
            prompt: Span { line: 0, column: 0, offset: 0, len: 0 },
            system: None,
            after: Vec::new(),
            schema: None,
        };
        self.places.steps.get(index).unwrap_or(&NOWHERE)
    }

    fn step(&mut self, index: usize, shared_system: Option<&Compiled>) -> PlannedStep {
        let (spec, places) = (self.spec, self.step_places(index));
        let Some(step) = spec.steps.get(index) else { return empty_step() };
        let path = format!("steps.{}", step.name);
        let at = At::Step(index);
        let prompt = self.template(&format!("{path}.prompt"), Some(&step.prompt), Some(places.prompt), &at);
        let system = step.settings.system.as_deref();
        let system = self.template(&format!("{path}.system"), system, places.system, &at);
        let mut needs = BTreeSet::new();
        for template in prompt.iter().chain(&system) {
            needs.extend(&template.needs);
        }
        for (position, name) in step.after.iter().enumerate() {
            let span = places.after.get(position).copied().unwrap_or_default();
            match self.names.get(name) {
                Some(other) if *other == index => {
                    self.problems.error(&path, span, format!("step `{name}` cannot come after itself"));
                }
                Some(other) => {
                    needs.insert(*other);
                }
                None => self.unknown_step(&path, name, span),
            }
        }
        let schema = step.schema.as_ref().and_then(|schema| match Schema::new(schema) {
            Ok(schema) => Some(schema),
            Err(message) => {
                let span = places.schema.unwrap_or_default();
                self.problems.error(&format!("{path}.output.schema"), span, message);
                None
            }
        });
        let inherited = system.as_ref().or(shared_system);
        PlannedStep {
            name: step.name.as_str().into(),
            prompt: prompt.as_ref().map(|t| t.name.clone()).unwrap_or_default(),
            system: inherited.map(|template| template.name.clone()),
            needs: needs.into_iter().collect(),
            needed_by: Vec::new(),
            priority: step.priority,
            timeout: step.settings.timeout.or(spec.defaults.timeout),
            retries: merged_retries(&step.settings, &spec.defaults),
            task: named(step.settings.task.as_ref(), spec.defaults.task.as_ref()),
            profile: named(step.settings.profile.as_ref(), spec.defaults.profile.as_ref()),
            request: request(&step.name, &step.settings, &spec.defaults, step.schema.as_ref()),
            schema,
        }
    }

    fn outputs(&mut self) -> Vec<(String, Planning)> {
        let spec = self.spec;
        if spec.outputs.is_empty() {
            return spec
                .steps
                .iter()
                .enumerate()
                .map(|(i, step)| (step.name.clone(), Planning::Step(i)))
                .collect();
        }
        let mut planned = Vec::new();
        for (index, (name, template)) in spec.outputs.iter().enumerate() {
            let span = self.places.outputs.get(index).copied();
            let path = format!("outputs.{name}");
            let Some(compiled) = self.template(&path, Some(template), span, &At::Output) else { continue };
            let plan = compiled.expression.map_or(Planning::Template(compiled.name), Planning::Expression);
            planned.push((name.clone(), plan));
        }
        planned
    }

    /// Analyses and compiles one template, resolves what it refers to, and notes what is wrong with it.
    fn template(&mut self, path: &str, text: Option<&str>, span: Option<Span>, at: &At) -> Option<Compiled> {
        let text = text?;
        let span = span.unwrap_or_default();
        let analysis = analyse(text);
        for problem in &analysis.problems {
            self.template_problem(path, text, span, problem);
        }
        let needs = self.resolve(path, text, span, &analysis, at);
        if !analysis.problems.is_empty() {
            return None;
        }
        if let Err(problem) = self.templates.add(path.to_owned(), text.to_owned()) {
            self.template_problem(path, text, span, &problem);
            return None;
        }
        Some(Compiled { name: path.to_owned(), needs, expression: analysis.expression })
    }

    fn template_problem(&self, path: &str, text: &str, span: Span, problem: &TemplateError) {
        let place = place::in_template(self.problems.source(), span, text, problem);
        let diagnostic = Diagnostic::error(Code::BadTemplate.as_str(), problem.message.as_str());
        self.problems.add(diagnostic.with_path(path).with_span(place));
    }

    /// The steps that a template needs; what it names in vain is noted, and a variable that nobody declared
    /// where none are declared becomes an input.
    fn resolve(
        &mut self,
        path: &str,
        text: &str,
        span: Span,
        analysis: &Analysis,
        at: &At,
    ) -> BTreeSet<usize> {
        let mut needs = BTreeSet::new();
        let before = match at {
            At::Shared => 0,
            At::Step(index) => *index,
            At::Output => self.spec.steps.len(),
        };
        for reference in &analysis.references {
            let place = || place::of(self.problems.source(), span, text, reference.range.clone());
            match &reference.target {
                Target::Variable { name, optional } => self.variable(path, name, *optional, place),
                _ if matches!(at, At::Shared) => {
                    let message =
                        "the default system prompt is for all steps and cannot use what steps answer";
                    self.problems.error(path, place(), message);
                }
                Target::Step(name) => match self.names.get(name) {
                    Some(other) => {
                        needs.insert(*other);
                    }
                    None => self.unknown_step(path, name, place()),
                },
                Target::AllSteps if matches!(at, At::Output) => {}
                Target::AllSteps => {
                    let diagnostic =
                        Diagnostic::error(self.problems.code(), "`steps` needs the name of a step here")
                            .with_help("write steps.NAME, so that it is known what to wait for");
                    self.problems.add(diagnostic.with_path(path).with_span(place()));
                }
                Target::AllOutputs => needs.extend(0..before),
                Target::Output(position) => {
                    if let Some(index) = position_of(*position, before) {
                        needs.insert(index);
                    } else {
                        let message =
                            format!("`output[{position}]` is not there: {before} steps come before this");
                        self.problems.error(path, place(), message);
                    }
                }
            }
        }
        needs
    }

    fn variable(&mut self, path: &str, name: &str, optional: bool, place: impl Fn() -> Span) {
        if let Some(known) = self.inputs.iter_mut().find(|known| known.input.name == name) {
            if optional || known.input.required || known.input.default.is_some() {
                return;
            }
            if self.spec.inputs.is_none() {
                // Asked for with care elsewhere, but not here.
                (known.input.required, known.line) = (true, place().line);
                return;
            }
            let diagnostic =
                Diagnostic::error(self.problems.code(), format!("the input `{name}` may be missing here"))
                    .with_help(format!("give it a default, or write {{% if {name} %}} around this"));
            self.problems.add(diagnostic.with_path(path).with_span(place()));
            return;
        }
        let place = place();
        if self.spec.inputs.is_none() {
            let input = Input {
                name: name.to_owned(),
                kind: InputKind::Any,
                default: None,
                required: !optional,
                description: None,
            };
            self.inputs.push(Declared { input, line: place.line });
            return;
        }
        let mut diagnostic =
            Diagnostic::error(Code::MissingVariable.as_str(), format!("there is no input `{name}`"));
        let known = self.inputs.iter().map(|declared| declared.input.name.as_str());
        let steps = self.names.keys().map(String::as_str);
        diagnostic.help = if let Some(best) = document::closest(name, known) {
            Some(format!("did you mean `{best}`?"))
        } else if steps.into_iter().any(|step| step == name) {
            Some(format!("a step's answer is `steps.{name}`"))
        } else {
            Some(format!("declare it under `inputs`: {name}: {{ type: string }}"))
        };
        self.problems.add(diagnostic.with_path(path).with_span(place));
    }

    fn unknown_step(&self, path: &str, name: &str, span: Span) {
        let mut diagnostic = Diagnostic::error(self.problems.code(), format!("there is no step `{name}`"));
        let mut known: Vec<&str> = self.names.keys().map(String::as_str).collect();
        known.sort_unstable();
        diagnostic.help =
            match known.iter().find(|step| step.strip_prefix(name).is_some_and(|r| r.starts_with('-'))) {
                Some(step) => Some(format!("a name with a dash is written steps[\"{step}\"]")),
                None => document::closest(name, known).map(|best| format!("did you mean `{best}`?")),
            };
        self.problems.add(diagnostic.with_path(path).with_span(span));
    }
}

/// `output[N]` as a place among the `before` steps.
fn position_of(position: i64, before: usize) -> Option<usize> {
    let index = match usize::try_from(position) {
        Ok(index) => index,
        Err(_) => before.checked_sub(usize::try_from(position.unsigned_abs()).ok()?)?,
    };
    (index < before).then_some(index)
}

/// A step's own name for something, else the defaults'.
fn named(own: Option<&String>, defaults: Option<&String>) -> Option<Arc<str>> {
    own.or(defaults).map(|name| name.as_str().into())
}

fn merged_retries(own: &Settings, defaults: &Settings) -> Option<crate::Retries> {
    let (own, other) = match (own.retries, defaults.retries) {
        (None, None) => return None,
        (own, other) => (own.unwrap_or_default(), other.unwrap_or_default()),
    };
    Some(crate::Retries {
        attempts: own.attempts.or(other.attempts),
        backoff: own.backoff.or(other.backoff),
        base: own.base.or(other.base),
        max: own.max.or(other.max),
    })
}

fn request(name: &str, own: &Settings, defaults: &Settings, schema: Option<&serde_json::Value>) -> Request {
    let format = schema.map_or(Format::Text, |schema| Format::Schema {
        name: name.to_owned(),
        description: None,
        schema: schema.clone(),
        strict: None,
    });
    Request {
        model: own.model.clone().or_else(|| defaults.model.clone()).unwrap_or_default(),
        max_tokens: own.max_tokens.or(defaults.max_tokens),
        temperature: own.temperature.clone().or_else(|| defaults.temperature.clone()),
        top_p: own.top_p.clone().or_else(|| defaults.top_p.clone()),
        stop: own.stop.clone().or_else(|| defaults.stop.clone()).unwrap_or_default(),
        format,
        ..Request::default()
    }
}

fn empty_step() -> PlannedStep {
    PlannedStep {
        name: "".into(),
        prompt: String::new(),
        system: None,
        needs: Vec::new(),
        needed_by: Vec::new(),
        priority: Priority::Normal,
        timeout: None,
        retries: None,
        task: None,
        profile: None,
        schema: None,
        request: Request::default(),
    }
}
