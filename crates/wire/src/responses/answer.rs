//! Reads a whole answer in OpenAI's Responses dialect.

use serde_json::value::RawValue;
use types::Fault;
use types::chat::Answer;

/// Reads the answer.
pub(crate) fn decode(_body: &RawValue) -> Result<Answer, Fault> {
    Err(Fault::internal("this dialect is not here yet"))
}

/// Writes the answer.
pub(crate) fn encode(_answer: &Answer, _meta: &crate::codec::AnswerMeta<'_>) -> serde_json::Value {
    serde_json::Value::Null
}
