//! Servers of the OpenAI kind, a row each: where they are, whose prices hold, and how they differ.
//!
//! Adding a provider is adding a row here and a fixture for it (`docs/book/guides/providers.md` shows how).
//! What a row says comes from the vendor's public documentation; a field that a vendor merely ignores is not
//! listed as refused unless ignoring it changes the answer.

use types::Quirks;
use types::quirks::{MaxTokens, Prefill, ReasoningField, StreamUsage};

/// A server of the OpenAI kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Compatible {
    /// The word in `kind`.
    pub kind: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Where its API is; `None`: wherever the operator runs it.
    pub base_url: Option<&'static str>,
    /// The vendor's name in the price list; `None`: it has no list prices.
    pub prices: Option<&'static str>,
    /// Whether it speaks the Responses dialect too.
    pub responses: bool,
    /// How it differs from OpenAI.
    pub quirks: Quirks,
}

/// What most servers have in common that are not OpenAI: the older name for the limit.
const USUAL: Quirks = Quirks { max_tokens: MaxTokens::Old, ..Quirks::OPENAI };

/// What servers that people run themselves have in common: sampling by `top_k`, and no thought of OpenAI's
/// newer role for instructions.
const OWN: Quirks = Quirks { top_k: true, developer: false, ..USUAL };

