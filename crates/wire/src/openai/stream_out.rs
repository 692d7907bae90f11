//! Writes a Chat Completions stream.

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde_json::Value;
use types::chat::Event;
use types::{CallId, Dialect, Usage};

use super::answer::{id_of, reason};
use super::usage::usage_json;
use crate::AnswerMeta;
use crate::cited::ChatAnnotation;
use crate::signature::shown;
use crate::text::append;

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
            Event::Start { id, model, usage } => {
                if !id.is_empty() {
                    self.id.clone_from(id);
                }
                // Who answers is the model's own word, as in a whole answer.
                if !model.is_empty() {
                    self.model.clone_from(model);
                }
                self.usage = usage.or(self.usage);
            }
            Event::Text { choice, text } => {
                self.delta(*choice, Delta { content: Some(text), ..Delta::default() }, out);
            }
            Event::Thinking { choice, text } => {
                // Twice: for those who show it, and for those who have to send it back with its signature.
                let detail = Detail { text: Some(text), ..self.detail("reasoning.text") };
                let delta = Delta {
                    reasoning_content: Some(text),
                    reasoning_details: Some([detail]),
                    ..Delta::default()
                };
                self.delta(*choice, delta, out);
            }
            Event::ThinkingSignature { choice, signature } => {
                let signature = Some(shown(Dialect::OpenaiChat, signature));
                let detail = Detail { signature, ..self.detail("reasoning.text") };
                self.thoughts += 1;
                self.delta(*choice, Delta { reasoning_details: Some([detail]), ..Delta::default() }, out);
            }
            Event::HiddenThinking { choice, data } => {
                let data = Some(shown(Dialect::OpenaiChat, data));
                let detail = Detail { data, ..self.detail("reasoning.encrypted") };
                self.thoughts += 1;
                self.delta(*choice, Delta { reasoning_details: Some([detail]), ..Delta::default() }, out);
            }
            Event::Citation { choice, citation } => {
                let annotations = Some([ChatAnnotation::of(citation)]);
                self.delta(*choice, Delta { annotations, ..Delta::default() }, out);
            }
            Event::Image { choice, media_type, data } => {
                let url = format!("data:{media_type};base64,{data}");
                let images = Some([Image { kind: "image_url", image_url: ImageUrl { url: &url } }]);
                self.delta(*choice, Delta { images, ..Delta::default() }, out);
            }
            Event::Refusal { choice, text } => {
                self.delta(*choice, Delta { refusal: Some(text), ..Delta::default() }, out);
            }
            Event::ToolStart { choice, index, id, name } => {
                let function = Function { name: Some(name), arguments: "" };
                let call = Call { index: *index, id: Some(id), kind: Some("function"), function };
                self.delta(*choice, Delta { tool_calls: Some([call]), ..Delta::default() }, out);
            }
            Event::ToolArguments { choice, index, json } => {
                let function = Function { name: None, arguments: json };
                let call = Call { index: *index, id: None, kind: None, function };
                self.delta(*choice, Delta { tool_calls: Some([call]), ..Delta::default() }, out);
            }
            Event::Logprobs { choice, tokens } => {
                let logprobs = Some(Logprobs { content: tokens });
                self.choice(&Choice { logprobs, ..Choice::of(*choice) }, out);
            }
            Event::Stop { choice, stop } => {
                self.choice(&Choice { finish_reason: Some(reason(stop)), ..Choice::of(*choice) }, out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Done => {
                if let (true, Some(usage)) = (self.include_usage, self.usage) {
                    self.chunk(&[], &usage_json(&usage), out);
                }
                out.put_slice(b"data: [DONE]\n\n");
            }
            Event::Failed(fault) => {
                out.put_slice(&crate::error_event(Dialect::OpenaiChat, fault, Some(self.call)));
            }
        }
    }

    fn detail(&self, kind: &'static str) -> Detail<'static> {
        Detail { kind, text: None, signature: None, data: None, index: self.thoughts }
    }

    fn delta(&mut self, choice: u32, mut delta: Delta<'_>, out: &mut BytesMut) {
        if !self.begun.contains(&choice) {
            self.begun.push(choice);
            delta.role = Some("assistant");
        }
        self.choice(&Choice { delta, ..Choice::of(choice) }, out);
    }

    fn choice(&self, choice: &Choice<'_>, out: &mut BytesMut) {
        self.chunk(std::slice::from_ref(choice), &Value::Null, out);
    }

    fn chunk(&self, choices: &[Choice<'_>], usage: &Value, out: &mut BytesMut) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage: self.include_usage.then_some(usage),
        };
        out.put_slice(b"data: ");
        append(&chunk, out);
        out.put_slice(b"\n\n");
    }
}

/// A chunk as it is written.
#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'a Value>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Logprobs<'a>>,
    finish_reason: Option<&'static str>,
}

impl Choice<'_> {
    fn of(index: u32) -> Self {
        Self { index, delta: Delta::default(), logprobs: None, finish_reason: None }
    }
}

#[derive(Serialize)]
struct Logprobs<'a> {
    content: &'a Value,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<[Detail<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Call<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<[ChatAnnotation<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<[Image<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
}

#[derive(Serialize)]
struct Image<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    image_url: ImageUrl<'a>,
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: &'a str,
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    index: u32,
}

#[derive(Serialize)]
struct Call<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}
