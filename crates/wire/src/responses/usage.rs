//! The `usage` object of a response, read and written.

use serde::Deserialize;
use types::Usage;

use crate::piece::Count;

/// `usage` of a response.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Figures {
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct InputDetails {
    #[serde(rename = "cached_tokens")]
    cached: Option<Count>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct OutputDetails {
    #[serde(rename = "reasoning_tokens")]
    reasoning: Option<Count>,
}

impl Figures {
    pub(crate) fn to_usage(&self) -> Usage {
        let count = |count: Option<&Count>| count.map_or(0, |count| count.0);
        let input = count(self.input_tokens.as_ref());
        let output = count(self.output_tokens.as_ref());
        let cached = self.input_tokens_details.as_ref().and_then(|details| details.cached.as_ref());
        let reasoning = self.output_tokens_details.as_ref().and_then(|details| details.reasoning.as_ref());
        Usage {
            cache_read: count(cached).min(input),
            reasoning: count(reasoning).min(output),
            ..Usage::plain(input, output)
        }
    }
}
