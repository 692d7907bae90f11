//! Gemini's thought signatures on their way through the vocabulary.
//!
//! Gemini puts a signature on a part of its answer (a tool call, a text) and wants it back on that part. The
//! vocabulary has signatures on reasoning only, as the callers' dialects do. So the signature of a part goes
//! through as that of the reasoning directly before it; where there is none, a [`types::chat::Part::Thinking`]
//! without text stands for it.
//!
//! Both carry Gemini's mark, each its own ([`crate::signature`]).

use crate::signature::{GEMINI_NEXT, GEMINI_THOUGHT};

/// To Gemini's word for "this call was not yours, do not ask for its signature": from version 3 on it refuses a
/// call without any, and calls of other models, or those whose signature the caller lost, have none.
pub(super) const NONE: &str = "skip_thought_signature_validator";

/// Whose a signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed<'a> {
    /// Of the thought on which it stands.
    Thought(&'a str),
    /// Of the part after it.
    Next(&'a str),
    /// Not Gemini's.
    Foreign,
}

/// The signature of a thought (`thought`), or of the part after it, as the vocabulary has it.
pub(super) fn marked(signature: &str, thought: bool) -> String {
    let mark = if thought { GEMINI_THOUGHT } else { GEMINI_NEXT };
    format!("{mark}{signature}")
}

/// Reads the mark.
pub(super) fn signed(signature: &str) -> Signed<'_> {
    match (signature.strip_prefix(GEMINI_NEXT), signature.strip_prefix(GEMINI_THOUGHT)) {
        (Some(next), _) => Signed::Next(next),
        (None, Some(own)) => Signed::Thought(own),
        (None, None) => Signed::Foreign,
    }
}
