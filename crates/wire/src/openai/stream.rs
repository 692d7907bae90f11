//! Reads the events of an OpenAI stream.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use types::Fault;
use types::chat::Stop;

use super::chunk::{ChoiceDelta, Chunk, FunctionDelta, ToolDelta};
use crate::cited::citations;
use crate::parts::inline;
use crate::piece::{Piece, Str};
use crate::rejection;
use crate::said::{Said, bad_event};
use crate::sse::SseEvent;

/// What must be remembered from event to event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    started: bool,
    /// Choice and index of each tool call that has begun.
    tools: Vec<(u32, u32)>,
}

impl Reader {
    pub(crate) fn read<'a, T: Piece<'a>>(
        &mut self,
        event: SseEvent<'a>,
        mut on: impl FnMut(Said<'a, T>),
    ) -> Result<(), Fault> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            on(Said::Done);
            return Ok(());
        }
        let chunk: Chunk<'a, T> = serde_json::from_slice(data).map_err(|error| bad_event(&error))?;
        if let Some(error) = chunk.error {
            on(Said::Failed(rejection::in_stream(error.get())));
            return Ok(());
        }
        if event.event == Some("error") {
            on(Said::Failed(rejection::in_stream(&String::from_utf8_lossy(data))));
            return Ok(());
        }
        if !std::mem::replace(&mut self.started, true) {
            let (id, model) = (chunk.id.unwrap_or_default(), chunk.model.unwrap_or_default());
            on(Said::Start { id, model, usage: None });
        }
        let alone = chunk.choices.as_ref().is_none_or(crate::piece::Few::is_empty);
        for choice in chunk.choices.into_iter().flat_map(crate::piece::Few::into_iter) {
            self.choice(choice, &mut on);
        }
        if let Some(tokens) = chunk.usage {
            on(Said::Usage { usage: tokens.to_usage(), alone });
        }
        Ok(())
    }

    fn choice<'a, T: Piece<'a>>(&mut self, news: ChoiceDelta<'a, T>, on: &mut impl FnMut(Said<'a, T>)) {
        let choice = news.index.unwrap_or(0);
        let some = |text: Option<T>| text.filter(|text| !text.is_empty());
        if let Some(delta) = news.delta {
            if let Some(text) = some(delta.reasoning_content).or_else(|| some(delta.reasoning)) {
                on(Said::Thinking { choice, text });
            }
            for detail in delta.reasoning_details.into_iter().flat_map(crate::piece::Few::into_iter) {
                if let Some(signature) = detail.signature.filter(|signature| !signature.is_empty()) {
                    on(Said::ThinkingSignature { choice, signature });
                }
                if let Some(data) = detail.data.filter(|data| !data.is_empty()) {
                    on(Said::HiddenThinking { choice, data });
                }
            }
            if let Some(text) = some(delta.content) {
                on(Said::Text { choice, text });
            }
            if let Some(text) = some(delta.refusal) {
                on(Said::Refusal { choice, text });
            }
            for citation in delta.annotations.into_iter().flat_map(|raw| citations(raw.get(), 0)) {
                on(Said::Citation { choice, citation });
            }
            for image in delta.images.into_iter().flat_map(crate::piece::Few::into_iter) {
                if let Some((media_type, data)) = image.image_url.and_then(|image| drawn(image.url?)) {
                    on(Said::Image { choice, media_type, data });
                }
            }
            if delta.audio.is_some() {
                on(Said::Audio);
            }
            for tool in delta.tool_calls.into_iter().flat_map(crate::piece::Few::into_iter) {
                self.tool(choice, tool, on);
            }
            if let Some(function) = delta.function_call {
                let id = Some(Str(Cow::Borrowed("function_call")));
                self.tool(choice, ToolDelta { index: Some(0), id, function: Some(function) }, on);
            }
        }
        if let Some(tokens) = news.logprobs.and_then(tokens_of) {
            on(Said::Logprobs { choice, tokens });
        }
        if let Some(reason) = news.finish_reason {
            on(Said::Stop { choice, stop: stop_of(&reason.0) });
        }
    }

    fn tool<'a, T: Piece<'a>>(
        &mut self,
        choice: u32,
        tool: ToolDelta<'a, T>,
        on: &mut impl FnMut(Said<'a, T>),
    ) {
        // A server that leaves the index out means a new call where it gives an id, else the last one.
        let begun = self.tools.iter().filter(|(of, _)| *of == choice).map(|(_, index)| *index);
        let last = begun.max();
        let has_id = tool.id.as_ref().is_some_and(|id| !id.is_empty());
        let index = tool.index.unwrap_or(match last {
            Some(last) if has_id => last.saturating_add(1),
            Some(last) => last,
            None => 0,
        });
        let FunctionDelta { name, arguments } =
            tool.function.unwrap_or(FunctionDelta { name: None, arguments: None });
        if !self.tools.contains(&(choice, index)) {
            self.tools.push((choice, index));
            let (id, name) = (tool.id.unwrap_or_default(), name.unwrap_or_default());
            on(Said::ToolStart { choice, index, id, name });
        }
        if let Some(json) = arguments.filter(|json| !json.is_empty()) {
            on(Said::ToolArguments { choice, index, json });
        }
    }
}

/// Media type and data of an image in a data URL.
fn drawn(url: Str<'_>) -> Option<(Str<'_>, Str<'_>)> {
    Some(match url.0 {
        Cow::Borrowed(url) => {
            let (media_type, data) = inline(url)?;
            (Str(Cow::Borrowed(media_type)), Str(Cow::Borrowed(data)))
        }
        Cow::Owned(url) => {
            let (media_type, data) = inline(&url)?;
            (Str(Cow::Owned(media_type.to_owned())), Str(Cow::Owned(data.to_owned())))
        }
    })
}

/// The tokens of a `logprobs` object, if it names any.
fn tokens_of(logprobs: &RawValue) -> Option<Value> {
    #[derive(Deserialize)]
    struct Logprobs {
        content: Option<Value>,
    }
    let read: Logprobs = serde_json::from_str(logprobs.get()).ok()?;
    read.content.filter(|tokens| tokens.as_array().is_some_and(|tokens| !tokens.is_empty()))
}

/// What a `finish_reason` means.
pub(crate) fn stop_of(reason: &str) -> Stop {
    match reason {
        "stop" => Stop::End,
        "length" => Stop::Length,
        "tool_calls" | "function_call" => Stop::ToolCalls,
        "content_filter" => Stop::Refused,
        other => Stop::Other(other.to_owned()),
    }
}
