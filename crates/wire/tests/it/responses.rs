//! OpenAI's Responses dialect: what it says to the others and they to it.

mod answers;
mod bodies;
mod requests;
mod streams;
mod transcripts;
