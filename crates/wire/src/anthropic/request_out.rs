//! Writes a Messages request.
//!
//! What the dialect cannot say is refused by the caller's name for it. System prompts that stand between
//! turns move to the front, as Anthropic's own compatibility layer does it; reasoning of earlier turns goes
//! along only if Claude signed it, because Anthropic refuses it otherwise; empty texts are left out, because it
//! refuses those too.

use serde::Serialize;
use serde_json::{Number, Value, json};
use types::chat::{Format, Message, Part, Reasoning, Request, Role, Tool, ToolChoice};
use types::{Dialect, Fault};

use super::block::{Block, document_block, input, source};
use crate::fields::bad;
use crate::omission::Omissions;
use crate::signature;
use crate::text::Raw;

/// What `max_tokens` is where the caller did not say: Anthropic's dialect must have one.
const DEFAULT_MAX_TOKENS: u64 = 4_096;

/// The request as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Debug, Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

/// The request for the model that the provider calls `model`.
pub(crate) fn encode<'a>(
    request: &'a Request,
    model: &'a str,
    omit: &mut Omissions,
) -> Result<Body<'a>, Fault> {
    let temperature = omit.heat(request, "Anthropic's temperature goes from 0 to 1")?;
    omit.settings(request, &["frequency_penalty", "presence_penalty", "seed", "n", "logprobs"])?;
    let mut system = Vec::new();
    let mut messages: Vec<Turn<'a>> = Vec::new();
    for (place, message) in request.messages.iter().enumerate() {
        let path = format!("messages[{place}]");
        if message.name.is_some() {
            omit.field(&format!("{path}.name"))?;
        }
        let blocks = blocks(&path, message, omit)?;
        let role = match message.role {
            Role::System => {
                system.extend(blocks);
                continue;
            }
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        // All results of a round of tool calls belong into one turn.
        match messages.last_mut().filter(|last| last.role == role) {
            Some(last) => last.content.extend(blocks),
            None => messages.push(Turn { role, content: blocks }),
        }
    }
    let (thinking, effort, max_tokens) = think(request, model);
    Ok(Body {
        model,
        max_tokens,
        system,
        messages,
        tools: request.tools.iter().map(tool_body).collect(),
        tool_choice: choice_json(request),
        temperature,
        top_p: request.top_p.as_ref(),
        top_k: request.top_k,
        stop_sequences: &request.stop,
        thinking,
        output_config: output_config(&request.format, effort, omit)?,
        metadata: request.user.as_ref().map(|user| json!({ "user_id": user })),
        stream: request.stream,
    })
}

fn blocks<'a>(path: &str, message: &'a Message, omit: &mut Omissions) -> Result<Vec<Block<'a>>, Fault> {
    let mut calls = 0;
    let mut out: Vec<Block<'a>> = Vec::with_capacity(message.parts.len());
    for part in &message.parts {
        match part {
            Part::Text { text } | Part::Refusal { text } if !text.is_empty() => {
                out.push(Block::text(text));
            }
            Part::Text { .. } | Part::Refusal { .. } | Part::Citation(_) => {}
            Part::Image(image) if message.role == Role::User => {
                out.push(Block::Image { source: source(image), cache_control: None });
            }
            Part::Document(document) if message.role == Role::User => out.push(document_block(document)),
            Part::Image(_) | Part::Document(_) | Part::Audio { .. } => {
                let what =
                    if matches!(part, Part::Audio { .. }) { "sound" } else { "an image or document here" };
                omit.within(&format!("{path}.content"), what)?;
            }
            Part::CachePoint { marker } => {
                if let Some(before) = out.last_mut() {
                    before.mark(marker);
                }
            }
            Part::ToolCall { id, name, arguments } => {
                let place = format!("{path}.tool_calls[{calls}].function.arguments");
                let input = input(arguments)
                    .ok_or_else(|| bad(&place, format!("`{place}` must be the text of a JSON object")))?;
                out.push(Block::ToolUse { id, name, input, cache_control: None });
                calls += 1;
            }
            Part::ToolResult { id, parts, failed } => {
                let content = results(path, parts, omit)?;
                let (tool_use_id, is_error) = (id, *failed);
                out.push(Block::ToolResult { tool_use_id, content, is_error, cache_control: None });
            }
            Part::Thinking { text, signature } => {
                let own = signature.as_deref().and_then(signature::claudes);
                out.extend(own.map(|signature| Block::Thinking { thinking: text, signature }));
            }
            Part::HiddenThinking { data } => {
                let own = signature::own(Dialect::AnthropicMessages, data);
                out.extend(own.map(|data| Block::RedactedThinking { data }));
            }
        }
    }
    Ok(out)
}

