//! Answers in OpenAI's shape: whole, or as server-sent events with a mark behind each.

use bytes::Bytes;
use serde::Serialize;
use types::Usage;

use super::answer::{Call, Choice};
use super::body::Mark;
use super::text;
use crate::clock;

/// What every part of an answer repeats.
pub(super) struct Head<'a> {
    id: &'a str,
    model: &'a str,
    created: i64,
}

impl<'a> Head<'a> {
    pub(super) fn new(id: &'a str, model: &'a str) -> Self {
        Self { id, model, created: clock::wall().as_secs() }
    }
}

#[derive(Serialize)]
struct Answer<'a, C> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    system_fingerprint: &'static str,
    choices: C,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Counts>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "OpenAI's names")]
struct Counts {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

#[derive(Serialize)]
struct WholeChoice<'a> {
    index: usize,
    message: Message<'a>,
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolCall<'a>; 1]>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolCall<'a>; 1]>,
}

#[derive(Serialize)]
struct ToolCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

/// An answer in one piece.
pub(super) fn whole(head: &Head<'_>, choices: &[Choice], usage: &Usage) -> Bytes {
    let choices: Vec<_> =
        choices.iter().enumerate().map(|(index, choice)| whole_choice(index, choice)).collect();
    let mut out = Vec::with_capacity(512);
    put(&mut out, &answer(head, "chat.completion", choices, Some(usage)));
    out.into()
}

fn whole_choice(index: usize, choice: &Choice) -> WholeChoice<'_> {
    let tool_calls = choice.call.as_ref().map(|call| [tool_call(None, call, &choice.text)]);
    let content = choice.call.is_none().then_some(choice.text.as_str());
    let message = Message { role: "assistant", content, refusal: (), tool_calls };
    WholeChoice { index, message, logprobs: (), finish_reason: choice.finish }
}

fn tool_call<'a>(index: Option<usize>, call: &'a Call, arguments: &'a str) -> ToolCall<'a> {
    let function = Function { name: Some(&call.name), arguments };
    ToolCall { index, id: Some(&call.id), r#type: Some("function"), function }
}

/// An answer as events: the role, the tokens of all choices side by side, why each has ended, the usage if
/// it was asked for, and the end mark.
pub(super) fn stream(head: &Head<'_>, choices: &[Choice], usage: Option<&Usage>) -> (Bytes, Vec<Mark>) {
    let mut events = Events { head, out: Vec::with_capacity(4096), marks: Vec::new() };
    for (index, choice) in choices.iter().enumerate() {
        let tool_calls = choice.call.as_ref().map(|call| [tool_call(Some(0), call, "")]);
        let content = choice.call.is_none().then_some("");
        events.chunk(0, index, Delta { role: Some("assistant"), content, tool_calls }, None);
    }
    let mut written: Vec<_> = choices.iter().map(|choice| text::tokens(&choice.text)).collect();
    let longest = choices.iter().map(|choice| choice.tokens).max().unwrap_or(0);
    for at in 1..=longest {
        for (index, (tokens, choice)) in written.iter_mut().zip(choices).enumerate() {
            if let Some(token) = tokens.next() {
                events.chunk(at, index, delta(choice, token), None);
            }
        }
    }
    let end = longest.saturating_add(1);
    for (index, choice) in choices.iter().enumerate() {
        events.chunk(end, index, Delta::default(), Some(choice.finish));
    }
    if usage.is_some() {
        events.event(end, &answer(head, "chat.completion.chunk", [(); 0], usage));
    }
    events.out.extend_from_slice(b"data: [DONE]\n\n");
    events.mark(end);
    (events.out.into(), events.marks)
}

struct Events<'a> {
    head: &'a Head<'a>,
    out: Vec<u8>,
    marks: Vec<Mark>,
}

impl Events<'_> {
    fn chunk(&mut self, at: u32, index: usize, delta: Delta<'_>, finish_reason: Option<&'static str>) {
        let choices = [ChunkChoice { index, delta, logprobs: (), finish_reason }];
        self.event(at, &answer(self.head, "chat.completion.chunk", choices, None));
    }

    fn event(&mut self, at: u32, value: &impl Serialize) {
        self.out.extend_from_slice(b"data: ");
        put(&mut self.out, value);
        self.out.extend_from_slice(b"\n\n");
        self.mark(at);
    }

    fn mark(&mut self, at: u32) {
        self.marks.push(Mark { end: self.out.len(), token: at });
    }
}

fn delta<'a>(choice: &Choice, token: &'a str) -> Delta<'a> {
    if choice.call.is_none() {
        return Delta { content: Some(token), ..Delta::default() };
    }
    let function = Function { name: None, arguments: token };
    Delta {
        tool_calls: Some([ToolCall { index: Some(0), id: None, r#type: None, function }]),
        ..Delta::default()
    }
}

fn answer<'a, C>(head: &Head<'a>, object: &'static str, choices: C, usage: Option<&Usage>) -> Answer<'a, C> {
    let usage = usage.map(|usage| Counts {
        prompt_tokens: usage.input,
        completion_tokens: usage.output,
        total_tokens: usage.total(),
    });
    let Head { id, model, created } = *head;
    Answer { id, object, created, model, system_fingerprint: "simulated", choices, usage }
}

/// The value as JSON. Strings and numbers cannot fail to be written into memory.
pub(super) fn put(out: &mut Vec<u8>, value: &impl Serialize) {
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"null");
    }
}
