//! Reads the events of a Converse stream.
//!
//! Usage comes behind the stop: the answer is whole once both have come, or with the end of the stream if only
//! the stop has.

use std::borrow::Cow;
use std::mem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use types::Fault;
use types::chat::{Citation, Stop};

use super::cited::citation;
use super::usage::Figures;
use crate::piece::{Piece, Str};
use crate::rejection;
use crate::said::{Said, bad_event};
use crate::sse::SseEvent;

/// What must be remembered from event to event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    /// The content block of each tool call, in order of the calls.
    tools: Vec<u32>,
    /// Hidden reasoning of the present block, decoded: pieces of base64 cannot be joined.
    hidden: Vec<u8>,
    /// Characters of text before the present block, and up to now.
    text: (u64, u64),
    /// Sources of the present block, which is told of when it has ended.
    cited: Vec<Citation>,
    /// Whether the model has shown anything but reasoning.
    shown: bool,
    /// It has failed before.
    failed: Option<Fault>,
    stopped: bool,
    accounted: bool,
}

/// The fields of the events that are read. Others may be there and are passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
struct Frame<'a, T> {
    content_block_index: Option<u32>,
    #[serde(borrow)]
    start: Option<Start<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a, T>>,
    #[serde(borrow)]
    stop_reason: Option<Str<'a>>,
    #[serde(borrow)]
    additional_model_response_fields: Option<Additional<'a>>,
    #[serde(borrow)]
    usage: Option<Figures<'a>>,
}

/// The block of `contentBlockStart`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
}

#[derive(Debug, Deserialize)]
struct ToolUse<'a> {
    #[serde(rename = "toolUseId", borrow)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    name: Option<Str<'a>>,
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
}

/// The delta of `contentBlockDelta`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
struct Delta<'a, T> {
    text: Option<T>,
    tool_use: Option<Input<T>>,
    #[serde(borrow)]
    reasoning_content: Option<Reasoning<'a, T>>,
    #[serde(borrow)]
    citation: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Input<T> {
    input: Option<T>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
struct Reasoning<'a, T> {
    text: Option<T>,
    #[serde(borrow)]
    signature: Option<Str<'a>>,
    #[serde(borrow)]
    redacted_content: Option<Str<'a>>,
}

/// What the request asked to be told beside.
#[derive(Debug, Deserialize)]
struct Additional<'a> {
    #[serde(borrow)]
    stop_sequence: Option<Str<'a>>,
}

impl Reader {
    pub(crate) fn read<'a, T: Piece<'a>>(
        &mut self,
        event: SseEvent<'a>,
        mut on: impl FnMut(Said<'a, T>),
    ) -> Result<(), Fault> {
        let name = event.event.unwrap_or_default();
        let known = [
            "messageStart",
            "contentBlockStart",
            "contentBlockDelta",
            "contentBlockStop",
            "messageStop",
            "metadata",
        ];
        if !known.contains(&name) {
            return Ok(());
        }
        let frame: Frame<'a, T> = serde_json::from_slice(event.data).map_err(|error| bad_event(&error))?;
        let block = frame.content_block_index.unwrap_or(0);
        match name {
            // Neither an id nor a model: the head of the answer has the one, the request the other.
            "messageStart" => on(Said::Start { id: Str::default(), model: Str::default(), usage: None }),
            "contentBlockStart" => {
                if let Some(tool) = frame.start.and_then(|start| start.tool_use) {
                    self.tool(block, tool, &mut on);
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = frame.delta {
                    self.delta(block, delta, &mut on);
                }
            }
            "contentBlockStop" => {
                self.reveal(&mut on);
                let (start, end) = self.text;
                for citation in self.cited.drain(..) {
                    on(Said::Citation { choice: 0, citation: Citation { start, end, ..citation } });
                }
                self.text.0 = end;
            }
            "messageStop" => {
                let sequence = frame.additional_model_response_fields.and_then(|more| more.stop_sequence);
                let reason = frame.stop_reason.unwrap_or_default();
                self.reveal(&mut on);
                if !self.shown && malformed(&reason.0) {
                    self.failed = Some(rejection::model_failed(&reason.0));
                    return Ok(());
                }
                on(Said::Stop { choice: 0, stop: stop_of(&reason.0, sequence.map(Str::into_string)) });
                self.stopped = true;
            }
            _ => {
                if let Some(figures) = frame.usage {
                    on(Said::Usage { usage: figures.to_usage(), alone: true });
                    self.accounted = true;
                }
            }
        }
        if self.accounted && self.failed.is_some() {
            self.fail(&mut on);
        } else if self.stopped && self.accounted {
            on(Said::Done);
        }
        Ok(())
    }

    /// Tells that the model has failed, once what it used is known.
    fn fail<'a, T>(&mut self, on: &mut impl FnMut(Said<'a, T>)) {
        if let Some(fault) = self.failed.take() {
            on(Said::Failed(fault));
        }
    }

