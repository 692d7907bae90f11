//! Reads the events of an Anthropic stream.

use types::Fault;
use types::chat::{Citation, Stop};

use super::cited::{citation, citations};
use super::frame::{Block, Delta, Frame};
use super::usage::Figures;
use crate::piece::{Piece, Str};
use crate::rejection;
use crate::said::{Said, bad_event};
use crate::sse::SseEvent;

/// What must be remembered from event to event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    tokens: Figures,
    /// The content block of each tool call, in order of the calls.
    tools: Vec<u32>,
    /// Characters of text before the present block, and up to now.
    text: (u64, u64),
    /// Sources of the present block, which is told of when it has ended.
    cited: Vec<Citation>,
}

impl Reader {
    pub(crate) fn read<'a, T: Piece<'a>>(
        &mut self,
        event: SseEvent<'a>,
        mut on: impl FnMut(Said<'a, T>),
    ) -> Result<(), Fault> {
        let data = event.data.trim_ascii();
        if data.is_empty() || event.event == Some("ping") {
            return Ok(());
        }
        let frame: Frame<'a, T> = serde_json::from_slice(data).map_err(|error| bad_event(&error))?;
        let block = frame.index.unwrap_or(0);
        match frame.kind.as_ref().map_or(event.event.unwrap_or_default(), |kind| &kind.0) {
            "message_start" => {
                let opening = frame.message.unwrap_or_default();
                let usage = opening.usage.map(|tokens| {
                    self.tokens.update(tokens);
                    self.tokens.to_usage()
                });
                let (id, model) = (opening.id.unwrap_or_default(), opening.model.unwrap_or_default());
                on(Said::Start { id, model, usage });
            }
            "content_block_start" => {
                self.text.0 = self.text.1;
                if let Some(start) = frame.content_block {
                    self.block(block, start, &mut on);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = frame.delta {
                    self.delta(block, delta, &mut on);
                }
            }
            "content_block_stop" => {
                let (start, end) = self.text;
                for citation in self.cited.drain(..) {
                    on(Said::Citation { choice: 0, citation: Citation { start, end, ..citation } });
                }
            }
            "message_delta" => {
                if let Some(delta) = frame.delta
                    && let Some(reason) = delta.stop_reason
                {
                    on(Said::Stop { choice: 0, stop: stop_of(&reason.0, delta.stop_sequence) });
                }
                if let Some(tokens) = frame.usage {
                    self.tokens.update(tokens);
                    on(Said::Usage { usage: self.tokens.to_usage(), alone: false });
                }
            }
            "message_stop" => on(Said::Done),
            "error" => {
                let body = frame.error.map_or("{}", |error| error.get());
                on(Said::Failed(rejection::in_stream(body)));
            }
            _ => {}
        }
        Ok(())
    }

    fn block<'a, T: Piece<'a>>(&mut self, index: u32, block: Block<'a, T>, on: &mut impl FnMut(Said<'a, T>)) {
        let choice = 0;
        let some = |text: Option<T>| text.filter(|text| !text.is_empty());
        match block.kind.as_ref().map_or("", |kind| &kind.0) {
            "text" => {
                self.cited.extend(block.citations.into_iter().flat_map(|raw| citations(raw.get(), (0, 0))));
                if let Some(text) = some(block.text) {
                    self.text.1 += text.chars();
                    on(Said::Text { choice, text });
                }
            }
            "thinking" => {
                if let Some(text) = some(block.thinking) {
                    on(Said::Thinking { choice, text });
                }
                if let Some(signature) = block.signature.filter(|signature| !signature.is_empty()) {
                    on(Said::ThinkingSignature { choice, signature });
                }
            }
            "redacted_thinking" => {
                on(Said::HiddenThinking { choice, data: block.data.unwrap_or_default() });
            }
            "tool_use" => {
                let (id, name) = (block.id.unwrap_or_default(), block.name.unwrap_or_default());
                let call = self.call_of(index).unwrap_or_else(|| {
                    self.tools.push(index);
                    u32::try_from(self.tools.len() - 1).unwrap_or(u32::MAX)
                });
                on(Said::ToolStart { choice, index: call, id, name });
                // Usually `{}`, to be filled by deltas; some servers send the whole input here.
                let input = block.input.map_or("", |input| input.get());
                if !matches!(input, "" | "{}" | "null") {
                    on(Said::ToolArguments { choice, index: call, json: T::of(input) });
                }
            }
            _ => {}
        }
    }

    fn delta<'a, T: Piece<'a>>(&mut self, index: u32, delta: Delta<'a, T>, on: &mut impl FnMut(Said<'a, T>)) {
        let choice = 0;
        let some = |text: Option<T>| text.filter(|text| !text.is_empty());
        match delta.kind.as_ref().map_or("", |kind| &kind.0) {
            "text_delta" => {
                if let Some(text) = some(delta.text) {
                    self.text.1 += text.chars();
                    on(Said::Text { choice, text });
                }
            }
            "citations_delta" => {
                self.cited.extend(delta.citation.and_then(|raw| citation(raw.get(), (0, 0))));
            }
            "thinking_delta" => {
                if let Some(text) = some(delta.thinking) {
                    on(Said::Thinking { choice, text });
                }
            }
            "signature_delta" => {
                if let Some(signature) = delta.signature.filter(|signature| !signature.is_empty()) {
                    on(Said::ThinkingSignature { choice, signature });
                }
            }
            "input_json_delta" => {
                if let (Some(json), Some(index)) = (some(delta.partial_json), self.call_of(index)) {
                    on(Said::ToolArguments { choice, index, json });
                }
            }
            _ => {}
        }
    }

    /// Which tool call a content block is; `None` for the blocks of tools that the provider runs itself.
    fn call_of(&self, block: u32) -> Option<u32> {
        let place = self.tools.iter().position(|tool| *tool == block)?;
        u32::try_from(place).ok()
    }
}

/// What a `stop_reason` means.
pub(crate) fn stop_of(reason: &str, sequence: Option<Str<'_>>) -> Stop {
    match reason {
        "end_turn" => Stop::End,
        "stop_sequence" => Stop::Sequence(sequence.map(Str::into_string)),
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::ToolCalls,
        "refusal" => Stop::Refused,
        "pause_turn" => Stop::Paused,
        other => Stop::Other(other.to_owned()),
    }
}
