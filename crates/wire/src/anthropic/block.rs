//! Content blocks: what turns and answers are made of.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use types::Fault;
use types::chat::{Image, Part};

use crate::fields::{Extra, Fields, TextOr, text_or_items};

/// Reads content: a string or blocks.
pub(crate) fn content(path: &str, value: &RawValue, extra: &mut Extra) -> Result<Vec<Part>, Fault> {
    match text_or_items(path, value)? {
        TextOr::Text(text) => Ok(vec![Part::Text { text, cache: None }]),
        TextOr::Items(items) => {
            let mut parts = Vec::with_capacity(items.len());
            for (path, item) in items {
                parts.extend(part(&path, item, extra)?);
            }
            Ok(parts)
        }
    }
}

fn part(path: &str, item: &RawValue, extra: &mut Extra) -> Result<Option<Part>, Fault> {
    let mut fields = Fields::of(path, item)?;
    let kind = fields.required("type", Fields::text)?;
    let part = match kind.as_str() {
        "text" => {
            Part::Text { text: fields.required("text", Fields::text)?, cache: fields.json("cache_control")? }
        }
        "image" => {
            let Some(image) = image(&mut fields)? else {
                extra.push((format!("{path}.source"), item.to_owned()));
                return Ok(None);
            };
            Part::Image(image)
        }
        "tool_use" => {
            let input = fields.take("input").map_or("{}", |input| input.get());
            Part::ToolCall {
                id: fields.required("id", Fields::text)?,
                name: fields.required("name", Fields::text)?,
                arguments: input.to_owned(),
            }
        }
        "tool_result" => {
            let place = fields.path_of("content");
            let parts = match fields.take("content") {
                Some(value) => content(&place, value, extra)?,
                None => Vec::new(),
            };
            Part::ToolResult {
                id: fields.required("tool_use_id", Fields::text)?,
                parts,
                failed: fields.flag("is_error")?.unwrap_or_default(),
            }
        }
        "thinking" => Part::Thinking {
            text: fields.required("thinking", Fields::text)?,
            signature: fields.text("signature")?.filter(|signature| !signature.is_empty()),
        },
        "redacted_thinking" => Part::HiddenThinking { data: fields.required("data", Fields::text)? },
        _ => {
            extra.push((format!("{path}.{kind}"), item.to_owned()));
            return Ok(None);
        }
    };
    // A cache marker changes what a call costs, not what it says; a direct caller is the model itself.
    fields.take("cache_control");
    fields.leave_if("citations", |raw| raw == "[]");
    fields.leave_if("caller", |raw| raw.replace(' ', "") == r#"{"type":"direct"}"#);
    fields.rest(extra);
    Ok(Some(part))
}

/// An image by URL or inline; `None` for one that lies with the provider.
fn image(fields: &mut Fields<'_>) -> Result<Option<Image>, Fault> {
    let mut source = fields.required("source", Fields::object)?;
    Ok(match &*source.required("type", Fields::text)? {
        "base64" => Some(Image::Inline {
            media_type: source.required("media_type", Fields::text)?,
            data: source.required("data", Fields::text)?,
            detail: None,
        }),
        "url" => Some(Image::Url { url: source.required("url", Fields::text)?, detail: None }),
        _ => None,
    })
}

/// A block as it is written.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Block<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    Image {
        source: Source<'a>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Cow<'a, RawValue>,
    },
    ToolResult {
        tool_use_id: &'a str,
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
}

/// Where an image is.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url { url: &'a str },
}

/// The source of an image. How closely to look at it (OpenAI's `detail`) is a hint and has no word here.
pub(crate) fn source(image: &Image) -> Source<'_> {
    match image {
        Image::Url { url, .. } => Source::Url { url },
        Image::Inline { media_type, data, .. } => Source::Base64 { media_type, data },
    }
}

/// The arguments as the JSON object that they must be here, every number as it was written; `None` if they
/// are no object.
pub(crate) fn input(arguments: &str) -> Option<Cow<'_, RawValue>> {
    let arguments = arguments.trim_ascii();
    let text = if arguments.is_empty() { "{}" } else { arguments };
    let value: &RawValue = serde_json::from_str(text).ok()?;
    value.get().starts_with('{').then_some(Cow::Borrowed(value))
}
