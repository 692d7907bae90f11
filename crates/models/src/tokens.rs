//! How many tokens a text is, exactly where the vocabulary is public and as a labelled estimate elsewhere.
//!
//! Only text is counted. Tools, images and audio have rules of their own that no vendor promises to keep;
//! the provider's own figure is the truth in the end.

use bpe_openai::Tokenizer;

use crate::Family;

/// OpenAI's rule for chats: three tokens of markup around each message …
const PER_MESSAGE: u64 = 3;
/// … and three that open the answer (OpenAI cookbook, "How to count tokens with tiktoken").
const PER_CHAT: u64 = 3;

/// A number of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The number.
    pub tokens: u64,
    /// Counted with the model's own tokenizer; otherwise an estimate.
    pub exact: bool,
}

/// Counts the tokens of a text as `model` reads it. The first count with a vocabulary loads that:
/// about a tenth of a second and 65 MB for `o200k`, half of it for `cl100k`. After that time is linear in the
/// text, whatever stands in it.
/// Special tokens in the text are counted as the plain text that they are for a caller.
pub fn count(model: &str, text: &str) -> Count {
    let family = Family::of(model);
    let counted = u64::try_from(tokenizer(family).count(text)).unwrap_or(u64::MAX);
    Count { tokens: scale(counted, family), exact: family.is_exact() }
}

/// Counts the tokens of a chat of `(role, text)` messages, with the markup around them.
///
/// Exact only where OpenAI has published that markup: for gpt-3.5, gpt-4, gpt-4o and gpt-4.1.
pub fn count_chat<'a>(model: &str, messages: impl IntoIterator<Item = (&'a str, &'a str)>) -> Count {
    let family = Family::of(model);
    let tokenizer = tokenizer(family);
    let mut markup = PER_CHAT;
    let mut counted: u64 = 0;
    for (role, text) in messages {
        markup = markup.saturating_add(PER_MESSAGE);
        for part in [role, text] {
            let part = u64::try_from(tokenizer.count(part)).unwrap_or(u64::MAX);
            counted = counted.saturating_add(part);
        }
    }
    Count { tokens: scale(counted, family).saturating_add(markup), exact: chats_are_exact(model) }
}

/// Whether [`count_chat`] is exact for `model`. Loads nothing.
pub fn chats_are_exact(model: &str) -> bool {
    markup_is_published(Family::of(model), model)
}

/// A first guess without any vocabulary: four bytes are a token (OpenAI's rule of thumb for English). For the
/// call path, which must not wait.
pub const fn rough(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

fn tokenizer(family: Family) -> &'static Tokenizer {
    match family {
        Family::Cl100k => bpe_openai::cl100k_base(),
        _ => bpe_openai::o200k_base(),
    }
}

fn scale(counted: u64, family: Family) -> u64 {
    counted.saturating_mul(family.per_thousand()).div_ceil(1_000)
}

fn markup_is_published(family: Family, model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    family.is_exact()
        && ["gpt-3.5", "gpt-35", "gpt-4-", "gpt-4o", "gpt-4.1"].iter().any(|known| name.starts_with(known))
        || name == "gpt-4"
}
