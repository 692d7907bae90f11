//! Writes a Responses request.
//!
//! What the dialect cannot say is refused by the caller's name for it. The answer is not to be kept by the provider
//! (`store` is false), so reasoning is asked for in its encrypted form, which the caller sends back. Reasoning of
//! earlier turns goes along if a provider of this dialect vouched for it, and without that only to a server that takes it
//! ([`types::Quirks::reasoning_back`]). Cache points are left out, since OpenAI caches by itself; a failed tool
//! result is marked by `Error: ` before its text; tools are not strict unless the caller said so, which is not what
//! holds in this dialect where nothing is said.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use types::chat::{Format, Message, Part, Reasoning, Request, Role, Tool, ToolChoice};
use types::{Dialect, Fault, Quirks};

use super::content::content_json;
use super::item::arguments_of;
use super::item_out::{Content, Item};
use crate::codec::Writing;
use crate::omission::Omissions;
use crate::openai::fieldwise::Fieldwise;
use crate::openai::request_out::{effort, reasons};
use crate::signature::own;
use crate::text::Raw;

/// Whether a field of another dialect that has no word in the vocabulary is said here nevertheless: `verbosity`,
/// which only OpenAI's two dialects know, and hints that the other dialects may leave out.
pub(crate) fn carries(name: &str, value: &RawValue) -> bool {
    name == "verbosity" || place_of(name, value).is_some()
}

/// Object and name under which such a field stands here.
fn place_of(name: &str, value: &RawValue) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "verbosity" | "text.verbosity" => ("text", "verbosity"),
        "reasoning.summary" => ("reasoning", "summary"),
        "prompt_cache_key" => ("", "prompt_cache_key"),
        "prompt_cache_retention" => ("", "prompt_cache_retention"),
        "truncation" => ("", "truncation"),
        "service_tier" if matches!(value.get(), r#""flex""# | r#""priority""#) => ("", "service_tier"),
        _ => return None,
    })
}

/// Writes the request.
pub(crate) fn encode<'a>(
    request: &'a Request,
    writing: &Writing<'_>,
    omit: &mut Omissions,
) -> Result<Fieldwise<Function<'a>>, Fault> {
    let Writing { model, quirks, .. } = *writing;
    unsaid(request, omit)?;
    let (instructions, turns) = match request.messages.split_first() {
        Some((first, rest)) if first.role == Role::System => match one_text(&first.parts) {
            Some(text) => (Some(text), rest),
            None => (None, &request.messages[..]),
        },
        _ => (None, &request.messages[..]),
    };
    let mut input = Vec::with_capacity(turns.len());
    for message in turns {
        write_turn(message, quirks, &mut input, omit)?;
    }
    let mut body = Fieldwise::new();
    body.set("model", model.into());
    body.set("instructions", json!(instructions));
    body.set("input", input.into());
    if !request.tools.is_empty() {
        body.set_tools(request.tools.iter().map(Function::of).collect());
        body.set("parallel_tool_calls", json!(request.parallel_tool_calls));
    }
    body.set(
        "tool_choice",
        request.tool_choice.as_ref().map_or(Value::Null, |choice| choice_json(choice, quirks)),
    );
    body.set("max_output_tokens", json!(request.max_tokens));
    body.set("temperature", json!(request.temperature));
    body.set("top_p", json!(request.top_p));
    let thinks = matches!(request.reasoning, Some(Reasoning::Effort(_) | Reasoning::Budget(_)));
    let mut include = Vec::new();
    if thinks || (request.reasoning.is_none() && reasons(model)) {
        include.push("reasoning.encrypted_content");
    }
    if let Some(alternatives) = request.logprobs {
        include.push("message.output_text.logprobs");
        body.set("top_logprobs", json!(alternatives));
    }
    if !include.is_empty() {
        body.set("include", json!(include));
    }
    body.set(
        "reasoning",
        request.reasoning.as_ref().and_then(effort).map_or(Value::Null, |effort| json!({ "effort": effort })),
    );
    body.set("text", format_json(&request.format));
    if request.stream {
        body.set("stream", true.into());
    }
    body.set("store", false.into());
    body.set("user", json!(request.user));
    carry(request, &mut body);
    Ok(body)
}

/// What has no word here.
fn unsaid(request: &Request, omit: &mut Omissions) -> Result<(), Fault> {
    omit.settings(request, &["top_k", "frequency_penalty", "presence_penalty", "seed", "n", "stop"])?;
    for (place, message) in request.messages.iter().enumerate() {
        if message.name.is_some() {
            omit.field(&format!("messages[{place}].name"))?;
        }
    }
    Ok(())
}

