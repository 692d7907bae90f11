//! A checked chain: everything compiled once, shared by all its runs.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use document::{Problems, Report, Source};
use types::chat::{Format, Request};
use types::{Code, Priority};

use crate::answer::Schema;
use crate::builder::ChainBuilder;
use crate::check;
use crate::parse::Places;
use crate::spec::{Input, Limits, Retries, Spec};
use crate::template::Templates;

/// A chain that can be run. Cheap to share in an `Arc`; holds nothing of any run.
pub struct Chain {
    pub(crate) spec: Arc<Spec>,
    /// The file's name, for messages about variables.
    pub(crate) file: String,
    pub(crate) inputs: Vec<Declared>,
    pub(crate) steps: Vec<PlannedStep>,
    pub(crate) names: Arc<HashMap<String, usize>>,
    pub(crate) templates: Templates,
    pub(crate) outputs: Vec<(String, Planning)>,
}

/// A variable and the line that asks for it (0 if the chain was built).
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) input: Input,
    pub(crate) line: u32,
}

/// How an output comes about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Planning {
    /// A step's whole answer.
    Step(usize),
    /// The value of one expression.
    Expression(String),
    /// The text of the template with this name.
    Template(String),
}

/// A step, ready to be run.
#[derive(Debug)]
pub struct PlannedStep {
    pub(crate) name: Arc<str>,
    pub(crate) prompt: String,
    pub(crate) system: Option<String>,
    pub(crate) needs: Vec<usize>,
    pub(crate) needed_by: Vec<usize>,
    pub(crate) priority: Priority,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<Retries>,
    pub(crate) task: Option<Arc<str>>,
    pub(crate) profile: Option<Arc<str>>,
    pub(crate) schema: Option<Schema>,
    /// The request without its messages.
    pub(crate) request: Request,
}

impl PlannedStep {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model it asks for; empty if the chain names none.
    pub fn model(&self) -> &str {
        &self.request.model
    }

    /// The steps that must have finished before it starts, by their places, in order: named in its templates
    /// or in `after`.
    pub fn needs(&self) -> &[usize] {
        &self.needs
    }

    /// The steps that wait for it.
    pub fn needed_by(&self) -> &[usize] {
        &self.needed_by
    }

    /// Which of the ready steps starts first.
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// Whether its answer must be JSON of a schema.
    pub const fn has_schema(&self) -> bool {
        matches!(self.request.format, Format::Schema { .. })
    }
}

impl Chain {
    /// Starts a chain in Rust.
    pub fn builder(name: impl Into<String>) -> ChainBuilder {
        ChainBuilder::new(name.into())
    }

    /// Checks a chain that was built, or was kept with a run.
    pub fn from_spec(spec: Spec) -> Result<Self, Report> {
        let name = spec.name.clone();
        let source = Source { name: &name, text: "" };
        let problems = Problems::new(source, Code::BadChain.as_str());
        let chain = check::check(spec, &Places::default(), &problems);
        let report = |problems: Problems<'_>| problems.into_report();
        match chain {
            Some(chain) if problems.errors() == 0 => Ok(chain),
            _ => Err(report(problems)),
        }
    }

    /// What its author said: to be kept with a run, compared or shown.
    pub const fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Its author's version.
    pub fn version(&self) -> &str {
        &self.spec.version
    }

    /// What its runs may cost and take.
    pub fn limits(&self) -> &Limits {
        &self.spec.limits
    }

    /// The steps, in the file's order.
    pub fn steps(&self) -> &[PlannedStep] {
        &self.steps
    }

    /// The variables that it asks for, declared or found in its templates.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().map(|declared| &declared.input)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("name", &self.spec.name)
            .field("steps", &self.steps.len())
            .finish_non_exhaustive()
    }
}
