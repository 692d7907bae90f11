//! Reads the events of a Gemini stream.
//!
//! There is no end marker: the stream is whole if every alternative that it showed has said why it ended. Some
//! models say so in every event, and figures or a signature may follow, so the ends are told at the end of the
//! stream. Tool calls come whole.
//!
//! A model that stops for another reason than the usual ones, before it has shown anything, has failed
//! (`MALFORMED_FUNCTION_CALL`, `UNEXPECTED_TOOL_CALL`, `NO_IMAGE`, `OTHER`…): it may do better when asked again.

use std::borrow::Cow;

use types::Fault;
use types::chat::{Citation, Stop};

use super::frame::{Call, Candidate, Chunk, Inline, Part};
use super::grounding::citations;
use super::logprobs::tokens;
use super::signature::marked;
use super::usage::Figures;
use crate::piece::{Few, Piece, Str};
use crate::rejection;
use crate::said::{Said, bad_event};
use crate::sse::SseEvent;

/// What must be remembered from event to event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    started: bool,
    /// The answer's id, from which calls without one get theirs.
    id: String,
    figures: Figures,
    choices: Vec<Choice>,
    /// An event could not be read.
    broken: bool,
    /// The model failed before it said anything.
    failed: Option<Fault>,
}

/// What is known of an alternative.
#[derive(Clone, Debug)]
struct Choice {
    index: u32,
    calls: u32,
    /// Whether it has shown anything but thoughts.
    shown: bool,
    stop: Option<Stop>,
    /// Its text so far, where it is held: sources are given by their place in it.
    said: String,
    /// The sources that have been told.
    cited: Vec<Citation>,
}

impl Reader {
    pub(crate) fn read<'a, T: Piece<'a>>(
        &mut self,
        event: SseEvent<'a>,
        on: impl FnMut(Said<'a, T>),
    ) -> Result<(), Fault> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        match serde_json::from_slice(data) {
            Ok(chunk) => self.chunk(chunk, on),
            Err(error) => {
                self.broken = true;
                return Err(bad_event(&error));
            }
        }
        Ok(())
    }

    /// Reads one response: an event, or a whole answer.
    pub(super) fn chunk<'a, T: Piece<'a>>(&mut self, chunk: Chunk<'a, T>, mut on: impl FnMut(Said<'a, T>)) {
        if let Some(error) = chunk.error {
            on(Said::Failed(rejection::in_stream(error.get())));
            return;
        }
        let usage = chunk.usage_metadata.map(|figures| {
            self.figures.update(figures);
            self.figures.to_usage()
        });
        if !std::mem::replace(&mut self.started, true) {
            let (id, model) =
                (chunk.response_id.unwrap_or_default(), chunk.model_version.unwrap_or_default());
            self.id = id.0.clone().into_owned();
            on(Said::Start { id, model, usage });
        }
        let alone = chunk.candidates.as_ref().is_none_or(Few::is_empty);
        for candidate in chunk.candidates.into_iter().flat_map(Few::into_iter) {
            self.candidate(candidate, &mut on);
        }
        if let Some(usage) = usage {
            on(Said::Usage { usage, alone });
        }
        // Another alternative may be of use.
        if let Some(fault) = self.failed.take().filter(|_| self.choices.len() == 1) {
            on(Said::Failed(fault));
        } else if self.choices.is_empty()
            && let Some(fault) = chunk.prompt_feedback.and_then(|feedback| feedback.blocked())
        {
            on(Said::Failed(fault));
        }
    }

    /// The stream has ended.
    pub(crate) fn finish<'a, T: Piece<'a>>(&mut self, mut on: impl FnMut(Said<'a, T>)) {
        if self.broken || self.choices.is_empty() || self.choices.iter().any(|choice| choice.stop.is_none()) {
            return;
        }
        for (choice, stop) in self.stops() {
            on(Said::Stop { choice, stop });
        }
        on(Said::Done);
    }

    /// Why each alternative ended. One that does not say has ended as it liked.
    pub(super) fn stops(&mut self) -> impl Iterator<Item = (u32, Stop)> {
        self.choices.sort_by_key(|choice| choice.index);
        self.choices.drain(..).map(|choice| {
            let stop = choice.stop.unwrap_or(Stop::End);
            (choice.index, if stop == Stop::End && choice.calls > 0 { Stop::ToolCalls } else { stop })
        })
    }

    fn candidate<'a, T: Piece<'a>>(&mut self, news: Candidate<'a, T>, on: &mut impl FnMut(Said<'a, T>)) {
        let index = news.index.unwrap_or(0);
        let place = self.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
            self.choices.push(Choice {
                index,
                calls: 0,
                shown: false,
                stop: None,
                said: String::new(),
                cited: Vec::new(),
            });
            self.choices.len() - 1
        });
        let Self { id, choices, failed, .. } = self;
        let Some(choice) = choices.get_mut(place) else { return };
        let parts = news.content.and_then(|content| content.parts);
        for part in parts.into_iter().flat_map(Few::into_iter) {
            choice.part(part, id, on);
        }
        if let Some(grounding) = news.grounding_metadata {
            for citation in citations(grounding.get(), &choice.said) {
                if !choice.cited.contains(&citation) {
                    choice.cited.push(citation.clone());
                    on(Said::Citation { choice: index, citation });
                }
            }
        }
        if let Some(tokens) = news.logprobs_result.and_then(tokens) {
            on(Said::Logprobs { choice: index, tokens });
        }
        if let Some(reason) = news.finish_reason {
            let stop = stop_of(&reason.0);
            // The provider's words on why it stopped the model; the callers' dialects have a place for them.
            if stop == Stop::Refused
                && choice.stop != Some(Stop::Refused)
                && let Some(text) = news.finish_message.filter(|text| !text.is_empty())
            {
                on(Said::Refusal { choice: index, text });
            }
            if matches!(stop, Stop::Other(_)) && !choice.shown {
                *failed = Some(rejection::model_failed(&reason.0));
            }
            choice.stop = Some(stop);
        }
    }
}

