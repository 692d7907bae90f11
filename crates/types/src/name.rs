//! Small closed sets that many crates name: dialects and priorities.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A wire format: how a request, its answer and its stream look on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI Chat Completions: `POST /v1/chat/completions`.
    OpenaiChat,
    /// OpenAI Embeddings: `POST /v1/embeddings`.
    OpenaiEmbeddings,
    /// Anthropic Messages: `POST /v1/messages`.
    AnthropicMessages,
    /// OpenAI Responses: `POST /v1/responses`.
    OpenaiResponses,
    /// Google's `generateContent` and `streamGenerateContent`: only towards providers.
    GeminiContent,
    /// AWS Bedrock's `Converse` and `ConverseStream`: only towards providers.
    BedrockConverse,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::OpenaiChat,
        Self::OpenaiEmbeddings,
        Self::AnthropicMessages,
        Self::OpenaiResponses,
        Self::GeminiContent,
        Self::BedrockConverse,
    ];

    /// The name in rows, labels and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::OpenaiEmbeddings => "openai_embeddings",
            Self::AnthropicMessages => "anthropic_messages",
            Self::OpenaiResponses => "openai_responses",
            Self::GeminiContent => "gemini_content",
            Self::BedrockConverse => "bedrock_converse",
        }
    }

    /// The media type of a stream: server-sent events, and AWS's own framing from Bedrock.
    pub const fn stream_type(self) -> &'static str {
        match self {
            Self::BedrockConverse => "application/vnd.amazon.eventstream",
            Self::OpenaiChat
            | Self::OpenaiEmbeddings
            | Self::AnthropicMessages
            | Self::OpenaiResponses
            | Self::GeminiContent => "text/event-stream",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much a call matters when not all can be served (B12). `medium` is read as `normal`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// First to be shed.
    Low,
    /// What a call has unless it says otherwise.
    #[default]
    #[serde(alias = "medium")]
    Normal,
    /// Before the normal ones.
    High,
    /// Last to be shed.
    Critical,
}
