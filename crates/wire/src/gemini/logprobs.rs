//! Gemini's log-probabilities in OpenAI's form, which is the vocabulary's.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Number, Value, json};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogprobsResult {
    chosen_candidates: Option<Vec<Token>>,
    top_candidates: Option<Vec<Top>>,
}

#[derive(Debug, Deserialize)]
struct Top {
    candidates: Option<Vec<Token>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    token: Option<String>,
    log_probability: Option<Number>,
}

/// The list of tokens, each with its alternatives; `None` if it names none, or cannot be read.
pub(super) fn tokens(result: &RawValue) -> Option<Value> {
    let result: LogprobsResult = serde_json::from_str(result.get()).ok()?;
    let mut tops = result.top_candidates.unwrap_or_default().into_iter();
    let token = |chosen: Token| {
        let top = tops.next().and_then(|top| top.candidates).unwrap_or_default();
        let mut json = token_json(&chosen);
        json["top_logprobs"] = top.iter().map(token_json).collect();
        json
    };
    let tokens: Vec<_> = result.chosen_candidates?.into_iter().map(token).collect();
    (!tokens.is_empty()).then(|| tokens.into())
}

fn token_json(token: &Token) -> Value {
    let text = token.token.as_deref().unwrap_or_default();
    json!({ "token": text, "logprob": token.log_probability, "bytes": text.as_bytes() })
}
