//! Changes a request body where it must be changed, and nowhere else: unknown fields, whitespace, huge integers
//! and odd floats stay byte for byte what the caller sent.

use std::ops::Range;

use bytes::Bytes;

use crate::Rope;
use crate::parameters::Edit;
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
    /// What else to change, such as [`crate::Said::edits`] for the same body.
    pub more: &'r [Edit],
}

/// The smallest body that is left where it is and sent in pieces; a copy of less costs less than that.
const IN_PIECES: usize = 64 << 10;

/// The body with the changes made and every other byte as it was. Without a change it is the same `Bytes`;
/// a large one keeps its memory and becomes pieces, with the changes between them.
///
/// `spans` must come from a [`crate::peek`] at this very body: a [`crate::Peek`] or its [`Spans`].
pub fn splice<S: AsRef<Spans> + ?Sized>(body: &Bytes, spans: &S, rewrite: &Rewrite<'_>) -> Rope {
    let spans = spans.as_ref();
    debug_assert_eq!(spans.body, body.len(), "these spans belong to another body");
    let quoted = rewrite.model.map(|model| serde_json::Value::from(model).to_string());
    let mut edits: [Change<'_>; 3] = [None, None, None];
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
    if !rewrite.more.is_empty() {
        let more = rewrite.more.iter().map(|(span, text)| Some((span.clone(), text.as_bytes())));
        let mut all: Vec<_> = edits.into_iter().chain(more).collect();
        return written(body, &mut all);
    }
    written(body, &mut edits)
}

/// A range, and what is written in its place. Ranges never overlap; where one is empty at another's end, the
/// other comes first, and where one is empty at another's start, it comes first itself.
type Change<'e> = Option<(Range<usize>, &'e [u8])>;

fn written(body: &Bytes, edits: &mut [Change<'_>]) -> Rope {
    if edits.iter().all(Option::is_none) {
        return Rope::from(body.clone());
    }
    edits.sort_by_key(|edit| edit.as_ref().map_or((0, 0), |(span, _)| (span.start, span.end)));
    if body.len() < IN_PIECES { copied(body, edits) } else { shared(body, edits) }
}

fn copied(body: &Bytes, edits: &[Change<'_>]) -> Rope {
    let added: usize = edits.iter().flatten().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(body.len() + added);
    let mut from = 0;
    for (span, text) in edits.iter().flatten() {
        out.extend_from_slice(body.get(from..span.start).unwrap_or_default());
        out.extend_from_slice(text);
        from = span.end;
    }
    out.extend_from_slice(body.get(from..).unwrap_or_default());
    Rope::from(out)
}

fn shared(body: &Bytes, edits: &[Change<'_>]) -> Rope {
    let part = |range: Range<usize>| if range.is_empty() { Bytes::new() } else { body.slice(range) };
    let mut pieces = Vec::with_capacity(7);
    let mut from = 0;
    for (span, text) in edits.iter().flatten() {
        pieces.push(part(from..span.start));
        pieces.push(Bytes::copy_from_slice(text));
        from = span.end;
    }
    pieces.push(part(from..body.len()));
    Rope::of(pieces)
}