fn carry(request: &Request, body: &mut Fieldwise<Function<'_>>) {
    for (name, value) in &request.extra {
        let Some((object, name)) = place_of(name, value) else { continue };
        let Ok(value) = serde_json::from_str::<Value>(value.get()) else { continue };
        if object.is_empty() {
            body.set(name, value);
        } else {
            body.set_within(object, name, value);
        }
    }
}

/// The text, if there is nothing but one.
fn one_text(parts: &[Part]) -> Option<&str> {
    match parts {
        [Part::Text { text }] | [Part::Text { text }, Part::CachePoint { .. }] => Some(text),
        _ => None,
    }
}

/// A tool as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct Function<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    parameters: Raw<'a>,
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

impl<'a> Function<'a> {
    fn of(tool: &'a Tool) -> Self {
        let Tool { name, description, parameters, strict, .. } = tool;
        let (description, strict) = (description.as_deref(), strict.unwrap_or_default());
        Self { kind: "function", name, parameters: parameters.into(), strict, description }
    }
}

fn choice_json(choice: &ToolChoice, quirks: &Quirks) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => quirks.some_tool.into(),
        ToolChoice::Named(name) => json!({ "type": "function", "name": name }),
    }
}

fn format_json(format: &Format) -> Value {
    let format = match format {
        Format::Text => return Value::Null,
        Format::Json => json!({ "type": "json_object" }),
        Format::Schema { name, description, schema, strict } => {
            let mut format = json!({ "type": "json_schema", "name": name, "schema": schema });
            if let Some(description) = description {
                format["description"] = json!(description);
            }
            if let Some(strict) = strict {
                format["strict"] = json!(strict);
            }
            format
        }
    };
    json!({ "format": format })
}

fn write_turn(
    message: &Message,
    quirks: &Quirks,
    out: &mut Vec<Value>,
    omit: &mut Omissions,
) -> Result<(), Fault> {
    match message.role {
        Role::Assistant => said(&message.parts, quirks, out, omit)?,
        Role::Tool => results(&message.parts, out, omit)?,
        Role::System | Role::User => {
            let role = if message.role == Role::System { "system" } else { "user" };
            let content = content_json(&message.parts, omit)?;
            out.push(json!({ "type": "message", "role": role, "content": content }));
        }
    }
    Ok(())
}

/// The model's own turn as items in its order: texts that follow each other are one message.
fn said(parts: &[Part], quirks: &Quirks, out: &mut Vec<Value>, omit: &mut Omissions) -> Result<(), Fault> {
    let mut content = Vec::new();
    let flush = |content: &mut Vec<Content<'_>>, out: &mut Vec<Value>| {
        if !content.is_empty() {
            out.push(json!({ "type": "message", "role": "assistant", "content": std::mem::take(content) }));
        }
    };
    for part in parts {
        match part {
            Part::Text { text } if text.is_empty() => {}
            Part::Text { text } => content.push(Content::text(text, &[][..])),
            Part::Refusal { text } => content.push(Content::Refusal { refusal: text }),
            Part::ToolCall { id, name, arguments } => {
                flush(&mut content, out);
                out.push(json!(Item::call(id, name, arguments_of(arguments))));
            }
            Part::Thinking { text, signature } => {
                let own = signature.as_deref().and_then(|signature| own(Dialect::OpenaiResponses, signature));
                if own.is_some() || quirks.reasoning_back {
                    flush(&mut content, out);
                    out.push(json!(Item::thought(Some(text), own)));
                }
            }
            Part::HiddenThinking { data } => {
                if let Some(data) = own(Dialect::OpenaiResponses, data) {
                    flush(&mut content, out);
                    out.push(json!(Item::thought(None, Some(data))));
                }
            }
            Part::CachePoint { .. } | Part::Citation(_) => {}
            Part::Image(_) | Part::Audio { .. } | Part::Document(_) | Part::ToolResult { .. } => {
                omit.within("messages", "anything but text, calls and reasoning in the model's own turn")?;
            }
        }
    }
    flush(&mut content, out);
    Ok(())
}

/// Each result is an item.
fn results(parts: &[Part], out: &mut Vec<Value>, omit: &mut Omissions) -> Result<(), Fault> {
    for part in parts {
        match part {
            Part::ToolResult { id, parts, failed } => {
                let mut output = content_json(parts, omit)?;
                if *failed {
                    output = match output {
                        Value::String(text) => format!("Error: {text}").into(),
                        Value::Array(mut content) => {
                            content.insert(0, json!({ "type": "input_text", "text": "Error: " }));
                            content.into()
                        }
                        other => other,
                    };
                }
                if output.as_array().is_some_and(Vec::is_empty) {
                    output = "".into();
                }
                out.push(json!({ "type": "function_call_output", "call_id": id, "output": output }));
            }
            Part::CachePoint { .. } => {}
            _ => omit.within("messages", "anything but results in a tool's turn")?,
        }
    }
    Ok(())
}
