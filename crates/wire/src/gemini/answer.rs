//! Reads a whole answer in Gemini's dialect: what the reader of streams makes of it, put together.

use serde_json::{Value, json};
use types::Fault;
use types::chat::{Answer, Choice, Image, Part, Stop};

use super::frame::Chunk;
use super::stream::Reader;
use crate::fields::bad;
use crate::object::broken;
use crate::piece::Str;
use crate::said::Said;

/// Reads the answer. Fails with `ContentFiltered` where the prompt was refused, and with the error that the
/// answer reports.
pub(crate) fn decode(body: &str) -> Result<Answer, Fault> {
    let chunk: Chunk<'_, Str<'_>> = serde_json::from_str(body).map_err(|error| broken(&error))?;
    let mut reader = Reader::default();
    let mut whole = Whole::default();
    reader.chunk(chunk, |said| whole.add(said));
    if let Some(fault) = whole.failed {
        return Err(fault);
    }
    for (choice, stop) in reader.stops() {
        whole.choice(choice).stop = stop;
    }
    if whole.choices.is_empty() {
        return Err(bad("candidates", "`candidates` is missing"));
    }
    Ok(whole.into_answer())
}

fn no_choice() -> Choice {
    Choice { parts: Vec::new(), stop: Stop::End, logprobs: None }
}

/// What has been read of an answer.
#[derive(Debug, Default)]
struct Whole {
    answer: Answer,
    /// With their indexes.
    choices: Vec<(u32, Choice)>,
    failed: Option<Fault>,
}

impl Whole {
    fn into_answer(self) -> Answer {
        let Self { answer, mut choices, .. } = self;
        choices.sort_by_key(|(index, _)| *index);
        Answer { choices: choices.into_iter().map(|(_, choice)| choice).collect(), ..answer }
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let place = self.choices.iter().position(|(known, _)| *known == index);
        let place = place.unwrap_or(self.choices.len());
        if place == self.choices.len() {
            self.choices.push((index, no_choice()));
        }
        &mut self.choices[place].1
    }

    fn add(&mut self, said: Said<'_, Str<'_>>) {
        match said {
            Said::Start { id, model, .. } => {
                (self.answer.id, self.answer.model) = (id.into_string(), model.into_string());
            }
            Said::Text { choice, text } => {
                let parts = &mut self.choice(choice).parts;
                match parts.last_mut() {
                    Some(Part::Text { text: before }) => before.push_str(&text.0),
                    _ => parts.push(Part::Text { text: text.into_string() }),
                }
            }
            Said::Thinking { choice, text } => {
                let parts = &mut self.choice(choice).parts;
                match parts.last_mut() {
                    Some(Part::Thinking { text: before, signature: None }) => before.push_str(&text.0),
                    _ => parts.push(Part::Thinking { text: text.into_string(), signature: None }),
                }
            }
            Said::ThinkingSignature { choice, signature } => {
                let parts = &mut self.choice(choice).parts;
                let proof = Some(signature.into_string());
                match parts.last_mut() {
                    Some(Part::Thinking { signature: unsigned @ None, .. }) => *unsigned = proof,
                    _ => parts.push(Part::Thinking { text: String::new(), signature: proof }),
                }
            }
            Said::HiddenThinking { choice, data } => {
                self.choice(choice).parts.push(Part::HiddenThinking { data: data.into_string() });
            }
            Said::Refusal { choice, text } => {
                self.choice(choice).parts.push(Part::Refusal { text: text.into_string() });
            }
            Said::Citation { choice, citation } => self.choice(choice).parts.push(Part::Citation(citation)),
            Said::Image { choice, media_type, data } => {
                let (media_type, data) = (media_type.into_string(), data.into_string());
                let image = Image::Inline { media_type, data, detail: None };
                self.choice(choice).parts.push(Part::Image(image));
            }
            Said::ToolStart { choice, id, name, .. } => {
                let (id, name) = (id.into_string(), name.into_string());
                self.choice(choice).parts.push(Part::ToolCall { id, name, arguments: String::new() });
            }
            Said::ToolArguments { choice, json, .. } => {
                if let Some(Part::ToolCall { arguments, .. }) = self.choice(choice).parts.last_mut() {
                    arguments.push_str(&json.0);
                }
            }
            Said::Logprobs { choice, tokens } => {
                let logprobs: Value = json!({ "content": tokens });
                self.choice(choice).logprobs = Some(logprobs);
            }
            Said::Stop { choice, stop } => self.choice(choice).stop = stop,
            Said::Usage { usage, .. } => self.answer.usage = Some(usage),
            Said::Failed(fault) => self.failed = Some(fault),
            Said::Audio | Said::Done => {}
        }
    }
}
