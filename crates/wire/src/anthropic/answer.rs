//! Reads and writes a whole message.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use types::chat::{Answer, Choice, Part, Stop};
use types::{Dialect, Fault, Usage};

use super::block::{Block, content, input};
use super::cited;
use super::stream::stop_of;
use super::usage::{Figures, usage_json};
use crate::AnswerMeta;
use crate::fields::{Extra, Fields};
use crate::piece::{Str, count};
use crate::signature;
use crate::tape::Json;
use crate::text::Raw;

/// Reads an answer. Fields that have no word in the vocabulary are passed over.
pub(crate) fn decode(body: Json<'_>) -> Result<Answer, Fault> {
    let mut fields = Fields::of(body)?;
    let parts = content(fields.required("content", Fields::value)?, &mut Extra::new())?;
    let (reason, sequence) = (fields.text("stop_reason")?, fields.text("stop_sequence")?);
    let stop = reason
        .map_or(Stop::End, |reason| stop_of(&reason, sequence.map(|sequence| Str(Cow::Owned(sequence)))));
    Ok(Answer {
        id: fields.text("id")?.unwrap_or_default(),
        model: fields.text("model")?.unwrap_or_default(),
        choices: vec![Choice { parts, stop, logprobs: None }],
        usage: fields.take("usage").and_then(usage_of),
    })
}

fn usage_of(usage: Json<'_>) -> Option<Usage> {
    let figures = Figures::deserialize(&mut serde_json::Deserializer::from_str(usage.get()));
    figures.ok().map(Figures::to_usage)
}

/// An answer as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct Body<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    usage: Value,
}

/// The answer's first choice; there is no other in this dialect. Usage that the provider did not tell is
/// written as zero, because the field has to be there.
pub(crate) fn encode<'a>(answer: &'a Answer, meta: &AnswerMeta<'a>) -> Body<'a> {
    let choice = answer.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let stop = choice.map_or(&Stop::End, |choice| &choice.stop);
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let refused = parts.iter().any(|part| matches!(part, Part::Refusal { .. }));
    let id = if answer.id.is_empty() {
        Cow::Owned(format!("msg_{}", meta.call))
    } else {
        Cow::Borrowed(&*answer.id)
    };
    Body {
        id,
        kind: "message",
        role: "assistant",
        model: meta.model,
        content: blocks(parts),
        stop_reason: reason(stop, calls, refused),
        stop_sequence: sequence(stop),
        usage: usage_json(&answer.usage.unwrap_or_default()),
    }
}

fn blocks(parts: &[Part]) -> Vec<Block<'_>> {
    let mut cited = Vec::new();
    cited.extend(parts.iter().filter_map(|part| match part {
        Part::Citation(citation) => Some(citation),
        _ => None,
    }));
    let (mut out, mut before) = (Vec::with_capacity(parts.len()), 0);
    for part in parts {
        match part {
            Part::Text { text } if !cited.is_empty() => {
                cited::blocks(text, before, &cited, &mut out);
                before += count(text);
            }
            part => out.extend(block(part)),
        }
    }
    out
}

fn block(part: &Part) -> Option<Block<'_>> {
    Some(match part {
        Part::Text { text } if text.is_empty() => return None,
        Part::Text { text } | Part::Refusal { text } => Block::text(text),
        Part::Thinking { text, signature } => {
            let signature = signature::shown_or_nobody(Dialect::AnthropicMessages, signature.as_deref());
            Block::Thinking { thinking: text, signature }
        }
        Part::HiddenThinking { data } => {
            Block::RedactedThinking { data: signature::shown(Dialect::AnthropicMessages, data) }
        }
        Part::ToolCall { id, name, arguments } => {
            let input = input(arguments)
                .or_else(|| Some(Raw(Cow::Owned(serde_json::json!({ INVALID: arguments }).to_string()))))?;
            Block::ToolUse { id, name, input, cache_control: None }
        }
        Part::Image(_)
        | Part::Audio { .. }
        | Part::Document(_)
        | Part::CachePoint { .. }
        | Part::Citation(_)
        | Part::ToolResult { .. } => return None,
    })
}

/// Under this key stands the text of arguments that are not the JSON object they should be: the dialect has
/// no other place for what such a model wrote.
pub(crate) const INVALID: &str = "invalid_json";

/// The `stop_reason` nearest to why the model stopped. Where that was an ordinary end, it is told here that
/// the model called tools or refused: some servers say `stop` in either case.
pub(crate) fn reason(stop: &Stop, calls: bool, refused: bool) -> &'static str {
    match stop {
        Stop::End if calls => "tool_use",
        Stop::End if refused => "refusal",
        Stop::End | Stop::Other(_) => "end_turn",
        Stop::Sequence(_) => "stop_sequence",
        Stop::Length => "max_tokens",
        Stop::ToolCalls => "tool_use",
        Stop::Refused => "refusal",
        Stop::Paused => "pause_turn",
    }
}

/// The stop text, where it is known.
pub(crate) fn sequence(stop: &Stop) -> Option<&str> {
    match stop {
        Stop::Sequence(sequence) => sequence.as_deref(),
        _ => None,
    }
}
