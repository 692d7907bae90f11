//! OpenAI's dialect: Chat Completions and Embeddings, as OpenAI and the many compatible servers speak it.

pub(crate) mod chunk;
pub(crate) mod stream;
pub(crate) mod usage;