/// What a tool gave back.
fn results<'a>(path: &str, parts: &'a [Part], omit: &mut Omissions) -> Result<Vec<Block<'a>>, Fault> {
    let mut out: Vec<Block<'a>> = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Text { text } if text.is_empty() => {}
            Part::Text { text } => out.push(Block::text(text)),
            Part::Image(image) => out.push(Block::Image { source: source(image), cache_control: None }),
            Part::Document(document) => out.push(document_block(document)),
            Part::CachePoint { marker } => {
                if let Some(before) = out.last_mut() {
                    before.mark(marker);
                }
            }
            _ => omit.within(&format!("{path}.content"), "such a part of a tool's result")?,
        }
    }
    Ok(out)
}

/// A tool as it is written.
#[derive(Debug, Serialize)]
struct ToolBody<'a> {
    name: &'a str,
    input_schema: Raw<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a Value>,
}

fn tool_body(tool: &Tool) -> ToolBody<'_> {
    ToolBody {
        name: &tool.name,
        input_schema: (&tool.parameters).into(),
        description: tool.description.as_deref(),
        strict: tool.strict == Some(true),
        cache_control: tool.cache.as_ref(),
    }
}

fn choice_json(request: &Request) -> Option<Value> {
    let one_at_a_time = request.parallel_tool_calls == Some(false) && !request.tools.is_empty();
    let mut json = match &request.tool_choice {
        None if one_at_a_time => json!({ "type": "auto" }),
        None => return None,
        Some(ToolChoice::Auto) => json!({ "type": "auto" }),
        Some(ToolChoice::None) => return Some(json!({ "type": "none" })),
        Some(ToolChoice::Any) => json!({ "type": "any" }),
        Some(ToolChoice::Named(name)) => json!({ "type": "tool", "name": name }),
    };
    if one_at_a_time {
        json["disable_parallel_tool_use"] = json!(true);
    }
    Some(json)
}

fn output_config(
    format: &Format,
    effort: Option<&'static str>,
    omit: &mut Omissions,
) -> Result<Option<Value>, Fault> {
    let mut config = serde_json::Map::new();
    if let Some(effort) = effort {
        config.insert("effort".into(), effort.into());
    }
    match format {
        Format::Text => {}
        Format::Json => omit.field_with_hint("response_format", "give a json_schema")?,
        Format::Schema { schema, .. } => {
            config.insert("format".into(), json!({ "type": "json_schema", "schema": schema }));
        }
    }
    Ok((!config.is_empty()).then(|| config.into()))
}

/// `thinking`, `output_config.effort` and `max_tokens`.
///
/// Models up to 4.5 think by a budget of tokens, which has to be smaller than `max_tokens` and at least 1,024
/// (where there is no room for that, they do not think); later ones by effort, and refuse a budget.
pub(crate) fn think(request: &Request, model: &str) -> (Option<Value>, Option<&'static str>, u64) {
    let stated = request.max_tokens;
    let plain = stated.unwrap_or(DEFAULT_MAX_TOKENS);
    let with_budget = |budget: u64| {
        let max_tokens = stated.unwrap_or(budget.saturating_add(DEFAULT_MAX_TOKENS));
        let budget = budget.min(max_tokens.saturating_sub(1));
        let thinking = (budget >= 1_024).then(|| json!({ "type": "enabled", "budget_tokens": budget }));
        (thinking, None, max_tokens)
    };
    match &request.reasoning {
        None => (None, None, plain),
        Some(Reasoning::Off) => (Some(json!({ "type": "disabled" })), None, plain),
        Some(Reasoning::Budget(budget)) => with_budget(*budget),
        Some(Reasoning::Effort(effort)) => {
            let (word, budget) = match effort.as_str() {
                "minimal" | "low" => ("low", 2_048),
                "high" => ("high", 16_384),
                "xhigh" => ("xhigh", 32_768),
                "max" => ("max", 32_768),
                _ => ("medium", 8_192),
            };
            if thinks_by_budget(model) {
                return with_budget(budget);
            }
            (Some(json!({ "type": "adaptive" })), Some(word), plain)
        }
    }
}

/// Whether a model's name says a version up to 4.5: `claude-3-7-sonnet-…`, `claude-sonnet-4-5-20250929`.
fn thinks_by_budget(model: &str) -> bool {
    let numbers = model.split(['-', '.', '@', ':', '/']).filter_map(|word| word.parse::<u32>().ok());
    let mut version = numbers.filter(|number| *number < 100);
    match (version.next(), version.next()) {
        (Some(major), minor) => (major, minor.unwrap_or(0)) <= (4, 5),
        (None, _) => false,
    }
}
