//! Bedrock's dialect from outside: requests, answers, and streams in real binary frames.

mod answers;
mod reader;
mod requests;
mod streams;
pub(crate) mod transcripts;
