//! The fields of a chat request that a made-up answer depends on; the rest is skipped.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::dice::hash;
use super::error::Wrong;
use super::text;

/// Choices that can be had at once, as with OpenAI.
const MOST_CHOICES: u32 = 128;

/// A chat request.
#[derive(Deserialize)]
pub(super) struct Chat<'a> {
    #[serde(borrow, default)]
    pub(super) messages: Vec<Message<'a>>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    max_completion_tokens: Option<u32>,
    #[serde(borrow, default)]
    stop: Option<Stop<'a>>,
    #[serde(default)]
    tools: Option<Vec<Tool>>,
    #[serde(default)]
    tool_choice: Option<Value>,
    #[serde(default)]
    response_format: Option<Format>,
}

/// One message; of its content only the size and the sameness matter.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stop<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Tool {
    function: Option<Function>,
}

/// A tool as the request describes it.
#[derive(Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    #[serde(default)]
    pub(super) parameters: Value,
}

#[derive(Deserialize)]
struct Format {
    r#type: String,
    #[serde(default)]
    json_schema: Option<JsonSchema>,
}

#[derive(Deserialize)]
struct JsonSchema {
    #[serde(default)]
    schema: Value,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

/// What an answer's text must be.
pub(super) enum Wanted<'a> {
    /// Anything.
    Text,
    /// Any JSON object.
    Object,
    /// JSON that fits this schema.
    Fits(&'a Value),
}

impl<'a> Chat<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Wrong> {
        let chat: Self = serde_json::from_slice(body).map_err(|error| Wrong::from(error.to_string()))?;
        if chat.messages.is_empty() {
            return Err(Wrong::field("messages", "`messages` must hold at least one message".to_owned()));
        }
        if !(1..=MOST_CHOICES).contains(&chat.choices()) {
            return Err(Wrong::field("n", format!("`n` must be between 1 and {MOST_CHOICES}")));
        }
        Ok(chat)
    }

    /// Tokens that the model reads.
    pub(super) fn input_tokens(&self) -> u64 {
        self.messages.iter().map(|message| text::estimate(message.len())).sum::<u64>().max(1)
    }

    /// A number for the conversation: the same for the same messages.
    pub(super) fn seed(&self) -> u64 {
        self.messages.iter().fold(0, |seed, message| {
            let content = message.content.map_or("", RawValue::get);
            hash(content.as_bytes(), hash(message.role.as_bytes(), seed))
        })
    }

    pub(super) fn choices(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }

    /// Tokens that a choice may have.
    pub(super) fn limit(&self) -> u32 {
        let limits = [self.max_tokens, self.max_completion_tokens];
        limits.into_iter().flatten().min().unwrap_or(u32::MAX)
    }

    /// Where the first stop sequence begins in a text.
    pub(super) fn stop_in(&self, text: &str) -> Option<usize> {
        let find = |stop: &str| if stop.is_empty() { None } else { text.find(stop) };
        match self.stop.as_ref()? {
            Stop::One(stop) => find(stop),
            Stop::Many(stops) => stops.iter().filter_map(|stop| find(stop)).min(),
        }
    }

    /// The tool to call. None once a tool has answered: then it is time for text.
    pub(super) fn tool(&self) -> Option<&Function> {
        let mut functions = self.tools.iter().flatten().filter_map(|tool| tool.function.as_ref());
        if self.messages.last().is_some_and(|last| last.role == "tool") {
            return None;
        }
        match &self.tool_choice {
            Some(Value::String(choice)) if choice == "none" => None,
            Some(Value::Object(choice)) => {
                let name = choice.get("function").and_then(|function| function.get("name"))?;
                functions.find(|function| *name == function.name)
            }
            _ => functions.next(),
        }
    }

    pub(super) fn wanted(&self) -> Wanted<'_> {
        match &self.response_format {
            Some(format) if format.r#type == "json_object" => Wanted::Object,
            Some(Format { json_schema: Some(json), .. }) => Wanted::Fits(&json.schema),
            _ => Wanted::Text,
        }
    }
}

impl Message<'_> {
    /// Bytes of text.
    fn len(&self) -> usize {
        let Some(content) = self.content else { return 0 };
        let raw = content.get();
        if raw.starts_with('"') {
            return raw.len() - 2;
        }
        let parts: Vec<Part<'_>> = serde_json::from_str(raw).unwrap_or_default();
        parts.iter().filter_map(|part| part.text.as_ref()).map(|text| text.len()).sum()
    }
}
