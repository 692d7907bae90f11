//! Writes a Chat Completions request.
//!
//! What the dialect cannot say is refused by the caller's name for it. Three things are said differently, or
//! not at all, because nothing of the answer hangs on them: cache markers (OpenAI caches by itself), the
//! reasoning of earlier turns (no field for it that every server takes), and a failed tool result, which is
//! marked by `Error: ` before its text. A budget of reasoning becomes the effort nearest to it.

use serde::Serialize;
use serde_json::{Map, Value, json};
use types::Fault;
use types::chat::{Document, Format, Message, Part, Reasoning, Request, Role, Source, Tool, ToolChoice};
use types::quirks::{MaxTokens, Quirks, ReasoningField};

use super::fieldwise::Fieldwise;
use super::message::{Shown, assistant_json, image_json};
use crate::codec::Writing;
use crate::omission::Omissions;
use crate::text::Raw;

/// Writes the request for the model that the provider calls `model`.
pub(crate) fn encode<'a>(
    request: &'a Request,
    writing: &Writing<'_>,
    omit: &mut Omissions,
) -> Result<Fieldwise<Tagged<'a>>, Fault> {
    let Writing { model, quirks, .. } = *writing;
    if request.top_k.is_some() && !quirks.top_k {
        omit.field("top_k")?;
    }
    let mut messages = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        write_turn(message, quirks, &mut messages, omit)?;
    }
    let mut body = Fieldwise::new();
    body.set("model", model.into());
    body.set("messages", messages.into());
    if !request.tools.is_empty() {
        body.set_tools(request.tools.iter().map(Tagged::of).collect());
    }
    body.set("tool_choice", request.tool_choice.as_ref().map_or(Value::Null, choice_json));
    if !request.tools.is_empty() {
        body.set("parallel_tool_calls", json!(request.parallel_tool_calls));
    }
    body.set(if reasons(model) { "max_completion_tokens" } else { "max_tokens" }, json!(request.max_tokens));
    body.set("temperature", json!(request.temperature));
    body.set("top_p", json!(request.top_p));
    body.set("top_k", json!(request.top_k.filter(|_| quirks.top_k)));
    body.set("frequency_penalty", json!(request.frequency_penalty));
    body.set("presence_penalty", json!(request.presence_penalty));
    body.set(quirks.seed, json!(request.seed));
    body.set("n", json!(request.choices.filter(|choices| *choices != 1)));
    if let Some(alternatives) = request.logprobs {
        body.set("logprobs", true.into());
        body.set("top_logprobs", if alternatives == 0 { Value::Null } else { alternatives.into() });
    }
    if !request.stop.is_empty() {
        body.set("stop", json!(request.stop));
    }
    body.set("response_format", format_json(&request.format));
    match (&request.reasoning, quirks.reasoning) {
        (Some(Reasoning::Budget(budget)), ReasoningField::Object) => {
            body.set("reasoning", json!({ "max_tokens": budget }));
        }
        (Some(Reasoning::Off), ReasoningField::Object) => body.set("reasoning", json!({ "enabled": false })),
        (reasoning, _) => body.set("reasoning_effort", json!(reasoning.as_ref().and_then(effort))),
    }
    if request.stream {
        body.set("stream", true.into());
        if request.stream_usage {
            body.set("stream_options", json!({ "include_usage": true }));
        }
    }
    body.set("user", json!(request.user));
    Ok(body)
}

/// What a server with `quirks` calls the greatest number of tokens.
pub(crate) fn max_tokens_name(model: &str, quirks: &Quirks) -> &'static str {
    match quirks.max_tokens {
        MaxTokens::New => "max_completion_tokens",
        MaxTokens::ByModel if reasons(model) => "max_completion_tokens",
        MaxTokens::ByModel | MaxTokens::Old => "max_tokens",
    }
}

/// Whether the model is one of OpenAI's that take `max_completion_tokens` only: `o1`, `o3-mini`, `gpt-5` and
/// later. Every other server knows `max_tokens`.
pub(crate) fn reasons(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    if let Some(version) = name.strip_prefix("gpt-") {
        let major = &version[..digits(version)];
        return major.parse::<u32>().is_ok_and(|major| (5..100).contains(&major));
    }
    name.strip_prefix('o').is_some_and(|rest| digits(rest) > 0)
}

pub(crate) fn effort(reasoning: &Reasoning) -> Option<&str> {
    match reasoning {
        Reasoning::Effort(effort) if effort == "max" => Some("xhigh"),
        Reasoning::Effort(effort) => Some(effort),
        Reasoning::Budget(..4_096) => Some("low"),
        Reasoning::Budget(..16_384) => Some("medium"),
        Reasoning::Budget(_) => Some("high"),
        Reasoning::Off => None,
    }
}

/// A tool as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct Tagged<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: &'a str,
    parameters: Raw<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'a> Tagged<'a> {
    fn of(tool: &'a Tool) -> Self {
        let Tool { name, description, parameters, strict, .. } = tool;
        let parameters = parameters.into();
        let function = Function { name, parameters, description: description.as_deref(), strict: *strict };
        Self { kind: "function", function }
    }
}