/// The table.
pub static COMPATIBLE: [Compatible; 22] = [
    server("openai", "OpenAI", Some("https://api.openai.com/v1"), Some("openai"), Quirks::OPENAI)
        .with_responses(),
    server(
        "openrouter",
        "OpenRouter",
        Some("https://openrouter.ai/api/v1"),
        None,
        Quirks {
            stream_usage: StreamUsage::Always,
            reasoning: ReasoningField::Object,
            top_k: true,
            cache_control: true,
            reasoning_back: true,
            ..USUAL
        },
    ),
    server(
        "mistral",
        "Mistral",
        Some("https://api.mistral.ai/v1"),
        Some("mistral"),
        Quirks {
            stream_usage: StreamUsage::ByItself,
            seed: "random_seed",
            some_tool: "any",
            reasoning: ReasoningField::None,
            developer: false,
            prefill: Prefill::Marked("prefix"),
            // Anything it does not know is an error there.
            refuses: &[
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "modalities",
                "verbosity",
                "web_search_options",
            ],
            ..USUAL
        },
    ),
    server(
        "groq",
        "Groq",
        Some("https://api.groq.com/openai/v1"),
        Some("groq"),
        Quirks {
            prefill: Prefill::Trailing,
            refuses: &["logit_bias", "logprobs", "top_logprobs"],
            ..Quirks::OPENAI
        },
    ),
    server(
        "deepseek",
        "DeepSeek",
        Some("https://api.deepseek.com/v1"),
        Some("deepseek"),
        Quirks {
            reasoning: ReasoningField::None,
            json_schema: false,
            developer: false,
            // It takes `prefix` at its beta address only, and most are not there.
            prefill: Prefill::No,
            refuses: &["logit_bias", "n", "seed"],
            ..USUAL
        },
    ),
    server(
        "xai",
        "xAI",
        Some("https://api.x.ai/v1"),
        Some("xai"),
        Quirks { max_tokens: MaxTokens::New, ..Quirks::OPENAI },
    )
    .with_responses(),
    server("together", "Together", Some("https://api.together.xyz/v1"), Some("together_ai"), OWN),
    server(
        "fireworks",
        "Fireworks",
        Some("https://api.fireworks.ai/inference/v1"),
        Some("fireworks_ai"),
        OWN,
    ),
    server(
        "cerebras",
        "Cerebras",
        Some("https://api.cerebras.ai/v1"),
        Some("cerebras"),
        Quirks {
            max_tokens: MaxTokens::New,
            refuses: &["frequency_penalty", "presence_penalty", "logit_bias", "n"],
            ..Quirks::OPENAI
        },
    ),
    server("deepinfra", "DeepInfra", Some("https://api.deepinfra.com/v1/openai"), Some("deepinfra"), OWN),
    server(
        "sambanova",
        "SambaNova",
        Some("https://api.sambanova.ai/v1"),
        Some("sambanova"),
        Quirks {
            refuses: &["logit_bias", "logprobs", "top_logprobs", "n", "presence_penalty", "seed"],
            ..OWN
        },
    ),
    server(
        "perplexity",
        "Perplexity",
        Some("https://api.perplexity.ai"),
        Some("perplexity"),
        Quirks {
            stream_usage: StreamUsage::Always,
            top_k: true,
            developer: false,
            refuses: &["tools", "tool_choice", "logit_bias", "n", "seed"],
            ..USUAL
        },
    ),
    server(
        "moonshot",
        "Moonshot",
        Some("https://api.moonshot.ai/v1"),
        Some("moonshot"),
        Quirks {
            reasoning: ReasoningField::None,
            developer: false,
            prefill: Prefill::Marked("partial"),
            refuses: &["logit_bias", "logprobs", "top_logprobs", "seed"],
            ..USUAL
        },
    ),
    server("nebius", "Nebius", Some("https://api.studio.nebius.com/v1"), Some("nebius"), OWN),
    server("hyperbolic", "Hyperbolic", Some("https://api.hyperbolic.xyz/v1"), Some("hyperbolic"), OWN),
    server(
        "dashscope",
        "Alibaba Model Studio",
        Some("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        Some("dashscope"),
        Quirks {
            developer: false,
            reasoning: ReasoningField::None,
            prefill: Prefill::Marked("partial"),
            ..USUAL
        },
    ),
    server(
        "cohere",
        "Cohere",
        Some("https://api.cohere.ai/compatibility/v1"),
        Some("cohere"),
        Quirks { refuses: &["logit_bias", "n", "modalities", "parallel_tool_calls"], ..USUAL },
    ),
    server(
        "meta",
        "Meta",
        Some("https://api.llama.com/compat/v1"),
        None,
        Quirks { developer: false, reasoning: ReasoningField::None, ..USUAL },
    ),
    server(
        "ollama",
        "Ollama",
        Some("http://127.0.0.1:11434/v1"),
        None,
        Quirks {
            top_k: false,
            refuses: &["tool_choice", "logit_bias", "n", "logprobs", "top_logprobs", "parallel_tool_calls"],
            ..OWN
        },
    ),
    server("vllm", "vLLM", None, None, Quirks { prefill: Prefill::Continued, ..OWN }),
    server("llamacpp", "llama.cpp", None, None, Quirks { prefill: Prefill::Trailing, ..OWN }),
    server("sglang", "SGLang", None, None, Quirks { prefill: Prefill::Continued, ..OWN }),
];

const fn server(
    kind: &'static str,
    title: &'static str,
    base_url: Option<&'static str>,
    prices: Option<&'static str>,
    quirks: Quirks,
) -> Compatible {
    Compatible { kind, title, base_url, prices, responses: false, quirks }
}

impl Compatible {
    const fn with_responses(self) -> Self {
        Self { responses: true, ..self }
    }

    /// Whether people run it themselves, each at an address of their own.
    fn is_own(&self) -> bool {
        self.base_url.is_none_or(|url| url.contains("//127.0.0.1"))
    }

    /// OpenAI itself.
    pub const fn openai() -> &'static Self {
        &COMPATIBLE[0]
    }

    /// The vendor that `kind` names.
    pub fn named(kind: &str) -> Option<&'static Self> {
        COMPATIBLE.iter().find(|vendor| vendor.kind == kind)
    }

    /// The vendor whose API is on `host`: what `kind: openai` with that vendor's address means.
    pub fn at(host: &str) -> Option<&'static Self> {
        let host_of = |url: &'static str| url.split('/').nth(2);
        COMPATIBLE.iter().find(|vendor| {
            !vendor.is_own() && vendor.base_url.and_then(host_of).is_some_and(|known| known == host)
        })
    }
}
