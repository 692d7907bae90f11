//! What an answer is grounded in: `groundingMetadata`, as citations.

use serde::Deserialize;
use types::chat::Citation;

use crate::piece::{Str, count};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grounding<'a> {
    #[serde(default, borrow)]
    grounding_chunks: Vec<Chunk<'a>>,
    #[serde(default, borrow)]
    grounding_supports: Vec<Support<'a>>,
}

/// A source: a page, or what was found in the caller's own store.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow)]
    web: Option<Source<'a>>,
    #[serde(borrow)]
    retrieved_context: Option<Source<'a>>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    uri: Option<Str<'a>>,
    #[serde(borrow)]
    title: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Support<'a> {
    #[serde(borrow)]
    segment: Option<Segment<'a>>,
    #[serde(default)]
    grounding_chunk_indices: Vec<usize>,
}

/// A piece of the answer, in bytes of the part in which it stands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment<'a> {
    start_index: Option<usize>,
    end_index: Option<usize>,
    #[serde(borrow)]
    text: Option<Str<'a>>,
}

/// The citations for `said`, the text so far.
pub(super) fn citations(raw: &str, said: &str) -> Vec<Citation> {
    let Ok(Grounding { grounding_chunks, grounding_supports }) = serde_json::from_str(raw) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for Support { segment, grounding_chunk_indices } in grounding_supports {
        let Some((start, end)) = segment.and_then(|segment| place(&segment, said)) else { continue };
        for index in grounding_chunk_indices {
            let Some(chunk) = grounding_chunks.get(index) else { continue };
            let Some(source) = chunk.web.as_ref().or(chunk.retrieved_context.as_ref()) else { continue };
            let Some(url) = source.uri.clone().map(Str::into_string) else { continue };
            let title = source.title.clone().map(Str::into_string);
            out.push(Citation { url, title, quoted: None, start, end });
        }
    }
    out
}

/// Where a segment stands, in characters of the whole text. Its bytes are counted from the start of its part, and
/// parts are not told apart here, so its text is looked for where it does not stand at its place.
fn place(segment: &Segment<'_>, said: &str) -> Option<(u64, u64)> {
    let start = segment.start_index.unwrap_or_default();
    let (mut from, mut to) = (start, segment.end_index.unwrap_or(start));
    if let Some(text) = segment.text.as_ref().map(|text| &*text.0)
        && said.get(from..to) != Some(text)
    {
        from = said.find(text)?;
        to = from + text.len();
    }
    Some((count(said.get(..from)?), count(said.get(..to)?)))
}
