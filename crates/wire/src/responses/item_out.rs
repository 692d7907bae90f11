//! The items that a model makes, as they are written: messages, calls of functions, reasoning.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::cited::Annotation;

/// Part of a message's content.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Content<'a> {
    OutputText { annotations: Vec<Annotation<'a>>, logprobs: Cow<'a, [Value]>, text: &'a str },
    Refusal { refusal: &'a str },
}

/// An item.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Item<'a> {
    Message(Message<'a>),
    Call(Call<'a>),
    Thought(Thought<'a>),
    Image(Image<'a>),
}

#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    pub(super) status: &'static str,
    role: &'static str,
    content: Vec<Content<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "call_id")]
    answered_by: Cow<'a, str>,
    name: &'a str,
    arguments: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Thought<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "type")]
    kind: &'static str,
    summary: Vec<Summary<'a>>,
    encrypted_content: Option<&'a str>,
}

/// An image that the model made, in base64.
#[derive(Debug, Serialize)]
pub(super) struct Image<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_format: Option<&'a str>,
    result: Option<&'a str>,
}

/// A part of the summary of reasoning.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

impl<'a> Content<'a> {
    pub(super) fn text(text: &'a str, logprobs: impl Into<Cow<'a, [Value]>>) -> Self {
        Self::OutputText { annotations: Vec::new(), logprobs: logprobs.into(), text }
    }
}

impl<'a> Summary<'a> {
    pub(super) const fn of(text: &'a str) -> Self {
        Self { kind: "summary_text", text }
    }
}

impl<'a> Item<'a> {
    /// A message of the model.
    pub(super) fn message(
        id: impl Into<Cow<'a, str>>,
        status: &'static str,
        content: Vec<Content<'a>>,
    ) -> Self {
        Self::Message(Message { id: id.into(), kind: "message", status, role: "assistant", content })
    }

    /// A call of a function, as a caller gives it back: without an id and status of its own.
    pub(super) fn call(id: impl Into<Cow<'a, str>>, name: &'a str, arguments: &'a str) -> Self {
        let kind = "function_call";
        Self::Call(Call { id: None, kind, answered_by: id.into(), name, arguments, status: None })
    }

    /// Reasoning: its text, if it is shown, and what vouches for it.
    pub(super) fn thought(text: Option<&'a str>, proof: Option<&'a str>) -> Self {
        let summary = text.map(Summary::of).into_iter().collect();
        Self::Thought(Thought { id: None, kind: "reasoning", summary, encrypted_content: proof })
    }

    /// An image of a media type; without data while it is being made.
    pub(super) fn image(id: impl Into<Cow<'a, str>>, media_type: &'a str, data: Option<&'a str>) -> Self {
        let (kind, output_format) = ("image_generation_call", media_type.strip_prefix("image/"));
        Self::Image(Image { id: id.into(), kind, status: "completed", output_format, result: data })
    }

    /// The item with an id of its own.
    pub(super) fn named(mut self, item: impl Into<Cow<'a, str>>) -> Self {
        match &mut self {
            Self::Message(message) => message.id = item.into(),
            Self::Image(image) => image.id = item.into(),
            Self::Call(Call { id, .. }) | Self::Thought(Thought { id, .. }) => *id = Some(item.into()),
        }
        self
    }

    /// The item with that status. Reasoning has none.
    pub(super) fn with_status(mut self, status: &'static str) -> Self {
        self.set_status(status);
        self
    }

    pub(super) const fn set_status(&mut self, new: &'static str) {
        match self {
            Self::Message(message) => message.status = new,
            Self::Call(call) => call.status = Some(new),
            Self::Image(image) => image.status = new,
            Self::Thought(_) => {}
        }
    }
}
