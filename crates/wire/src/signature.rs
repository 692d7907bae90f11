//! Whose a signature over reasoning is.
//!
//! A provider signs (or encrypts) its reasoning and wants that back unchanged; anybody else refuses it. Calls cross
//! dialects, and one call of a conversation may go elsewhere than the one before, so the vocabulary's signatures
//! carry a mark that says who made them. A caller who speaks the maker's dialect sees them without the mark, as they
//! were made; any other sees the mark too, and sends it back with the rest. What is not the target's own is left out
//! where a request is written, and, where a request is forwarded as it is, by [`crate::own_signatures`].
//!
//! Reasoning that nobody signed gets a mark too where the caller's dialect has signatures: sent back to a provider
//! that asks for one, it is recognised like any other that is not its own.

use types::Dialect;
use types::chat::{Event, Part, Request};

/// What every mark begins with: one search finds out whether a body holds any.
pub(crate) const MARK: &str = "signed-by-";

/// Gemini's, over the part that follows the reasoning.
pub(crate) const GEMINI_NEXT: &str = "signed-by-gemini:";

/// Gemini's, over the thought itself.
pub(crate) const GEMINI_THOUGHT: &str = "signed-by-gemini-thought:";

/// In the place of a signature that is not there.
pub(crate) const NOBODY: &str = "signed-by-nobody:";

/// The mark of a dialect's providers. Who stands behind a server of OpenAI's kind is not known: such servers are
/// taken for one, as they are where the caller speaks their dialect.
const fn mark_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => "signed-by-chat:",
        Dialect::OpenaiResponses => "signed-by-openai:",
        Dialect::AnthropicMessages => "signed-by-anthropic:",
        Dialect::GeminiContent => GEMINI_NEXT,
        Dialect::BedrockConverse => "signed-by-bedrock:",
    }
}

/// The signature as its maker knows it, if that is a provider of `dialect`. Gemini reads its own.
pub(crate) fn own(dialect: Dialect, signature: &str) -> Option<&str> {
    signature.strip_prefix(mark_of(dialect))
}

/// Claude's signature as it made it: that of Anthropic, or of Bedrock, since either takes the other's. Bedrock does
/// not say which model answered; Claude's signatures are protocol buffers of which the first field is number 2.
pub(crate) fn claudes(signature: &str) -> Option<&str> {
    own(Dialect::AnthropicMessages, signature).or_else(|| {
        let signature = own(Dialect::BedrockConverse, signature)?;
        matches!(signature.as_bytes(), [b'E', b'g'..=b'v', ..]).then_some(signature)
    })
}

/// Whether a signature that stands in a request of `dialect` can be of use to its provider: it has no mark, or that
/// provider's.
pub(crate) fn may_stay(dialect: Dialect, signature: &str) -> bool {
    !signature.starts_with(MARK) || own(dialect, signature).is_some()
}

/// The signature as a caller sees it who speaks `dialect`.
pub(crate) fn shown(dialect: Dialect, signature: &str) -> &str {
    own(dialect, signature).unwrap_or(signature)
}

/// [`shown`], where the dialect must have a signature.
pub(crate) fn shown_or_nobody(dialect: Dialect, signature: Option<&str>) -> &str {
    signature.map_or(NOBODY, |signature| shown(dialect, signature))
}

/// The signature with the mark of the dialect that it came in; one that has a mark already keeps it.
fn marked(dialect: Dialect, signature: &mut String) {
    if !signature.starts_with(MARK) {
        signature.insert_str(0, mark_of(dialect));
    }
}

/// What a provider says in its stream, with its mark; `None` for the signature of nobody.
pub(crate) fn marked_event(dialect: Dialect, mut event: Event) -> Option<Event> {
    if let Event::ThinkingSignature { signature: proof, .. } | Event::HiddenThinking { data: proof, .. } =
        &mut event
    {
        if proof == NOBODY {
            return None;
        }
        marked(dialect, proof);
    }
    Some(event)
}

/// Marks the parts of an answer, or of the model's turns in a request, that came in `dialect`.
pub(crate) fn mark_parts(dialect: Dialect, parts: &mut Vec<Part>) {
    let mut nobody = false;
    for part in &mut *parts {
        match part {
            Part::Thinking { signature: proof, .. } => {
                proof.take_if(|proof| proof == NOBODY);
                if let Some(proof) = proof {
                    marked(dialect, proof);
                }
            }
            Part::HiddenThinking { data } => {
                nobody |= data == NOBODY;
                marked(dialect, data);
            }
            _ => {}
        }
    }
    if nobody {
        parts.retain(|part| !matches!(part, Part::HiddenThinking { data } if data == NOBODY));
    }
}

/// Marks the turns of a request that came in `dialect`.
pub(crate) fn mark_request(dialect: Dialect, request: &mut Request) {
    for message in &mut request.messages {
        mark_parts(dialect, &mut message.parts);
    }
}
