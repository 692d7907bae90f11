//! A chain as its author said it: plain data, without places and without anything compiled.
//!
//! The file and the builder both lead here, which is why they give the same chain; it is also what is kept
//! with a run, so that the run can be resumed when the file has changed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json};
use types::{Money, Priority};

/// A whole chain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spec {
    /// Its name: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Its author's version of it; `1` unless said otherwise.
    pub version: String,
    /// What it is for.
    pub description: Option<String>,
    /// The variables that it asks for; `None` if it declares none, and every variable that its templates
    /// use is asked for.
    pub inputs: Option<Vec<Input>>,
    /// What steps use unless they say otherwise.
    pub defaults: Settings,
    /// What a run may cost and take.
    pub limits: Limits,
    /// The seed's `enable_caching`, `enable_tracing` and `log_level`, for the driver to honour.
    pub switches: Switches,
    /// The steps, in the file's order.
    pub steps: Vec<StepSpec>,
    /// Names and templates of what the run gives; every step's output if there are none.
    pub outputs: Vec<(String, String)>,
}

/// A variable that a chain asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its name, as templates use it.
    pub name: String,
    /// What it must be.
    pub kind: InputKind,
    /// What it is if it is not given.
    pub default: Option<Json>,
    /// Whether it must be given. False with a default; an optional input without one is undefined.
    pub required: bool,
    /// What it is for.
    pub description: Option<String>,
}

/// The type of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Anything.
    #[default]
    Any,
    /// Text.
    String,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// A map.
    Object,
}

impl InputKind {
    /// The words of the language and of JSON Schema.
    pub const WORDS: [(&'static str, Self); 7] = [
        ("string", Self::String),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("array", Self::Array),
        ("object", Self::Object),
        ("any", Self::Any),
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, kind)| *kind == self).map_or("any", |(word, _)| word)
    }

    /// Whether a value is of this type.
    pub fn accepts(self, value: &Json) -> bool {
        match self {
            Self::Any => true,
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// How a model is asked. `None`: as the defaults say, or the route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Model, route or `provider/model`; none at all leaves the choice to the driver.
    pub model: Option<String>,
    /// A template for the system prompt.
    pub system: Option<String>,
    /// Sampling temperature.
    pub temperature: Option<Number>,
    /// Nucleus sampling.
    pub top_p: Option<Number>,
    /// Greatest number of tokens to write.
    pub max_tokens: Option<u64>,
    /// Texts that end the answer.
    pub stop: Option<Vec<String>>,
    /// What the steps are for: a task that the gateway knows, for parameters that are not set here. `none`: not even
    /// the route's.
    pub task: Option<String>,
    /// The performance profile, in the same way.
    pub profile: Option<String>,
    /// Greatest time for one step, all attempts together.
    pub timeout: Option<Duration>,
    /// When the call is repeated.
    pub retries: Option<Retries>,
}

/// When a step's call is repeated. What is `None` is as the route says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retries {
    /// Attempts, the first included.
    pub attempts: Option<u16>,
    /// How waiting times grow.
    pub backoff: Option<Backoff>,
    /// The first wait's ceiling.
    pub base: Option<Duration>,
    /// The greatest wait.
    pub max: Option<Duration>,
}

/// How waiting times grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Doubling.
    Exponential,
    /// The same each time.
    Fixed,
}

/// What a run may cost and take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// No step starts once the known cost has reached this.
    pub cost: Option<Money>,
    /// The run ends after this long.
    pub time: Option<Duration>,
    /// Greatest number of steps at once; [`Limits::CONCURRENCY`] unless said otherwise.
    pub concurrency: Option<usize>,
}

impl Limits {
    /// Steps at once unless said otherwise.
    pub const CONCURRENCY: usize = 16;
}

/// The seed's switches. The machine does not act on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switches {
    /// `enable_caching`: whether answers may come from the cache.
    pub caching: Option<bool>,
    /// `enable_tracing`: whether the run is traced.
    pub tracing: Option<bool>,
    /// `log_level`: `debug`, `info`, `warn` or `error`, in small letters.
    pub log_level: Option<String>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepSpec {
    /// Its name, once in a chain.
    pub name: String,
    /// The template of the prompt.
    pub prompt: String,
    /// How the model is asked, where it differs from the defaults.
    pub settings: Settings,
    /// Steps that must have finished before, besides those that the templates name.
    pub after: Vec<String>,
    /// Which of the ready steps starts first.
    pub priority: Priority,
    /// JSON Schema that the answer must fit.
    pub schema: Option<Json>,
}

/// Most steps that a chain may have.
pub const MAX_STEPS: usize = 1_000;
