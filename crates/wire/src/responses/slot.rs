//! One item of a response that is being streamed: what it holds so far, and the events that it goes through.

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde_json::Value;
use types::chat::Citation;

use super::item::arguments_of;
use super::item_out::{Content as Written, Item, Summary};
use crate::cited::Annotation;
use crate::piece::count;
use crate::signature::NOBODY;
use crate::text::append;

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

/// An event of any type.
#[derive(Debug, Serialize)]
struct Event<'a, F> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    #[serde(flatten)]
    fields: &'a F,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, Serialize)]
struct About<'a> {
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
}

/// An item that begins or has ended.
#[derive(Debug, Serialize)]
struct Whole<'a> {
    output_index: usize,
    item: Item<'a>,
}

/// A part that begins or has ended.
#[derive(Debug, Serialize)]
struct Part<'a, P> {
    #[serde(flatten)]
    about: About<'a>,
    part: P,
}

/// The text of a part that has ended.
#[derive(Debug, Default, Serialize)]
struct Said<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a [Value]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
}

/// A source of a text.
#[derive(Debug, Serialize)]
struct Cited<'a> {
    #[serde(flatten)]
    about: About<'a>,
    annotation_index: usize,
    annotation: Annotation<'a>,
}

#[derive(Debug, Serialize)]
struct Ended<'a> {
    #[serde(flatten)]
    about: About<'a>,
    #[serde(flatten)]
    said: Said<'a>,
}

impl Feed {
    /// Appends an event of the given type; `fields` are the rest of it.
    pub(super) fn put(&mut self, kind: &'static str, fields: &impl Serialize, out: &mut BytesMut) {
        write(kind, &Event { kind, sequence_number: self.number(), fields }, out);
    }

