//! The spans of a run: one for the run, below it one for each step. Calls stand below their steps.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use types::{Code, Kind, RunId, Timestamp};

use super::call::{count, push_fault};
use super::exporter::{Facts, span};
use super::{Context, SpanId, names};
use crate::metrics::{RunEnd, RunStatus};

/// A finished run.
#[derive(Clone, Copy, Debug)]
pub struct RunSpan<'a> {
    /// Where the run stands: under the caller's span, or at the root.
    pub context: Context,
    /// The run; its span's id is [`SpanId::from`] it.
    pub run: RunId,
    /// The chain's name.
    pub chain: &'a str,
    /// When it began.
    pub start: Timestamp,
    /// How it ended, how long it took and what it cost.
    pub end: RunEnd,
    /// The code of what went wrong, if something did.
    pub code: Option<Code>,
}

/// A finished step of a run.
#[derive(Clone, Copy, Debug)]
pub struct StepSpan<'a> {
    /// Where the run stands, as in [`RunSpan`].
    pub context: Context,
    /// The run that the step is of.
    pub run: RunId,
    /// The step's place in the plan; its span's id is `SpanId::from(run).child(index)`.
    pub index: u32,
    /// The step's name.
    pub step: &'a str,
    /// When it began.
    pub start: Timestamp,
    /// How long it took, with all its attempts.
    pub duration: Duration,
    /// How it ended.
    pub status: RunStatus,
    /// What went wrong, if something did.
    pub fault: Option<(Kind, Code)>,
}

impl RunSpan<'_> {
    pub(super) fn span(&self) -> SpanData {
        let end = &self.end;
        let mut attributes = vec![
            KeyValue::new(names::GEN_AI_OPERATION_NAME, "invoke_workflow"),
            KeyValue::new(names::GEN_AI_WORKFLOW_NAME, self.chain.to_owned()),
            KeyValue::new(names::CHAIN_ID, self.run.to_string()),
            KeyValue::new(names::CHAIN_NAME, self.chain.to_owned()),
            KeyValue::new(names::CHAIN_STATUS, end.status.as_str()),
            KeyValue::new(names::CHAIN_STEPS, count(end.steps)),
            KeyValue::new(names::CHAIN_TOKENS, count(end.usage.total())),
        ];
        if let Some(cost) = end.cost {
            attributes.push(KeyValue::new(names::CHAIN_COST, cost.as_dollars_lossy()));
        }
        push_fault(&mut attributes, end.fault.zip(self.code));
        span(Facts {
            context: self.context,
            id: SpanId::from(self.run),
            kind: SpanKind::Server,
            name: format!("chain.{}", self.chain).into(),
            start: self.start,
            duration: end.duration,
            attributes,
            status: status(end.status, self.code),
        })
    }
}

impl StepSpan<'_> {
    pub(super) fn span(&self) -> SpanData {
        let run = SpanId::from(self.run);
        let mut attributes = vec![
            KeyValue::new(names::CHAIN_ID, self.run.to_string()),
            KeyValue::new(names::STEP_NAME, self.step.to_owned()),
            KeyValue::new(names::STEP_STATUS, self.status.as_str()),
        ];
        push_fault(&mut attributes, self.fault);
        span(Facts {
            context: self.context.under(run),
            id: run.child(self.index),
            kind: SpanKind::Internal,
            name: format!("step.{}", self.step).into(),
            start: self.start,
            duration: self.duration,
            attributes,
            status: status(self.status, self.fault.map(|(_, code)| code)),
        })
    }
}

fn status(status: RunStatus, code: Option<Code>) -> Status {
    match status {
        RunStatus::Completed => Status::Unset,
        RunStatus::Failed | RunStatus::Cancelled => Status::error(code.map_or(status.as_str(), Code::as_str)),
    }
}
