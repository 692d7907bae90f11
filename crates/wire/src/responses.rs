//! OpenAI's Responses dialect: requests, answers and streams of typed events.

pub(crate) mod answer;
pub(crate) mod request;
pub(crate) mod request_out;
pub(crate) mod stream;
pub(crate) mod stream_out;
pub(crate) mod usage;
