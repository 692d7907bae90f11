//! Reads and writes a whole response.
//!
//! What the official SDKs ask for is always written. Fields that repeat the request (`tools`, `instructions`,
//! `temperature`…) hold the dialect's defaults: an answer does not know what it was asked.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use types::chat::{Answer, Choice, Part, Stop};
use types::{CallId, Fault, Usage};

use super::item::{
    arguments_of, call, call_json, logprobs_json, message_json, refusal_json, text_json, thought,
    thought_json,
};
use super::usage::{Figures, usage_json};
use crate::codec::AnswerMeta;
use crate::fields::{Extra, Fields, bad};

/// Reads a response. Items that have no word in the vocabulary are passed over, like those of tools that the
/// provider ran itself; so are annotations.
pub(crate) fn decode(body: &RawValue) -> Result<Answer, Fault> {
    let mut fields = Fields::of("", body)?;
    if fields.take("error").is_some() {
        return Err(bad("error", "the response holds an error"));
    }
    let (mut parts, mut tokens) = (Vec::new(), Vec::new());
    for (path, item) in fields.required("output", Fields::items)? {
        let mut item = Fields::of(path, item)?;
        match item.required("type", Fields::text)?.as_str() {
            "message" => message(&mut item, &mut parts, &mut tokens)?,
            "function_call" => parts.push(call(&mut item)?),
            "reasoning" => parts.extend(thought(&mut item)?),
            _ => {}
        }
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let status = fields.text("status")?;
    let reason = match fields.object("incomplete_details")? {
        Some(mut details) => details.text("reason")?,
        None => None,
    };
    let stop = stop_of(status.as_deref().unwrap_or("completed"), reason.as_deref(), calls);
    let logprobs = (!tokens.is_empty()).then(|| json!({ "content": tokens }));
    Ok(Answer {
        id: fields.text("id")?.unwrap_or_default(),
        model: fields.text("model")?.unwrap_or_default(),
        choices: vec![Choice { parts, stop, logprobs }],
        usage: fields.take("usage").and_then(usage_of),
    })
}

fn message(item: &mut Fields<'_>, parts: &mut Vec<Part>, tokens: &mut Vec<Value>) -> Result<(), Fault> {
    for (path, part) in item.items("content")?.unwrap_or_default() {
        let mut part = Fields::of(path, part)?;
        match part.required("type", Fields::text)?.as_str() {
            "output_text" => {
                parts.push(Part::Text { text: part.required("text", Fields::text)? });
                if let Some(Value::Array(more)) = part.json("logprobs")? {
                    tokens.extend(more);
                }
            }
            "refusal" => parts.push(Part::Refusal { text: part.required("refusal", Fields::text)? }),
            _ => {}
        }
        part.rest(&mut Extra::new());
    }
    Ok(())
}

pub(super) fn usage_of(usage: &RawValue) -> Option<Usage> {
    let figures = Figures::deserialize(&mut serde_json::Deserializer::from_str(usage.get()));
    figures.ok().map(|figures| figures.to_usage())
}

/// Why a response ended, by its status and the reason for which it is incomplete.
pub(super) fn stop_of(status: &str, reason: Option<&str>, calls: bool) -> Stop {
    match (status, reason) {
        ("completed", _) if calls => Stop::ToolCalls,
        ("completed", _) => Stop::End,
        ("incomplete", Some("max_output_tokens")) => Stop::Length,
        ("incomplete", Some("content_filter")) => Stop::Refused,
        (status, reason) => Stop::Other(reason.unwrap_or(status).to_owned()),
    }
}

/// Names and times of a response.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// `resp_…`: the provider's, or one made from the call's.
    pub(super) id: String,
    pub(super) model: String,
    created: i64,
    call: CallId,
}

impl Frame {
    pub(super) fn new(id: &str, meta: &AnswerMeta<'_>) -> Self {
        let mut frame = Self {
            id: format!("resp_{}", meta.call),
            model: meta.model.to_owned(),
            created: meta.created.as_secs(),
            call: meta.call,
        };
        frame.take_id(id);
        frame
    }

    /// Takes the provider's id over if it is one of this dialect: others are no use to who asks for it again.
    pub(super) fn take_id(&mut self, id: &str) {
        if id.starts_with("resp_") {
            id.clone_into(&mut self.id);
        }
    }

