//! The `usage` object of a response, read and written.

use serde::Deserialize;
use serde_json::{Value, json};
use types::Usage;

use crate::openai::usage::{CompletionDetails, PromptDetails, count};
use crate::piece::Count;

/// `usage` of a response.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Figures {
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    input_tokens_details: Option<PromptDetails>,
    output_tokens_details: Option<CompletionDetails>,
}

impl Figures {
    pub(crate) fn to_usage(&self) -> Usage {
        let read = self.input_tokens_details.clone().unwrap_or_default();
        let wrote = self.output_tokens_details.clone().unwrap_or_default();
        let (input, output) = (count(self.input_tokens), count(self.output_tokens));
        Usage {
            input,
            output,
            cache_read: count(read.cached).min(input),
            cache_write: count(read.cache_write).min(input),
            cache_write_1h: 0,
            reasoning: count(wrote.reasoning).min(output),
            audio_input: count(read.audio).min(input),
            audio_output: count(wrote.audio).min(output),
        }
    }
}

/// The `usage` object that says what `usage` says. Cache writes of either lifetime are one figure here; sound has
/// none, and is written only where there was some.
pub(crate) fn usage_json(usage: &Usage) -> Value {
    let mut json = json!({
        "input_tokens": usage.input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write.saturating_add(usage.cache_write_1h),
        },
        "output_tokens": usage.output,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning },
        "total_tokens": usage.total(),
    });
    if usage.audio_input > 0 {
        json["input_tokens_details"]["audio_tokens"] = json!(usage.audio_input);
    }
    if usage.audio_output > 0 {
        json["output_tokens_details"]["audio_tokens"] = json!(usage.audio_output);
    }
    json
}
