//! Reads a Responses request.

use serde_json::value::RawValue;
use types::Fault;
use types::chat::Request;

/// Reads the request.
pub(crate) fn decode(_body: &RawValue) -> Result<Request, Fault> {
    Err(Fault::internal("this dialect is not here yet"))
}
