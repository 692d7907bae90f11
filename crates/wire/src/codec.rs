//! From one dialect into the vocabulary and into another: requests, whole answers and streams.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use types::chat::{Answer, Event, Request};
use types::{CallId, Code, Dialect, Fault, Kind, Quirks, Timestamp};

use crate::Rope;
use crate::omission::{Omissions, Unsupported};
use crate::signature::{mark_parts, mark_request};
use crate::tape::Tape;
use crate::text::append;
use crate::{anthropic, bedrock, gemini, openai, rejection, responses};

/// What an answer says of itself that the provider does not know.
#[derive(Clone, Copy, Debug)]
pub struct AnswerMeta<'a> {
    /// When the answer was made.
    pub created: Timestamp,
    /// The model, as the caller is to read it.
    pub model: &'a str,
    /// The call, whose id names the answer where the provider gave none.
    pub call: CallId,
    /// The answer that the call goes on from, in the Responses dialect.
    pub previous: Option<&'a str>,
}

/// Reads a request for a chat completion.
///
/// Fails with `BadUtf8`, `BadJson`, or `BadField` with the path of the field.
pub fn decode_request(dialect: Dialect, body: &[u8]) -> Result<Request, Fault> {
    let tape = Tape::of(text_of(body)?)?;
    let body = tape.root();
    let mut request = match dialect {
        Dialect::OpenaiChat => openai::request::decode(body),
        Dialect::AnthropicMessages => anthropic::request::decode(body),
        Dialect::OpenaiResponses => responses::request::decode(body),
        Dialect::GeminiContent | Dialect::BedrockConverse => Err(one_way(dialect)),
        Dialect::OpenaiEmbeddings => Err(no_chat()),
    }?;
    mark_request(dialect, &mut request);
    Ok(request)
}

/// How a request is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// In which dialect.
    pub dialect: Dialect,
    /// For the model that the provider calls so.
    pub model: &'a str,
    /// What becomes of that which the dialect cannot say.
    pub unsupported: Unsupported,
    /// How the server differs from OpenAI, where the dialect is one of OpenAI's.
    pub quirks: &'a Quirks,
}

impl<'a> Writing<'a> {
    /// In `dialect` for `model`, nothing left out, no quirks.
    pub const fn plain(dialect: Dialect, model: &'a str) -> Self {
        Self { dialect, model, unsupported: Unsupported::Refuse, quirks: &Quirks::OPENAI }
    }
}

/// A request as written.
#[derive(Clone, Debug)]
pub struct Written {
    /// The body.
    pub body: Rope,
    /// What was left out because the dialect cannot say it, by the caller's names.
    pub dropped: Vec<String>,
}

/// Writes a request in a dialect that is not the caller's.
///
/// Fails with `Unsupported` for what the dialect cannot say, naming the caller's field, unless it may be left
/// out. Left out without a word is only what does not touch the answer: see `HARMLESS` in this file, and each
/// dialect's `request_out`.
pub fn encode_request(request: &Request, writing: &Writing<'_>) -> Result<Written, Fault> {
    let target = match writing.dialect {
        Dialect::OpenaiChat => "OpenAI's",
        Dialect::OpenaiResponses => "OpenAI's Responses",
        Dialect::AnthropicMessages => "Anthropic's",
        Dialect::GeminiContent => "Gemini's",
        Dialect::BedrockConverse => "Bedrock's",
        Dialect::OpenaiEmbeddings => return Err(no_chat()),
    };
    let mut omit = Omissions::new(writing.unsupported, target);
    let carried = |name: &str, value: &RawValue| {
        writing.dialect == Dialect::OpenaiResponses && responses::request_out::carries(name, value)
    };
    let beyond = |(name, value): &&(String, Box<RawValue>)| !harmless(name, value) && !carried(name, value);
    for (name, _) in request.extra.iter().filter(beyond) {
        omit.field(name)?;
    }
    let body = match writing.dialect {
        Dialect::AnthropicMessages => {
            bytes_of(&anthropic::request_out::encode(request, writing.model, &mut omit)?)
        }
        Dialect::OpenaiResponses => bytes_of(&responses::request_out::encode(request, writing, &mut omit)?),
        Dialect::GeminiContent => bytes_of(&gemini::request_out::encode(request, writing, &mut omit)?),
        Dialect::BedrockConverse => bytes_of(&bedrock::request_out::encode(request, writing, &mut omit)?),
        Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => {
            let body = bytes_of(&openai::request_out::encode(request, writing, &mut omit)?);
            adapted(&body, writing, &mut omit)?.unwrap_or(body)
        }
    };
    Ok(Written { body: body.into(), dropped: omit.into_dropped() })
}

