//! Google Gemini's dialect: `generateContent` and `streamGenerateContent?alt=sse`. Nobody calls us in it.

pub(crate) mod answer;
pub(crate) mod frame;
mod grounding;
mod logprobs;
mod media;
pub(crate) mod model;
mod part;
pub(crate) mod request_out;
pub(crate) mod signature;
pub(crate) mod stream;
mod thinking;
mod tools;
mod turns;
pub(crate) mod usage;
