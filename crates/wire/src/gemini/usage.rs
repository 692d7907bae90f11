//! Gemini's `usageMetadata`, read.
//!
//! Its thoughts stand beside the candidates' tokens and its tools' prompts beside the prompt's; ours are totals
//! with parts. Figures in a stream are cumulative: a later one replaces an earlier one, field by field.

use serde::Deserialize;
use types::Usage;

use crate::piece::{Count, Str};

/// `usageMetadata`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    prompt_token_count: Option<Count>,
    cached_content_token_count: Option<Count>,
    candidates_token_count: Option<Count>,
    thoughts_token_count: Option<Count>,
    tool_use_prompt_token_count: Option<Count>,
    total_token_count: Option<Count>,
    prompt_tokens_details: Option<Vec<Detail>>,
    candidates_tokens_details: Option<Vec<Detail>>,
}

/// Tokens of one kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(default, deserialize_with = "is_audio")]
    modality: bool,
    token_count: Option<Count>,
}

/// Of the kinds only sound has a figure of its own.
fn is_audio<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Str::deserialize(deserializer)?.0 == "AUDIO")
}

fn count(count: Option<Count>) -> u64 {
    count.unwrap_or_default().0
}

fn audio(details: Option<&Vec<Detail>>) -> u64 {
    let of_audio = details.into_iter().flatten().filter(|detail| detail.modality);
    of_audio.fold(0, |sum, detail| sum.saturating_add(count(detail.token_count)))
}

impl Figures {
    /// Takes over what `later` says.
    pub(crate) fn update(&mut self, later: Self) {
        self.prompt_token_count = later.prompt_token_count.or(self.prompt_token_count);
        self.cached_content_token_count =
            later.cached_content_token_count.or(self.cached_content_token_count);
        self.candidates_token_count = later.candidates_token_count.or(self.candidates_token_count);
        self.thoughts_token_count = later.thoughts_token_count.or(self.thoughts_token_count);
        self.tool_use_prompt_token_count =
            later.tool_use_prompt_token_count.or(self.tool_use_prompt_token_count);
        self.total_token_count = later.total_token_count.or(self.total_token_count);
        self.prompt_tokens_details = later.prompt_tokens_details.or(self.prompt_tokens_details.take());
        self.candidates_tokens_details =
            later.candidates_tokens_details.or(self.candidates_tokens_details.take());
    }

    pub(crate) fn to_usage(&self) -> Usage {
        let input = count(self.prompt_token_count).saturating_add(count(self.tool_use_prompt_token_count));
        let thoughts = count(self.thoughts_token_count);
        let mut output = count(self.candidates_token_count);
        // Where the total says so, the candidates' tokens hold the thoughts already.
        if self.total_token_count.is_none() || count(self.total_token_count) != input.saturating_add(output) {
            output = output.saturating_add(thoughts);
        }
        Usage {
            input,
            output,
            cache_read: count(self.cached_content_token_count).min(input),
            reasoning: thoughts.min(output),
            audio_input: audio(self.prompt_tokens_details.as_ref()).min(input),
            audio_output: audio(self.candidates_tokens_details.as_ref()).min(output),
            ..Usage::default()
        }
    }
}
