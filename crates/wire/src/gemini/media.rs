//! Images, sound and documents as parts.
//!
//! A document's name and context have no field of their own and go before it as text, and so does a document
//! that is plain text. How closely to look at an image (OpenAI's `detail`) is a hint and has no word here.

use std::borrow::Cow;

use types::Fault;
use types::chat::{Document, Image, Source};

use super::part::Part;
use crate::omission::Omissions;

pub(super) fn image(image: &Image) -> Part<'_> {
    match image {
        Image::Url { url, .. } => Part::file(media_type(url), url),
        Image::Inline { media_type, data, .. } => Part::inline(media_type, data),
    }
}

pub(super) fn audio<'a>(format: &str, data: &'a str) -> Part<'a> {
    let media_type = match format {
        "wav" => "audio/wav",
        "mp3" => "audio/mp3",
        "pcm16" => "audio/pcm",
        other => return Part::inline(format!("audio/{other}"), data),
    };
    Part::inline(media_type, data)
}

/// The parts that a document is. `path` is that of the content in which it stands.
pub(super) fn document<'a>(
    path: &str,
    document: &'a Document,
    omit: &mut Omissions,
    out: &mut Vec<Part<'a>>,
) -> Result<(), Fault> {
    if document.citations {
        omit.within(path, "citations of a document")?;
    }
    for said in [&document.name, &document.context].into_iter().flatten().filter(|said| !said.is_empty()) {
        out.push(Part::text(said));
    }
    match &document.source {
        Source::Url { url } => out.push(Part::file(media_type(url), url)),
        Source::Inline { media_type, data } => out.push(Part::inline(media_type, data)),
        Source::Text { text } if text.is_empty() => {}
        Source::Text { text } => out.push(Part::text(text)),
        // Gemini calls its files by their address.
        Source::File { id } if id.contains("://") => out.push(Part::file(media_type(id), id)),
        Source::File { .. } => omit.within(path, "a file by an id that is no address")?,
    }
    Ok(())
}

/// What lies at an address, by the end of its name. Gemini finds out itself where it is not told.
fn media_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let (_, end) = path.rsplit('/').next()?.rsplit_once('.')?;
    let end: Cow<'_, str> = end.to_ascii_lowercase().into();
    Some(match &*end {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "json" => "application/json",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        _ => return None,
    })
}
