//! AWS Bedrock's dialect: `Converse` and `ConverseStream`.
//!
//! Neither the model nor whether to stream stands in the body: both are the path's, and so `upstream`'s.
//! Source: Amazon Bedrock API reference (`API_runtime_Converse`, `API_runtime_ConverseStream`).

pub(crate) mod answer;
mod block;
mod cited;
pub(crate) mod exception;
mod extra;
pub(crate) mod request_out;
pub(crate) mod stream;
pub(crate) mod usage;
