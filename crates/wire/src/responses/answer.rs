//! Reads and writes a whole response.
//!
//! What the official SDKs ask for is always written. Fields that repeat the request (`tools`, `instructions`,
//! `temperature`…) hold the dialect's defaults: an answer does not know what it was asked.

use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use types::chat::{Answer, Choice, Image, Part, Stop};
use types::{CallId, Dialect, Fault, Usage};

use super::item::{arguments_of, call, image, logprobs_json, thought};
use super::item_out::{Content, Item};
use super::usage::{Figures, usage_json};
use crate::cited::{Annotation, citations, plain};
use crate::codec::AnswerMeta;
use crate::fields::{Extra, Fields, bad};
use crate::piece::count;
use crate::signature::shown_or_nobody;
use crate::tape::Json;
use crate::text::append;

/// Reads a response. Items that have no word in the vocabulary are passed over, like those of tools that the
/// provider ran itself; so are annotations that name no address.
pub(crate) fn decode(body: Json<'_>) -> Result<Answer, Fault> {
    let mut fields = Fields::of(body)?;
    if fields.take("error").is_some() {
        return Err(bad("error", "the response holds an error"));
    }
    let (mut parts, mut tokens) = (Vec::new(), Vec::new());
    for item in fields.required("output", Fields::items)? {
        let mut item = Fields::of(item)?;
        match item.required("type", Fields::text)?.as_str() {
            "message" => message(&mut item, &mut parts, &mut tokens)?,
            "function_call" => parts.push(call(&mut item)?),
            "reasoning" => parts.extend(thought(&mut item)?),
            "image_generation_call" => parts.extend(image(&mut item)?),
            _ => {}
        }
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let status = fields.text("status")?;
    let reason = match fields.object("incomplete_details")? {
        Some(mut details) => details.text("reason")?,
        None => None,
    };
    let stop = stop_of(status.as_deref().unwrap_or("completed"), reason.as_deref(), calls);
    let logprobs = (!tokens.is_empty()).then(|| json!({ "content": tokens }));
    Ok(Answer {
        id: fields.text("id")?.unwrap_or_default(),
        model: fields.text("model")?.unwrap_or_default(),
        choices: vec![Choice { parts, stop, logprobs }],
        usage: fields.take("usage").and_then(|usage| usage_of(usage.get())),
    })
}

fn message(item: &mut Fields<'_>, parts: &mut Vec<Part>, tokens: &mut Vec<Value>) -> Result<(), Fault> {
    for part in item.items("content")?.unwrap_or_default() {
        let mut part = Fields::of(part)?;
        match part.required("type", Fields::text)?.as_str() {
            "output_text" => {
                let before = plain(parts);
                parts.push(Part::Text { text: part.required("text", Fields::text)? });
                if let Some(annotations) = part.take("annotations").filter(|list| list.get() != "[]") {
                    parts.extend(citations(annotations.get(), before).map(Part::Citation));
                }
                if let Some(Value::Array(more)) = part.json("logprobs")? {
                    tokens.extend(more);
                }
            }
            "refusal" => parts.push(Part::Refusal { text: part.required("refusal", Fields::text)? }),
            _ => {}
        }
        part.rest(&mut Extra::new());
    }
    Ok(())
}

pub(super) fn usage_of(usage: &str) -> Option<Usage> {
    let figures = Figures::deserialize(&mut serde_json::Deserializer::from_str(usage));
    figures.ok().map(|figures| figures.to_usage())
}

/// Why a response ended, by its status and the reason for which it is incomplete.
pub(super) fn stop_of(status: &str, reason: Option<&str>, calls: bool) -> Stop {
    match (status, reason) {
        ("completed", _) if calls => Stop::ToolCalls,
        ("completed", _) => Stop::End,
        ("incomplete", Some("max_output_tokens")) => Stop::Length,
        ("incomplete", Some("content_filter")) => Stop::Refused,
        (status, reason) => Stop::Other(reason.unwrap_or(status).to_owned()),
    }
}

/// Names and times of a response.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// `resp_…`: the provider's, or one made from the call's.
    pub(super) id: String,
    pub(super) model: String,
    created: i64,
    call: CallId,
    /// The answer that this one goes on from.
    previous: Option<String>,
}

impl Frame {
    pub(super) fn new(id: &str, meta: &AnswerMeta<'_>) -> Self {
        let mut frame = Self {
            id: format!("resp_{}", meta.call),
            model: meta.model.to_owned(),
            created: meta.created.as_secs(),
            call: meta.call,
            previous: meta.previous.map(str::to_owned),
        };
        frame.take_id(id);
        frame
    }

    /// Takes the provider's id over if it is one of this dialect: others are no use to who asks for it again.
    pub(super) fn take_id(&mut self, id: &str) {
        if id.starts_with("resp_") {
            id.clone_into(&mut self.id);
        }
    }

    /// Takes over the name of the model that answers, if it says one.
    pub(super) fn take_model(&mut self, model: &str) {
        if !model.is_empty() {
            model.clone_into(&mut self.model);
        }
    }

    /// The id of the item at a place: `msg`, `fc` or `rs`.
    pub(super) fn item_id(&self, prefix: &str, place: usize) -> String {
        format!("{prefix}_{}_{place}", self.call)
    }

    /// The id by which a call of a function is answered: the provider's, or one of ours.
    pub(super) fn call_id(&self, id: &str, place: usize) -> String {
        if id.is_empty() { self.item_id("call", place) } else { id.to_owned() }
    }

