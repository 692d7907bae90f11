//! Content parts: what messages and the results of tools are made of, read and written.

use serde_json::{Value, json};
use types::Fault;
use types::chat::{Document, Image, Part, Source};

use crate::fields::{Extra, Fields, bad};
use crate::omission::Omissions;
use crate::parts;
use crate::tape::Json;

/// Reads content: a string or parts.
pub(super) fn content(value: Json<'_>, extra: &mut Extra) -> Result<Vec<Part>, Fault> {
    parts::content(value, extra, part)
}

fn part(item: Json<'_>, out: &mut Vec<Part>, extra: &mut Extra) -> Result<(), Fault> {
    let mut fields = Fields::of(item)?;
    let kind = fields.required("type", Fields::text)?;
    let part = match kind.as_str() {
        "input_text" => Part::Text { text: fields.required("text", Fields::text)? },
        "output_text" => {
            // What the vendor found out about a text that the model wrote before.
            fields.take("annotations");
            fields.take("logprobs");
            Part::Text { text: fields.required("text", Fields::text)? }
        }
        "refusal" => Part::Refusal { text: fields.required("refusal", Fields::text)? },
        "input_image" => {
            let (url, detail) = (fields.text("image_url")?, fields.text("detail")?);
            match (url, fields.text("file_id")?) {
                (Some(url), _) => Part::Image(parts::image(item, url, detail)?),
                (None, Some(_)) => {
                    extra.push((format!("{}.file_id", item.path()), item.boxed()));
                    return Ok(());
                }
                (None, None) => {
                    let path = item.path();
                    return Err(bad(&path, format!("`{path}.image_url` is missing")));
                }
            }
        }
        "input_file" => Part::Document(document(item, &mut fields)?),
        "input_audio" => parts::audio(&mut fields, extra)?,
        _ => {
            extra.push((format!("{}.{kind}", item.path()), item.boxed()));
            return Ok(());
        }
    };
    let marker = breakpoint(&mut fields)?;
    fields.rest(extra);
    out.push(part);
    out.extend(marker.map(|marker| Part::CachePoint { marker }));
    Ok(())
}

/// OpenAI's mark for its prompt cache, as Anthropic's: entries live for five minutes or, where a longer time is
/// asked for, an hour.
fn breakpoint(fields: &mut Fields<'_>) -> Result<Option<Value>, Fault> {
    let Some(mut mark) = fields.object("prompt_cache_breakpoint")? else { return Ok(None) };
    Ok(Some(match mark.text("ttl")? {
        Some(_) => json!({ "type": "ephemeral", "ttl": "1h" }),
        None => json!({ "type": "ephemeral" }),
    }))
}

fn document(item: Json<'_>, fields: &mut Fields<'_>) -> Result<Document, Fault> {
    let (data, url) = (fields.text("file_data")?, fields.text("file_url")?);
    let source = match (data, url, fields.text("file_id")?) {
        (Some(data), ..) => {
            let (media_type, data) = parts::inline(&data).ok_or_else(|| {
                let place = format!("{}.file_data", item.path());
                bad(&place, format!("`{place}` must be a data URL in base64"))
            })?;
            Source::Inline { media_type: media_type.to_owned(), data: data.to_owned() }
        }
        (None, Some(url), _) => Source::Url { url },
        (None, None, Some(id)) => Source::File { id },
        (None, None, None) => {
            let path = item.path();
            let message =
                format!("`{path}.file_data`, or a `file_url` or `file_id` in its place, is missing");
            return Err(bad(&path, message));
        }
    };
    fields.leave_if("detail", |raw| raw == r#""auto""#);
    Ok(Document { source, name: fields.text("filename")?, context: None, citations: false })
}

/// Writes the content of a turn that is not the model's, or of a tool's result: a single text as a string,
/// anything else as parts. Cache points are left out, because OpenAI caches by itself.
pub(super) fn content_json(parts: &[Part], omit: &mut Omissions) -> Result<Value, Fault> {
    if let [Part::Text { text }] | [Part::Text { text }, Part::CachePoint { .. }] = parts {
        return Ok(text.as_str().into());
    }
    let mut content = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Text { text } | Part::Refusal { text } => {
                content.push(json!({ "type": "input_text", "text": text }));
            }
            Part::Image(image) => content.push(image_json(image)),
            Part::Audio { format, data } => {
                let sound = json!({ "format": format, "data": data });
                content.push(json!({ "type": "input_audio", "input_audio": sound }));
            }
            Part::Document(document) => content.push(document_json(document, omit)?),
            Part::CachePoint { .. } => {}
            Part::ToolCall { .. }
            | Part::ToolResult { .. }
            | Part::Thinking { .. }
            | Part::HiddenThinking { .. }
            | Part::Citation(_) => {
                omit.within("messages", "a tool call or reasoning outside the model's turn")?;
            }
        }
    }
    Ok(content.into())
}

/// An image. `detail` has to be there.
fn image_json(image: &Image) -> Value {
    let (url, detail) = match image {
        Image::Url { url, detail } => (url.clone(), detail),
        Image::Inline { media_type, data, detail } => (format!("data:{media_type};base64,{data}"), detail),
    };
    json!({ "type": "input_image", "image_url": url, "detail": detail.as_deref().unwrap_or("auto") })
}

/// A document as a file, or, where it is plain text, as text. An inline file must have a name.
fn document_json(document: &Document, omit: &mut Omissions) -> Result<Value, Fault> {
    if document.context.is_some() {
        omit.within("messages", "the context of a document")?;
    }
    if document.citations {
        omit.within("messages", "citations of a document")?;
    }
    let mut file = json!({ "type": "input_file" });
    let mut name = document.name.as_deref();
    match &document.source {
        Source::Text { text } => {
            let title = name.map(|name| format!("{name}\n\n")).unwrap_or_default();
            return Ok(json!({ "type": "input_text", "text": format!("{title}{text}") }));
        }
        Source::Inline { media_type, data } => {
            name = name.or(Some(if media_type == "application/pdf" { "document.pdf" } else { "document" }));
            file["file_data"] = format!("data:{media_type};base64,{data}").into();
        }
        Source::Url { url } => file["file_url"] = url.as_str().into(),
        Source::File { id } => file["file_id"] = id.as_str().into(),
    }
    if let Some(name) = name {
        file["filename"] = name.into();
    }
    Ok(file)
}
