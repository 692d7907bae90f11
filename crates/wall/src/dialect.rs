//! The two dialects that the wall speaks: a whole answer, a stream in its parts, an error.

use crate::{anthropic, openai};

/// Whose API is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's Chat Completions.
    Openai,
    /// Anthropic's Messages.
    Anthropic,
}

/// The events of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// What comes before the first token.
    pub(crate) opening: Vec<String>,
    /// One event a token.
    pub(crate) tokens: Vec<String>,
    /// Why it stopped, and what it used.
    pub(crate) finish: Vec<String>,
    /// The end mark.
    pub(crate) mark: String,
}

impl Dialect {
    /// By the path of a request.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or_default();
        match path {
            _ if path.ends_with("/chat/completions") => Some(Self::Openai),
            _ if path.ends_with("/messages") => Some(Self::Anthropic),
            _ => None,
        }
    }

    pub(crate) fn whole(self, text: &str, prompt: u64, tokens: u64) -> String {
        match self {
            Self::Openai => openai::chat(text, prompt, tokens),
            Self::Anthropic => anthropic::message(text, prompt, tokens),
        }
    }

    /// A stream; `usage`: whether OpenAI's tells what it used, which its callers have to ask for.
    pub(crate) fn stream(self, prompt: u64, tokens: u64, usage: bool) -> Parts {
        let (mut opening, before) = match self {
            Self::Openai => (openai::chat_stream(tokens, prompt), 1),
            Self::Anthropic => (anthropic::message_stream(tokens, prompt), 3),
        };
        let mark = opening.pop().unwrap_or_default();
        let mut parts = opening.split_off(before);
        let mut finish = parts.split_off(usize::try_from(tokens).unwrap_or_default().min(parts.len()));
        if self == Self::Openai && !usage {
            finish.pop();
        }
        Parts { opening, tokens: parts, finish, mark }
    }

    pub(crate) fn error(self, message: &str, kind: &str) -> String {
        match self {
            Self::Openai => openai::error(message, kind, None),
            Self::Anthropic => anthropic::error(message, kind),
        }
    }

    /// An error as an event of a stream.
    pub(crate) fn error_event(self, message: &str, kind: &str) -> String {
        let error = self.error(message, kind);
        match self {
            Self::Openai => format!("data: {error}\n\n"),
            Self::Anthropic => format!("event: error\ndata: {error}\n\n"),
        }
    }

    /// An event with nothing of what belongs there.
    pub(crate) const fn empty_event(self) -> &'static str {
        match self {
            Self::Openai => "data: {}\n\n",
            Self::Anthropic => "event: message_start\ndata: {}\n\n",
        }
    }

    /// An event that ends in the middle of its JSON.
    pub(crate) const fn broken_event(self) -> &'static str {
        match self {
            Self::Openai => "data: {\"id\":\"chatcmpl-wall\",\"choices\":[{\"index\":0,\"delta\":\n\n",
            Self::Anthropic => {
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"del\n\n"
            }
        }
    }
}
