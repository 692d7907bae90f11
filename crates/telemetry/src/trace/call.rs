//! The spans of a call: one for the call, below it one for each attempt.
//!
//! Tokens are told under their GenAI names on the attempts only, so that whoever adds up a trace counts them
//! once; the call has their sums under names of ours.

use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;
use types::ledger::{Outcome, Row};
use types::{CallId, Code, Dialect, Kind, Money, Timestamp, Usage, UsageSource};

use super::exporter::{Facts, span};
use super::{Context, SpanId, names};

/// A finished call of a caller, with its attempts.
#[derive(Clone, Copy, Debug)]
pub struct CallSpan<'a> {
    /// Where the call stands: under the caller's span, or under that of a step.
    pub context: Context,
    /// The call; its span's id is [`SpanId::from`] it.
    pub call: CallId,
    /// The caller's dialect.
    pub dialect: Dialect,
    /// What the caller asked for: a route, an alias or `provider/model`.
    pub asked: &'a str,
    /// When it began.
    pub start: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, if something did.
    pub fault: Option<(Kind, Code)>,
    /// Its attempts, in their order; none if it was refused before the first.
    pub attempts: &'a [Attempt<'a>],
}

/// A finished attempt. Its span's id is `SpanId::from(call).child(attempt)`.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Its row in the ledger.
    pub row: &'a Row,
    /// The model that the provider says answered.
    pub response_model: Option<&'a str>,
    /// Why the model stopped, in the dialect's own word.
    pub finish: Option<&'a str>,
    /// Which server was asked.
    pub server: Option<Server<'a>>,
}

/// A server.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// Its name or address.
    pub address: &'a str,
    /// Its port.
    pub port: u16,
}

impl CallSpan<'_> {
    /// The call's span and those of its attempts.
    pub(super) fn spans(&self) -> impl Iterator<Item = SpanData> {
        let own = SpanId::from(self.call);
        let inside = self.context.under(own);
        std::iter::once(self.span(own)).chain(self.attempts.iter().map(move |attempt| attempt.span(inside)))
    }

    fn span(&self, own: SpanId) -> SpanData {
        let operation = operation(self.dialect);
        let mut usage = Usage::default();
        let mut cost = Some(Money::ZERO);
        for Attempt { row, .. } in self.attempts {
            usage.add(&row.usage);
            cost = sum_cost(cost, row);
        }
        let mut attributes = vec![
            KeyValue::new(names::GEN_AI_OPERATION_NAME, operation),
            KeyValue::new(names::GEN_AI_REQUEST_MODEL, self.asked.to_owned()),
            KeyValue::new(names::CALL, self.call.to_string()),
            KeyValue::new(names::DIALECT, self.dialect.as_str()),
            KeyValue::new(names::OUTCOME, self.outcome.as_str()),
            KeyValue::new(names::ATTEMPTS, whole(self.attempts.len())),
            KeyValue::new(names::RETRY_ATTEMPTS, whole(self.attempts.len().saturating_sub(1))),
            KeyValue::new(names::INPUT_TOKENS, count(usage.input)),
            KeyValue::new(names::OUTPUT_TOKENS, count(usage.output)),
        ];
        if let Some(cost) = cost {
            attributes.push(KeyValue::new(names::COST, cost.as_dollars_lossy()));
        }
        if let Some(Attempt { row, response_model, .. }) = self.attempts.last() {
            attributes.push(KeyValue::new(names::GEN_AI_PROVIDER_NAME, row.provider.clone()));
            attributes.push(KeyValue::new(names::GEN_AI_REQUEST_STREAM, row.streamed));
            if let Some(model) = response_model {
                attributes.push(KeyValue::new(names::GEN_AI_RESPONSE_MODEL, (*model).to_owned()));
            }
            push_owners(&mut attributes, row);
        }
        push_fault(&mut attributes, self.fault);
        span(Facts {
            context: self.context,
            id: own,
            kind: SpanKind::Server,
            name: format!("{operation} {}", self.asked).into(),
            start: self.start,
            duration: self.duration,
            attributes,
            status: status(self.outcome, self.fault),
        })
    }
}

