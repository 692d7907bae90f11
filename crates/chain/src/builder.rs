//! Chains from Rust: the same [`Spec`] that a file leads to.

use std::time::Duration;

use document::Report;
use serde_json::{Number, Value as Json};
use types::{Money, Priority};

use crate::Chain;
use crate::parse::short_step;
use crate::spec::{Input, InputKind, Limits, Retries, Settings, Spec, StepSpec};

/// A chain in the making; see [`Chain::builder`].
///
/// ```
/// use chain::{Chain, Step};
///
/// let chain = Chain::builder("research")
///     .input("topic")
///     .step(Step::prompt("summary", "Summarize {{ topic }}").model("local/smollm2"))
///     .step(Step::prompt("use", "One use of {{ steps.summary }}").after(["summary"]))
///     .output("report", "{{ steps.use }}")
///     .build()?;
/// assert_eq!(chain.steps().len(), 2);
/// # Ok::<(), chain::Report>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ChainBuilder(Spec);

/// A step in the making.
#[derive(Clone, Debug)]
#[must_use]
pub struct Step(StepSpec);

impl ChainBuilder {
    pub(crate) fn new(name: String) -> Self {
        Self(Spec { name, version: "1".to_owned(), ..Spec::default() })
    }

    /// The author's version of the chain.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.0.version = version.into();
        self
    }

    /// What the chain is for.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.0.description = Some(text.into());
        self
    }

    /// Declares a variable of any type that must be given.
    pub fn input(self, name: impl Into<String>) -> Self {
        self.typed_input(name, InputKind::Any)
    }

    /// Declares a variable of a type that must be given.
    pub fn typed_input(mut self, name: impl Into<String>, kind: InputKind) -> Self {
        let input = Input { name: name.into(), kind, default: None, required: true, description: None };
        self.0.inputs.get_or_insert_default().push(input);
        self
    }

    /// Declares a variable with a default.
    pub fn input_or(mut self, name: impl Into<String>, kind: InputKind, default: impl Into<Json>) -> Self {
        let default = Some(default.into());
        let input = Input { name: name.into(), kind, default, required: false, description: None };
        self.0.inputs.get_or_insert_default().push(input);
        self
    }

    /// What steps use unless they say otherwise.
    pub fn defaults(mut self, settings: Settings) -> Self {
        self.0.defaults = settings;
        self
    }

    /// The model of steps that name none.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.0.defaults.model = Some(model.into());
        self
    }

    /// All limits at once.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// No step starts once the known cost has reached this.
    pub const fn cost_limit(mut self, cost: Money) -> Self {
        self.0.limits.cost = Some(cost);
        self
    }

    /// The run ends after this long.
    pub const fn time_limit(mut self, time: Duration) -> Self {
        self.0.limits.time = Some(time);
        self
    }

    /// Greatest number of steps at once.
    pub const fn concurrency(mut self, steps: usize) -> Self {
        self.0.limits.concurrency = Some(steps);
        self
    }

    /// Adds a step.
    pub fn step(mut self, step: Step) -> Self {
        self.0.steps.push(step.0);
        self
    }

    /// The short form: steps `step_1`, `step_2` …, each after the one before.
    pub fn prompts<P: Into<String>>(mut self, prompts: impl IntoIterator<Item = P>) -> Self {
        for prompt in prompts {
            let step = short_step(self.0.steps.len(), prompt.into());
            self.0.steps.push(step);
        }
        self
    }

    /// Adds an output; without any, a run gives every step's answer.
    pub fn output(mut self, name: impl Into<String>, template: impl Into<String>) -> Self {
        self.0.outputs.push((name.into(), template.into()));
        self
    }

    /// Checks everything and tells all problems at once.
    pub fn build(self) -> Result<Chain, Report> {
        Chain::from_spec(self.0)
    }
}

impl Step {
    /// A step that asks a model.
    pub fn prompt(name: impl Into<String>, prompt: impl Into<String>) -> Self {
        Self(StepSpec { name: name.into(), prompt: prompt.into(), ..StepSpec::default() })
    }

    /// Model, route or `provider/model`.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.0.settings.model = Some(model.into());
        self
    }

    /// A template for the system prompt.
    pub fn system(mut self, system: impl Into<String>) -> Self {
        self.0.settings.system = Some(system.into());
        self
    }

    /// Sampling temperature; not-a-number and infinities are left out.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.0.settings.temperature = Number::from_f64(temperature);
        self
    }

    /// Nucleus sampling; not-a-number and infinities are left out.
    pub fn top_p(mut self, top_p: f64) -> Self {
        self.0.settings.top_p = Number::from_f64(top_p);
        self
    }

    /// Greatest number of tokens to write.
    pub const fn max_tokens(mut self, tokens: u64) -> Self {
        self.0.settings.max_tokens = Some(tokens);
        self
    }

    /// Texts that end the answer.
    pub fn stop<S: Into<String>>(mut self, texts: impl IntoIterator<Item = S>) -> Self {
        self.0.settings.stop = Some(texts.into_iter().map(Into::into).collect());
        self
    }

    /// What the step is for: `chat`, `code`, `analysis`, `creative` or a task of the gateway's configuration. Sets
    /// parameters that the step does not set itself.
    pub fn task(mut self, task: impl Into<String>) -> Self {
        self.0.settings.task = Some(task.into());
        self
    }

    /// The performance profile: `speed_optimized`, `adaptive` or another that the gateway knows. Likewise.
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.0.settings.profile = Some(profile.into());
        self
    }

    /// Greatest time for the step, all attempts together.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.0.settings.timeout = Some(timeout);
        self
    }

    /// When the call is repeated.
    pub const fn retries(mut self, retries: Retries) -> Self {
        self.0.settings.retries = Some(retries);
        self
    }

    /// Steps that must have finished before, besides those that the templates name.
    pub fn after<S: Into<String>>(mut self, steps: impl IntoIterator<Item = S>) -> Self {
        self.0.after.extend(steps.into_iter().map(Into::into));
        self
    }

    /// Which of the ready steps starts first.
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.0.priority = priority;
        self
    }

    /// JSON Schema that the answer must fit.
    pub fn schema(mut self, schema: Json) -> Self {
        self.0.schema = Some(schema);
        self
    }
}
