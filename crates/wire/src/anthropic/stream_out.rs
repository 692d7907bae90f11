//! Writes a Messages stream.
//!
//! Blocks follow each other here; OpenAI's parallel tool calls may grow side by side. The first one that is
//! open is written as it comes, those behind it wait until it has ended.

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde_json::{Value, json};
use types::chat::{Citation, Event, Stop};
use types::{CallId, Dialect, Usage};

use super::answer::{reason, sequence};
use super::cited::location;
use super::usage::usage_json;
use crate::AnswerMeta;
use crate::signature::{NOBODY, shown};
use crate::text::append;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Thinking,
    /// With the index of the call.
    Tool(u32),
}

/// A tool call that waits for its turn.
#[derive(Clone, Debug)]
struct Waiting {
    call: u32,
    id: String,
    name: String,
    json: String,
}

/// What must be remembered from event to event.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    id: String,
    model: String,
    call: CallId,
    usage: Usage,
    begun: bool,
    /// The block that is open.
    open: Option<Kind>,
    /// Whether the reasoning that is open has its signature.
    signed: bool,
    /// Whether a source of the text that is open was named.
    cited: bool,
    /// How many blocks have begun.
    blocks: u32,
    waiting: Vec<Waiting>,
    called: bool,
    refused: bool,
    stop: Stop,
}

impl Writer {
    pub(crate) fn new(meta: &AnswerMeta<'_>) -> Self {
        Self {
            id: format!("msg_{}", meta.call),
            model: meta.model.to_owned(),
            call: meta.call,
            usage: Usage::default(),
            begun: false,
            open: None,
            signed: false,
            cited: false,
            blocks: 0,
            waiting: Vec::new(),
            called: false,
            refused: false,
            stop: Stop::End,
        }
    }

    /// Takes its stand in a stream that others have written so far.
    pub(crate) fn stand(&mut self, blocks: u32, open: Option<Kind>) {
        (self.begun, self.blocks, self.open) = (true, blocks, open);
    }

