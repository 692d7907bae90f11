//! Reads the events of a stream in OpenAI's Responses dialect.
//!
//! What an item says comes in pieces and once more when it is done. The pieces are passed on; from servers that
//! leave them out the whole is taken instead.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;
use types::Fault;

use super::answer::{stop_of, usage_of};
use super::frame::{Frame, Item, Part, Response};
use super::item::{BETWEEN, media_type};
use crate::cited::citation;
use crate::piece::{Piece, Str};
use crate::rejection;
use crate::said::{Said, bad_event};
use crate::sse::SseEvent;

/// What must be remembered from event to event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    started: bool,
    items: Vec<Known>,
    calls: u32,
    /// The text that is being said: its item and part, the characters before it, and those up to now.
    text: ((u32, u32), u64, u64),
}

/// An item that has been heard of.
#[derive(Clone, Debug)]
struct Known {
    /// Its place in the output.
    place: u32,
    /// Which call of the answer it is, if it is one.
    call: Option<u32>,
    /// The part that has said something last: its number, or 0.
    said: Option<u32>,
    /// How many parts its reasoning has.
    thoughts: u32,
}

impl Reader {
    pub(crate) fn read<'a, T: Piece<'a>>(
        &mut self,
        event: SseEvent<'a>,
        mut on: impl FnMut(Said<'a, T>),
    ) -> Result<(), Fault> {
        let data = event.data.trim_ascii();
        // Not of this dialect, but of servers that speak several.
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let frame: Frame<'a> = serde_json::from_slice(data).map_err(|error| bad_event(&error))?;
        let kind = frame.kind.as_ref().map_or(event.event.unwrap_or_default(), |kind| &kind.0);
        let (place, part) = (frame.output_index.unwrap_or(0), frame.content_index.unwrap_or(0));
        match kind {
            "response.created" | "response.queued" | "response.in_progress" => {
                self.start(&mut opened(frame.response)?, &mut on);
            }
            "response.output_item.added" => self.added(place, opened_item(frame.item)?, &mut on)?,
            "response.output_item.done" => self.done(place, opened_item(frame.item)?, &mut on)?,
            "response.content_part.added" | "response.reasoning_summary_part.added" => {
                let part: Option<Part<'a>> = frame.part.map(parsed).transpose()?;
                let kind = part.and_then(|part| part.kind).unwrap_or_default();
                if matches!(&*kind.0, "summary_text" | "reasoning_text") {
                    let known = self.known(place);
                    known.thoughts = known.thoughts.saturating_add(1);
                    if known.thoughts > 1 {
                        on(Said::Thinking { choice: 0, text: T::of(BETWEEN) });
                    }
                }
            }
            "response.output_text.delta" => {
                let text = &mut 0;
                self.piece(place, part, frame.delta, |piece: T| {
                    *text = piece.chars();
                    on(Said::Text { choice: 0, text: piece });
                })?;
                self.wrote(place, part, *text);
                if let Some(tokens) = frame.logprobs.and_then(tokens_of) {
                    on(Said::Logprobs { choice: 0, tokens });
                }
            }
            "response.output_text.done" => {
                let text = &mut 0;
                self.whole(place, part, frame.text, |piece: T| {
                    *text = piece.chars();
                    on(Said::Text { choice: 0, text: piece });
                })?;
                self.wrote(place, part, *text);
            }
            "response.output_text.annotation.added" => {
                let found = frame.annotation.and_then(|raw| citation(raw.get(), self.text.1));
                if let Some(citation) = found {
                    on(Said::Citation { choice: 0, citation });
                }
            }
            "response.refusal.delta" => {
                self.piece(place, part, frame.delta, |text| on(Said::Refusal { choice: 0, text }))?;
            }
            "response.refusal.done" => {
                self.whole(place, part, frame.refusal, |text| on(Said::Refusal { choice: 0, text }))?;
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let part = frame.summary_index.unwrap_or(part);
                self.piece(place, part, frame.delta, |text| on(Said::Thinking { choice: 0, text }))?;
            }
            "response.reasoning_summary_text.done" | "response.reasoning_text.done" => {
                let part = frame.summary_index.unwrap_or(part);
                self.whole(place, part, frame.text, |text| on(Said::Thinking { choice: 0, text }))?;
            }
            "response.function_call_arguments.delta" => {
                if let Some(index) = self.call_at(place) {
                    let say = |json| on(Said::ToolArguments { choice: 0, index, json });
                    self.piece(place, 0, frame.delta, say)?;
                }
            }
            "response.function_call_arguments.done" => {
                if let Some(index) = self.call_at(place) {
                    let say = |json| on(Said::ToolArguments { choice: 0, index, json });
                    self.whole(place, 0, frame.arguments, say)?;
                }
            }
            "response.audio.delta" => on(Said::Audio),
            "response.completed" | "response.incomplete" | "response.failed" => {
                let status = kind.trim_start_matches("response.").to_owned();
                self.end(&status, opened(frame.response)?, &mut on);
            }
            "error" => {
                let body =
                    frame.error.map_or_else(|| String::from_utf8_lossy(data), |error| error.get().into());
                on(Said::Failed(rejection::in_stream(&body)));
            }
            // Tools that the provider runs itself, and what is new.
            _ => {}
        }
        Ok(())
    }

    fn start<'a, T>(&mut self, response: &mut Response<'a>, on: &mut impl FnMut(Said<'a, T>)) {
        if !std::mem::replace(&mut self.started, true) {
            let (id, model) =
                (response.id.take().unwrap_or_default(), response.model.take().unwrap_or_default());
            on(Said::Start { id, model, usage: None });
        }
    }

    /// So many characters of text were said.
    fn wrote(&mut self, place: u32, part: u32, chars: u64) {
        let (of, before, upto) = &mut self.text;
        if std::mem::replace(of, (place, part)) != (place, part) {
            *before = *upto;
        }
        *upto += chars;
    }

    fn known(&mut self, place: u32) -> &mut Known {
        let at = self.items.iter().rposition(|item| item.place == place).unwrap_or_else(|| {
            self.items.push(Known { place, call: None, said: None, thoughts: 0 });
            self.items.len() - 1
        });
        &mut self.items[at]
    }

    fn call_at(&self, place: u32) -> Option<u32> {
        self.items.iter().rfind(|item| item.place == place)?.call
    }

    /// A piece of what the item at `place` says.
    fn piece<'a, T: Piece<'a>>(
        &mut self,
        place: u32,
        part: u32,
        text: Option<&'a RawValue>,
        on: impl FnOnce(T),
    ) -> Result<(), Fault> {
        let text: Option<T> = text.map(parsed).transpose()?;
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.known(place).said = Some(part);
            on(text);
        }
        Ok(())
    }

