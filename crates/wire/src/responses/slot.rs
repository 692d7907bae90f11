//! One item of a response that is being streamed: what it holds so far, and the events that it goes through.

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::item::{arguments_of, call_json, message_json, refusal_json, text_json, thought_json};

/// Writes events and numbers them.
#[derive(Clone, Debug, Default)]
pub(super) struct Feed {
    /// The number of the next event.
    pub(super) next: u64,
}

/// A piece of a text, the event that comes most often.
#[derive(Debug, Serialize)]
struct Delta<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    #[serde(rename = "delta")]
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a [Value]>,
}

impl Feed {
    /// Appends an event of the given type; `fields` is an object with the rest of it.
    pub(super) fn put(&mut self, kind: &'static str, fields: Value, out: &mut BytesMut) {
        let mut event = Map::new();
        event.insert("type".into(), kind.into());
        event.insert("sequence_number".into(), self.number().into());
        if let Value::Object(fields) = fields {
            event.extend(fields);
        }
        out.put_slice(format!("event: {kind}\ndata: {}\n\n", Value::Object(event)).as_bytes());
    }

    fn delta(&mut self, mut delta: Delta<'_>, out: &mut BytesMut) {
        delta.sequence_number = self.number();
        out.put_slice(b"event: ");
        out.put_slice(delta.kind.as_bytes());
        out.put_slice(b"\ndata: ");
        out.put_slice(&serde_json::to_vec(&delta).unwrap_or_default());
        out.put_slice(b"\n\n");
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

/// A text or a refusal within a message.
#[derive(Clone, Debug)]
pub(super) struct Content {
    refusal: bool,
    text: String,
    logprobs: Vec<Value>,
}

impl Content {
    fn json(&self) -> Value {
        if self.refusal { refusal_json(&self.text) } else { text_json(&self.text, &self.logprobs) }
    }
}

/// What an item is.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// A message. Its last content is the open one.
    Message(Vec<Content>),
    /// Reasoning: its text, if it is shown, and what vouches for it.
    Thought { text: Option<String>, proof: Option<String> },
    /// A call of a function, the `index`th of the answer.
    Call { index: u32, id: String, name: String, arguments: String },
}

/// An item at its place.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) place: usize,
    pub(super) id: String,
    pub(super) body: Body,
    /// `None` while it is being made.
    pub(super) status: Option<&'static str>,
}

impl Slot {
    /// Writes that the item begins, as yet empty.
    pub(super) fn begin(&self, feed: &mut Feed, out: &mut BytesMut) {
        let fields = json!({ "output_index": self.place, "item": self.json() });
        feed.put("response.output_item.added", fields, out);
        if let Body::Thought { text: Some(_), .. } = self.body {
            let part = json!({ "type": "summary_text", "text": "" });
            let fields =
                json!({ "item_id": self.id, "output_index": self.place, "summary_index": 0, "part": part });
            feed.put("response.reasoning_summary_part.added", fields, out);
        }
    }

    /// More of what the item says; `refusal` matters to messages only.
    pub(super) fn say(&mut self, more: &str, refusal: bool, feed: &mut Feed, out: &mut BytesMut) {
        self.turn_to(refusal, feed, out);
        let mut delta = Delta {
            kind: "",
            sequence_number: 0,
            item_id: &self.id,
            output_index: self.place,
            content_index: None,
            summary_index: None,
            text: more,
            logprobs: None,
        };
        match &mut self.body {
            Body::Message(content) => {
                delta.kind = if refusal { "response.refusal.delta" } else { "response.output_text.delta" };
                delta.content_index = Some(content.len().saturating_sub(1));
                delta.logprobs = (!refusal).then_some(&[]);
                if let Some(last) = content.last_mut() {
                    last.text.push_str(more);
                }
            }
            Body::Thought { text, .. } => {
                delta.kind = "response.reasoning_summary_text.delta";
                delta.summary_index = Some(0);
                text.get_or_insert_default().push_str(more);
            }
            Body::Call { arguments, .. } => {
                delta.kind = "response.function_call_arguments.delta";
                arguments.push_str(more);
            }
        }
        feed.delta(delta, out);
    }

