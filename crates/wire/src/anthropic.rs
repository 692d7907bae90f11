//! Anthropic's dialect: Messages.

pub(crate) mod answer;
pub(crate) mod block;
mod cited;
pub(crate) mod frame;
pub(crate) mod request;
pub(crate) mod request_out;
pub(crate) mod stream;
pub(crate) mod stream_out;
pub(crate) mod usage;
