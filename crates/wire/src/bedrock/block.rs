//! Content blocks: what turns are made of.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};
use types::Fault;
use types::chat::{Document as Paper, Image, Part, Source as Place};

use crate::omission::Omissions;
use crate::text::Raw;

/// A block as it is written. Blocks are told apart by their one key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Block<'a> {
    Text(&'a str),
    Image(Media<'a>),
    Audio(Media<'a>),
    Document(Document<'a>),
    ToolUse(ToolUse<'a>),
    ToolResult(ToolResult<'a>),
    ReasoningContent(Reasoning<'a>),
    CachePoint(CachePoint<'a>),
}

/// An image or a sound.
#[derive(Debug, Serialize)]
pub(crate) struct Media<'a> {
    format: Cow<'a, str>,
    source: Bytes<'a>,
}

/// Content inline, in base64.
#[derive(Debug, Serialize)]
struct Bytes<'a> {
    bytes: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    format: &'static str,
    name: String,
    source: Bytes<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    citations: Option<Value>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ToolUse<'a> {
    #[serde(rename = "toolUseId")]
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) input: Raw<'a>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ToolResult<'a> {
    #[serde(rename = "toolUseId")]
    pub(crate) id: &'a str,
    pub(crate) content: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Reasoning<'a> {
    ReasoningText { text: &'a str, signature: &'a str },
    RedactedContent(&'a str),
}

/// Everything before it is to be kept in the prompt cache.
#[derive(Debug, Serialize)]
pub(crate) struct CachePoint<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

impl<'a> CachePoint<'a> {
    /// The marker in this dialect: how long is all that it says.
    pub(crate) fn of(marker: &'a Value) -> Self {
        Self { kind: "default", ttl: marker.get("ttl").and_then(Value::as_str) }
    }
}

/// Whether Bedrock takes a text: it refuses those that show nothing.
pub(crate) fn shows(text: &str) -> bool {
    !text.trim().is_empty()
}

/// An image, a sound or a document; `None` if it cannot be said and was left out. `path` is its message's.
pub(crate) fn attached<'a>(
    path: &str,
    part: &'a Part,
    names: &mut Names,
    omit: &mut Omissions,
) -> Result<Option<Block<'a>>, Fault> {
    let what = match part {
        Part::Image(Image::Inline { media_type, data, .. }) => {
            if let Some(format) = image_format(media_type) {
                let (format, bytes) = (Cow::Borrowed(format), Cow::Borrowed(&**data));
                return Ok(Some(Block::Image(Media { format, source: Bytes { bytes } })));
            }
            "an image other than PNG, JPEG, GIF or WebP"
        }
        Part::Image(Image::Url { .. }) => "an image by its URL",
        Part::Audio { format, data } => {
            let (format, bytes) = (Cow::Borrowed(&**format), Cow::Borrowed(&**data));
            return Ok(Some(Block::Audio(Media { format, source: Bytes { bytes } })));
        }
        Part::Document(paper) => match document(paper, names) {
            Ok(block) => return Ok(Some(block)),
            Err(what) => what,
        },
        _ => "such a part",
    };
    omit.within(&format!("{path}.content"), what)?;
    Ok(None)
}

fn image_format(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "image/png" => "png",
        "image/jpeg" | "image/jpg" => "jpeg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => return None,
    })
}

/// A document, or what it is that cannot be said.
fn document<'a>(paper: &'a Paper, names: &mut Names) -> Result<Block<'a>, &'static str> {
    let (format, bytes) = match &paper.source {
        Place::Inline { media_type, data } => {
            let plain = media_type.split(';').next().unwrap_or_default().trim();
            let format = document_format(plain).ok_or("a document of this media type")?;
            (format, Cow::Borrowed(&**data))
        }
        Place::Text { text } => ("txt", Cow::Owned(STANDARD.encode(text))),
        Place::Url { .. } => return Err("a document by its URL"),
        Place::File { .. } => return Err("a document that lies with another provider"),
    };
    Ok(Block::Document(Document {
        format,
        name: names.free(paper.name.as_deref().unwrap_or_default()),
        source: Bytes { bytes },
        context: paper.context.as_deref(),
        citations: paper.citations.then(|| json!({ "enabled": true })),
    }))
}

fn document_format(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "text/html" => "html",
        "text/plain" => "txt",
        "text/markdown" | "text/x-markdown" => "md",
        _ => return None,
    })
}

/// The names of a request's documents. Bedrock wants each once, and of few characters.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// The name nearest to `wanted` that Bedrock takes and that is not given yet.
    fn free(&mut self, wanted: &str) -> String {
        let plain: String = wanted
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-()[]".contains(c) { c } else { ' ' })
            .collect();
        // 200 characters are allowed; some are left for the number.
        let mut name: String =
            plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(190).collect();
        name.truncate(name.trim_end().len());
        if name.is_empty() {
            "document".clone_into(&mut name);
        }
        let numbered = (2..).map(|number: u32| format!("{name} ({number})"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !self.0.contains(name));
        let free = free.unwrap_or(name);
        self.0.push(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn names_of_documents_are_plain_and_given_once() {
        let mut names = Names::default();
        for (wanted, given) in [
            ("report.pdf", "report pdf"),
            ("report.pdf", "report pdf (2)"),
            ("  a\t\n/b__c ", "a b c"),
            ("Größe (neu) [1]-x", "Gr e (neu) [1]-x"),
            ("", "document"),
            ("…", "document (2)"),
        ] {
            assert_eq!(names.free(wanted), given);
        }
        assert_eq!(names.free(&"é".repeat(400)), "document (3)");
        assert_eq!(names.free(&"ab".repeat(400)).len(), 190);
    }
}