    /// The id of the item at a place: `msg`, `fc` or `rs`.
    pub(super) fn item_id(&self, prefix: &str, place: usize) -> String {
        format!("{prefix}_{}_{place}", self.call)
    }

    /// The id by which a call of a function is answered: the provider's, or one of ours.
    pub(super) fn call_id(&self, id: &str, place: usize) -> String {
        if id.is_empty() { self.item_id("call", place) } else { id.to_owned() }
    }

    /// The response as it stands: in progress while it has not ended.
    pub(super) fn response(&self, output: Vec<Value>, stop: Option<&Stop>, usage: Option<&Usage>) -> Value {
        let reason = match stop {
            Some(Stop::Length) => Some("max_output_tokens"),
            Some(Stop::Refused) => Some("content_filter"),
            _ => None,
        };
        let mut response = json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status(stop),
            "background": false,
            "error": null,
            "incomplete_details": reason.map(|reason| json!({ "reason": reason })),
            "instructions": null,
            "max_output_tokens": null,
            "metadata": {},
            "model": self.model,
            "output": null,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "reasoning": null,
            "service_tier": null,
            "temperature": null,
            "text": null,
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": usage.map(usage_json),
            "user": null,
        });
        response["output"] = output.into();
        response
    }
}

fn status(stop: Option<&Stop>) -> &'static str {
    match stop {
        None => "in_progress",
        Some(Stop::Length | Stop::Refused) => "incomplete",
        Some(Stop::End | Stop::Sequence(_) | Stop::ToolCalls | Stop::Paused | Stop::Other(_)) => "completed",
    }
}

/// Writes the answer's first choice; there is no other in this dialect. Usage that the provider did not tell is
/// written as zero, because some SDKs ask for the field.
pub(crate) fn encode(answer: &Answer, meta: &AnswerMeta<'_>) -> Value {
    let frame = Frame::new(&answer.id, meta);
    let choice = answer.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let stop = choice.map_or(&Stop::End, |choice| &choice.stop);
    let tokens = choice.and_then(|choice| choice.logprobs.as_ref()?.get("content"));
    let output = items(&frame, parts, tokens, status(Some(stop)));
    frame.response(output, Some(stop), Some(&answer.usage.unwrap_or_default()))
}

/// The parts as items. Texts that follow each other are one message; the log-probabilities, which are those of the
/// whole answer, go with the first text. Of an answer that was cut off the last item is incomplete.
fn items(frame: &Frame, parts: &[Part], tokens: Option<&Value>, status: &str) -> Vec<Value> {
    let mut tokens = tokens.map(logprobs_json).unwrap_or_default();
    let (mut output, mut content) = (Vec::new(), Vec::new());
    let close = |output: &mut Vec<Value>, content: &mut Vec<Value>| {
        if !content.is_empty() {
            let id = frame.item_id("msg", output.len());
            output.push(message_json(&id, "completed", std::mem::take(content)));
        }
    };
    for part in parts {
        match part {
            Part::Text { text } => content.push(text_json(text, &std::mem::take(&mut tokens))),
            Part::Refusal { text } => content.push(refusal_json(text)),
            Part::ToolCall { id, name, arguments } => {
                close(&mut output, &mut content);
                let place = output.len();
                let (item, id) = (frame.item_id("fc", place), frame.call_id(id, place));
                output.push(call_json(Some((&item, "completed")), &id, name, arguments_of(arguments)));
            }
            Part::Thinking { text, signature } => {
                close(&mut output, &mut content);
                let id = frame.item_id("rs", output.len());
                output.push(thought_json(Some(&id), Some(text), signature.as_deref()));
            }
            Part::HiddenThinking { data } => {
                close(&mut output, &mut content);
                let id = frame.item_id("rs", output.len());
                output.push(thought_json(Some(&id), None, Some(data)));
            }
            Part::Image(_)
            | Part::Audio { .. }
            | Part::Document(_)
            | Part::CachePoint { .. }
            | Part::ToolResult { .. } => {}
        }
    }
    close(&mut output, &mut content);
    if status == "incomplete"
        && let Some(last) = output.last_mut()
        && last.get("status").is_some()
    {
        last["status"] = status.into();
    }
    output
}