    /// Log-probabilities of the text that was just said. The dialect gives them with a piece of text, so they come
    /// with an empty one.
    pub(super) fn judge(&mut self, tokens: Vec<Value>, feed: &mut Feed, out: &mut BytesMut) {
        let Body::Message(content) = &mut self.body else { return };
        let place = content.len().saturating_sub(1);
        let Some(last) = content.last_mut().filter(|last| !last.refusal) else { return };
        let delta = Delta {
            kind: "response.output_text.delta",
            sequence_number: 0,
            item_id: &self.id,
            output_index: self.place,
            content_index: Some(place),
            summary_index: None,
            text: "",
            logprobs: Some(&tokens),
        };
        feed.delta(delta, out);
        last.logprobs.extend(tokens);
    }

    /// Begins a content part of the other kind, or the first.
    fn turn_to(&mut self, refusal: bool, feed: &mut Feed, out: &mut BytesMut) {
        let Body::Message(content) = &mut self.body else { return };
        if content.last().is_some_and(|last| last.refusal == refusal) {
            return;
        }
        self.end_content(feed, out);
        let Body::Message(content) = &mut self.body else { return };
        let part = Content { refusal, text: String::new(), logprobs: Vec::new() };
        let place = content.len();
        let fields = json!({
            "item_id": self.id, "output_index": self.place, "content_index": place, "part": part.json(),
        });
        content.push(part);
        feed.put("response.content_part.added", fields, out);
    }

    fn end_content(&self, feed: &mut Feed, out: &mut BytesMut) {
        let Body::Message(content) = &self.body else { return };
        let Some((last, before)) = content.split_last() else { return };
        let mut fields = json!({
            "item_id": self.id, "output_index": self.place, "content_index": before.len(),
        });
        let mut part = fields.clone();
        part["part"] = last.json();
        if last.refusal {
            fields["refusal"] = last.text.as_str().into();
            feed.put("response.refusal.done", fields, out);
        } else {
            fields["logprobs"] = last.logprobs.as_slice().into();
            fields["text"] = last.text.as_str().into();
            feed.put("response.output_text.done", fields, out);
        }
        feed.put("response.content_part.done", part, out);
    }

    /// Writes that the item has ended.
    pub(super) fn end(&mut self, status: &'static str, feed: &mut Feed, out: &mut BytesMut) {
        self.end_content(feed, out);
        if let Body::Call { arguments, .. } = &self.body
            && status == "completed"
            && arguments.trim_ascii().is_empty()
        {
            self.say(arguments_of(""), false, feed, out);
        }
        let place = json!({ "item_id": self.id, "output_index": self.place });
        match &self.body {
            Body::Message(_) | Body::Thought { text: None, .. } => {}
            Body::Thought { text: Some(text), .. } => {
                let mut fields = place;
                fields["summary_index"] = 0.into();
                let mut part = fields.clone();
                fields["text"] = text.as_str().into();
                feed.put("response.reasoning_summary_text.done", fields, out);
                part["part"] = json!({ "type": "summary_text", "text": text });
                feed.put("response.reasoning_summary_part.done", part, out);
            }
            Body::Call { arguments, name, .. } => {
                let mut fields = place;
                fields["name"] = name.as_str().into();
                fields["arguments"] = arguments.as_str().into();
                feed.put("response.function_call_arguments.done", fields, out);
            }
        }
        self.status = Some(status);
        feed.put(
            "response.output_item.done",
            json!({ "output_index": self.place, "item": self.json() }),
            out,
        );
    }

    /// The item as it stands. One that is being made does not hold its text yet: that comes in pieces.
    pub(super) fn json(&self) -> Value {
        let status = self.status.unwrap_or("in_progress");
        match &self.body {
            Body::Message(content) => {
                message_json(&self.id, status, content.iter().map(Content::json).collect())
            }
            Body::Thought { text, proof } => {
                let text = text.as_deref().filter(|_| self.status.is_some());
                thought_json(Some(&self.id), text, proof.as_deref())
            }
            Body::Call { id, name, arguments, .. } => {
                call_json(Some((&self.id, status)), id, name, arguments)
            }
        }
    }
}
