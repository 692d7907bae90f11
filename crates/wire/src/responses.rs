//! OpenAI's Responses dialect: requests, answers and streams of typed events.
//!
//! A response is a list of items; a turn of the vocabulary is what stands between two turns of somebody else,
//! so the items that the model made side by side are one turn.
//!
//! Reasoning survives a round trip through any provider: [`types::chat::Part::Thinking`] is a `reasoning` item
//! whose `summary` is the text and whose `encrypted_content` is the provider's signature, with its maker's mark
//! where that is not OpenAI (`signature`);
//! [`types::chat::Part::HiddenThinking`] is one with an empty `summary` whose `encrypted_content` is the opaque
//! data. Signed reasoning without a text has a summary of one empty text, which tells the two apart. A caller that
//! sends the items back, as the dialect asks for, gives the provider its text and signature unchanged.

pub(crate) mod answer;
mod content;
mod frame;
mod input;
mod item;
mod item_out;
pub(crate) mod request;
pub(crate) mod request_out;
mod slot;
pub(crate) mod stream;
pub(crate) mod stream_out;
pub(crate) mod usage;