fn choice_json(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => "required".into(),
        ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
    }
}

fn format_json(format: &Format) -> Value {
    match format {
        Format::Text => Value::Null,
        Format::Json => json!({ "type": "json_object" }),
        Format::Schema { name, description, schema, strict } => {
            let mut inner = json!({ "name": name, "schema": schema });
            if let Some(description) = description {
                inner["description"] = json!(description);
            }
            if let Some(strict) = strict {
                inner["strict"] = json!(strict);
            }
            json!({ "type": "json_schema", "json_schema": inner })
        }
    }
}

fn write_turn(
    message: &Message,
    quirks: &Quirks,
    out: &mut Vec<Value>,
    omit: &mut Omissions,
) -> Result<(), Fault> {
    let mut turn = match message.role {
        Role::Tool => return results(message, out, omit),
        Role::Assistant => {
            if message.parts.iter().any(|part| matches!(part, Part::Image(_) | Part::Audio { .. })) {
                beyond("an image or sound in the model's own turn", omit)?;
            }
            let shown = if quirks.reasoning_back { Shown::ToServer } else { Shown::Nothing };
            assistant_json(&message.parts, shown)
        }
        Role::System | Role::User => {
            let mut turn = Map::new();
            let role = if message.role == Role::System { "system" } else { "user" };
            turn.insert("role".into(), role.into());
            turn.insert("content".into(), content_json(&message.parts, quirks.cache_control, omit)?);
            turn
        }
    };
    if let Some(name) = &message.name {
        turn.insert("name".into(), name.as_str().into());
    }
    out.push(turn.into());
    Ok(())
}

/// A single text as a string, anything else as parts.
fn content_json(parts: &[Part], with_markers: bool, omit: &mut Omissions) -> Result<Value, Fault> {
    match parts {
        [Part::Text { text }] => return Ok(text.as_str().into()),
        [Part::Text { text }, Part::CachePoint { .. }] if !with_markers => return Ok(text.as_str().into()),
        _ => {}
    }
    let mut content: Vec<Value> = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Text { text } | Part::Refusal { text } => {
                content.push(json!({ "type": "text", "text": text }));
            }
            Part::Image(image) => content.push(image_json(image)),
            Part::Audio { format, data } => {
                content.push(
                    json!({ "type": "input_audio", "input_audio": { "format": format, "data": data } }),
                );
            }
            Part::Document(document) => content.push(document_json(document, omit)?),
            Part::CachePoint { marker } => {
                if let Some(before) = content.last_mut().filter(|_| with_markers) {
                    before["cache_control"] = marker.clone();
                }
            }
            Part::ToolCall { .. }
            | Part::ToolResult { .. }
            | Part::Thinking { .. }
            | Part::HiddenThinking { .. }
            | Part::Citation(_) => {
                beyond("a tool call or reasoning outside the model's turn", omit)?;
            }
        }
    }
    Ok(content.into())
}

/// A document as a file, or, where it is plain text, as text.
fn document_json(document: &Document, omit: &mut Omissions) -> Result<Value, Fault> {
    let named = |mut file: Value| {
        if let Some(name) = &document.name {
            file["filename"] = json!(name);
        }
        json!({ "type": "file", "file": file })
    };
    Ok(match &document.source {
        Source::Inline { media_type, data } => {
            named(json!({ "file_data": format!("data:{media_type};base64,{data}") }))
        }
        Source::File { id } => named(json!({ "file_id": id })),
        Source::Text { text } => {
            let title = document.name.as_deref().map(|name| format!("{name}\n\n")).unwrap_or_default();
            json!({ "type": "text", "text": format!("{title}{text}") })
        }
        Source::Url { .. } => {
            beyond("a document by its URL", omit)?;
            json!({ "type": "text", "text": "" })
        }
    })
}

/// Turns are split differently here, so the caller's number of the turn is not known.
fn beyond(what: &str, omit: &mut Omissions) -> Result<(), Fault> {
    omit.within("messages", what)
}

/// Each result is a turn of its own here, and text only.
fn results(message: &Message, out: &mut Vec<Value>, omit: &mut Omissions) -> Result<(), Fault> {
    for part in &message.parts {
        let (id, parts, failed) = match part {
            Part::ToolResult { id, parts, failed } => (id, parts, failed),
            Part::CachePoint { .. } => continue,
            _ => {
                beyond("anything but results in a tool's turn", omit)?;
                continue;
            }
        };
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text { text: more } => text.push_str(more),
                Part::CachePoint { .. } => {}
                _ => beyond("anything but text in a tool's result", omit)?,
            }
        }
        if *failed {
            text.insert_str(0, "Error: ");
        }
        out.push(json!({ "role": "tool", "tool_call_id": id, "content": text }));
    }
    Ok(())
}
