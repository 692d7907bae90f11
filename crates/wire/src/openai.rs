//! OpenAI's dialect: Chat Completions and Embeddings, as OpenAI and the many compatible servers speak it.

pub(crate) mod adapt;
pub(crate) mod answer;
pub(crate) mod chunk;
pub(crate) mod embeddings;
pub(crate) mod fieldwise;
pub(crate) mod message;
pub(crate) mod request;
pub(crate) mod request_out;
pub(crate) mod stream;
pub(crate) mod stream_out;
pub(crate) mod usage;
