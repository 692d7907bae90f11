//! A conversation with a model in words that belong to no vendor.
//!
//! Only what crosses dialects lives here. A call whose dialect is the same on both sides never takes this
//! form: its bytes are forwarded. What a dialect says and this vocabulary has no word for is kept in
//! [`Request::extra`], so that the encoder of the other dialect can refuse it by name instead of dropping it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use crate::{Fault, RawJson, Usage};

/// One request for a chat completion.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// The model as the caller named it.
    pub model: String,
    /// The conversation, system prompts in their places.
    pub messages: Vec<Message>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
    /// Greatest number of tokens to write.
    pub max_tokens: Option<u64>,
    /// Sampling temperature.
    pub temperature: Option<Number>,
    /// Nucleus sampling.
    pub top_p: Option<Number>,
    /// Sampling from the k likeliest.
    pub top_k: Option<u64>,
    /// Penalty for tokens by how often they stand there already.
    pub frequency_penalty: Option<Number>,
    /// Penalty for tokens that stand there already.
    pub presence_penalty: Option<Number>,
    /// Seed of the sampling.
    pub seed: Option<i64>,
    /// Alternatives wanted; one if absent.
    pub choices: Option<u64>,
    /// Log-probabilities of the tokens, each with so many alternatives; `None`: not wanted.
    pub logprobs: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Shape of the answer.
    pub format: Format,
    /// Effort or budget of reasoning.
    pub reasoning: Option<Reasoning>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether a streamed answer is to end with its usage (always so in Anthropic's dialect).
    pub stream_usage: bool,
    /// The caller's name for its end user.
    pub user: Option<String>,
    /// Fields of the caller's dialect that have no word here: name and raw JSON, in order.
    #[serde(skip)]
    pub extra: Vec<(String, Box<RawValue>)>,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Whose turn.
    pub role: Role,
    /// What was said, in order.
    pub parts: Vec<Part>,
    /// A participant's name, where the dialect has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Whose turn a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions (OpenAI's `system` and `developer`, Anthropic's `system`).
    System,
    /// The caller.
    User,
    /// The model.
    Assistant,
    /// The result of a tool (OpenAI's `tool` turn, Anthropic's `tool_result` in a user turn).
    Tool,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// An image by URL or inline.
    Image(Image),
    /// Sound, inline.
    Audio {
        /// `wav`, `mp3` and the like.
        format: String,
        /// Base64 data, not decoded here.
        data: String,
    },
    /// A document to be read by the model.
    Document(Document),
    /// What stands before this part is to be kept in the provider's prompt cache: Anthropic's `cache_control` on
    /// the part before, Bedrock's `cachePoint`. It is never moved.
    CachePoint {
        /// The marker as the caller wrote it, in Anthropic's form: `{"type": "ephemeral", "ttl": "5m"}`.
        marker: Value,
    },
    /// The model asks for a tool.
    ToolCall {
        /// The call's id, which its result repeats.
        id: String,
        /// The tool.
        name: String,
        /// The arguments, as the JSON text that the model wrote.
        arguments: String,
    },
    /// What a tool gave back.
    ToolResult {
        /// The call's id.
        id: String,
        /// The result: texts and images.
        parts: Vec<Part>,
        /// Whether the tool failed.
        #[serde(default)]
        failed: bool,
    },
    /// The model's reasoning, with the provider's signature over it.
    Thinking {
        /// The reasoning.
        text: String,
        /// Signature with its maker's mark (`signed-by-anthropic:…`), to be sent back unchanged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// Reasoning that the provider keeps to itself, to be sent back unchanged.
    HiddenThinking {
        /// Opaque data with its maker's mark.
        data: String,
    },
    /// The model declined, in words.
    Refusal {
        /// The words.
        text: String,
    },
    /// Where something that the model said is from. Stands behind the text that it is about.
    Citation(Citation),
}

/// Where something that the model said is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// The source's address.
    pub url: String,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The words of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<String>,
    /// Where that which it is the source of begins, in characters of all that the choice says in plain text.
    pub start: u64,
    /// Where it ends: the first character behind it.
    pub end: u64,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Image {
    /// To be fetched by the provider.
    Url {
        /// Where.
        url: String,
        /// OpenAI's `detail`, where given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// Inline, in base64.
    Inline {
        /// `image/png` and the like.
        media_type: String,
        /// Base64 data, not decoded here.
        data: String,
        /// OpenAI's `detail`, where given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
}

/// A document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Where its content is.
    pub source: Source,
    /// Its file name or title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the model is to know about it beside its content (Anthropic's `context`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Whether the answer is to cite it.
    #[serde(default)]
    pub citations: bool,
}

/// Where the content of a document is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Source {
    /// To be fetched by the provider.
    Url {
        /// Where.
        url: String,
    },
    /// Inline, in base64.
    Inline {
        /// `application/pdf` and the like.
        media_type: String,
        /// Base64 data, not decoded here.
        data: String,
    },
    /// Inline, as plain text.
    Text {
        /// The text.
        text: String,
    },
    /// Lies with the provider already.
    File {
        /// The provider's id for it.
        id: String,
    },
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its arguments, as it was written.
    pub parameters: RawJson,
    /// Whether arguments must fit the schema exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// The provider's cache marker that stood on it, as raw JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Value>,
}

/// Whether the model must call a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// No tool.
    None,
    /// Some tool.
    Any,
    /// This one.
    Named(String),
}

