//! Which tokenizer a model has, told by its name.
//!
//! OpenAI's vocabularies are public up to the `gpt-5` and `o` families. For everybody else, and for what comes
//! after, there is a family with a typical ratio to `o200k`; what really comes back in `usage` corrects it
//! (`learn::calibration`).

/// Models that cut text into the same tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// OpenAI's `o200k_base`: gpt-4o, gpt-4.1, gpt-4.5, gpt-5, gpt-oss, o1, o3, o4.
    O200k,
    /// OpenAI's `cl100k_base`: gpt-4, gpt-3.5-turbo, the embeddings since ada-002.
    Cl100k,
    /// OpenAI's models whose vocabulary is not public, older or newer.
    OtherOpenai,
    /// Anthropic's.
    Claude,
    /// Google's Gemini and Gemma.
    Gemini,
    /// Meta's Llama.
    Llama,
    /// Mistral's.
    Mistral,
    /// Alibaba's Qwen.
    Qwen,
    /// DeepSeek's.
    Deepseek,
    /// SmolLM2: a small vocabulary, so more tokens.
    Smollm,
    /// Nobody we know.
    Unknown,
}

/// Beginnings of names, the longer before the shorter.
const BEGINNINGS: &[(&str, Family)] = &[
    ("gpt-4o", Family::O200k),
    ("gpt-4.1", Family::O200k),
    ("gpt-4.5", Family::O200k),
    ("chatgpt-4o", Family::O200k),
    ("gpt-5", Family::O200k),
    ("gpt-oss", Family::O200k),
    ("o1", Family::O200k),
    ("o3", Family::O200k),
    ("o4", Family::O200k),
    ("gpt-4", Family::Cl100k),
    ("gpt-3.5", Family::Cl100k),
    ("gpt-35", Family::Cl100k),
    ("text-embedding-3", Family::Cl100k),
    ("text-embedding-ada-002", Family::Cl100k),
    ("gpt", Family::OtherOpenai),
    ("davinci", Family::OtherOpenai),
    ("babbage", Family::OtherOpenai),
    ("text-davinci", Family::OtherOpenai),
    ("codex", Family::OtherOpenai),
    ("computer-use", Family::OtherOpenai),
    ("chat-latest", Family::OtherOpenai),
    ("claude", Family::Claude),
    ("gemini", Family::Gemini),
    ("gemma", Family::Gemini),
    ("llama", Family::Llama),
    ("meta-llama", Family::Llama),
    ("mistral", Family::Mistral),
    ("mixtral", Family::Mistral),
    ("ministral", Family::Mistral),
    ("codestral", Family::Mistral),
    ("devstral", Family::Mistral),
    ("magistral", Family::Mistral),
    ("qwen", Family::Qwen),
    ("qwq", Family::Qwen),
    ("deepseek", Family::Deepseek),
    ("smollm", Family::Smollm),
];

impl Family {
    /// The family of a model. What stands before the last slash or a cloud's vendor prefix is ignored:
    /// `openai/gpt-4o`, `ft:gpt-4o-mini:me`, `us.anthropic.claude-haiku-4-5`.
    pub fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let name = name.strip_prefix("ft:").unwrap_or(name).to_ascii_lowercase();
        let begins = |name: &str| {
            let own = |known: &str| {
                name.strip_prefix(known).is_some_and(|rest| {
                    // `o1` must not find `o100`, nor `gpt-4` a `gpt-40`.
                    !known.ends_with(|c: char| c.is_ascii_digit())
                        || !rest.starts_with(|c: char| c.is_ascii_digit())
                })
            };
            BEGINNINGS.iter().find(|(known, _)| own(known)).map(|(_, family)| *family)
        };
        let after_dots = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
        std::iter::once(name.as_str()).chain(after_dots).find_map(begins).unwrap_or(Self::Unknown)
    }

    /// Is its vocabulary public and in this program?
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::O200k | Self::Cl100k)
    }

    /// Tokens for a thousand of `o200k`'s, for English and code mixed: where an estimate starts before
    /// anything was learned. Vendors' own statements and common measurements, rounded up: an estimate
    /// that is a little high reserves a little too much, one that is low lets a limit be passed.
    pub const fn per_thousand(self) -> u64 {
        match self {
            Self::O200k | Self::Cl100k | Self::OtherOpenai => 1_000,
            Self::Qwen | Self::Deepseek => 1_030,
            Self::Llama | Self::Gemini => 1_050,
            Self::Mistral | Self::Unknown => 1_150,
            Self::Claude | Self::Smollm => 1_200,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_family() {
        for (model, family) in [
            ("gpt-4o-mini", Family::O200k),
            ("openai/gpt-4o-2024-08-06", Family::O200k),
            ("ft:gpt-4o-mini-2024-07-18:me::x", Family::O200k),
            ("gpt-5.1-codex", Family::O200k),
            ("o3-mini", Family::O200k),
            ("groq/openai/gpt-oss-120b", Family::O200k),
            ("gpt-4-turbo", Family::Cl100k),
            ("gpt-3.5-turbo-0125", Family::Cl100k),
            ("azure/gpt-35-turbo", Family::Cl100k),
            ("text-embedding-3-small", Family::Cl100k),
            ("gpt-6-luna", Family::OtherOpenai),
            ("text-davinci-003", Family::OtherOpenai),
            ("claude-haiku-4-5", Family::Claude),
            ("bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0", Family::Claude),
            ("meta-llama/Llama-3.1-8B-Instruct", Family::Llama),
            ("Qwen/Qwen3-32B", Family::Qwen),
            ("gemini-2.5-flash", Family::Gemini),
            ("local/smollm2", Family::Smollm),
            ("o100", Family::Unknown),
            ("opus", Family::Unknown),
            ("", Family::Unknown),
        ] {
            assert_eq!(Family::of(model), family, "{model}");
        }
    }
}
