//! Bedrock's `usage` object.
//!
//! Its counts exclude each other (`inputTokens` are the uncached ones); ours are totals with parts.

use serde::Deserialize;
use types::Usage;

use crate::piece::{Count, Few, Str};

/// `usage` of an answer, or of a stream's `metadata`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures<'a> {
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    cache_read_input_tokens: Option<Count>,
    cache_write_input_tokens: Option<Count>,
    #[serde(borrow)]
    cache_details: Option<Few<Written<'a>>>,
}

/// What was written to the cache for how long.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(borrow)]
    ttl: Option<Str<'a>>,
    input_tokens: Option<Count>,
}

impl Figures<'_> {
    pub(crate) fn to_usage(&self) -> Usage {
        let count = |count: Option<Count>| count.unwrap_or_default().0;
        let details = self.cache_details.as_ref().map(Few::iter).into_iter().flatten();
        let hour = details
            .filter(|written| written.ttl.as_ref().is_some_and(|ttl| ttl.0 == "1h"))
            .fold(0_u64, |sum, written| sum.saturating_add(count(written.input_tokens)));
        let written = count(self.cache_write_input_tokens).max(hour);
        let cache_read = count(self.cache_read_input_tokens);
        Usage {
            input: count(self.input_tokens).saturating_add(written).saturating_add(cache_read),
            output: count(self.output_tokens),
            cache_read,
            cache_write: written - hour,
            cache_write_1h: hour,
            // Bedrock does not tell reasoning apart, and has no sound.
            reasoning: 0,
            audio_input: 0,
            audio_output: 0,
        }
    }
}