    /// The stream has ended: the answer is whole if it said why it stopped, although not what it used.
    pub(crate) fn finish<'a, T: Piece<'a>>(&mut self, mut on: impl FnMut(Said<'a, T>)) {
        self.fail(&mut on);
        if self.stopped {
            on(Said::Done);
        }
    }

    fn tool<'a, T: Piece<'a>>(&mut self, block: u32, tool: ToolUse<'a>, on: &mut impl FnMut(Said<'a, T>)) {
        // Tools that the provider runs itself are its own affair.
        if tool.kind.is_some_and(|kind| kind.0 == "server_tool_use") || self.call_of(block).is_some() {
            return;
        }
        self.tools.push(block);
        self.shown = true;
        let index = u32::try_from(self.tools.len() - 1).unwrap_or(u32::MAX);
        let (id, name) = (tool.id.unwrap_or_default(), tool.name.unwrap_or_default());
        on(Said::ToolStart { choice: 0, index, id, name });
    }

    fn delta<'a, T: Piece<'a>>(&mut self, block: u32, delta: Delta<'a, T>, on: &mut impl FnMut(Said<'a, T>)) {
        let choice = 0;
        let some = |text: Option<T>| text.filter(|text| !text.is_empty());
        self.cited.extend(delta.citation.and_then(|raw| citation(raw.get(), (0, 0))));
        if let Some(text) = some(delta.text) {
            self.text.1 += text.chars();
            self.shown = true;
            on(Said::Text { choice, text });
        }
        if let Some(json) = some(delta.tool_use.and_then(|tool| tool.input))
            && let Some(index) = self.call_of(block)
        {
            on(Said::ToolArguments { choice, index, json });
        }
        let Some(reasoning) = delta.reasoning_content else { return };
        if let Some(text) = some(reasoning.text) {
            on(Said::Thinking { choice, text });
        }
        if let Some(signature) = reasoning.signature.filter(|signature| !signature.is_empty()) {
            on(Said::ThinkingSignature { choice, signature });
        }
        if let Some(data) = reasoning.redacted_content {
            match STANDARD.decode(data.0.as_bytes()) {
                Ok(bytes) => self.hidden.extend(bytes),
                Err(_) => on(Said::HiddenThinking { choice, data }),
            }
        }
    }

    /// Hands over the hidden reasoning of a block that has ended.
    fn reveal<'a, T: Piece<'a>>(&mut self, on: &mut impl FnMut(Said<'a, T>)) {
        let hidden = mem::take(&mut self.hidden);
        if !hidden.is_empty() {
            on(Said::HiddenThinking { choice: 0, data: Str(Cow::Owned(STANDARD.encode(hidden))) });
        }
    }

    /// Which tool call a content block is; `None` for the blocks of tools that the provider runs itself.
    fn call_of(&self, block: u32) -> Option<u32> {
        let place = self.tools.iter().position(|tool| *tool == block)?;
        u32::try_from(place).ok()
    }
}

/// Whether a model stopped because what it wrote could not be read.
pub(crate) fn malformed(reason: &str) -> bool {
    matches!(reason, "malformed_model_output" | "malformed_tool_use")
}

/// What a `stopReason` means.
pub(crate) fn stop_of(reason: &str, sequence: Option<String>) -> Stop {
    match reason {
        "end_turn" | "" => Stop::End,
        "stop_sequence" => Stop::Sequence(sequence),
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::ToolCalls,
        "guardrail_intervened" | "content_filtered" => Stop::Refused,
        // What was malformed behind something that was not, and what is to come.
        other => Stop::Other(other.to_owned()),
    }
}