impl Attempt<'_> {
    /// The attempt's span; `inside` is the context inside the call's span.
    pub(super) fn span(&self, inside: Context) -> SpanData {
        let row = self.row;
        let operation = operation(row.dialect);
        let mut attributes = vec![
            KeyValue::new(names::GEN_AI_OPERATION_NAME, operation),
            KeyValue::new(names::GEN_AI_PROVIDER_NAME, row.provider.clone()),
            KeyValue::new(names::GEN_AI_REQUEST_MODEL, row.model.clone()),
            KeyValue::new(names::GEN_AI_REQUEST_STREAM, row.streamed),
            KeyValue::new(names::CALL, row.key.call.to_string()),
            KeyValue::new(names::ATTEMPT, i64::from(row.key.attempt)),
            KeyValue::new(names::OUTCOME, row.outcome.as_str()),
            KeyValue::new(names::FALLBACK, row.fallback),
            KeyValue::new(names::SIMULATED, row.simulated),
        ];
        if let Some(seam) = row.seam {
            attributes.push(KeyValue::new(names::SEAM_BYTES, count(seam.at_bytes)));
            attributes.push(KeyValue::new(names::SEAM_HOW, seam.how.as_str()));
        }
        self.push_answer(&mut attributes);
        push_usage(&mut attributes, row);
        push_timing(&mut attributes, row);
        let fault = row.fault.zip(row.code);
        push_fault(&mut attributes, fault);
        if fault.is_none() && row.outcome != Outcome::Complete {
            attributes.push(KeyValue::new(names::ERROR_TYPE, row.outcome.as_str()));
        }
        span(Facts {
            context: inside,
            id: SpanId::from(row.key.call).child(u32::from(row.key.attempt)),
            kind: SpanKind::Client,
            name: format!("{operation} {}", row.model).into(),
            start: row.at,
            duration: row.timing.total.unwrap_or_default(),
            attributes,
            status: status(row.outcome, fault),
        })
    }

    fn push_answer(&self, attributes: &mut Vec<KeyValue>) {
        if let Some(model) = self.response_model {
            attributes.push(KeyValue::new(names::GEN_AI_RESPONSE_MODEL, model.to_owned()));
        }
        if let Some(finish) = self.finish {
            let reasons = Value::Array(Array::String(vec![finish.to_owned().into()]));
            attributes.push(KeyValue::new(names::GEN_AI_RESPONSE_FINISH_REASONS, reasons));
        }
        if let Some(server) = self.server {
            attributes.push(KeyValue::new(names::SERVER_ADDRESS, server.address.to_owned()));
            attributes.push(KeyValue::new(names::SERVER_PORT, i64::from(server.port)));
        }
        if let Some(status) = self.row.status {
            attributes.push(KeyValue::new(names::HTTP_RESPONSE_STATUS_CODE, i64::from(status)));
        }
    }
}

fn push_usage(attributes: &mut Vec<KeyValue>, row: &Row) {
    let usage = &row.usage;
    if row.usage_source != UsageSource::None {
        attributes.push(KeyValue::new(names::GEN_AI_USAGE_INPUT_TOKENS, count(usage.input)));
        attributes.push(KeyValue::new(names::GEN_AI_USAGE_OUTPUT_TOKENS, count(usage.output)));
        attributes.push(KeyValue::new(names::USAGE_SOURCE, usage_source(row.usage_source)));
    }
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    for (name, tokens) in [
        (names::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, usage.cache_read),
        (names::GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS, written),
        (names::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, usage.reasoning),
    ] {
        if tokens > 0 {
            attributes.push(KeyValue::new(name, count(tokens)));
        }
    }
    if let Some(cost) = row.cost {
        attributes.push(KeyValue::new(names::COST, cost.as_dollars_lossy()));
    }
}

fn push_timing(attributes: &mut Vec<KeyValue>, row: &Row) {
    let timing = &row.timing;
    let connect = timing
        .connect
        .map(|connect| connect + timing.dns.unwrap_or_default() + timing.tls.unwrap_or_default());
    for (name, stage) in [
        (names::CONNECT, connect),
        (names::FIRST_BYTE, timing.first_byte),
        (names::GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, timing.first_token),
    ] {
        if let Some(stage) = stage {
            attributes.push(KeyValue::new(name, stage.as_secs_f64()));
        }
    }
}

fn push_owners(attributes: &mut Vec<KeyValue>, row: &Row) {
    for (name, owner) in [(names::CALLER, &row.caller), (names::TENANT, &row.tenant)] {
        if let Some(owner) = owner {
            attributes.push(KeyValue::new(name, owner.clone()));
        }
    }
}

/// `error.type` is the kind of the taxonomy, so that it has few values; the code says more.
pub(super) fn push_fault(attributes: &mut Vec<KeyValue>, fault: Option<(Kind, Code)>) {
    if let Some((kind, code)) = fault {
        attributes.push(KeyValue::new(names::ERROR_TYPE, kind.as_str()));
        attributes.push(KeyValue::new(names::CODE, code.as_str()));
    }
}

/// The sum, or `None` as soon as one price is not known.
fn sum_cost(sum: Option<Money>, row: &Row) -> Option<Money> {
    match row.cost {
        Some(cost) => sum.map(|sum| sum + cost),
        None if row.usage_source == UsageSource::None => sum,
        None => None,
    }
}

fn status(outcome: Outcome, fault: Option<(Kind, Code)>) -> Status {
    match (outcome, fault) {
        (Outcome::Complete, _) => Status::Unset,
        (_, Some((_, code))) => Status::error(code.as_str()),
        (_, None) => Status::error(outcome.as_str()),
    }
}

const fn operation(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiEmbeddings => "embeddings",
        Dialect::OpenaiChat
        | Dialect::AnthropicMessages
        | Dialect::OpenaiResponses
        | Dialect::GeminiContent
        | Dialect::BedrockConverse => "chat",
    }
}

const fn usage_source(source: UsageSource) -> &'static str {
    match source {
        UsageSource::Reported => "reported",
        UsageSource::Counted => "counted",
        UsageSource::Estimated => "estimated",
        UsageSource::None => "none",
    }
}

/// OTLP has signed integers only.
pub(super) fn count(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

fn whole(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
