//! The conversation: `systemInstruction` and `contents`.
//!
//! Instructions that stand between turns move to the front, as they do for Anthropic: there is one place for
//! them. A conversation of nothing else is written as the user's, because there has to be a turn. All results
//! of a round of calls go in one turn, which holds nothing else but what the results show. Of the reasoning of
//! earlier turns only Gemini's own goes back, as signatures on the parts that carried them (`signature`);
//! anybody else's would be of no use. Empty texts are left out, because Gemini refuses empty parts.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use types::Fault;
use types::chat::{Message, Part as Said, Role};

use super::media;
use super::model::Model;
use super::part::{FunctionCall, FunctionResponse, Part, Response};
use super::signature::{self, Signed, signed};
use crate::anthropic::block::input;
use crate::fields::bad;
use crate::omission::Omissions;

/// `systemInstruction`.
#[derive(Debug, Serialize)]
pub(super) struct Instruction<'a> {
    parts: Vec<Part<'a>>,
}

/// An item of `contents`.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    parts: Vec<Part<'a>>,
    /// Of the first parts, which are results of tools: the numbers of their calls.
    #[serde(skip)]
    results: Vec<usize>,
}

/// Both.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    pub(super) instruction: Option<Instruction<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
}

impl<'a> Turn<'a> {
    const fn of(role: &'static str, parts: Vec<Part<'a>>) -> Self {
        Self { role, parts, results: Vec::new() }
    }

    const fn is_results(&self) -> bool {
        !self.results.is_empty()
    }
}

/// The conversation for a model.
pub(super) fn conversation<'a>(
    messages: &'a [Message],
    model: Model<'_>,
    omit: &mut Omissions,
) -> Result<Conversation<'a>, Fault> {
    let mut writer =
        Writer { model, omit, calls: HashMap::new(), called: 0, system: Vec::new(), turns: Vec::new() };
    for (place, message) in messages.iter().enumerate() {
        writer.message(&format!("messages[{place}]"), message)?;
    }
    let Writer { system, mut turns, .. } = writer;
    if turns.is_empty() && !system.is_empty() {
        turns.push(Turn::of("user", system));
        return Ok(Conversation { instruction: None, turns });
    }
    if model.is_third() {
        vouch(&mut turns);
    }
    let instruction = (!system.is_empty()).then_some(Instruction { parts: system });
    Ok(Conversation { instruction, turns })
}

/// From version 3 on, the first call of every step since the caller last spoke needs a signature.
fn vouch(turns: &mut [Turn<'_>]) {
    let steps = turns.iter_mut().rev().take_while(|turn| turn.role == "model" || turn.is_results());
    for turn in steps {
        if let Some(call) = turn.parts.iter_mut().find(|part| part.function_call.is_some()) {
            call.thought_signature.get_or_insert(signature::NONE);
        }
    }
}

struct Writer<'a, 'w> {
    model: Model<'w>,
    omit: &'w mut Omissions,
    /// Names of the tools called so far and the numbers of the calls, by their ids: a result has to say its
    /// tool's name, and models that do not look at ids go by the order.
    calls: HashMap<&'a str, (&'a str, usize)>,
    called: usize,
    system: Vec<Part<'a>>,
    turns: Vec<Turn<'a>>,
}

