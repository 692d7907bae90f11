//! What a run gives and what it took: outputs, steps, cost, trace (E16). The JSON names are the seed's:
//! `outputs`, `steps`, `cost_analysis`, `trace_id`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use types::{CallId, Fault, Money, RunId, Timing, TraceId, Usage, UsageSource};

use crate::Machine;
use crate::machine::{Progress, Spent, StepResult};

/// Outputs by name, in the chain's order.
pub type Outputs = Map<String, Json>;

/// A run's result, also of one that failed or is still under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The run.
    pub run: RunId,
    /// Its trace.
    pub trace_id: TraceId,
    /// The chain's name.
    pub chain: String,
    /// The chain's version.
    pub version: String,
    /// How it stands.
    pub status: RunStatus,
    /// Its outputs; empty unless it succeeded.
    pub outputs: Outputs,
    /// Its steps, in the chain's order.
    pub steps: Vec<StepReport>,
    /// What it cost.
    pub cost_analysis: CostAnalysis,
    /// From start to end (so far).
    #[serde(with = "duration_ms")]
    pub wall_ms: Duration,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Under way.
    Running,
    /// All steps have finished.
    Succeeded,
    /// A step failed, or a limit was reached.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not started; in a run that is over, never.
    Waiting,
    /// Under way; in a run that is over, cut off by a kill.
    Running,
    /// Answered.
    Succeeded,
    /// Failed.
    Failed,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub status: StepStatus,
    /// The model that answered; the one asked for until then.
    pub model: String,
    /// The provider that answered.
    pub provider: String,
    /// The whole step: model, network, waiting and our own work.
    #[serde(with = "duration_ms")]
    pub latency_ms: Duration,
    /// The model's part of it: the answering attempt from first byte sent to last byte received.
    #[serde(with = "duration_ms")]
    pub api_latency_ms: Duration,
    /// The stages of the answering attempt.
    pub timing: Timing,
    /// Tokens.
    pub usage: Usage,
    /// How well they are known.
    pub usage_source: UsageSource,
    /// Cost; `None` if unknown.
    pub cost: Option<Money>,
    /// Attempts made.
    pub attempts: u16,
    /// The call in the ledger.
    pub call: Option<CallId>,
    /// Whether a simulated provider answered.
    pub simulated: bool,
    /// Whether the answer was cut off at `max_tokens`: what is there is not all.
    #[serde(default)]
    pub truncated: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
}

/// What a run cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostAnalysis {
    /// The sum of what is known.
    pub total: Money,
    /// Whether that is all: false if a price is unknown, or an attempt was cut off whose cost only the ledger
    /// tells.
    pub complete: bool,
    /// By `provider/model`.
    pub by_model: BTreeMap<String, Money>,
    /// Tokens, all steps together.
    pub usage: Usage,
    /// The limit, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Money>,
}

impl Machine {
    /// The run as it stands. Its ids and its time are the driver's.
    pub fn result(&self, run: RunId, trace_id: TraceId, wall: Duration) -> RunResult {
        let steps: Vec<StepReport> =
            self.steps().map(|(name, model, progress)| step(name, model, progress)).collect();
        let (status, outputs, error) = match self.outcome() {
            None => (RunStatus::Running, Outputs::new(), None),
            Some(Ok(outputs)) => (RunStatus::Succeeded, outputs.clone(), None),
            Some(Err(fault)) if fault.kind == types::Kind::Cancelled => {
                (RunStatus::Cancelled, Outputs::new(), Some(fault.clone()))
            }
            Some(Err(fault)) => (RunStatus::Failed, Outputs::new(), Some(fault.clone())),
        };
        let chain = self.chain();
        RunResult {
            run,
            trace_id,
            chain: chain.name().to_owned(),
            version: chain.version().to_owned(),
            status,
            outputs,
            cost_analysis: self.cost_analysis(),
            steps,
            wall_ms: wall,
            error,
        }
    }

    fn cost_analysis(&self) -> CostAnalysis {
        let mut analysis = CostAnalysis {
            total: self.cost(),
            complete: !self.lost_sight(),
            limit: self.chain().limits().cost,
            ..CostAnalysis::default()
        };
        for (_, asked, progress) in self.steps() {
            let (model, cost, usage) = match progress {
                Progress::Finished(result) => (model(result), result.cost, &result.usage),
                Progress::Failed(_, spent) if spent.attempts > 0 => {
                    (spent.model.clone().unwrap_or_else(|| asked.to_owned()), spent.cost, &spent.usage)
                }
                // What it takes is told by the ledger alone, if it was cut off, and is not known yet, if not.
                Progress::Running => {
                    analysis.complete = false;
                    continue;
                }
                Progress::Failed(..) | Progress::Waiting => continue,
            };
            analysis.usage.add(usage);
            match cost {
                Some(cost) => *analysis.by_model.entry(model).or_default() += cost,
                None => analysis.complete = false,
            }
        }
        analysis
    }
}

/// Who answered, as `provider/model`.
fn model(result: &StepResult) -> String {
    match result.provider.as_str() {
        "" => result.model.clone(),
        provider => format!("{provider}/{}", result.model),
    }
}

fn step(name: &str, model: &str, progress: &Progress) -> StepReport {
    match progress {
        Progress::Waiting => report(name, model, StepStatus::Waiting, &Spent::default()),
        Progress::Running => report(name, model, StepStatus::Running, &Spent::default()),
        Progress::Finished(result) => finished(name, result),
        Progress::Failed(fault, spent) => {
            let provider = fault.provider.clone().unwrap_or_default();
            StepReport {
                provider,
                error: Some(fault.clone()),
                ..report(name, model, StepStatus::Failed, spent)
            }
        }
    }
}

fn finished(name: &str, result: &StepResult) -> StepReport {
    StepReport {
        name: name.to_owned(),
        status: StepStatus::Succeeded,
        model: result.model.clone(),
        provider: result.provider.clone(),
        latency_ms: result.latency,
        api_latency_ms: result.api.total.unwrap_or_default(),
        timing: result.api,
        usage: result.usage,
        usage_source: result.usage_source,
        cost: result.cost,
        attempts: result.attempts,
        call: result.call,
        simulated: result.simulated,
        truncated: result.truncated,
        error: None,
    }
}

fn report(name: &str, model: &str, status: StepStatus, spent: &Spent) -> StepReport {
    StepReport {
        name: name.to_owned(),
        status,
        model: model.to_owned(),
        provider: String::new(),
        latency_ms: spent.latency,
        api_latency_ms: Duration::ZERO,
        timing: Timing::default(),
        usage: spent.usage,
        usage_source: UsageSource::None,
        cost: spent.cost,
        attempts: spent.attempts,
        call: spent.call,
        simulated: false,
        truncated: false,
        error: None,
    }
}

/// Durations as milliseconds with three decimals. Journals from before have seconds and nanoseconds apart.
pub(crate) mod duration_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Millis(f64),
        Parts(Duration),
    }

    pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of 285 years fit a double")]
        let micros = value.as_micros() as f64;
        serializer.serialize_f64(micros / 1_000.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Parts(duration) => Ok(duration),
            Written::Millis(millis) => {
                Duration::try_from_secs_f64(millis / 1_000.0).map_err(serde::de::Error::custom)
            }
        }
    }
}
