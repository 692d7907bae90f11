//! What one event of a stream says, still borrowed from it: what the dialects' readers produce and the
//! decoder and the watcher consume.

use serde_json::Value;
use types::chat::{Citation, Event, Stop};
use types::{Code, Dialect, Fault, Kind, Usage};

use crate::anthropic::stream::Reader as AnthropicReader;
use crate::bedrock::stream::Reader as BedrockReader;
use crate::gemini::stream::Reader as GeminiReader;
use crate::openai::stream::Reader as OpenaiReader;
use crate::piece::{Piece, Str};
use crate::responses::stream::Reader as ResponsesReader;
use crate::sse::SseEvent;

/// [`types::chat::Event`], with texts as the reader holds them.
#[derive(Debug)]
pub(crate) enum Said<'a, T> {
    Start { id: Str<'a>, model: Str<'a>, usage: Option<Usage> },
    Text { choice: u32, text: T },
    Thinking { choice: u32, text: T },
    ThinkingSignature { choice: u32, signature: Str<'a> },
    HiddenThinking { choice: u32, data: Str<'a> },
    Refusal { choice: u32, text: T },
    ToolStart { choice: u32, index: u32, id: Str<'a>, name: Str<'a> },
    ToolArguments { choice: u32, index: u32, json: T },
    Audio,
    Citation { choice: u32, citation: Citation },
    Image { choice: u32, media_type: Str<'a>, data: Str<'a> },
    Logprobs { choice: u32, tokens: Value },
    Stop { choice: u32, stop: Stop },
    Usage { usage: Usage, alone: bool },
    Done,
    Failed(Fault),
}

impl<'a> Said<'a, Str<'a>> {
    /// The event in the vocabulary; `None` for audio, which has no word there.
    pub(crate) fn into_event(self) -> Option<Event> {
        Some(match self {
            Self::Start { id, model, usage } => {
                Event::Start { id: id.into_string(), model: model.into_string(), usage }
            }
            Self::Text { choice, text } => Event::Text { choice, text: text.into_string() },
            Self::Thinking { choice, text } => Event::Thinking { choice, text: text.into_string() },
            Self::ThinkingSignature { choice, signature } => {
                Event::ThinkingSignature { choice, signature: signature.into_string() }
            }
            Self::HiddenThinking { choice, data } => {
                Event::HiddenThinking { choice, data: data.into_string() }
            }
            Self::Refusal { choice, text } => Event::Refusal { choice, text: text.into_string() },
            Self::ToolStart { choice, index, id, name } => {
                Event::ToolStart { choice, index, id: id.into_string(), name: name.into_string() }
            }
            Self::ToolArguments { choice, index, json } => {
                Event::ToolArguments { choice, index, json: json.into_string() }
            }
            Self::Audio => return None,
            Self::Citation { choice, citation } => Event::Citation { choice, citation },
            Self::Image { choice, media_type, data } => {
                Event::Image { choice, media_type: media_type.into_string(), data: data.into_string() }
            }
            Self::Logprobs { choice, tokens } => Event::Logprobs { choice, tokens },
            Self::Stop { choice, stop } => Event::Stop { choice, stop },
            Self::Usage { usage, .. } => Event::Usage(usage),
            Self::Done => Event::Done,
            Self::Failed(fault) => Event::Failed(fault),
        })
    }
}

/// A dialect's reader of events.
#[derive(Clone, Debug)]
pub(crate) enum Reader {
    Openai(OpenaiReader),
    Anthropic(AnthropicReader),
    Responses(ResponsesReader),
    Gemini(GeminiReader),
    Bedrock(BedrockReader),
}

impl Reader {
    pub(crate) fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => Self::Openai(OpenaiReader::default()),
            Dialect::AnthropicMessages => Self::Anthropic(AnthropicReader::default()),
            Dialect::OpenaiResponses => Self::Responses(ResponsesReader::default()),
            Dialect::GeminiContent => Self::Gemini(GeminiReader::default()),
            Dialect::BedrockConverse => Self::Bedrock(BedrockReader::default()),
        }
    }

    /// Reads one event. Fails with `BadAnswer` if its data is not what the dialect says it is.
    pub(crate) fn read<'a, T: Piece<'a>>(
        &mut self,
        event: SseEvent<'a>,
        on: impl FnMut(Said<'a, T>),
    ) -> Result<(), Fault> {
        match self {
            Self::Openai(reader) => reader.read(event, on),
            Self::Anthropic(reader) => reader.read(event, on),
            Self::Responses(reader) => reader.read(event, on),
            Self::Gemini(reader) => reader.read(event, on),
            Self::Bedrock(reader) => reader.read(event, on),
        }
    }

    /// The stream has ended: says what only its end tells.
    pub(crate) fn finish<'a, T: Piece<'a>>(&mut self, on: impl FnMut(Said<'a, T>)) {
        match self {
            Self::Bedrock(reader) => reader.finish(on),
            Self::Gemini(reader) => reader.finish(on),
            Self::Openai(_) | Self::Anthropic(_) | Self::Responses(_) => {}
        }
    }
}

/// An event that is not what its dialect says it is. Never quotes the event: it may hold an answer.
pub(crate) fn bad_event(error: &serde_json::Error) -> Fault {
    let what = match error.classify() {
        serde_json::error::Category::Data => "has fields of the wrong type",
        _ => "is not JSON",
    };
    let column = error.column();
    Fault::new(
        Kind::InvalidResponse,
        Code::BadAnswer,
        format!("the provider sent a stream event that {what} (byte {column} of its data)"),
    )
}

/// The stream ended and its end marker did not come.
pub(crate) fn cut() -> Fault {
    Fault::new(Kind::InvalidResponse, Code::StreamCut, "the provider's stream ended before its end marker")
}
