//! Reads a whole answer in Bedrock's dialect.

use serde_json::value::RawValue;
use types::Fault;
use types::chat::Answer;

/// Reads the answer.
pub(crate) fn decode(_body: &RawValue) -> Result<Answer, Fault> {
    Err(Fault::internal("this dialect is not here yet"))
}
