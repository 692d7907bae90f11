//! Reads one turn, in a request or in an answer, and writes its parts.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use types::chat::{Document, Image, Message, Part, Role, Source};
use types::{Dialect, Fault};

use crate::cited::{ChatAnnotation, citations};
use crate::fields::{Extra, Fields, bad, wrong};
use crate::parts;
use crate::signature;
use crate::tape::Json;

/// Reads a turn of a request.
pub(crate) fn decode(item: Json<'_>, extra: &mut Extra) -> Result<Message, Fault> {
    let mut fields = Fields::of(item)?;
    let role = match &*fields.required("role", Fields::text)? {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => {
            let place = fields.path_of("role");
            return Err(bad(&place, format!("`{place}` must be system, developer, user, assistant or tool")));
        }
    };
    let name = fields.text("name")?;
    let parts = match role {
        Role::Tool => {
            let id = fields.required("tool_call_id", Fields::text)?;
            vec![Part::ToolResult { id, parts: content(&mut fields, extra)?, failed: false }]
        }
        Role::Assistant => said(&mut fields, extra)?,
        Role::System | Role::User => content(&mut fields, extra)?,
    };
    fields.rest(extra);
    Ok(Message { role, parts, name })
}

/// Reads what the model said: the message of an answer, or an assistant's turn.
pub(crate) fn said(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Vec<Part>, Fault> {
    let mut parts = reasoning(fields)?;
    parts.extend(content(fields, extra)?);
    if let Some(annotations) = fields.take("annotations") {
        parts.extend(citations(annotations.get(), 0).map(Part::Citation));
    }
    // The form of OpenRouter and others for what the model drew.
    for item in fields.items("images")?.unwrap_or_default() {
        if let Some(mut image) = Fields::of(item)?.object("image_url")? {
            parts.push(Part::Image(parts::image(item, image.required("url", Fields::text)?, None)?));
        }
    }
    if let Some(text) = fields.text("refusal")? {
        parts.push(Part::Refusal { text });
    }
    for item in fields.items("tool_calls")?.unwrap_or_default() {
        let mut call = Fields::of(item)?;
        let kind = call.text("type")?.unwrap_or_else(|| "function".to_owned());
        if kind != "function" {
            extra.push((format!("{}.{kind}", item.path()), item.boxed()));
            continue;
        }
        let id = call.text("id")?.unwrap_or_default();
        let mut function = call.required("function", Fields::object)?;
        let name = function.required("name", Fields::text)?;
        let arguments = arguments(&mut function)?;
        parts.push(Part::ToolCall { id, name, arguments });
    }
    Ok(parts)
}

/// The text of the arguments. Some servers send the object itself.
fn arguments(function: &mut Fields<'_>) -> Result<String, Fault> {
    let Some(value) = function.take("arguments") else { return Ok(String::new()) };
    if value.first() != b'"' {
        return Ok(value.get().to_owned());
    }
    value.text().map(Cow::into_owned).ok_or_else(|| wrong(value, "is not a readable string"))
}

/// Reasoning: `reasoning_details` where there are any (`OpenRouter`'s form, the only one with signatures), else
/// the plain text under either of its names. Pieces of one index, as a stream has them, are one.
fn reasoning(fields: &mut Fields<'_>) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    let (plain, other) = (fields.text("reasoning_content")?, fields.text("reasoning")?);
    let mut last = None;
    for item in fields.items("reasoning_details")?.unwrap_or_default() {
        let mut detail = Fields::of(item)?;
        let index = detail.count("index")?;
        match detail.text("type")?.as_deref() {
            Some("reasoning.text") => {
                let more = detail.text("text")?.unwrap_or_default();
                let proof = detail.text("signature")?;
                match parts.last_mut() {
                    Some(Part::Thinking { text, signature }) if index.is_some() && index == last => {
                        text.push_str(&more);
                        *signature = proof.or(signature.take());
                    }
                    _ => parts.push(Part::Thinking { text: more, signature: proof }),
                }
            }
            Some("reasoning.encrypted") => {
                parts.push(Part::HiddenThinking { data: detail.text("data")?.unwrap_or_default() });
            }
            _ => {}
        }
        last = index;
    }
    if parts.is_empty()
        && let Some(text) = plain.or(other).filter(|text| !text.is_empty())
    {
        parts.push(Part::Thinking { text, signature: None });
    }
    Ok(parts)
}

fn content(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Vec<Part>, Fault> {
    let Some(value) = fields.take("content") else { return Ok(Vec::new()) };
    parts::content(value, extra, part)
}

fn part(item: Json<'_>, out: &mut Vec<Part>, extra: &mut Extra) -> Result<(), Fault> {
    let mut fields = Fields::of(item)?;
    let kind = fields.required("type", Fields::text)?;
    let part = match kind.as_str() {
        "text" => Part::Text { text: fields.required("text", Fields::text)? },
        "refusal" => Part::Refusal { text: fields.required("refusal", Fields::text)? },
        "image_url" => {
            let mut image = fields.required("image_url", Fields::object)?;
            let (url, detail) = (image.required("url", Fields::text)?, image.text("detail")?);
            image.rest(extra);
            Part::Image(parts::image(item, url, detail)?)
        }
        "input_audio" => parts::audio(&mut fields, extra)?,
        "file" => Part::Document(document(&mut fields, extra)?),
        _ => {
            extra.push((format!("{}.{kind}", item.path()), item.boxed()));
            return Ok(());
        }
    };
    // Not OpenAI's own, but OpenRouter's and other gateways'.
    let marker = fields.json("cache_control")?;
    fields.rest(extra);
    out.push(part);
    out.extend(marker.map(|marker| Part::CachePoint { marker }));
    Ok(())
}

/// A file: inline as a data URL, or one that lies with the provider.
fn document(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Document, Fault> {
    let mut file = fields.required("file", Fields::object)?;
    let source = match (file.text("file_data")?, file.text("file_id")?) {
        (Some(data), _) => {
            let (media_type, data) = parts::inline(&data).ok_or_else(|| {
                let place = file.path_of("file_data");
                bad(&place, format!("`{place}` must be a data URL in base64"))
            })?;
            Source::Inline { media_type: media_type.to_owned(), data: data.to_owned() }
        }
        (None, Some(id)) => Source::File { id },
        (None, None) => {
            let place = file.path_of("file_data");
            return Err(bad(&place, format!("`{place}` or a `file_id` beside it is missing")));
        }
    };
    let document = Document { source, name: file.text("filename")?, context: None, citations: false };
    file.rest(extra);
    Ok(document)
}

/// The URL by which an image goes in this dialect.
pub(crate) fn image_json(image: &Image) -> Value {
    let (url, detail) = match image {
        Image::Url { url, detail } => (url.clone(), detail),
        Image::Inline { media_type, data, detail } => (format!("data:{media_type};base64,{data}"), detail),
    };
    let mut image = json!({ "url": url });
    if let Some(detail) = detail {
        image["detail"] = json!(detail);
    }
    json!({ "type": "image_url", "image_url": image })
}

/// Whom the model's turn is written for, and how much of its reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// None of it.
    Nothing,
    /// What a server of this dialect said before, with its signatures; what others said without theirs.
    ToServer,
    /// All of it.
    ToCaller,
}

impl Shown {
    /// A signature as it is written.
    fn proof(self, signature: &str) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::ToServer => signature::own(Dialect::OpenaiChat, signature),
            Self::ToCaller => Some(signature::shown(Dialect::OpenaiChat, signature)),
        }
    }
}

