//! Content blocks: what turns and answers are made of.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};
use types::Fault;
use types::chat::{Document, Image, Part, Source as Place};

use super::cited::citations;
use crate::cited::plain;
use crate::fields::{Extra, Fields};
use crate::object::is_object;
use crate::parts;
use crate::piece::count;
use crate::tape::Json;
use crate::text::Raw;

/// Reads content: a string or blocks.
pub(crate) fn content(value: Json<'_>, extra: &mut Extra) -> Result<Vec<Part>, Fault> {
    parts::content(value, extra, part)
}

fn part(item: Json<'_>, out: &mut Vec<Part>, extra: &mut Extra) -> Result<(), Fault> {
    let mut fields = Fields::of(item)?;
    let kind = fields.required("type", Fields::text)?;
    let part = match kind.as_str() {
        "text" => Part::Text { text: fields.required("text", Fields::text)? },
        "image" => {
            let Some(image) = image(&mut fields)? else {
                extra.push((format!("{}.source", item.path()), item.boxed()));
                return Ok(());
            };
            Part::Image(image)
        }
        "document" => {
            let Some(document) = document(&mut fields, extra)? else {
                extra.push((format!("{}.source", item.path()), item.boxed()));
                return Ok(());
            };
            Part::Document(document)
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
            let parts = match fields.take("content") {
                Some(value) => content(value, extra)?,
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
            extra.push((format!("{}.{kind}", item.path()), item.boxed()));
            return Ok(());
        }
    };
    let marker = fields.json("cache_control")?;
    let cited = if let Part::Text { text } = &part
        && let Some(list) = fields.take("citations").filter(|list| list.get() != "[]")
    {
        let before = plain(out);
        citations(list.get(), (before, before + count(text))).collect()
    } else {
        Vec::new()
    };
    // A direct caller is the model itself.
    fields.leave_if("caller", |raw| raw.replace(' ', "") == r#"{"type":"direct"}"#);
    fields.rest(extra);
    out.push(part);
    out.extend(cited.into_iter().map(Part::Citation));
    out.extend(marker.map(|marker| Part::CachePoint { marker }));
    Ok(())
}

/// A document; `None` for a source that has no word here.
fn document(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Option<Document>, Fault> {
    let mut source = fields.required("source", Fields::object)?;
    let place = match &*source.required("type", Fields::text)? {
        "base64" => Place::Inline {
            media_type: source.required("media_type", Fields::text)?,
            data: source.required("data", Fields::text)?,
        },
        "text" => {
            source.take("media_type");
            Place::Text { text: source.required("data", Fields::text)? }
        }
        "url" => Place::Url { url: source.required("url", Fields::text)? },
        "file" => Place::File { id: source.required("file_id", Fields::text)? },
        _ => return Ok(None),
    };
    source.rest(extra);
    let citations = match fields.object("citations")? {
        Some(mut citations) => citations.flag("enabled")?.unwrap_or_default(),
        None => false,
    };
    Ok(Some(Document {
        source: place,
        name: fields.text("title")?,
        context: fields.text("context")?,
        citations,
    }))
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
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Raw<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    ToolResult {
        tool_use_id: &'a str,
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a Value>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
}

impl<'a> Block<'a> {
    /// A text.
    pub(crate) const fn text(text: &'a str) -> Self {
        Self::Text { text, citations: Vec::new(), cache_control: None }
    }

    /// Puts a cache marker on the block. Reasoning takes none.
    pub(crate) const fn mark(&mut self, marker: &'a Value) {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => *cache_control = Some(marker),
            Self::Thinking { .. } | Self::RedactedThinking { .. } => {}
        }
    }
}

/// Where an image or a document is.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url { url: &'a str },
    Text { media_type: &'a str, data: &'a str },
    File { file_id: &'a str },
}

/// The source of an image. How closely to look at it (OpenAI's `detail`) is a hint and has no word here.
pub(crate) fn source(image: &Image) -> Source<'_> {
    match image {
        Image::Url { url, .. } => Source::Url { url },
        Image::Inline { media_type, data, .. } => Source::Base64 { media_type, data },
    }
}

/// A document's block.
pub(crate) fn document_block(document: &Document) -> Block<'_> {
    Block::Document {
        source: match &document.source {
            Place::Url { url } => Source::Url { url },
            Place::Inline { media_type, data } => Source::Base64 { media_type, data },
            Place::Text { text } => Source::Text { media_type: "text/plain", data: text },
            Place::File { id } => Source::File { file_id: id },
        },
        title: document.name.as_deref(),
        context: document.context.as_deref(),
        citations: document.citations.then(|| json!({ "enabled": true })),
        cache_control: None,
    }
}

/// The arguments as the JSON object that they must be here, every number as it was written; `None` if they
/// are no object.
pub(crate) fn input(arguments: &str) -> Option<Raw<'_>> {
    let arguments = arguments.trim_ascii();
    let text = if arguments.is_empty() { "{}" } else { arguments };
    is_object(text).then_some(Raw(Cow::Borrowed(text)))
}
