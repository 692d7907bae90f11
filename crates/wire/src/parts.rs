//! What the content of turns has in common in the dialects that come in: a string or parts, data URLs.

use types::Fault;
use types::chat::{Image, Part};

use crate::fields::{Extra, Fields, TextOr, bad, text_or_items};
use crate::tape::Json;

/// Reads content: a string, or parts by `part`, which appends what it reads.
pub(crate) fn content(
    value: Json<'_>,
    extra: &mut Extra,
    part: impl Fn(Json<'_>, &mut Vec<Part>, &mut Extra) -> Result<(), Fault>,
) -> Result<Vec<Part>, Fault> {
    match text_or_items(value)? {
        TextOr::Text(text) => Ok(vec![Part::Text { text }]),
        TextOr::Items(items) => {
            let mut parts = Vec::with_capacity(items.len());
            for item in items {
                part(item, &mut parts, extra)?;
            }
            Ok(parts)
        }
    }
}

/// Sound as both of OpenAI's dialects have it.
pub(crate) fn audio(fields: &mut Fields<'_>, extra: &mut Extra) -> Result<Part, Fault> {
    let mut audio = fields.required("input_audio", Fields::object)?;
    let part = Part::Audio {
        format: audio.required("format", Fields::text)?,
        data: audio.required("data", Fields::text)?,
    };
    audio.rest(extra);
    Ok(part)
}

/// An image by its URL, which may hold it.
pub(crate) fn image(item: Json<'_>, url: String, detail: Option<String>) -> Result<Image, Fault> {
    if !url.starts_with("data:") {
        return Ok(Image::Url { url, detail });
    }
    let (media_type, data) = inline(&url).ok_or_else(|| {
        let path = item.path();
        bad(&path, format!("the image at `{path}` must be a URL or a data URL in base64"))
    })?;
    Ok(Image::Inline { media_type: media_type.to_owned(), data: data.to_owned(), detail })
}

/// Media type and data of a data URL in base64.
pub(crate) fn inline(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}
