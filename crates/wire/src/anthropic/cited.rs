//! Citations of text blocks. A block is what its citations are the sources of, so a text is cut into blocks.
//!
//! Sources without an address of their own (places in the request's documents) have no word in the vocabulary.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use types::chat::Citation;

use super::block::Block;
use crate::piece::{Str, count};
use crate::signature::NOBODY;

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    url: Option<Str<'a>>,
    /// Of a search result that came with the request: nearly always its address.
    #[serde(borrow)]
    source: Option<Str<'a>>,
    #[serde(borrow)]
    title: Option<Str<'a>>,
    #[serde(borrow)]
    cited_text: Option<Str<'a>>,
}

/// A citation of a block that stands at these characters; `None` if its source has no address.
pub(crate) fn citation(raw: &str, (start, end): (u64, u64)) -> Option<Citation> {
    let Read { url, source, title, cited_text } = serde_json::from_str(raw).ok()?;
    let url = url.or_else(|| source.filter(|source| source.0.contains("://")))?.into_string();
    let some = |text: Option<Str<'_>>| text.map(Str::into_string).filter(|text| !text.is_empty());
    Some(Citation { url, title: some(title), quoted: some(cited_text), start, end })
}

/// The citations of a block.
pub(crate) fn citations(list: &str, span: (u64, u64)) -> impl Iterator<Item = Citation> {
    let list: Vec<&RawValue> = serde_json::from_str(list).unwrap_or_default();
    list.into_iter().filter_map(move |raw| citation(raw.get(), span))
}

/// A citation as it is written: a result of Anthropic's own search, whose index only Anthropic could have made.
pub(crate) fn location(citation: &Citation) -> Value {
    json!({
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "encrypted_index": NOBODY,
        "cited_text": citation.quoted.as_deref().unwrap_or_default(),
    })
}

/// The blocks of a text before which `before` characters stand, with those of the citations that are about it.
pub(crate) fn blocks<'a>(text: &'a str, before: u64, cited: &[&Citation], out: &mut Vec<Block<'a>>) {
    let behind = before.saturating_add(count(text));
    let here = cited.iter().filter(|citation| (before..behind).contains(&citation.start));
    let mut about: Vec<_> = here
        .map(|citation| match (citation.start, citation.end) {
            // About nothing in particular.
            (start, end) if start == end => (before, behind, citation),
            (start, end) => (start, end.min(behind), citation),
        })
        .collect();
    about.sort_by_key(|(start, end, _)| (*start, *end));
    let (mut rest, mut at) = (text, before);
    let mut last = None;
    for (start, end, citation) in about {
        if last != Some((start, end)) {
            // What overlaps begins where the one before ends.
            let plain = cut(&mut rest, &mut at, start);
            out.extend(block(plain));
            out.extend(block(cut(&mut rest, &mut at, end)));
            last = Some((start, end));
        }
        if let Some(Block::Text { citations, .. }) = out.last_mut() {
            citations.push(location(citation));
        }
    }
    out.extend(block(rest));
}

/// A text; the empty one is none.
fn block(text: &str) -> Option<Block<'_>> {
    (!text.is_empty()).then_some(Block::text(text))
}

/// Takes what stands before the character at `end` off the text, which begins at the character `at`.
fn cut<'a>(rest: &mut &'a str, at: &mut u64, end: u64) -> &'a str {
    let length = usize::try_from(end.saturating_sub(*at)).unwrap_or(usize::MAX);
    let place = rest.char_indices().nth(length).map_or(rest.len(), |(place, _)| place);
    let (taken, after) = rest.split_at(place);
    *rest = after;
    *at = (*at).max(end);
    taken
}
