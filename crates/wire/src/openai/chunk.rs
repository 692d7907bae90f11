//! The fields of a `chat.completion.chunk` that are read. Others may be there and are passed over.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::usage::Figures;
use crate::piece::{Few, Str};

/// One chunk. `T` is how texts are held.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Chunk<'a, T> {
    #[serde(borrow)]
    pub(crate) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) model: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) choices: Option<Few<ChoiceDelta<'a, T>>>,
    pub(crate) usage: Option<Figures>,
    #[serde(borrow)]
    pub(crate) error: Option<&'a RawValue>,
}

/// News of one choice.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct ChoiceDelta<'a, T> {
    pub(crate) index: Option<u32>,
    #[serde(borrow)]
    pub(crate) delta: Option<Delta<'a, T>>,
    #[serde(borrow)]
    pub(crate) finish_reason: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) logprobs: Option<&'a RawValue>,
}

/// What is new.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Delta<'a, T> {
    pub(crate) content: Option<T>,
    pub(crate) refusal: Option<T>,
    /// DeepSeek's, vLLM's and llama.cpp's name for reasoning.
    pub(crate) reasoning_content: Option<T>,
    /// OpenRouter's and newer vLLM's name for it.
    pub(crate) reasoning: Option<T>,
    /// `OpenRouter`'s form of reasoning, the only one with signatures.
    #[serde(borrow)]
    pub(crate) reasoning_details: Option<Few<Detail<'a>>>,
    #[serde(borrow)]
    pub(crate) tool_calls: Option<Few<ToolDelta<'a, T>>>,
    /// What `tool_calls` replaced.
    #[serde(borrow)]
    pub(crate) function_call: Option<FunctionDelta<'a, T>>,
    pub(crate) audio: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(crate) annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) images: Option<Few<ImageDelta<'a>>>,
}

/// An image that the model made.
#[derive(Debug, Deserialize)]
pub(crate) struct ImageDelta<'a> {
    #[serde(borrow)]
    pub(crate) image_url: Option<ImageUrl<'a>>,
}

/// Where it is: in the URL itself.
#[derive(Debug, Deserialize)]
pub(crate) struct ImageUrl<'a> {
    #[serde(borrow)]
    pub(crate) url: Option<Str<'a>>,
}

/// What vouches for reasoning; its text comes in plain beside it.
#[derive(Debug, Deserialize)]
pub(crate) struct Detail<'a> {
    #[serde(borrow)]
    pub(crate) signature: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) data: Option<Str<'a>>,
}

/// News of one tool call.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct ToolDelta<'a, T> {
    pub(crate) index: Option<u32>,
    #[serde(borrow)]
    pub(crate) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) function: Option<FunctionDelta<'a, T>>,
}

/// A function's name and a piece of its arguments.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct FunctionDelta<'a, T> {
    #[serde(borrow)]
    pub(crate) name: Option<Str<'a>>,
    pub(crate) arguments: Option<T>,
}