    fn delta(&mut self, mut delta: Delta<'_>, out: &mut BytesMut) {
        delta.sequence_number = self.number();
        write(delta.kind, &delta, out);
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

fn write(kind: &str, event: &impl Serialize, out: &mut BytesMut) {
    for piece in ["event: ", kind, "\ndata: "] {
        out.put_slice(piece.as_bytes());
    }
    append(event, out);
    out.put_slice(b"\n\n");
}

/// A text or a refusal within a message.
#[derive(Clone, Debug)]
pub(super) struct Content {
    refusal: bool,
    text: String,
    logprobs: Vec<Value>,
    /// Sources, counted from the start of this text.
    cited: Vec<Citation>,
}

impl Content {
    fn chars(&self) -> u64 {
        if self.refusal { 0 } else { count(&self.text) }
    }

    fn written(&self) -> Written<'_> {
        if self.refusal {
            Written::Refusal { refusal: &self.text }
        } else {
            let mut written = Written::text(&self.text, &self.logprobs[..]);
            if let Written::OutputText { annotations, .. } = &mut written {
                annotations.extend(self.cited.iter().map(|citation| Annotation::of(citation, 0)));
            }
            written
        }
    }
}

/// What an item is.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// A message. Its last content is the open one.
    Message(Vec<Content>),
    /// Reasoning: its text, if it is shown, and what vouches for it.
    Thought { text: Option<String>, proof: Option<String> },
    /// An image.
    Image { media_type: String, data: String },
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
    const fn about(&self) -> About<'_> {
        let (item_id, output_index) = (self.id.as_str(), self.place);
        About { item_id, output_index, content_index: None, summary_index: None }
    }

    /// Writes that the item begins, as yet empty.
    pub(super) fn begin(&self, feed: &mut Feed, out: &mut BytesMut) {
        let whole = Whole { output_index: self.place, item: self.item() };
        feed.put("response.output_item.added", &whole, out);
        if let Body::Thought { text: Some(_), .. } = self.body {
            let about = About { summary_index: Some(0), ..self.about() };
            let part = Part { about, part: Summary::of("") };
            feed.put("response.reasoning_summary_part.added", &part, out);
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
            // It comes whole.
            Body::Image { .. } => return,
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

    /// Characters of plain text that it says, without its last content.
    fn before_last(&self) -> u64 {
        let Body::Message(content) = &self.body else { return 0 };
        let before = content.split_last().map_or(&[][..], |(_, before)| before);
        before.iter().map(Content::chars).sum()
    }

    /// Characters of plain text that it says.
    pub(super) fn chars(&self) -> u64 {
        let Body::Message(content) = &self.body else { return 0 };
        content.iter().map(Content::chars).sum()
    }

    /// Names a source of the text that was just said; `before` characters of text stand before the item.
    pub(super) fn cite(&mut self, citation: &Citation, before: u64, feed: &mut Feed, out: &mut BytesMut) {
        let before = before + self.before_last();
        let Body::Message(content) = &mut self.body else { return };
        let place = content.len().saturating_sub(1);
        let Some(last) = content.last_mut().filter(|last| !last.refusal) else { return };
        let at = |place: u64| place.saturating_sub(before);
        last.cited.push(Citation { start: at(citation.start), end: at(citation.end), ..citation.clone() });
        let about = About { content_index: Some(place), ..self.about() };
        let annotation = Annotation::of(citation, before);
        let annotation_index = self.cited();
        feed.put(
            "response.output_text.annotation.added",
            &Cited { about, annotation_index, annotation },
            out,
        );
    }

    /// The number of the source that was named last.
    fn cited(&self) -> usize {
        let Body::Message(content) = &self.body else { return 0 };
        content.last().map_or(0, |last| last.cited.len().saturating_sub(1))
    }

    /// Begins a content part of the other kind, or the first.
    fn turn_to(&mut self, refusal: bool, feed: &mut Feed, out: &mut BytesMut) {
        let Body::Message(content) = &mut self.body else { return };
        if content.last().is_some_and(|last| last.refusal == refusal) {
            return;
        }
        self.end_content(feed, out);
        let Body::Message(content) = &mut self.body else { return };
        let empty = Content { refusal, text: String::new(), logprobs: Vec::new(), cited: Vec::new() };
        content.push(empty);
        let Body::Message(content) = &self.body else { return };
        let Some((last, before)) = content.split_last() else { return };
        let about = About { content_index: Some(before.len()), ..self.about() };
        feed.put("response.content_part.added", &Part { about, part: last.written() }, out);
    }

    fn end_content(&self, feed: &mut Feed, out: &mut BytesMut) {
        let Body::Message(content) = &self.body else { return };
        let Some((last, before)) = content.split_last() else { return };
        let about = About { content_index: Some(before.len()), ..self.about() };
        let (kind, said) = if last.refusal {
            ("response.refusal.done", Said { refusal: Some(&last.text), ..Said::default() })
        } else {
            let (logprobs, text) = (Some(&last.logprobs[..]), Some(&*last.text));
            ("response.output_text.done", Said { logprobs, text, ..Said::default() })
        };
        feed.put(kind, &Ended { about, said }, out);
        feed.put("response.content_part.done", &Part { about, part: last.written() }, out);
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
        match &self.body {
            Body::Message(_) | Body::Thought { text: None, .. } => {}
            Body::Image { .. } => {
                feed.put("response.image_generation_call.completed", &self.about(), out);
            }
            Body::Thought { text: Some(text), .. } => {
                let about = About { summary_index: Some(0), ..self.about() };
                let said = Said { text: Some(text), ..Said::default() };
                feed.put("response.reasoning_summary_text.done", &Ended { about, said }, out);
                let part = Part { about, part: Summary::of(text) };
                feed.put("response.reasoning_summary_part.done", &part, out);
            }
            Body::Call { arguments, name, .. } => {
                let said = Said { name: Some(name), arguments: Some(arguments), ..Said::default() };
                feed.put("response.function_call_arguments.done", &Ended { about: self.about(), said }, out);
            }
        }
        self.status = Some(status);
        let whole = Whole { output_index: self.place, item: self.item() };
        feed.put("response.output_item.done", &whole, out);
    }

    /// The item as it stands. One that is being made does not hold its text yet: that comes in pieces.
    pub(super) fn item(&self) -> Item<'_> {
        let status = self.status.unwrap_or("in_progress");
        match &self.body {
            Body::Message(content) => {
                Item::message(&self.id, status, content.iter().map(Content::written).collect())
            }
            Body::Thought { text, proof } => {
                let text = text.as_deref().filter(|_| self.status.is_some());
                let nobody = self.status.map(|_| NOBODY);
                Item::thought(text, proof.as_deref().or(nobody)).named(&self.id)
            }
            Body::Image { media_type, data } => {
                let data = self.status.map(|_| &**data);
                Item::image(&self.id, media_type, data).with_status(status)
            }
            Body::Call { id, name, arguments, .. } => {
                Item::call(id, name, arguments).named(&self.id).with_status(status)
            }
        }
    }
}
