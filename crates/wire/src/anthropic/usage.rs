//! Anthropic's `usage` object, read and written.
//!
//! Its counts exclude each other (`input_tokens` are the uncached ones); ours are totals with parts. Figures
//! in a stream are cumulative: a later one replaces an earlier one, field by field.

use serde::Deserialize;
use serde_json::{Value, json};
use types::Usage;

use crate::piece::Count;

/// `usage` of a message, of `message_start` or of `message_delta`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Figures {
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    cache_creation_input_tokens: Option<Count>,
    cache_read_input_tokens: Option<Count>,
    cache_creation: Option<CacheCreation>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct CacheCreation {
    ephemeral_1h_input_tokens: Option<Count>,
    ephemeral_5m_input_tokens: Option<Count>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<Count>,
}

impl Figures {
    /// Takes over what `later` says.
    pub(crate) fn update(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_creation_input_tokens =
            later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
    }

    pub(crate) fn to_usage(self) -> Usage {
        let count = |count: Option<Count>| count.unwrap_or_default().0;
        let split = self.cache_creation.unwrap_or_default();
        let (hour, five) = (count(split.ephemeral_1h_input_tokens), count(split.ephemeral_5m_input_tokens));
        let written = count(self.cache_creation_input_tokens).max(hour.saturating_add(five));
        let cache_read = count(self.cache_read_input_tokens);
        let output = count(self.output_tokens);
        let thinking = self.output_tokens_details.unwrap_or_default().thinking_tokens;
        Usage {
            input: count(self.input_tokens).saturating_add(written).saturating_add(cache_read),
            output,
            cache_read,
            cache_write: written - hour,
            cache_write_1h: hour,
            reasoning: count(thinking).min(output),
            audio_input: 0,
            audio_output: 0,
        }
    }
}

/// The `usage` object that says what `usage` says.
pub(crate) fn usage_json(usage: &Usage) -> Value {
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    let cached = written.saturating_add(usage.cache_read);
    let mut json = json!({
        "input_tokens": usage.input.saturating_sub(cached),
        "output_tokens": usage.output,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cache_read,
    });
    if written > 0 {
        json["cache_creation"] = json!({
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        });
    }
    if usage.reasoning > 0 {
        json["output_tokens_details"] = json!({ "thinking_tokens": usage.reasoning });
    }
    json
}