/// The model's own turn as one message object: the texts joined, tool calls beside them.
pub(crate) fn assistant_json(parts: &[Part], reasoning: Shown) -> Map<String, Value> {
    let (mut text, mut refusal) = (None::<String>, None::<String>);
    let (mut thoughts, mut details, mut calls) = (String::new(), Vec::new(), Vec::new());
    let (mut annotations, mut images) = (Vec::new(), Vec::new());
    let mut provable = false;
    for part in parts {
        match part {
            Part::Text { text: more } => text.get_or_insert_default().push_str(more),
            Part::Refusal { text: more } => refusal.get_or_insert_default().push_str(more),
            Part::Thinking { text, signature } => {
                thoughts.push_str(text);
                let mut detail = json!({ "type": "reasoning.text", "text": text });
                if let Some(signature) = signature.as_deref().and_then(|proof| reasoning.proof(proof)) {
                    provable = true;
                    detail["signature"] = json!(signature);
                }
                details.push(detail);
            }
            Part::HiddenThinking { data } => {
                if let Some(data) = reasoning.proof(data) {
                    provable = true;
                    details.push(json!({ "type": "reasoning.encrypted", "data": data }));
                }
            }
            Part::ToolCall { id, name, arguments } => calls.push(json!({
                "id": id,
                "type": "function",
                "function": { "name": name, "arguments": arguments },
            })),
            Part::Citation(citation) => annotations.push(ChatAnnotation::of(citation)),
            Part::Image(image) => images.push(image_json(image)),
            Part::Audio { .. } | Part::Document(_) | Part::CachePoint { .. } | Part::ToolResult { .. } => {}
        }
    }
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    message.insert("content".into(), json!(text));
    if let Some(refusal) = refusal {
        message.insert("refusal".into(), refusal.into());
    }
    if reasoning != Shown::Nothing && !thoughts.is_empty() {
        message.insert("reasoning_content".into(), thoughts.into());
    }
    if provable {
        message.insert("reasoning_details".into(), details.into());
    }
    // Of an earlier turn nobody wants to hear them again.
    if reasoning == Shown::ToCaller && !annotations.is_empty() {
        message.insert("annotations".into(), json!(annotations));
    }
    if reasoning == Shown::ToCaller && !images.is_empty() {
        message.insert("images".into(), images.into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".into(), calls.into());
    }
    message
}