    pub(crate) fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start { id, model, usage } => {
                if !id.is_empty() {
                    self.id.clone_from(id);
                }
                // Who answers is the model's own word, as in a whole answer.
                if !model.is_empty() {
                    self.model.clone_from(model);
                }
                self.usage = usage.unwrap_or(self.usage);
                self.begin(out);
            }
            Event::Text { choice: 0, text } => self.text(text, out),
            Event::Refusal { choice: 0, text } => {
                self.refused = true;
                self.text(text, out);
            }
            Event::Citation { choice: 0, citation } => self.cite(citation, out),
            Event::Thinking { choice: 0, text } => {
                self.thinking(out);
                self.delta(&Delta::Thinking { thinking: text }, out);
            }
            Event::ThinkingSignature { choice: 0, signature } => {
                self.thinking(out);
                self.sign(shown(Dialect::AnthropicMessages, signature), out);
            }
            Event::HiddenThinking { choice: 0, data } => {
                self.close(out);
                let data = shown(Dialect::AnthropicMessages, data);
                self.start(&json!({ "type": "redacted_thinking", "data": data }), out);
                self.stop_block(out);
            }
            Event::ToolStart { choice: 0, index, id, name } => {
                self.called = true;
                self.tool(*index, id, name, out);
            }
            Event::ToolArguments { choice: 0, index, json } => self.arguments(*index, json, out),
            Event::Stop { choice: 0, stop } => {
                self.close(out);
                self.stop = stop.clone();
            }
            Event::Usage(usage) => self.usage = *usage,
            Event::Done => self.end(out),
            Event::Failed(fault) => {
                let event = crate::error_event(Dialect::AnthropicMessages, fault, Some(self.call));
                out.put_slice(&event);
            }
            // Further choices, which this dialect does not have and nobody can have asked for.
            // No field for log-probabilities and for images, and no second choice.
            Event::Logprobs { .. }
            | Event::Image { .. }
            | Event::Citation { .. }
            | Event::Text { .. }
            | Event::Refusal { .. }
            | Event::Thinking { .. }
            | Event::ThinkingSignature { .. }
            | Event::HiddenThinking { .. }
            | Event::ToolStart { .. }
            | Event::ToolArguments { .. }
            | Event::Stop { .. } => {}
        }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let message = json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage_json(&self.usage),
        });
        write("message_start", &json!({ "type": "message_start", "message": message }), out);
    }

    fn text(&mut self, text: &str, out: &mut BytesMut) {
        if self.open != Some(Kind::Text) || self.cited {
            self.close(out);
            self.cited = false;
            self.start(&json!({ "type": "text", "text": "" }), out);
            self.open = Some(Kind::Text);
        }
        self.delta(&Delta::Text { text }, out);
    }

    /// Names a source of the block that is open, which ends with what was said so far. Of a text that has ended
    /// already nothing can be said any more.
    fn cite(&mut self, citation: &Citation, out: &mut BytesMut) {
        if self.open == Some(Kind::Text) {
            self.cited = true;
            self.delta(&Delta::Citations { citation: location(citation) }, out);
        }
    }

    fn thinking(&mut self, out: &mut BytesMut) {
        if self.open != Some(Kind::Thinking) {
            self.close(out);
            self.start(&json!({ "type": "thinking", "thinking": "", "signature": "" }), out);
            self.open = Some(Kind::Thinking);
            self.signed = false;
        }
    }

    fn sign(&mut self, signature: &str, out: &mut BytesMut) {
        self.signed = true;
        self.delta(&Delta::Signature { signature }, out);
    }

    fn tool(&mut self, call: u32, id: &str, name: &str, out: &mut BytesMut) {
        if matches!(self.open, Some(Kind::Tool(_))) {
            let (id, name) = (id.to_owned(), name.to_owned());
            return self.waiting.push(Waiting { call, id, name, json: String::new() });
        }
        self.close(out);
        self.start(&json!({ "type": "tool_use", "id": id, "name": name, "input": {} }), out);
        self.open = Some(Kind::Tool(call));
    }

    fn arguments(&mut self, call: u32, json: &str, out: &mut BytesMut) {
        if self.open == Some(Kind::Tool(call)) {
            self.delta(&Delta::InputJson { partial_json: json }, out);
        } else if let Some(tool) = self.waiting.iter_mut().find(|tool| tool.call == call) {
            tool.json.push_str(json);
        }
    }

    /// Ends the open block, and writes the tool calls that waited for that.
    fn close(&mut self, out: &mut BytesMut) {
        self.begin(out);
        if self.open == Some(Kind::Thinking) && !self.signed {
            self.sign(NOBODY, out);
        }
        if self.open.take().is_some() {
            self.stop_block(out);
        }
        for Waiting { call, id, name, json } in std::mem::take(&mut self.waiting) {
            self.tool(call, &id, &name, out);
            self.delta(&Delta::InputJson { partial_json: &json }, out);
            self.open = None;
            self.stop_block(out);
        }
    }

    fn start(&mut self, block: &Value, out: &mut BytesMut) {
        let event = json!({ "type": "content_block_start", "index": self.blocks, "content_block": block });
        self.blocks += 1;
        write("content_block_start", &event, out);
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut BytesMut) {
        let kind = "content_block_delta";
        let event = BlockDelta { kind, index: self.blocks.saturating_sub(1), delta };
        write("content_block_delta", &event, out);
    }

    fn stop_block(&mut self, out: &mut BytesMut) {
        let event = json!({ "type": "content_block_stop", "index": self.blocks.saturating_sub(1) });
        write("content_block_stop", &event, out);
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.close(out);
        let reason = reason(&self.stop, self.called, self.refused);
        let event = json!({
            "type": "message_delta",
            "delta": { "stop_reason": reason, "stop_sequence": sequence(&self.stop) },
            "usage": usage_json(&self.usage),
        });
        write("message_delta", &event, out);
        write("message_stop", &json!({ "type": "message_stop" }), out);
    }
}

fn write(name: &str, event: &impl Serialize, out: &mut BytesMut) {
    for piece in ["event: ", name, "\ndata: "] {
        out.put_slice(piece.as_bytes());
    }
    append(event, out);
    out.put_slice(b"\n\n");
}

/// A piece of a block, the event that comes most often.
#[derive(Serialize)]
struct BlockDelta<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    index: u32,
    delta: &'a Delta<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "citations_delta")]
    Citations { citation: Value },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
}
