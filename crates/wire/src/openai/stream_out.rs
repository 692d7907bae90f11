//! Writes a Chat Completions stream.

use bytes::{BufMut, BytesMut};
use serde_json::{Value, json};
use types::chat::Event;
use types::{CallId, Dialect, Usage};

use super::answer::{id_of, reason};
use super::usage::usage_json;
use crate::AnswerMeta;

/// What must be remembered from event to event.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    id: String,
    model: String,
    created: i64,
    call: CallId,
    include_usage: bool,
    usage: Option<Usage>,
    /// The choices whose role has been written.
    begun: Vec<u32>,
    /// How many pieces of reasoning have ended.
    thoughts: u32,
}

impl Writer {
    pub(crate) fn new(meta: &AnswerMeta<'_>, include_usage: bool) -> Self {
        Self {
            id: id_of("", meta),
            model: meta.model.to_owned(),
            created: meta.created.as_secs(),
            call: meta.call,
            include_usage,
            usage: None,
            begun: Vec::new(),
            thoughts: 0,
        }
    }

    pub(crate) fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start { id, usage, .. } => {
                if !id.is_empty() {
                    self.id.clone_from(id);
                }
                self.usage = usage.or(self.usage);
            }
            Event::Text { choice, text } => self.delta(*choice, json!({ "content": text }), out),
            Event::Thinking { choice, text } => {
                // Twice: for those who show it, and for those who have to send it back with its signature.
                let detail = json!({ "type": "reasoning.text", "text": text, "index": self.thoughts });
                self.delta(*choice, json!({ "reasoning_content": text, "reasoning_details": [detail] }), out);
            }
            Event::ThinkingSignature { choice, signature } => {
                let detail =
                    json!({ "type": "reasoning.text", "signature": signature, "index": self.thoughts });
                self.thoughts += 1;
                self.delta(*choice, json!({ "reasoning_details": [detail] }), out);
            }
            Event::HiddenThinking { choice, data } => {
                let detail = json!({ "type": "reasoning.encrypted", "data": data, "index": self.thoughts });
                self.thoughts += 1;
                self.delta(*choice, json!({ "reasoning_details": [detail] }), out);
            }
            Event::Refusal { choice, text } => self.delta(*choice, json!({ "refusal": text }), out),
            Event::ToolStart { choice, index, id, name } => {
                let function = json!({ "name": name, "arguments": "" });
                let call = json!({ "index": index, "id": id, "type": "function", "function": function });
                self.delta(*choice, json!({ "tool_calls": [call] }), out);
            }
            Event::ToolArguments { choice, index, json } => {
                let call = json!({ "index": index, "function": { "arguments": json } });
                self.delta(*choice, json!({ "tool_calls": [call] }), out);
            }
            Event::Logprobs { choice, tokens } => {
                let logprobs = json!({ "content": tokens });
                let news =
                    json!({ "index": choice, "delta": {}, "logprobs": logprobs, "finish_reason": null });
                self.choice(&news, out);
            }
            Event::Stop { choice, stop } => {
                self.choice(&json!({ "index": choice, "delta": {}, "finish_reason": reason(stop) }), out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => {
                if let (true, Some(usage)) = (self.include_usage, self.usage) {
                    self.chunk(&json!([]), &usage_json(&usage), out);
                }
                out.put_slice(b"data: [DONE]\n\n");
            }
            Event::Failed(fault) => {
                out.put_slice(&crate::error_event(Dialect::OpenaiChat, fault, Some(self.call)));
            }
        }
    }

    fn delta(&mut self, choice: u32, mut delta: Value, out: &mut BytesMut) {
        if !self.begun.contains(&choice) {
            self.begun.push(choice);
            delta["role"] = json!("assistant");
        }
        self.choice(&json!({ "index": choice, "delta": delta, "finish_reason": null }), out);
    }

    fn choice(&self, choice: &Value, out: &mut BytesMut) {
        self.chunk(&json!([choice]), &Value::Null, out);
    }

    fn chunk(&self, choices: &Value, usage: &Value, out: &mut BytesMut) {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.include_usage {
            chunk["usage"] = usage.clone();
        }
        out.put_slice(format!("data: {chunk}\n\n").as_bytes());
    }
}