    /// The response as it stands: in progress while it has not ended.
    pub(super) fn response<'a>(
        &'a self,
        output: Vec<Item<'a>>,
        stop: Option<&Stop>,
        usage: Option<&Usage>,
    ) -> Response<'a> {
        let reason = match stop {
            Some(Stop::Length) => Some("max_output_tokens"),
            Some(Stop::Refused) => Some("content_filter"),
            _ => None,
        };
        Response {
            id: &self.id,
            object: "response",
            created_at: self.created,
            status: status(stop),
            background: false,
            error: (),
            incomplete_details: reason.map(|reason| Incomplete { reason }),
            instructions: (),
            max_output_tokens: (),
            metadata: Nothing {},
            model: &self.model,
            output,
            parallel_tool_calls: true,
            previous_response_id: self.previous.as_deref(),
            reasoning: (),
            service_tier: (),
            temperature: (),
            text: (),
            tool_choice: "auto",
            tools: [],
            top_p: (),
            truncation: "disabled",
            usage: usage.map(usage_json),
            user: (),
        }
    }
}

/// A response as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct Response<'a> {
    id: &'a str,
    object: &'static str,
    created_at: i64,
    status: &'static str,
    background: bool,
    error: (),
    incomplete_details: Option<Incomplete>,
    instructions: (),
    max_output_tokens: (),
    metadata: Nothing,
    model: &'a str,
    output: Vec<Item<'a>>,
    parallel_tool_calls: bool,
    previous_response_id: Option<&'a str>,
    reasoning: (),
    service_tier: (),
    temperature: (),
    text: (),
    tool_choice: &'static str,
    tools: [(); 0],
    top_p: (),
    truncation: &'static str,
    usage: Option<Value>,
    user: (),
}

#[derive(Debug, Serialize)]
struct Incomplete {
    reason: &'static str,
}

/// `{}`.
#[derive(Debug, Serialize)]
struct Nothing {}

fn status(stop: Option<&Stop>) -> &'static str {
    match stop {
        None => "in_progress",
        Some(Stop::Length | Stop::Refused) => "incomplete",
        Some(Stop::End | Stop::Sequence(_) | Stop::ToolCalls | Stop::Paused | Stop::Other(_)) => "completed",
    }
}

/// Writes the answer's first choice; there is no other in this dialect. Usage that the provider did not tell is
/// written as zero, because some SDKs ask for the field.
pub(crate) fn encode(answer: &Answer, meta: &AnswerMeta<'_>, out: &mut BytesMut) {
    let frame = Frame::new(&answer.id, meta);
    let choice = answer.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let stop = choice.map_or(&Stop::End, |choice| &choice.stop);
    let tokens = choice.and_then(|choice| choice.logprobs.as_ref()?.get("content"));
    let output = items(&frame, parts, tokens, status(Some(stop)));
    append(&frame.response(output, Some(stop), Some(&answer.usage.unwrap_or_default())), out);
}

/// The parts as items. Texts that follow each other are one message; the log-probabilities, which are those of the
/// whole answer, go with the first text. Of an answer that was cut off the last item is incomplete.
fn items<'a>(
    frame: &Frame,
    parts: &'a [Part],
    tokens: Option<&Value>,
    status: &'static str,
) -> Vec<Item<'a>> {
    let mut tokens = tokens.map(logprobs_json).unwrap_or_default();
    let (mut output, mut content) = (Vec::new(), Vec::new());
    let close = |output: &mut Vec<Item<'a>>, content: &mut Vec<Content<'a>>| {
        if !content.is_empty() {
            let id = frame.item_id("msg", output.len());
            output.push(Item::message(id, "completed", std::mem::take(content)));
        }
    };
    // Characters before the present text, and up to its end.
    let mut at = (0, 0);
    for part in parts {
        match part {
            Part::Text { text } => {
                content.push(Content::text(text, std::mem::take(&mut tokens)));
                at = (at.1, at.1 + count(text));
            }
            Part::Citation(citation) => {
                if let Some(Content::OutputText { annotations, .. }) = content.last_mut() {
                    annotations.push(Annotation::of(citation, at.0));
                }
            }
            Part::Image(Image::Inline { media_type, data, .. }) => {
                close(&mut output, &mut content);
                let id = frame.item_id("ig", output.len());
                output.push(Item::image(id, media_type, Some(data)));
            }
            Part::Refusal { text } => content.push(Content::Refusal { refusal: text }),
            Part::ToolCall { id, name, arguments } => {
                close(&mut output, &mut content);
                let place = output.len();
                let call = Item::call(frame.call_id(id, place), name, arguments_of(arguments));
                output.push(call.named(frame.item_id("fc", place)).with_status("completed"));
            }
            Part::Thinking { text, signature } => {
                close(&mut output, &mut content);
                let id = frame.item_id("rs", output.len());
                let proof = shown_or_nobody(Dialect::OpenaiResponses, signature.as_deref());
                output.push(Item::thought(Some(text), Some(proof)).named(id));
            }
            Part::HiddenThinking { data } => {
                close(&mut output, &mut content);
                let id = frame.item_id("rs", output.len());
                let data = shown_or_nobody(Dialect::OpenaiResponses, Some(data));
                output.push(Item::thought(None, Some(data)).named(id));
            }
            Part::Image(Image::Url { .. })
            | Part::Audio { .. }
            | Part::Document(_)
            | Part::CachePoint { .. }
            | Part::ToolResult { .. } => {}
        }
    }
    close(&mut output, &mut content);
    if status == "incomplete"
        && let Some(last) = output.last_mut()
    {
        last.set_status(status);
    }
    output
}
