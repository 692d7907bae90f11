//! What a call used, in tokens, and how well we know it.

use serde::{Deserialize, Serialize};

/// Tokens of one attempt.
///
/// `input` and `output` are totals: cached, cache-write and audio tokens are *part of* `input`, reasoning and
/// audio tokens are *part of* `output` (OpenAI's way; Anthropic's separate counts are added up when read).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// All tokens that the model read.
    pub input: u64,
    /// All tokens that the model wrote.
    pub output: u64,
    /// Part of `input` that was read from the provider's prompt cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_read: u64,
    /// Part of `input` that was written to the provider's prompt cache (five-minute entries).
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write: u64,
    /// Part of `input` that was written to the provider's prompt cache for an hour.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_1h: u64,
    /// Part of `output` that the caller does not see: the model's reasoning.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning: u64,
    /// Part of `input` that was audio.
    #[serde(skip_serializing_if = "is_zero")]
    pub audio_input: u64,
    /// Part of `output` that was audio.
    #[serde(skip_serializing_if = "is_zero")]
    pub audio_output: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    /// `input` tokens read and `output` tokens written, nothing special about any of them.
    pub const fn plain(input: u64, output: u64) -> Self {
        Self {
            input,
            output,
            cache_read: 0,
            cache_write: 0,
            cache_write_1h: 0,
            reasoning: 0,
            audio_input: 0,
            audio_output: 0,
        }
    }

    /// Read and written together.
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Adds another attempt's usage.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.input, other.input),
            (&mut self.output, other.output),
            (&mut self.cache_read, other.cache_read),
            (&mut self.cache_write, other.cache_write),
            (&mut self.cache_write_1h, other.cache_write_1h),
            (&mut self.reasoning, other.reasoning),
            (&mut self.audio_input, other.audio_input),
            (&mut self.audio_output, other.audio_output),
        ];
        for (sum, count) in pairs {
            *sum = sum.saturating_add(count);
        }
    }
}

/// Where a usage figure comes from. A figure is never better than its source says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider's own final figure.
    Reported,
    /// Counted with the model's own tokenizer.
    Counted,
    /// An estimate: no public tokenizer, or only part of the answer was seen.
    Estimated,
    /// Nothing was sent, so nothing was used.
    #[default]
    None,
}

impl UsageSource {
    /// The name in rows and spans.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Counted => "counted",
            Self::Estimated => "estimated",
            Self::None => "none",
        }
    }
}