impl Choice {
    fn part<'a, T: Piece<'a>>(&mut self, part: Part<'a, T>, answer: &str, on: &mut impl FnMut(Said<'a, T>)) {
        let choice = self.index;
        let thought = part.thought.unwrap_or_default();
        let signature = part.thought_signature.filter(|signature| !signature.is_empty());
        let signature = signature.map(|signature| Said::ThinkingSignature {
            choice,
            signature: Str(Cow::Owned(marked(&signature.0, thought))),
        });
        let text = part.text.filter(|text| !text.is_empty());
        if thought {
            if let Some(text) = text {
                on(Said::Thinking { choice, text });
            }
            signature.map(on);
            return;
        }
        if let Some(signature) = signature {
            on(signature);
        }
        self.shown |= text.is_some() || part.function_call.is_some() || part.inline_data.is_some();
        if let Some(text) = text {
            self.said.push_str(text.held().unwrap_or_default());
            on(Said::Text { choice, text });
        }
        if let Some(call) = part.function_call {
            self.call(call, answer, on);
        }
        if let Some(Inline { mime_type: Some(media_type), data: Some(data) }) = part.inline_data {
            if media_type.0.starts_with("audio/") {
                on(Said::Audio);
            } else if media_type.0.starts_with("image/") {
                on(Said::Image { choice, media_type, data });
            }
        }
    }

    fn call<'a, T: Piece<'a>>(&mut self, call: Call<'a>, answer: &str, on: &mut impl FnMut(Said<'a, T>)) {
        let (choice, index) = (self.index, self.calls);
        self.calls = self.calls.saturating_add(1);
        let name = call.name.unwrap_or_default();
        let arguments = call.args.map_or("{}", |args| args.get());
        let id = call.id.filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| {
            let seed = if answer.is_empty() { format!("{}{arguments}", name.0) } else { answer.to_owned() };
            Str(Cow::Owned(made_up(&seed, choice, index)))
        });
        on(Said::ToolStart { choice, index, id, name });
        on(Said::ToolArguments { choice, index, json: T::of(arguments) });
    }
}

/// An id for a call that has none. Older models send none; every other dialect must have one, and one that no
/// other call of the conversation has. The seed is the answer's id, or, without that, what the call says.
fn made_up(seed: &str, choice: u32, index: u32) -> String {
    // FNV-1a: the same on every machine and in every version, as an id that is read back has to be.
    let hash = seed.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("call_{hash:016x}_{choice}_{index}")
}

/// What a `finishReason` means.
fn stop_of(reason: &str) -> Stop {
    match reason {
        "STOP" | "FUNCTION_CALL" => Stop::End,
        "MAX_TOKENS" => Stop::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Stop::Refused,
        other => Stop::Other(other.to_owned()),
    }
}
