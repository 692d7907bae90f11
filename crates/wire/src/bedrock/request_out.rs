//! Writes a Converse request.
//!
//! What the dialect cannot say is refused by the caller's name for it. System prompts that stand between turns
//! move to the front; turns of one role become one, because Bedrock wants them to alternate; texts that show
//! nothing are left out, because it refuses them; reasoning of earlier turns goes along only if it was signed here
//! or, for Claude, by Anthropic. The caller's name for its end user has no field here and is left out: it is a
//! label.
//!
//! That no tool may be called is said to Anthropic's models in their own words; to others by not telling of the
//! tools, unless earlier turns called some: Bedrock refuses such turns without tools, so that is refused here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Number, Value, json};
use types::chat::{Format, Message, Part, Request, Role, Tool, ToolChoice};
use types::{Dialect, Fault};

use super::block::{Block, CachePoint, Names, Reasoning, ToolResult, ToolUse, attached, shows};
use super::extra::{Extra, Vendor, extra};
use crate::anthropic::block::input;
use crate::codec::Writing;
use crate::fields::bad;
use crate::omission::Omissions;
use crate::signature;
use crate::text::Raw;

/// The request as it is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inference_config: Option<Inference<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    additional_model_request_fields: Map<String, Value>,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    additional_model_response_field_paths: &'static [&'static str],
}

#[derive(Debug, Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Inference<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a Number>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
}

/// Writes the request.
pub(crate) fn encode<'a>(
    request: &'a Request,
    writing: &Writing<'_>,
    omit: &mut Omissions,
) -> Result<Body<'a>, Fault> {
    let temperature = omit.heat(request, "Bedrock's temperature goes from 0 to 1")?;
    omit.settings(request, &["frequency_penalty", "presence_penalty", "seed", "n", "logprobs"])?;
    let (system, messages) = turns(&request.messages, Vendor::of(writing.model) == Vendor::Anthropic, omit)?;
    let extra = extra(request, writing.model, omit)?;
    let inference = Inference {
        max_tokens: extra.max_tokens,
        temperature,
        top_p: request.top_p.as_ref(),
        stop_sequences: &request.stop,
    };
    let nothing = Inference { max_tokens: None, temperature: None, top_p: None, stop_sequences: &[] };
    Ok(Body {
        system,
        messages,
        inference_config: (inference != nothing).then_some(inference),
        tool_config: tool_config(request, &extra, omit)?,
        output_config: output_config(&request.format, omit)?,
        additional_model_request_fields: extra.fields,
        // Which of the texts it was that ended the answer; models that do not tell ignore the question.
        additional_model_response_field_paths: if request.stop.is_empty() {
            &[]
        } else {
            &["/stop_sequence"]
        },
    })
}

type Conversation<'a> = (Vec<Block<'a>>, Vec<Turn<'a>>);

/// `claude` says whether the model is Anthropic's, and takes what Anthropic signed.
fn turns<'a>(said: &'a [Message], claude: bool, omit: &mut Omissions) -> Result<Conversation<'a>, Fault> {
    let (mut system, mut messages) = (Vec::new(), Vec::<Turn<'a>>::new());
    let mut names = Names::default();
    for (place, message) in said.iter().enumerate() {
        let path = format!("messages[{place}]");
        if message.name.is_some() {
            omit.field(&format!("{path}.name"))?;
        }
        let role = match message.role {
            Role::System => {
                blocks((&path, claude), message, &mut system, &mut names, omit)?;
                continue;
            }
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        // All results of a round of tool calls belong into one turn.
        let mut turn = match messages.pop_if(|last| last.role == role) {
            Some(last) => last,
            None => Turn { role, content: Vec::new() },
        };
        blocks((&path, claude), message, &mut turn.content, &mut names, omit)?;
        if !turn.content.is_empty() {
            messages.push(turn);
        }
    }
    Ok((system, messages))
}

fn blocks<'a>(
    (path, claude): (&str, bool),
    message: &'a Message,
    out: &mut Vec<Block<'a>>,
    names: &mut Names,
    omit: &mut Omissions,
) -> Result<(), Fault> {
    let mut calls = 0;
    for part in &message.parts {
        match part {
            Part::Text { text } | Part::Refusal { text } => {
                out.extend(shows(text).then_some(Block::Text(text)));
            }
            Part::Image(_) | Part::Audio { .. } | Part::Document(_) if message.role == Role::User => {
                out.extend(attached(path, part, names, omit)?);
            }
            Part::Image(_) | Part::Audio { .. } | Part::Document(_) => {
                omit.within(&format!("{path}.content"), "an image, a sound or a document here")?;
            }
            // Where nothing stands before it, there is nothing to keep.
            Part::CachePoint { marker } if !out.is_empty() => {
                out.push(Block::CachePoint(CachePoint::of(marker)));
            }
            Part::CachePoint { .. } | Part::Citation(_) => {}
            Part::ToolCall { id, name, arguments } => {
                let place = format!("{path}.tool_calls[{calls}].function.arguments");
                let input = input(arguments)
                    .ok_or_else(|| bad(&place, format!("`{place}` must be the text of a JSON object")))?;
                out.push(Block::ToolUse(ToolUse { id, name, input }));
                calls += 1;
            }
            Part::ToolResult { id, parts, failed } => {
                let (content, marker) = results(path, parts, names, omit)?;
                let status = failed.then_some("error");
                out.push(Block::ToolResult(ToolResult { id, content, status }));
                out.extend(marker.map(Block::CachePoint));
            }
            Part::Thinking { text, signature } => {
                let own = signature.as_deref().and_then(|signature| {
                    signature::own(Dialect::BedrockConverse, signature)
                        .or_else(|| signature::claudes(signature).filter(|_| claude))
                });
                let told = own.map(|signature| Reasoning::ReasoningText { text, signature });
                out.extend(told.map(Block::ReasoningContent));
            }
            Part::HiddenThinking { data } => {
                let own = signature::own(Dialect::BedrockConverse, data);
                let own = own.or_else(|| signature::own(Dialect::AnthropicMessages, data).filter(|_| claude));
                let own = own.filter(|data| STANDARD.decode(data).is_ok());
                out.extend(own.map(|data| Block::ReasoningContent(Reasoning::RedactedContent(data))));
            }
        }
    }
    Ok(())
}