    /// All that a part says, which is news only if no piece of it came before.
    fn whole<'a, T: Piece<'a>>(
        &mut self,
        place: u32,
        part: u32,
        text: Option<&'a RawValue>,
        on: impl FnOnce(T),
    ) -> Result<(), Fault> {
        if self.known(place).said == Some(part) { Ok(()) } else { self.piece(place, part, text, on) }
    }

    fn added<'a, T: Piece<'a>>(
        &mut self,
        place: u32,
        item: Item<'a>,
        on: &mut impl FnMut(Said<'a, T>),
    ) -> Result<(), Fault> {
        if item.kind.as_ref().is_none_or(|kind| kind.0 != "function_call") {
            self.known(place);
            return Ok(());
        }
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        self.items.push(Known { place, call: Some(index), said: None, thoughts: 0 });
        let (id, name) = (item.call_id.unwrap_or_default(), item.name.unwrap_or_default());
        on(Said::ToolStart { choice: 0, index, id, name });
        // Usually empty, to be filled by deltas; some servers send them whole here.
        self.piece(place, 0, item.arguments, |json| on(Said::ToolArguments { choice: 0, index, json }))
    }

    fn done<'a, T: Piece<'a>>(
        &mut self,
        place: u32,
        item: Item<'a>,
        on: &mut impl FnMut(Said<'a, T>),
    ) -> Result<(), Fault> {
        let choice = 0;
        match item.kind.as_ref().map_or("", |kind| &kind.0) {
            "function_call" => match self.call_at(place) {
                Some(index) => {
                    self.whole(place, 0, item.arguments, |json| {
                        on(Said::ToolArguments { choice, index, json });
                    })?;
                }
                None => self.added(place, item, on)?,
            },
            "message" => {
                let silent = self.known(place).said.is_none();
                for part in item.content.into_iter().flatten().filter(|_| silent) {
                    self.piece(place, 0, part.text, |text| on(Said::Text { choice, text }))?;
                    self.piece(place, 0, part.refusal, |text| on(Said::Refusal { choice, text }))?;
                }
            }
            "reasoning" => {
                let known = self.known(place);
                let mut shown = known.thoughts > 0 || known.said.is_some();
                let silent = !shown;
                let parts = item.summary.into_iter().flatten().chain(item.content.into_iter().flatten());
                for part in parts.filter(|_| silent) {
                    if std::mem::replace(&mut shown, true) {
                        on(Said::Thinking { choice, text: T::of(BETWEEN) });
                    }
                    self.piece(place, 0, part.text, |text| on(Said::Thinking { choice, text }))?;
                }
                match item.encrypted_content.filter(|proof| !proof.is_empty()) {
                    Some(signature) if shown => on(Said::ThinkingSignature { choice, signature }),
                    Some(data) => on(Said::HiddenThinking { choice, data }),
                    None => {}
                }
            }
            "image_generation_call" => {
                let data: Option<Str<'a>> = item.result.map(parsed).transpose()?;
                if let Some(data) = data.filter(|data| !data.is_empty()) {
                    let media_type = media_type(item.output_format.as_ref().map(|format| &*format.0));
                    on(Said::Image { choice, media_type: Str(Cow::Owned(media_type)), data });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end<'a, T>(&mut self, status: &str, mut response: Response<'a>, on: &mut impl FnMut(Said<'a, T>)) {
        self.start(&mut response, on);
        if let Some(usage) = response.usage.and_then(|usage| usage_of(usage.get())) {
            on(Said::Usage { usage, alone: false });
        }
        if let Some(error) = response.error {
            return on(Said::Failed(rejection::in_stream(error.get())));
        }
        if status == "failed" {
            return on(Said::Failed(rejection::in_stream("{}")));
        }
        let status = response.status.as_ref().map_or(status, |status| &status.0);
        let reason = response.incomplete_details.and_then(|details| details.reason);
        let stop = stop_of(status, reason.as_ref().map(|reason| &*reason.0), self.calls > 0);
        on(Said::Stop { choice: 0, stop });
        on(Said::Done);
    }
}

/// The tokens of a piece of text, if it has any.
fn tokens_of(logprobs: &RawValue) -> Option<Value> {
    if logprobs.get() == "[]" {
        return None;
    }
    let tokens: Value = serde_json::from_str(logprobs.get()).ok()?;
    tokens.as_array().is_some_and(|tokens| !tokens.is_empty()).then_some(tokens)
}

fn parsed<'a, X: serde::Deserialize<'a>>(raw: &'a RawValue) -> Result<X, Fault> {
    serde_json::from_str(raw.get()).map_err(|error| bad_event(&error))
}

fn opened(response: Option<&RawValue>) -> Result<Response<'_>, Fault> {
    response.map_or_else(|| Ok(Response::default()), parsed)
}

fn opened_item(item: Option<&RawValue>) -> Result<Item<'_>, Fault> {
    item.map_or_else(|| Ok(Item::default()), parsed)
}
