//! What happens to a run, and what it asks for. Events are serialized into the journal: fields are only ever
//! added, with defaults.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::chat::Request;
use types::{CallId, Fault, Money, Priority, Timing, Usage, UsageSource};

use crate::Inputs;
use crate::report::{Outputs, duration_ms};
use crate::spec::Retries;

/// Something that happened. Steps are named by their places in the chain, from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began.
    Started {
        /// Its variables.
        inputs: Inputs,
    },
    /// A step's call began.
    StepStarted {
        /// Which step.
        step: usize,
        /// Its call, if it is known by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<CallId>,
    },
    /// A step answered.
    StepFinished {
        /// Which step.
        step: usize,
        /// Its answer and what it took.
        result: Arc<StepResult>,
    },
    /// A step's call failed, after all its attempts.
    StepFailed {
        /// Which step.
        step: usize,
        /// Why.
        fault: Fault,
        /// What it took all the same.
        #[serde(default)]
        spent: Spent,
    },
    /// Somebody cancelled the run.
    Cancelled,
    /// The run's time limit passed.
    DeadlinePassed,
}

/// A step's answer and what it took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepResult {
    /// What the model wrote.
    pub text: String,
    /// The JSON in it, for a step with a schema: what [`crate::Chain::read_answer`] made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
    /// The model that answered, as its provider names it.
    pub model: String,
    /// The configured name of the provider.
    pub provider: String,
    /// Tokens, all attempts together.
    pub usage: Usage,
    /// How well they are known.
    pub usage_source: UsageSource,
    /// Cost, all attempts together; `None` if a price is unknown.
    pub cost: Option<Money>,
    /// The whole step, waiting and repeating included; milliseconds in JSON.
    #[serde(rename = "latency_ms", alias = "latency", with = "duration_ms")]
    pub latency: Duration,
    /// The stages of the attempt that answered.
    pub api: Timing,
    /// Attempts made.
    pub attempts: u16,
    /// The call in the ledger.
    pub call: Option<CallId>,
    /// Whether a simulated provider answered.
    pub simulated: bool,
    /// Whether the answer was cut off at `max_tokens`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What a failed call took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// The model that was asked last, as `provider/model`, if any was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Attempts made.
    pub attempts: u16,
    /// Known cost.
    pub cost: Option<Money>,
    /// Tokens.
    pub usage: Usage,
    /// How long it took, from when the step was begun.
    #[serde(rename = "latency_ms", with = "duration_ms", skip_serializing_if = "Duration::is_zero")]
    pub latency: Duration,
    /// The call in the ledger.
    pub call: Option<CallId>,
}

/// What the driver is to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Ask a model for a step, then say [`Event::StepFinished`] or [`Event::StepFailed`].
    Call(Box<StepCall>),
    /// The run is over: journal what has happened and tell whoever waits. The last command of a run.
    Finish(Result<Outputs, Fault>),
}

/// One step's call.
#[derive(Clone, Debug)]
pub struct StepCall {
    /// Which step.
    pub step: usize,
    /// Its name.
    pub name: Arc<str>,
    /// What to ask. An empty model leaves the choice to the driver.
    pub request: Request,
    /// Greatest time for it, all attempts together.
    pub timeout: Option<Duration>,
    /// When to repeat it, where the chain says.
    pub retries: Option<Retries>,
    /// What it is for, where the chain says: a task that the gateway knows.
    pub task: Option<Arc<str>>,
    /// The performance profile, where the chain says.
    pub profile: Option<Arc<str>>,
    /// How much it matters.
    pub priority: Priority,
}
