//! What a simulated model writes: text, JSON or a tool call, as long as it may be.

use bytes::Bytes;
use types::Usage;

use super::body::Mark;
use super::dice::{Dice, hash};
use super::error::Wrong;
use super::fit::fit;
use super::request::{Chat, Wanted};
use super::settings::Model;
use super::{render, text};

/// An answer as bytes.
pub(super) enum Rendered {
    /// All at once.
    Whole {
        bytes: Bytes,
        /// Tokens of its longest choice, which say how long it takes.
        length: u32,
        usage: Usage,
    },
    /// Event by event.
    Stream { bytes: Bytes, marks: Vec<Mark>, usage: Usage },
}

impl Rendered {
    /// Tokens read and written.
    pub(super) const fn tokens(&self) -> u64 {
        match self {
            Self::Whole { usage, .. } | Self::Stream { usage, .. } => usage.total(),
        }
    }
}

/// One of the answers to a request.
pub(super) struct Choice {
    /// The text, or the arguments of the call.
    pub(super) text: String,
    /// The tool that is called.
    pub(super) call: Option<Call>,
    pub(super) finish: &'static str,
    /// Tokens of `text`.
    pub(super) tokens: u32,
}

/// A call of a tool.
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
}

/// Answers a chat request, or says what is wrong with it.
pub(super) fn chat(model: &Model, seed: u64, call: u64, body: &[u8]) -> Result<Rendered, Wrong> {
    let request = Chat::parse(body)?;
    let seed = hash(model.name.as_bytes(), seed) ^ request.seed();
    let choices: Vec<Choice> = (0..request.choices())
        .map(|index| write(model, &request, &mut Dice::new(seed, u64::from(index))))
        .collect();
    let output = choices.iter().map(|choice| u64::from(choice.tokens)).sum();
    let usage = Usage::plain(request.input_tokens(), output);
    // The same conversation twice is two answers.
    let id = format!("chatcmpl-sim{:016x}", Dice::new(seed, call).next());
    let head = render::Head::new(&id, &model.name);
    if request.stream == Some(true) {
        let (bytes, marks) = render::stream(&head, &choices, request.wants_usage().then_some(&usage));
        return Ok(Rendered::Stream { bytes, marks, usage });
    }
    let length = choices.iter().map(|choice| choice.tokens).max().unwrap_or(0);
    Ok(Rendered::Whole { bytes: render::whole(&head, &choices, &usage), length, usage })
}

fn write(model: &Model, request: &Chat<'_>, dice: &mut Dice) -> Choice {
    let limit = request.limit();
    if model.calls_tools
        && let Some(tool) = request.tool()
    {
        let arguments =
            if tool.parameters.is_null() { "{}".to_owned() } else { fit(&tool.parameters, dice).to_string() };
        let call = Call { id: format!("call_sim{:016x}", dice.next()), name: tool.name.clone() };
        return cut(arguments, Some(call), "tool_calls", limit);
    }
    let mut text = match (&model.text, request.wanted()) {
        (Some(text), _) => text.clone(),
        (None, Wanted::Object) => "{\"simulated\":true}".to_owned(),
        (None, Wanted::Fits(schema)) => fit(schema, dice).to_string(),
        // One token more than may be had shows that there was more to say.
        (None, Wanted::Text) => text::made_up(model.output_tokens.min(limit.saturating_add(1)), dice),
    };
    if let Some(end) = request.stop_in(&text) {
        text.truncate(end);
    }
    cut(text, None, "stop", limit)
}

/// Brings a text to its limit.
fn cut(mut text: String, call: Option<Call>, finish: &'static str, limit: u32) -> Choice {
    let mut taken = 0;
    let mut end = 0;
    for token in text::tokens(&text) {
        if taken == limit {
            break;
        }
        taken += 1;
        end += token.len();
    }
    let finish = if end < text.len() { "length" } else { finish };
    text.truncate(end);
    Choice { text, call, finish, tokens: taken }
}
