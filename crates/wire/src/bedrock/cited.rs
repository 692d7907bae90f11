//! Citations of Converse. Sources that are no pages (places in the request's documents) have no word in the
//! vocabulary.

use serde::Deserialize;
use types::chat::Citation;

use crate::piece::Str;

/// A citation, whole or as a delta.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    #[serde(borrow)]
    title: Option<Str<'a>>,
    #[serde(default, borrow)]
    source_content: Vec<Words<'a>>,
    #[serde(borrow)]
    location: Option<Location<'a>>,
}

#[derive(Deserialize)]
struct Words<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Location<'a> {
    #[serde(borrow)]
    web: Option<Web<'a>>,
}

#[derive(Deserialize)]
struct Web<'a> {
    #[serde(borrow)]
    url: Option<Str<'a>>,
}

/// The citation of a text that stands at these characters; `None` if its source is no page.
pub(super) fn citation(raw: &str, (start, end): (u64, u64)) -> Option<Citation> {
    let Read { title, source_content, location } = serde_json::from_str(raw).ok()?;
    let url = location?.web?.url?.into_string();
    let quoted: String =
        source_content.into_iter().filter_map(|words| words.text).map(Str::into_string).collect();
    let quoted = (!quoted.is_empty()).then_some(quoted);
    Some(Citation { url, title: title.map(Str::into_string), quoted, start, end })
}
