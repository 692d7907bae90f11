//! Citations: OpenAI's `url_citation`, in both of its forms, and what all dialects need to place one.
//!
//! The vocabulary counts characters from the start of all plain text of a choice, as Chat Completions does. Sources
//! without an address of their own (files that lie with a vendor, documents of the request) have no word in it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use types::chat::{Citation, Part};

use crate::piece::{Str, count};

/// An annotation as it is read: OpenAI's own two forms and, within them, nothing but sources by their address.
#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    url_citation: Option<Source<'a>>,
    #[serde(flatten, borrow)]
    source: Source<'a>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    url: Option<Str<'a>>,
    #[serde(borrow)]
    title: Option<Str<'a>>,
    start_index: Option<u64>,
    end_index: Option<u64>,
}

/// The source that an annotation names, if it has an address; `before` characters stand before the text that the
/// annotation counts from.
pub(crate) fn citation(annotation: &str, before: u64) -> Option<Citation> {
    let Read { url_citation, source } = serde_json::from_str(annotation).ok()?;
    let Source { url, title, start_index, end_index } = url_citation.unwrap_or(source);
    let url = url?.into_string();
    let start = start_index.unwrap_or_default();
    let end = end_index.unwrap_or_default().max(start);
    let at = |place: u64| before.saturating_add(place);
    Some(Citation { url, title: title.map(Str::into_string), quoted: None, start: at(start), end: at(end) })
}

/// The sources that a list of annotations names.
pub(crate) fn citations(annotations: &str, before: u64) -> impl Iterator<Item = Citation> {
    let annotations: Vec<&RawValue> = serde_json::from_str(annotations).unwrap_or_default();
    annotations.into_iter().filter_map(move |annotation| citation(annotation.get(), before))
}

/// Characters of the plain text among the parts.
pub(crate) fn plain(parts: &[Part]) -> u64 {
    let text = |part: &Part| if let Part::Text { text } = part { count(text) } else { 0 };
    parts.iter().map(text).sum()
}

/// An annotation as Responses has it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Annotation<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    start_index: u64,
    end_index: u64,
    url: &'a str,
    title: &'a str,
}

impl<'a> Annotation<'a> {
    /// For a text before which `before` characters stand.
    pub(crate) fn of(citation: &'a Citation, before: u64) -> Self {
        let at = |place: u64| place.saturating_sub(before);
        let Citation { url, title, start, end, .. } = citation;
        let title = title.as_deref().unwrap_or_default();
        Self { kind: "url_citation", start_index: at(*start), end_index: at(*end), url, title }
    }
}

/// An annotation as Chat Completions has it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ChatAnnotation<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url_citation: ChatCitation<'a>,
}

#[derive(Clone, Debug, Serialize)]
struct ChatCitation<'a> {
    start_index: u64,
    end_index: u64,
    title: &'a str,
    url: &'a str,
}

impl<'a> ChatAnnotation<'a> {
    pub(crate) fn of(citation: &'a Citation) -> Self {
        let Citation { url, title, start, end, .. } = citation;
        let title = title.as_deref().unwrap_or_default();
        let url_citation = ChatCitation { start_index: *start, end_index: *end, title, url };
        Self { kind: "url_citation", url_citation }
    }
}
