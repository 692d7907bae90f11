//! The fields of a `GenerateContentResponse` that are read: a whole answer is one, and so is every event of a
//! stream. Others may be there and are passed over.

use serde::Deserialize;
use serde_json::value::RawValue;
use types::{Blame, Code, Fault, Kind};

use super::usage::Figures;
use crate::piece::{Few, Str};

/// One response. `T` is how texts are held.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Chunk<'a, T> {
    #[serde(borrow)]
    pub(crate) response_id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) model_version: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) candidates: Option<Few<Candidate<'a, T>>>,
    #[serde(borrow)]
    pub(crate) prompt_feedback: Option<Feedback<'a>>,
    pub(crate) usage_metadata: Option<Figures>,
    #[serde(borrow)]
    pub(crate) error: Option<&'a RawValue>,
}

/// What is said of the prompt.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Feedback<'a> {
    #[serde(borrow)]
    block_reason: Option<Str<'a>>,
    #[serde(borrow)]
    block_reason_message: Option<Str<'a>>,
}

/// News of one alternative.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Candidate<'a, T> {
    pub(crate) index: Option<u32>,
    #[serde(borrow)]
    pub(crate) content: Option<Content<'a, T>>,
    #[serde(borrow)]
    pub(crate) finish_reason: Option<Str<'a>>,
    pub(crate) finish_message: Option<T>,
    #[serde(borrow)]
    pub(crate) logprobs_result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) grounding_metadata: Option<&'a RawValue>,
}

/// What is new.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Content<'a, T> {
    #[serde(borrow)]
    pub(crate) parts: Option<Few<Part<'a, T>>>,
}

/// A part of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Part<'a, T> {
    pub(crate) text: Option<T>,
    pub(crate) thought: Option<bool>,
    #[serde(borrow)]
    pub(crate) thought_signature: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) function_call: Option<Call<'a>>,
    #[serde(borrow)]
    pub(crate) inline_data: Option<Inline<'a>>,
}

/// A tool call, which always comes whole.
#[derive(Debug, Deserialize)]
pub(crate) struct Call<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) args: Option<&'a RawValue>,
}

/// Sound or an image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inline<'a> {
    #[serde(borrow)]
    pub(crate) mime_type: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) data: Option<Str<'a>>,
}

impl Feedback<'_> {
    /// The prompt was refused: there is no answer, and this says why.
    pub(crate) fn blocked(&self) -> Option<Fault> {
        let reason = self.block_reason.as_ref().map(|reason| &*reason.0)?;
        let more = self.block_reason_message.as_ref().map(|more| &*more.0);
        let more = more.filter(|more| !more.is_empty()).unwrap_or(reason);
        let fault =
            Fault::new(Kind::Permanent, Code::ContentFiltered, format!("the content was refused: {more}"));
        Some(fault.with_blame(Blame::Caller).with_provider_reason(reason))
    }
}
