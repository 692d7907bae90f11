//! Reads and writes a whole chat completion.

use serde::Deserialize;
use serde_json::{Value, json};
use types::chat::{Answer, Choice, Stop};
use types::{Fault, Usage};

use super::message::{Shown, assistant_json, said};
use super::stream::stop_of;
use super::usage::{Figures, usage_json};
use crate::AnswerMeta;
use crate::fields::{Extra, Fields};
use crate::tape::Json;

/// Reads an answer. Fields that have no word in the vocabulary are passed over.
pub(crate) fn decode(body: Json<'_>) -> Result<Answer, Fault> {
    let mut fields = Fields::of(body)?;
    let mut choices = Vec::new();
    for item in fields.required("choices", Fields::items)? {
        let mut choice = Fields::of(item)?;
        let mut message = choice.required("message", Fields::object)?;
        let reason = choice.text("finish_reason")?;
        choices.push(Choice {
            parts: said(&mut message, &mut Extra::new())?,
            stop: reason.map_or(Stop::End, |reason| stop_of(&reason)),
            logprobs: choice.json("logprobs")?,
        });
    }
    Ok(Answer {
        id: fields.text("id")?.unwrap_or_default(),
        model: fields.text("model")?.unwrap_or_default(),
        choices,
        usage: fields.take("usage").and_then(usage_of),
    })
}

fn usage_of(usage: Json<'_>) -> Option<Usage> {
    let figures = Figures::deserialize(&mut serde_json::Deserializer::from_str(usage.get()));
    figures.ok().map(|figures| figures.to_usage())
}

/// Writes an answer.
pub(crate) fn encode(answer: &Answer, meta: &AnswerMeta<'_>) -> Value {
    let choice_json = |(index, choice): (usize, &Choice)| {
        let mut message = assistant_json(&choice.parts, Shown::ToCaller);
        message.entry("refusal").or_insert(Value::Null);
        json!({
            "index": index,
            "message": message,
            "logprobs": choice.logprobs,
            "finish_reason": reason(&choice.stop),
        })
    };
    let choices: Vec<_> = answer.choices.iter().enumerate().map(choice_json).collect();
    let mut body = json!({
        "id": id_of(&answer.id, meta),
        "object": "chat.completion",
        "created": meta.created.as_secs(),
        "model": meta.model,
        "choices": choices,
    });
    if let Some(usage) = &answer.usage {
        body["usage"] = usage_json(usage);
    }
    body
}

/// The provider's id of the answer, or one made from the call's.
pub(super) fn id_of(id: &str, meta: &AnswerMeta<'_>) -> String {
    if id.is_empty() { format!("chatcmpl-{}", meta.call) } else { id.to_owned() }
}

/// The `finish_reason` nearest to why the model stopped.
pub(super) fn reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Sequence(_) | Stop::Paused | Stop::Other(_) => "stop",
        Stop::Length => "length",
        Stop::ToolCalls => "tool_calls",
        Stop::Refused => "content_filter",
    }
}
