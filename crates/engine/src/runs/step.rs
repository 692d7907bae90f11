//! One step of a run, as a call on the call path: it shares plans, limits, retries and the ledger.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use chain::{Backoff, Event, Retries, Spent, StepCall, StepResult};
use config::Resolved;
use policy::retry;
use tokio_util::sync::CancellationToken;
use types::chat::{Choice, Part, Stop};
use types::{Code, Dialect, Fault, Kind, RunId};
use upstream::clock;

use crate::call::{Answered, Head, Inbound, Refusal, Step, Whole};
use crate::{Engine, Who};

/// What the steps of a run share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) chain: Arc<chain::Chain>,
    pub(super) run: RunId,
    pub(super) context: telemetry::trace::Context,
    pub(super) who: Who,
    /// The model of steps that name none.
    pub(super) model: Option<String>,
    /// Whether they are to end.
    pub(super) cut: Cut,
}

/// Ends the steps under way, each with what it has come to.
#[derive(Debug, Default)]
pub(super) struct Cut {
    why: Arc<OnceLock<Fault>>,
    now: CancellationToken,
}

impl Cut {
    /// From here on no step waits for anything.
    pub(super) fn now(&self, why: Fault) {
        // The first reason stays.
        let _ = self.why.set(why);
        self.now.cancel();
    }
}

impl Shared {
    /// Asks a model for a step: the event that its end is.
    pub(super) async fn ask(self: Arc<Self>, call: Box<StepCall>) -> Event {
        let began = clock::now();
        let step = call.step;
        let answer = {
            let mut answer = pin!(self.answer(&call));
            let mut cut = pin!(self.cut.now.cancelled());
            let mut waits = true;
            poll_fn(|cx| {
                // Only to be woken by it: the call sees for itself that it is to end.
                waits = waits && cut.as_mut().poll(cx).is_pending();
                answer.as_mut().poll(cx)
            })
            .await
        };
        match answer {
            Ok(mut result) => {
                result.latency = clock::now() - began;
                Event::StepFinished { step, result: Arc::new(result) }
            }
            Err((fault, spent)) => {
                let spent = Spent { latency: clock::now() - began, ..spent };
                Event::StepFailed { step, fault, spent }
            }
        }
    }

    async fn answer(&self, call: &StepCall) -> Result<StepResult, (Fault, Spent)> {
        let unsent = |fault| (fault, Spent::default());
        let model = self.model(call).map_err(unsent)?;
        let inbound = self.inbound(call, &model).map_err(unsent)?;
        let whole = match self.engine.call(inbound).await {
            Ok(Answered::Whole(whole)) => whole,
            Ok(Answered::Stream(_)) => {
                return Err(unsent(Fault::internal("a step's answer came as a stream")));
            }
            Err(Refusal { call, attempts, cost, fault, .. }) => {
                let model = self.asked(&model, &fault);
                return Err((fault, Spent { attempts, cost, call: Some(call), model, ..Spent::default() }));
            }
        };
        self.read(call.step, &whole).map_err(|fault| {
            let Whole { about, settled, cost, .. } = &whole;
            let (attempts, usage) = (about.attempts, settled.usage);
            let model = Some(format!("{}/{}", about.provider, about.model));
            (fault, Spent { attempts, cost: *cost, usage, call: Some(about.call), model, ..Spent::default() })
        })
    }

    /// The model behind a name that was asked last, as `provider/model`.
    fn asked(&self, name: &str, fault: &Fault) -> Option<String> {
        match self.engine.config().resolve(name)? {
            Resolved::Model(target) => Some(target.to_string()),
            Resolved::Route(route) => {
                let provider = fault.provider.as_deref()?;
                let mut targets = route.targets.iter().rev();
                targets.find(|target| target.provider == provider).map(ToString::to_string)
            }
        }
    }