/// A Chat Completions request as a server with quirks takes it, where the caller speaks the same dialect:
/// `None` if it fits as it is.
///
/// Fails with `Unsupported` for what the server refuses, unless it may be left out.
pub fn adapt_request(body: &Rope, writing: &Writing<'_>) -> Result<Option<Written>, Fault> {
    let mut omit = Omissions::new(writing.unsupported, "this provider's");
    if is_plain(writing) {
        return Ok(None);
    }
    let body = adapted(body.joined(), writing, &mut omit)?;
    Ok(body.map(|body| Written { body: body.into(), dropped: omit.into_dropped() }))
}

/// Whether nothing has to be looked for: then a body in pieces stays in pieces.
fn is_plain(writing: &Writing<'_>) -> bool {
    *writing.quirks == Quirks::OPENAI || writing.dialect != Dialect::OpenaiChat
}

fn adapted(body: &Bytes, writing: &Writing<'_>, omit: &mut Omissions) -> Result<Option<Bytes>, Fault> {
    if is_plain(writing) {
        return Ok(None);
    }
    let text = std::str::from_utf8(body).map_err(|_| Fault::internal("a checked body is not UTF-8"))?;
    openai::adapt::adapt(text, writing.model, writing.quirks, omit)
}

/// Fields that may be left out when a call crosses dialects, because the answer is the same without them, and
/// the values with which they may (none listed: any).
const HARMLESS: [(&str, &[&str]); 14] = [
    // Labels for the vendor's own console, and ours.
    ("metadata", &[]),
    // Whether the vendor keeps the answer; a caller that wants it kept must be told that it is not.
    ("store", &["false"]),
    // Which queue to stand in; only the ordinary ones.
    ("service_tier", &[r#""auto""#, r#""default""#, r#""standard_only""#]),
    ("speed", &[r#""standard""#]),
    // Hints to the vendor's cache and decoder: cost and speed, never the answer.
    ("prompt_cache_key", &[]),
    ("prompt_cache_retention", &[]),
    ("prompt_cache_options", &[]),
    ("prediction", &[]),
    ("cache_control", &[]),
    // Padding against guessing from the lengths of chunks.
    ("stream_options.include_obfuscation", &[]),
    // What a vendor tells about its own cache misses.
    ("diagnostics", &[]),
    // Whether reasoning is shown; it is shown where the provider shows it.
    ("reasoning.summary", &[]),
    ("reasoning.generate_summary", &[]),
    // How often the vendor's own tools may run; those are refused by name.
    ("max_tool_calls", &[]),
];

fn harmless(name: &str, value: &RawValue) -> bool {
    let listed = HARMLESS.iter().find(|(harmless, _)| *harmless == name || within_metadata(name, harmless));
    listed.is_some_and(|(_, values)| values.is_empty() || values.contains(&value.get()))
}

/// `metadata.user_id` is read, what else stands in `metadata` are labels.
fn within_metadata(name: &str, harmless: &str) -> bool {
    harmless == "metadata" && name.starts_with("metadata.")
}

/// Reads a whole answer. Fails with `BadAnswer` if it is not one, or with the error that it reports. Of a key that
/// stands twice the last one counts: where no dialect is crossed the answer passes as it is, and that is how most
/// callers read it.
pub fn decode_answer(dialect: Dialect, body: &[u8]) -> Result<Answer, Fault> {
    let text = text_of(body).map_err(|fault| bad_answer(&fault))?;
    let tape = Tape::of(text).map_err(|fault| bad_answer(&fault))?.last_counts();
    let raw = tape.root();
    let answer = match dialect {
        Dialect::OpenaiChat => openai::answer::decode(raw),
        Dialect::AnthropicMessages => anthropic::answer::decode(raw),
        Dialect::OpenaiResponses => responses::answer::decode(raw),
        Dialect::GeminiContent => gemini::answer::decode(text),
        Dialect::BedrockConverse => bedrock::answer::decode(raw),
        Dialect::OpenaiEmbeddings => return Err(no_chat()),
    };
    let mut answer = answer.map_err(|fault| match fault.code {
        // What Gemini says of a prompt that it refused, or of a model that failed, is an answer, and has no `error`.
        _ if fault.provider_reason.is_some() => fault,
        _ => reported_error(raw.get()).unwrap_or_else(|| bad_answer(&fault)),
    })?;
    for choice in &mut answer.choices {
        mark_parts(dialect, &mut choice.parts);
    }
    Ok(answer)
}

/// Writes a whole answer in a caller's dialect. Gemini's and Bedrock's are no caller's: they are written as
/// OpenAI's.
pub fn encode_answer(dialect: Dialect, answer: &Answer, meta: &AnswerMeta<'_>) -> Bytes {
    match dialect {
        Dialect::AnthropicMessages => bytes_of(&anthropic::answer::encode(answer, meta)),
        Dialect::OpenaiResponses => {
            let mut out = BytesMut::with_capacity(1024);
            responses::answer::encode(answer, meta, &mut out);
            out.freeze()
        }
        Dialect::OpenaiChat
        | Dialect::OpenaiEmbeddings
        | Dialect::GeminiContent
        | Dialect::BedrockConverse => bytes_of(&openai::answer::encode(answer, meta)),
    }
}

/// Writes a stream in a dialect.
#[derive(Clone, Debug)]
pub struct StreamEncoder(Writer);

#[derive(Clone, Debug)]
enum Writer {
    Openai(openai::stream_out::Writer),
    Anthropic(anthropic::stream_out::Writer),
    Responses(Box<responses::stream_out::Writer>),
}

impl StreamEncoder {
    /// A writer at the start of a stream. `include_usage` says whether OpenAI's usage chunk is wanted;
    /// Anthropic's streams always tell.
    pub fn new(dialect: Dialect, meta: &AnswerMeta<'_>, include_usage: bool) -> Self {
        Self(match dialect {
            Dialect::AnthropicMessages => Writer::Anthropic(anthropic::stream_out::Writer::new(meta)),
            Dialect::OpenaiResponses => Writer::Responses(Box::new(responses::stream_out::Writer::new(meta))),
            Dialect::OpenaiChat
            | Dialect::OpenaiEmbeddings
            | Dialect::GeminiContent
            | Dialect::BedrockConverse => {
                Writer::Openai(openai::stream_out::Writer::new(meta, include_usage))
            }
        })
    }

    /// Takes its stand in the middle of a Messages stream, in which so many blocks have begun and this one is open.
    pub(crate) fn stand(&mut self, blocks: u32, open: Option<anthropic::stream_out::Kind>) {
        if let Writer::Anthropic(writer) = &mut self.0 {
            writer.stand(blocks, open);
        }
    }

    /// Appends what the event is in this dialect: nothing, one event of the stream or several.
    pub fn event(&mut self, event: &Event, out: &mut BytesMut) {
        match &mut self.0 {
            Writer::Openai(writer) => writer.event(event, out),
            Writer::Anthropic(writer) => writer.event(event, out),
            Writer::Responses(writer) => writer.event(event, out),
        }
    }
}

/// The body as text.
pub(crate) fn text_of(body: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        Fault::new(Kind::Parsing, Code::BadUtf8, format!("the body is not valid UTF-8 at byte {at}"))
    })
}

/// What an encoder made, as bytes. Our own values always serialize.
fn bytes_of(value: &impl Serialize) -> Bytes {
    let mut out = BytesMut::with_capacity(1024);
    append(value, &mut out);
    out.freeze()
}

fn bad_answer(fault: &Fault) -> Fault {
    let message = format!("the provider's answer cannot be read: {}", fault.message);
    Fault::new(Kind::InvalidResponse, Code::BadAnswer, message)
}

/// The error that a body reports although its status said success.
fn reported_error(body: &str) -> Option<Fault> {
    #[derive(Deserialize)]
    struct Reported<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
    }
    let reported: Reported<'_> = serde_json::from_str(body).ok()?;
    reported.error.map(|error| rejection::in_stream(error.get()))
}

fn no_chat() -> Fault {
    Fault::invalid(Code::Unsupported, "model", "embeddings cannot be had from a provider of another dialect")
}

/// No caller speaks this dialect.
fn one_way(dialect: Dialect) -> Fault {
    Fault::internal(format!("requests do not come in {dialect}"))
}