/// The shape that the answer must have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Any text.
    #[default]
    Text,
    /// Any JSON object.
    Json,
    /// JSON that fits a schema.
    Schema {
        /// The schema's name.
        name: String,
        /// What it describes.
        description: Option<String>,
        /// JSON Schema.
        schema: Value,
        /// Whether it must fit exactly.
        strict: Option<bool>,
    },
}

/// How much the model may think.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reasoning {
    /// In words: `low`, `medium`, `high` (OpenAI).
    Effort(String),
    /// In tokens (Anthropic).
    Budget(u64),
    /// Expressly none.
    Off,
}

/// One whole answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The provider's id of the answer.
    pub id: String,
    /// The model as the provider names it.
    pub model: String,
    /// The alternatives; one unless the caller asked for more.
    pub choices: Vec<Choice>,
    /// Tokens, if the provider said.
    pub usage: Option<Usage>,
}

/// One alternative of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// What the model said and asked for.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub stop: Stop,
    /// Log-probabilities of its tokens: `{"content": [{"token", "logprob", "bytes", "top_logprobs"}…]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Value>,
}

/// Why a model stopped writing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// It had said what it wanted to say.
    End,
    /// It wrote one of the stop texts (named where the provider says which).
    Sequence(Option<String>),
    /// It reached the greatest number of tokens: the answer is truncated.
    Length,
    /// It wants tools to be called.
    ToolCalls,
    /// The provider's filter or the model itself refused.
    Refused,
    /// The provider paused a long turn (Anthropic's `pause_turn`).
    Paused,
    /// A reason that only the provider knows.
    Other(String),
}

/// One thing that a streamed answer says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer begins. Not content: it does not commit the stream.
    Start {
        /// The provider's id of the answer.
        id: String,
        /// The model as the provider names it.
        model: String,
        /// Tokens known at the start (Anthropic says the input's here).
        usage: Option<Usage>,
    },
    /// More text of a choice.
    Text {
        /// Which choice.
        choice: u32,
        /// The text.
        text: String,
    },
    /// More reasoning.
    Thinking {
        /// Which choice.
        choice: u32,
        /// The reasoning.
        text: String,
    },
    /// The signature over the reasoning so far.
    ThinkingSignature {
        /// Which choice.
        choice: u32,
        /// The signature.
        signature: String,
    },
    /// Reasoning that the provider keeps to itself.
    HiddenThinking {
        /// Which choice.
        choice: u32,
        /// Opaque data.
        data: String,
    },
    /// More of a refusal in words.
    Refusal {
        /// Which choice.
        choice: u32,
        /// The words.
        text: String,
    },
    /// Where something in the text so far is from.
    Citation {
        /// Which choice.
        choice: u32,
        /// The source, and what it is the source of.
        citation: Citation,
    },
    /// An image that the model made.
    Image {
        /// Which choice.
        choice: u32,
        /// `image/png` and the like.
        media_type: String,
        /// Base64 data, not decoded here.
        data: String,
    },
    /// A tool call begins.
    ToolStart {
        /// Which choice.
        choice: u32,
        /// Which call of it, from 0.
        index: u32,
        /// The call's id.
        id: String,
        /// The tool.
        name: String,
    },
    /// More of a tool call's arguments.
    ToolArguments {
        /// Which choice.
        choice: u32,
        /// Which call of it.
        index: u32,
        /// A piece of the JSON text.
        json: String,
    },
    /// Log-probabilities of more tokens.
    Logprobs {
        /// Which choice.
        choice: u32,
        /// Their list, in OpenAI's form.
        tokens: Value,
    },
    /// A choice has ended.
    Stop {
        /// Which choice.
        choice: u32,
        /// Why.
        stop: Stop,
    },
    /// Tokens; later figures replace earlier ones.
    Usage(Usage),
    /// The whole answer has ended as it should.
    Done,
    /// The provider reports an error inside its stream.
    Failed(Fault),
}

impl Event {
    /// Whether the event shows the caller something of the answer: the first such event commits a stream.
    pub fn is_content(&self) -> bool {
        match self {
            Self::Text { text, .. } | Self::Thinking { text, .. } | Self::Refusal { text, .. } => {
                !text.is_empty()
            }
            Self::ToolStart { .. } | Self::HiddenThinking { .. } | Self::Image { .. } | Self::Stop { .. } => {
                true
            }
            Self::ToolArguments { json, .. } => !json.is_empty(),
            Self::Start { .. }
            | Self::ThinkingSignature { .. }
            | Self::Citation { .. }
            | Self::Logprobs { .. }
            | Self::Usage(_)
            | Self::Done
            | Self::Failed(_) => false,
        }
    }
}