/// What a tool gave back, and the cache marker at its end, which stands behind the result here.
fn results<'a>(
    path: &str,
    parts: &'a [Part],
    names: &mut Names,
    omit: &mut Omissions,
) -> Result<(Vec<Block<'a>>, Option<CachePoint<'a>>), Fault> {
    let mut out: Vec<Block<'a>> = Vec::with_capacity(parts.len());
    let mut last = None;
    for (place, part) in parts.iter().enumerate() {
        match part {
            Part::Text { text } => out.extend(shows(text).then_some(Block::Text(text))),
            Part::Image(_) | Part::Document(_) => out.extend(attached(path, part, names, omit)?),
            Part::CachePoint { marker } if place + 1 == parts.len() => last = Some(CachePoint::of(marker)),
            Part::CachePoint { .. } => {
                omit.within(&format!("{path}.content"), "a cache marker in the middle of a tool's result")?;
            }
            _ => omit.within(&format!("{path}.content"), "such a part of a tool's result")?,
        }
    }
    Ok((out, last))
}

fn tool_config<'a>(
    request: &'a Request,
    extra: &Extra,
    omit: &mut Omissions,
) -> Result<Option<ToolConfig<'a>>, Fault> {
    if request.tools.is_empty() {
        return Ok(None);
    }
    let choice = match &request.tool_choice {
        _ if extra.choice_said => None,
        None => None,
        Some(ToolChoice::Auto) => Some(json!({ "auto": {} })),
        Some(ToolChoice::Any) => Some(json!({ "any": {} })),
        Some(ToolChoice::Named(name)) => Some(json!({ "tool": { "name": name } })),
        Some(ToolChoice::None) => {
            let mut parts = request.messages.iter().flat_map(|message| &message.parts);
            if !parts.any(|part| matches!(part, Part::ToolCall { .. } | Part::ToolResult { .. })) {
                return Ok(None);
            }
            omit.field("tool_choice")?;
            None
        }
    };
    let tools = request.tools.iter().flat_map(tool_items).collect();
    Ok(Some(ToolConfig { tools, tool_choice: choice }))
}

/// The tools as they are written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    tools: Vec<ToolItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum ToolItem<'a> {
    #[serde(rename_all = "camelCase")]
    ToolSpec {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        input_schema: Schema<'a>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        strict: bool,
    },
    CachePoint(CachePoint<'a>),
}

#[derive(Debug, Serialize)]
struct Schema<'a> {
    json: Raw<'a>,
}

/// The tool, and the cache marker that stood on it.
fn tool_items(tool: &Tool) -> impl Iterator<Item = ToolItem<'_>> {
    let spec = ToolItem::ToolSpec {
        name: &tool.name,
        description: tool.description.as_deref().filter(|description| !description.is_empty()),
        input_schema: Schema { json: (&tool.parameters).into() },
        strict: tool.strict == Some(true),
    };
    let marker = tool.cache.as_ref().map(|marker| ToolItem::CachePoint(CachePoint::of(marker)));
    std::iter::once(spec).chain(marker)
}

fn output_config(format: &Format, omit: &mut Omissions) -> Result<Option<Value>, Fault> {
    let (name, description, schema) = match format {
        Format::Text => return Ok(None),
        Format::Json => {
            omit.field_with_hint("response_format", "give a json_schema")?;
            return Ok(None);
        }
        Format::Schema { name, description, schema, .. } => (name, description, schema),
    };
    // The schema is a text here.
    let mut definition = json!({ "schema": schema.to_string() });
    if !name.is_empty() {
        definition["name"] = json!(name);
    }
    if let Some(description) = description {
        definition["description"] = json!(description);
    }
    let text = json!({ "type": "json_schema", "structure": { "jsonSchema": definition } });
    Ok(Some(json!({ "textFormat": text })))
}
