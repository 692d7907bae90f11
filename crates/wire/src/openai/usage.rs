//! OpenAI's `usage` object, read and written.

use serde::Deserialize;
use serde_json::{Value, json};
use types::Usage;

use crate::piece::Count;

/// `usage` of a chat completion, its last chunk, or an embedding.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Figures {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    total_tokens: Option<Count>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's name for cached tokens.
    prompt_cache_hit_tokens: Option<Count>,
}

/// What of the prompt was cached or heard, in both of OpenAI's dialects.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PromptDetails {
    #[serde(rename = "cached_tokens")]
    pub(crate) cached: Option<Count>,
    #[serde(rename = "cache_write_tokens")]
    pub(crate) cache_write: Option<Count>,
    #[serde(rename = "audio_tokens")]
    pub(crate) audio: Option<Count>,
}

/// What of the answer was reasoning or spoken.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct CompletionDetails {
    #[serde(rename = "reasoning_tokens")]
    pub(crate) reasoning: Option<Count>,
    #[serde(rename = "audio_tokens")]
    pub(crate) audio: Option<Count>,
}

pub(crate) fn count(count: Option<Count>) -> u64 {
    count.unwrap_or_default().0
}

impl Figures {
    pub(crate) fn to_usage(&self) -> Usage {
        let prompt = self.prompt_tokens_details.clone().unwrap_or_default();
        let completion = self.completion_tokens_details.clone().unwrap_or_default();
        let input = count(self.prompt_tokens);
        let reasoning = count(completion.reasoning);
        let mut output = count(self.completion_tokens);
        // Some servers (xAI) leave reasoning out of the completion and only add it to the total.
        let apart = input.saturating_add(output).saturating_add(reasoning);
        if reasoning > 0 && count(self.total_tokens) == apart {
            output = output.saturating_add(reasoning);
        }
        Usage {
            input,
            output,
            cache_read: count(prompt.cached.or(self.prompt_cache_hit_tokens)).min(input),
            cache_write: count(prompt.cache_write).min(input),
            cache_write_1h: 0,
            reasoning: reasoning.min(output),
            audio_input: count(prompt.audio).min(input),
            audio_output: count(completion.audio).min(output),
        }
    }
}

/// The `usage` object that says what `usage` says. Cache writes of either lifetime are one figure here.
pub(crate) fn usage_json(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total(),
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write.saturating_add(usage.cache_write_1h),
            "audio_tokens": usage.audio_input,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.audio_output,
        },
    })
}