    /// What the step asks for: the model of its own, the run's, or the first that is configured.
    fn model(&self, call: &StepCall) -> Result<String, Fault> {
        let named = Some(call.request.model.as_str()).filter(|model| !model.is_empty());
        let named = named.or(self.model.as_deref()).map(str::to_owned);
        named.or_else(|| self.engine.default_model()).ok_or_else(|| {
            let message = format!("the step `{}` names no model, and none is configured", call.name);
            Fault::invalid(Code::UnknownModel, "model", message)
                .with_hint("set `defaults.model` in the chain")
        })
    }

    fn inbound(&self, call: &StepCall, model: &str) -> Result<Inbound, Fault> {
        let writing = wire::Writing::plain(Dialect::OpenaiChat, model);
        let body: Bytes = wire::encode_request(&call.request, &writing)?.body.joined().clone();
        let span =
            telemetry::trace::SpanId::from(self.run).child(u32::try_from(call.step).unwrap_or(u32::MAX));
        let config = self.engine.config();
        let plan_retry = call.retries.as_ref().map(|retries| policy(retries, config.defaults.retry.usual()));
        Ok(Inbound {
            dialect: Dialect::OpenaiChat,
            body,
            head: Head {
                deadline: call.timeout,
                task: call.task.clone(),
                profile: call.profile.clone(),
                trace: Some(self.context.under(span)),
                step: Some(Step {
                    run: self.run,
                    name: Arc::clone(&call.name),
                    who: self.who.clone(),
                    retry: plan_retry,
                    ended: Arc::clone(&self.cut.why),
                }),
                ..Head::default()
            },
        })
    }

    fn read(&self, step: usize, whole: &Whole) -> Result<StepResult, Fault> {
        let answer = wire::decode_answer(Dialect::OpenaiChat, &whole.body)?;
        let Some(Choice { parts, stop, .. }) = answer.choices.into_iter().next() else {
            return Err(Fault::new(
                Kind::InvalidResponse,
                Code::BadAnswer,
                "the model's answer has no choice",
            ));
        };
        let text: String = parts.iter().filter_map(said).collect();
        if stop == Stop::Refused {
            return Err(Fault::new(
                Kind::Permanent,
                Code::ContentFiltered,
                "the provider refused the step's prompt",
            ));
        }
        let value = self.chain.read_answer(step, &text).map_err(|fault| match stop {
            // The cause, not its symptom.
            Stop::Length => fault.with_hint("the answer was cut off at max_tokens: raise it for this step"),
            _ => fault,
        })?;
        let Whole { about, settled, cost, .. } = whole;
        Ok(StepResult {
            text,
            value,
            model: about.model.to_string(),
            provider: about.provider.to_string(),
            usage: settled.usage,
            usage_source: settled.source,
            cost: *cost,
            api: settled.timing,
            attempts: about.attempts,
            call: Some(about.call),
            simulated: about.simulated,
            truncated: stop == Stop::Length,
            ..StepResult::default()
        })
    }
}

fn said(part: &Part) -> Option<&str> {
    match part {
        Part::Text { text, .. } | Part::Refusal { text } => Some(text),
        Part::Image(_)
        | Part::Audio { .. }
        | Part::Document(_)
        | Part::CachePoint { .. }
        | Part::ToolCall { .. }
        | Part::ToolResult { .. }
        | Part::Thinking { .. }
        | Part::HiddenThinking { .. }
        | Part::Citation(_) => None,
    }
}

/// A step's own policy: what it leaves open is as everywhere.
fn policy(retries: &Retries, usual: &retry::Policy) -> retry::Policy {
    retry::Policy {
        attempts: retries.attempts.unwrap_or(usual.attempts),
        backoff: match retries.backoff {
            Some(Backoff::Exponential) => retry::Backoff::Exponential,
            Some(Backoff::Fixed) => retry::Backoff::Fixed,
            None => usual.backoff,
        },
        base: retries.base.unwrap_or(usual.base),
        max: retries.max.unwrap_or(usual.max),
    }
}
