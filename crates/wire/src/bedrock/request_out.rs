//! Writes a request in Bedrock's dialect.

use serde_json::Value;
use types::Fault;
use types::chat::Request;

use crate::codec::Writing;
use crate::omission::Omissions;

/// Writes the request.
pub(crate) fn encode(
    _request: &Request,
    _writing: &Writing<'_>,
    _omit: &mut Omissions,
) -> Result<Value, Fault> {
    Err(Fault::internal("this dialect is not here yet"))
}
