//! Writes a stream of typed events.
//!
//! Every event names the item that it is about, so calls that grow side by side are written as they come; they end
//! with the answer. The last event holds the whole response, which is why all of it is kept.

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use types::chat::{Event, Stop};
use types::{CallId, Dialect, Fault, Usage};

use super::answer::{Frame, Response};
use super::item::logprobs_json;
use super::slot::{Body, Feed, Slot};
use crate::codec::AnswerMeta;
use crate::signature::shown;

/// Writes one stream.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    frame: Frame,
    call: CallId,
    feed: Feed,
    begun: bool,
    slots: Vec<Slot>,
    usage: Option<Usage>,
    stop: Stop,
}

/// An event that tells the whole response.
#[derive(Debug, Serialize)]
struct Told<'a> {
    response: &'a Response<'a>,
}

/// Which item a text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Message,
    Thought,
}

impl Writer {
    pub(crate) fn new(meta: &AnswerMeta<'_>) -> Self {
        Self {
            frame: Frame::new("", meta),
            call: meta.call,
            feed: Feed::default(),
            begun: false,
            slots: Vec::new(),
            usage: None,
            stop: Stop::End,
        }
    }

    /// Appends what the event is in this dialect.
    pub(crate) fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match event {
            Event::Start { id, model, usage } => {
                self.frame.take_id(id);
                self.frame.take_model(model);
                self.usage = usage.or(self.usage);
                self.begin(out);
            }
            Event::Text { choice: 0, text } => self.say(Of::Message, text, false, out),
            Event::Refusal { choice: 0, text } => self.say(Of::Message, text, true, out),
            Event::Thinking { choice: 0, text } => self.say(Of::Thought, text, false, out),
            Event::ThinkingSignature { choice: 0, signature } => self.sign(signature, out),
            Event::Citation { choice: 0, citation } => {
                let Self { slots, feed, .. } = self;
                if let Some(place) = slots.iter().rposition(|slot| is_open(slot, Of::Message)) {
                    let before = slots.iter().take(place).map(Slot::chars).sum();
                    slots[place].cite(citation, before, feed, out);
                }
            }
            Event::Image { choice: 0, media_type, data } => {
                self.end_others(out);
                let (media_type, data) = (media_type.clone(), data.clone());
                self.add("ig", Body::Image { media_type, data }, out);
                self.end_others(out);
            }
            Event::HiddenThinking { choice: 0, data } => {
                self.end_others(out);
                self.add("rs", Body::Thought { text: None, proof: Some(own(data)) }, out);
                self.end_others(out);
            }
            Event::ToolStart { choice: 0, index, id, name } => {
                self.end_others(out);
                let id = self.frame.call_id(id, self.slots.len());
                let (name, arguments) = (name.clone(), String::new());
                self.add("fc", Body::Call { index: *index, id, name, arguments }, out);
            }
            Event::ToolArguments { choice: 0, index, json } => self.arguments(*index, json, out),
            Event::Logprobs { choice: 0, tokens } => {
                let Self { slots, feed, .. } = self;
                if let Some(slot) = slots.iter_mut().rfind(|slot| is_open(slot, Of::Message)) {
                    slot.judge(logprobs_json(tokens), feed, out);
                }
            }
            Event::Stop { choice: 0, stop } => {
                self.stop = stop.clone();
                self.end_all(out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => self.end(out),
            Event::Failed(fault) => self.fail(fault, out),
            // Further choices, which this dialect does not have and nobody can have asked for.
            Event::Text { .. }
            | Event::Refusal { .. }
            | Event::Thinking { .. }
            | Event::ThinkingSignature { .. }
            | Event::HiddenThinking { .. }
            | Event::Citation { .. }
            | Event::Image { .. }
            | Event::ToolStart { .. }
            | Event::ToolArguments { .. }
            | Event::Logprobs { .. }
            | Event::Stop { .. } => {}
        }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for kind in ["response.created", "response.in_progress"] {
            let response = self.frame.response(Vec::new(), None, None);
            self.feed.put(kind, &Told { response: &response }, out);
        }
    }

    fn add(&mut self, prefix: &str, body: Body, out: &mut BytesMut) {
        self.begin(out);
        let place = self.slots.len();
        let slot = Slot { place, id: self.frame.item_id(prefix, place), body, status: None };
        slot.begin(&mut self.feed, out);
        self.slots.push(slot);
    }

    /// More of the message or the reasoning that is open, or of a new one.
    fn say(&mut self, of: Of, text: &str, refusal: bool, out: &mut BytesMut) {
        if !self.slots.iter().any(|slot| is_open(slot, of)) {
            self.end_others(out);
            match of {
                Of::Message => self.add("msg", Body::Message(Vec::new()), out),
                Of::Thought => {
                    self.add("rs", Body::Thought { text: Some(String::new()), proof: None }, out);
                }
            }
        }
        let Self { slots, feed, .. } = self;
        if let Some(slot) = slots.iter_mut().rfind(|slot| is_open(slot, of)) {
            slot.say(text, refusal, feed, out);
        }
    }

    /// A signature ends the reasoning that it stands for.
    fn sign(&mut self, signature: &str, out: &mut BytesMut) {
        if !self.slots.iter().any(|slot| is_open(slot, Of::Thought)) {
            self.end_others(out);
            self.add("rs", Body::Thought { text: Some(String::new()), proof: None }, out);
        }
        for slot in self.slots.iter_mut().filter(|slot| is_open(slot, Of::Thought)) {
            if let Body::Thought { proof, .. } = &mut slot.body {
                *proof = Some(own(signature));
            }
            slot.end("completed", &mut self.feed, out);
        }
    }

    fn arguments(&mut self, call: u32, json: &str, out: &mut BytesMut) {
        let Self { slots, feed, .. } = self;
        let of_call = |slot: &&mut Slot| {
            slot.status.is_none() && matches!(slot.body, Body::Call { index, .. } if index == call)
        };
        if let Some(slot) = slots.iter_mut().rfind(of_call) {
            slot.say(json, false, feed, out);
        }
    }

    /// Ends the message or reasoning that is open. Calls stay open: more of them may come.
    fn end_others(&mut self, out: &mut BytesMut) {
        self.begin(out);
        let open = |slot: &&mut Slot| is_open(slot, Of::Message) || is_open(slot, Of::Thought);
        for slot in self.slots.iter_mut().filter(open) {
            slot.end("completed", &mut self.feed, out);
        }
    }

    /// Ends whatever is open. The last item of an answer that was cut off is incomplete.
    fn end_all(&mut self, out: &mut BytesMut) {
        self.begin(out);
        let cut = matches!(self.stop, Stop::Length | Stop::Refused);
        let last = self.slots.len();
        for slot in self.slots.iter_mut().filter(|slot| slot.status.is_none()) {
            let status = if cut && slot.place + 1 == last { "incomplete" } else { "completed" };
            slot.end(status, &mut self.feed, out);
        }
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.end_all(out);
        let output = self.slots.iter().map(Slot::item).collect();
        let response = self.frame.response(output, Some(&self.stop), Some(&self.usage.unwrap_or_default()));
        let kind = match self.stop {
            Stop::Length | Stop::Refused => "response.incomplete",
            Stop::End | Stop::Sequence(_) | Stop::ToolCalls | Stop::Paused | Stop::Other(_) => {
                "response.completed"
            }
        };
        self.feed.put(kind, &Told { response: &response }, out);
    }

    fn fail(&mut self, fault: &Fault, out: &mut BytesMut) {
        let event = crate::error::responses_event(fault, Some(self.call), self.feed.next);
        self.feed.next += 1;
        out.put_slice(event.as_bytes());
    }
}

/// A signature as this dialect's callers see it.
fn own(signature: &str) -> String {
    shown(Dialect::OpenaiResponses, signature).to_owned()
}

fn is_open(slot: &Slot, of: Of) -> bool {
    slot.status.is_none()
        && match slot.body {
            Body::Message(_) => of == Of::Message,
            // What comes whole ends like reasoning does.
            Body::Thought { .. } | Body::Image { .. } => of == Of::Thought,
            Body::Call { .. } => false,
        }
}
