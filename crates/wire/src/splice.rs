//! Changes a request body where it must be changed, and nowhere else: unknown fields, whitespace, huge integers
//! and odd floats stay byte for byte what the caller sent.

use std::ops::Range;

use bytes::Bytes;

use crate::peek::Spans;

/// What to change in a body that is otherwise forwarded as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrite<'r> {
    /// The provider's name of the model.
    pub model: Option<&'r str>,
    /// Makes the provider report usage at the end of the stream (OpenAI).
    pub add_stream_usage: bool,
    /// Leaves out `metadata.windlass`, and `metadata` if nothing else stands in it.
    pub drop_windlass_metadata: bool,
}

/// The body with the changes made and every other byte as it was. Without a change it is the same `Bytes`.
///
/// `spans` must come from a [`crate::peek`] at this very body: a [`crate::Peek`] or its [`Spans`].
pub fn splice<S: AsRef<Spans> + ?Sized>(body: &Bytes, spans: &S, rewrite: &Rewrite<'_>) -> Bytes {
    let spans = spans.as_ref();
    debug_assert_eq!(spans.body, body.len(), "these spans belong to another body");
    let quoted = rewrite.model.map(|model| serde_json::Value::from(model).to_string());
    let mut edits: [Option<(Range<usize>, &[u8])>; 3] = [None, None, None];
    if let Some(model) = &quoted
        && body.get(spans.model.clone()) != Some(model.as_bytes())
    {
        edits[0] = Some((spans.model.clone(), model.as_bytes()));
    }
    if rewrite.drop_windlass_metadata {
        edits[1] = spans.windlass.clone().map(|span| (span, &b""[..]));
    }
    if rewrite.add_stream_usage {
        edits[2] = spans.usage.clone().map(|(span, text)| (span, text.as_bytes()));
    }
    if edits.iter().all(Option::is_none) {
        return body.clone();
    }
    // Ranges never overlap; where one is empty at another's end, the removal comes first.
    edits.sort_by_key(|edit| edit.as_ref().map_or((0, 0), |(span, _)| (span.start, span.end)));
    let added: usize = edits.iter().flatten().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(body.len() + added);
    let mut from = 0;
    for (span, text) in edits.iter().flatten() {
        out.extend_from_slice(body.get(from..span.start).unwrap_or_default());
        out.extend_from_slice(text);
        from = span.end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Bytes::from(out)
}
