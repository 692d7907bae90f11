//! How servers of the OpenAI kind differ from OpenAI itself: data, so that a new one is a row and not code.
//!
//! The rows stand in `config`, which knows the vendors; `wire` reads them when it writes a request.

/// What a server of the OpenAI kind takes, and under which names. The default is OpenAI itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The name of the greatest number of tokens.
    pub max_tokens: MaxTokens,
    /// Whether a stream tells its usage by itself, or has to be asked by `stream_options`.
    pub stream_usage: StreamUsage,
    /// The name of the seed: `seed`, Mistral's `random_seed`.
    pub seed: &'static str,
    /// How a `tool_choice` that wants some tool is said: `required`, Mistral's `any`.
    pub some_tool: &'static str,
    /// How reasoning is asked for.
    pub reasoning: ReasoningField,
    /// Whether `top_k` is taken.
    pub top_k: bool,
    /// Whether cache markers on content are taken (OpenRouter).
    pub cache_control: bool,
    /// Whether `response_format` may hold a JSON schema.
    pub json_schema: bool,
    /// Whether the role `developer` is known.
    pub developer: bool,
    /// Whether the reasoning of earlier turns is taken back, with its signatures (`reasoning_details`).
    pub reasoning_back: bool,
    /// How it takes the beginning of its own answer, to write on from there.
    pub prefill: Prefill,
    /// Top-level fields that the server refuses.
    pub refuses: &'static [&'static str],
}

/// The name of the greatest number of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokens {
    /// OpenAI's own: `max_completion_tokens` for models that reason, else `max_tokens`.
    ByModel,
    /// `max_tokens`, always.
    Old,
    /// `max_completion_tokens`, always.
    New,
}

/// How a stream comes to tell its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// By `stream_options.include_usage`.
    Asked,
    /// By itself; `stream_options` is not known.
    ByItself,
    /// By itself; `stream_options` is taken and changes nothing.
    Always,
}

/// How reasoning is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningField {
    /// `reasoning_effort`: a word.
    Effort,
    /// OpenRouter's `reasoning`: `{"effort": …}` or `{"max_tokens": …}`.
    Object,
    /// Not at all.
    None,
}

/// How a server takes the beginning of its own answer, to write on from there. Some repeat it then: llama.cpp's server
/// answers with the whole text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefill {
    /// Not at all, or nobody says how.
    No,
    /// As the last turn, which is the model's.
    Trailing,
    /// As the last turn, with this member of it true: Mistral's `prefix`, Moonshot's `partial`.
    Marked(&'static str),
    /// As the last turn, with `continue_final_message` in the request (vLLM and its like).
    Continued,
}

impl Quirks {
    /// OpenAI itself.
    pub const OPENAI: Self = Self {
        max_tokens: MaxTokens::ByModel,
        stream_usage: StreamUsage::Asked,
        seed: "seed",
        some_tool: "required",
        reasoning: ReasoningField::Effort,
        top_k: false,
        cache_control: false,
        json_schema: true,
        developer: true,
        reasoning_back: false,
        prefill: Prefill::No,
        refuses: &[],
    };
}

impl Default for Quirks {
    fn default() -> Self {
        Self::OPENAI
    }
}