impl<'a> Writer<'a, '_> {
    fn message(&mut self, path: &str, message: &'a Message) -> Result<(), Fault> {
        // A tool's turn may name its tool; any other name is a participant's.
        if message.name.is_some() && message.role != Role::Tool {
            self.omit.field(&format!("{path}.name"))?;
        }
        match message.role {
            Role::System => {
                let mut parts = self.spoken(path, &message.parts, true)?;
                self.system.append(&mut parts);
            }
            Role::User => {
                let parts = self.spoken(path, &message.parts, false)?;
                if !parts.is_empty() {
                    self.turns.push(Turn::of("user", parts));
                }
            }
            Role::Assistant => {
                let mut parts = self.modelled(path, &message.parts)?;
                match self.turns.last_mut().filter(|last| last.role == "model") {
                    Some(last) => last.parts.append(&mut parts),
                    None if parts.is_empty() => {}
                    None => self.turns.push(Turn::of("model", parts)),
                }
            }
            Role::Tool => self.results(path, message)?,
        }
        Ok(())
    }

    /// What the caller says.
    fn spoken(&mut self, path: &str, parts: &'a [Said], texts_only: bool) -> Result<Vec<Part<'a>>, Fault> {
        let place = format!("{path}.content");
        let mut out = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Said::Text { text } | Said::Refusal { text } => {
                    if !text.is_empty() {
                        out.push(Part::text(text));
                    }
                }
                Said::CachePoint { .. } => {}
                Said::Image(_) | Said::Audio { .. } | Said::Document(_) if texts_only => {
                    self.omit.within(&place, "an image, sound or document in instructions")?;
                }
                Said::Image(image) => out.push(media::image(image)),
                Said::Audio { format, data } => out.push(media::audio(format, data)),
                Said::Document(document) => media::document(&place, document, self.omit, &mut out)?,
                Said::ToolCall { .. }
                | Said::ToolResult { .. }
                | Said::Thinking { .. }
                | Said::HiddenThinking { .. }
                | Said::Citation(_) => {
                    self.omit.within(&place, "a tool call or reasoning outside the model's turn")?;
                }
            }
        }
        Ok(out)
    }

    /// What the model said.
    fn modelled(&mut self, path: &str, parts: &'a [Said]) -> Result<Vec<Part<'a>>, Fault> {
        let mut out: Vec<Part<'a>> = Vec::with_capacity(parts.len());
        let mut calls = 0;
        // The signature that waits for its part.
        let mut waiting = None;
        for (at, part) in parts.iter().enumerate() {
            if let Some((text, signature)) = signed_thought(part) {
                let own = match signed(signature) {
                    Signed::Foreign => continue,
                    Signed::Thought(own) => Some(own),
                    Signed::Next(next) => {
                        out.extend(waiting.replace(next).map(empty));
                        None
                    }
                };
                if !text.is_empty() || own.is_some() {
                    out.push(Part { thought: true, thought_signature: own, ..Part::text(text) });
                }
                continue;
            }
            let mut written = match part {
                Said::Text { text } | Said::Refusal { text } if !text.is_empty() => Part::text(text),
                Said::Image(image) => media::image(image),
                Said::Audio { format, data } => media::audio(format, data),
                Said::ToolCall { id, name, arguments } => {
                    let place = format!("{path}.tool_calls[{calls}].function.arguments");
                    let args = input(arguments)
                        .ok_or_else(|| bad(&place, format!("`{place}` must be the text of a JSON object")))?;
                    calls += 1;
                    self.called += 1;
                    self.calls.insert(id, (name, self.called));
                    Part { function_call: Some(FunctionCall { id, name, args }), ..Part::default() }
                }
                Said::Document(_) | Said::ToolResult { .. } => {
                    self.omit
                        .within(&format!("{path}.content"), "a document or result in the model's turn")?;
                    continue;
                }
                Said::Text { .. }
                | Said::Refusal { .. }
                | Said::CachePoint { .. }
                | Said::Citation(_)
                | Said::Thinking { .. }
                | Said::HiddenThinking { .. } => continue,
            };
            if written.function_call.is_some() || !self.belongs_to_call(&parts[at..]) {
                written.thought_signature = waiting.take();
            }
            out.push(written);
        }
        out.extend(waiting.map(empty));
        Ok(out)
    }

    /// Whether a signature that waits before these parts is that of a call among them. OpenAI's callers give
    /// reasoning back apart from the texts and calls that it stood between, and models from version 3 on sign
    /// the first call where there is one.
    fn belongs_to_call(&self, parts: &[Said]) -> bool {
        let next = parts.iter().find(|part| match part {
            Said::ToolCall { .. } => true,
            part => signed_thought(part)
                .is_some_and(|(_, signature)| matches!(signed(signature), Signed::Next(_))),
        });
        self.model.is_third() && matches!(next, Some(Said::ToolCall { .. }))
    }

    fn results(&mut self, path: &str, message: &'a Message) -> Result<(), Fault> {
        for part in &message.parts {
            let (id, parts, failed) = match part {
                Said::ToolResult { id, parts, failed } => (id, parts, *failed),
                Said::CachePoint { .. } => continue,
                _ => {
                    self.omit.within(&format!("{path}.content"), "anything but results in a tool's turn")?;
                    continue;
                }
            };
            let named = || Some((message.name.as_deref()?, self.called));
            let (name, number) = self.calls.get(id.as_str()).copied().or_else(named).ok_or_else(|| {
                let place = format!("{path}.tool_call_id");
                bad(&place, format!("`{place}` is the id of no tool call before it"))
            })?;
            let (text, media) = self.result(path, parts)?;
            let response = if failed { Response::Error(text) } else { Response::Output(text) };
            let (within, beside) =
                media.into_iter().partition(|part| self.model.is_third() && part.inline_data.is_some());
            let function_response = Some(FunctionResponse { id, name, response, parts: within });
            self.push_result(number, Part { function_response, ..Part::default() }, beside);
        }
        Ok(())
    }

    /// A tool's result: its texts as one, and what it shows.
    fn result(&mut self, path: &str, parts: &'a [Said]) -> Result<(Cow<'a, str>, Vec<Part<'a>>), Fault> {
        let (mut text, mut media) = (Cow::Borrowed(""), Vec::new());
        let place = format!("{path}.content");
        for part in parts {
            match part {
                Said::Text { text: more } | Said::Refusal { text: more } => text += more.as_str(),
                Said::Image(image) => media.push(media::image(image)),
                Said::Audio { format, data } => media.push(media::audio(format, data)),
                Said::Document(document) => {
                    let mut whole = Vec::new();
                    media::document(&place, document, self.omit, &mut whole)?;
                    for part in whole {
                        match part.text {
                            Some(more) => text += more,
                            None => media.push(part),
                        }
                    }
                }
                Said::CachePoint { .. } => {}
                Said::ToolCall { .. }
                | Said::ToolResult { .. }
                | Said::Thinking { .. }
                | Said::HiddenThinking { .. }
                | Said::Citation(_) => {
                    self.omit.within(&place, "such a part of a tool's result")?;
                }
            }
        }
        Ok((text, media))
    }

    /// Results first, in the order of their calls; behind them what models before version 3 do not take inside
    /// of a result.
    fn push_result(&mut self, number: usize, result: Part<'a>, beside: Vec<Part<'a>>) {
        if !self.turns.last().is_some_and(Turn::is_results) {
            self.turns.push(Turn::of("user", Vec::new()));
        }
        if let Some(turn) = self.turns.last_mut() {
            let place = turn.results.partition_point(|before| *before <= number);
            turn.results.insert(place, number);
            turn.parts.insert(place, result);
            turn.parts.extend(beside);
        }
    }
}

/// Reasoning with a signature. One without text comes as hidden reasoning from callers of OpenAI's Responses.
fn signed_thought(part: &Said) -> Option<(&str, &str)> {
    match part {
        Said::Thinking { text, signature: Some(signature) } => Some((text, signature)),
        Said::HiddenThinking { data } => Some(("", data)),
        _ => None,
    }
}

/// A signature whose part was an empty text, as the last part of a stream is.
fn empty(signature: &str) -> Part<'_> {
    Part { thought_signature: Some(signature), ..Part::text("") }
}
