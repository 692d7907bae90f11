//! The items of a conversation in OpenAI's Responses dialect, as raw JSON: what is kept of a call, so that the next
//! one may go on from it by `previous_response_id`, and how they get into that call.
//!
//! Where they are kept, and for how long, is not known here.

use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::peek::{Input, Spans};

const TURN: &str = r#"{"role":"user","content":"#;

/// The items of a Responses request's `input`, joined by commas and otherwise as they stand; empty if there are
/// none. `spans` must come from a [`crate::peek`] at this very body.
pub fn input_items<S: AsRef<Spans> + ?Sized>(body: &Bytes, spans: &S) -> String {
    let text = |span: &Range<usize>| {
        body.get(span.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    };
    match &spans.as_ref().input {
        Input::Not | Input::Missing(_) => String::new(),
        Input::Text(span) => format!("{TURN}{}}}", text(span)),
        Input::Items(span) => inside(text(span)).to_owned(),
    }
}

/// The items of a response's `output`, joined by commas and otherwise as they stand; empty if there are none. Takes
/// a whole response, or the data of the event that ends a stream. `None` if it is neither.
pub fn output_items(response: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        output: Option<&'a RawValue>,
        #[serde(borrow)]
        response: Option<Output<'a>>,
    }
    #[derive(Deserialize)]
    struct Output<'a> {
        #[serde(borrow)]
        output: Option<&'a RawValue>,
    }
    let whole: Whole<'_> = serde_json::from_slice(response).ok()?;
    let output = whole.output.or(whole.response.and_then(|response| response.output))?;
    output.get().starts_with('[').then(|| inside(output.get()).to_owned())
}

/// A Responses request with `items` before its own input, and its `previous_response_id` made `null`. Every other
/// byte is as it was. `spans` must come from a [`crate::peek`] at this very body; they do not fit the new one.
pub fn with_history<S: AsRef<Spans> + ?Sized>(body: &Bytes, spans: &S, items: &str) -> Bytes {
    let spans = spans.as_ref();
    debug_assert_eq!(spans.body, body.len(), "these spans belong to another body");
    let mut edits: Vec<(Range<usize>, String)> = Vec::with_capacity(3);
    edits.extend(spans.previous.clone().map(|span| (span, "null".to_owned())));
    let own = input_items(body, spans);
    let comma = if own.is_empty() || items.is_empty() { "" } else { "," };
    match &spans.input {
        Input::Not => {}
        Input::Missing(end) => edits.push((*end..*end, format!(r#","input":[{items}]"#))),
        Input::Text(span) => edits.push((span.clone(), format!("[{items}{comma}{own}]"))),
        // The items themselves may be large: they stay where they are.
        Input::Items(span) => edits.push((span.start + 1..span.start + 1, format!("{items}{comma}"))),
    }
    edits.sort_by_key(|(span, _)| span.start);
    let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(body.len() + added);
    let mut from = 0;
    for (span, text) in &edits {
        out.extend_from_slice(body.get(from..span.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        from = span.end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Bytes::from(out)
}

/// What stands within the brackets of an array.
fn inside(array: &str) -> &str {
    array.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or_default().trim_ascii()
}
