//! Going on with an answer whose stream broke: what the caller has of it ([`Trail`], [`Shadow`]), how a model is
//! given the beginning ([`prefilled`]), and what of the new stream the caller has not seen yet ([`Seam`]).
//!
//! Who is asked, how often and until when is not decided here.

mod prefill;
mod seam;
mod shadow;

use types::chat::Event;

pub use prefill::{Prefilled, is_single, prefilled};
pub use seam::{Diverged, Seam, Told};
pub use shadow::Shadow;

/// The longest beginning that is kept, in bytes.
const MOST: usize = 256 << 10;

/// The text that a caller has been sent, as long as an answer can be gone on with from it.
#[derive(Clone, Debug)]
pub struct Trail {
    /// Gone once something was sent that no other model can go on from.
    text: Option<String>,
    /// Whether the answer has come to its end.
    stopped: bool,
}

impl Default for Trail {
    fn default() -> Self {
        Self::from(String::new())
    }
}

impl From<String> for Trail {
    fn from(text: String) -> Self {
        Self { text: Some(text), stopped: false }
    }
}

impl Trail {
    /// Takes down what the caller is sent.
    pub fn note(&mut self, event: &Event) {
        match event {
            Event::Text { choice: 0, text } => {
                if let Some(all) = &mut self.text {
                    all.push_str(text);
                }
                if self.text.as_ref().is_some_and(|all| all.len() > MOST) {
                    self.lose();
                }
            }
            // Reasoning is not gone on with, and what follows it can be.
            Event::Thinking { choice: 0, .. }
            | Event::ThinkingSignature { choice: 0, .. }
            | Event::HiddenThinking { choice: 0, .. }
            | Event::Start { .. }
            | Event::Usage(_)
            | Event::Done
            | Event::Failed(_) => {}
            Event::Text { .. }
            | Event::Thinking { .. }
            | Event::ThinkingSignature { .. }
            | Event::HiddenThinking { .. }
            | Event::Refusal { .. }
            | Event::Citation { .. }
            | Event::Image { .. }
            | Event::ToolStart { .. }
            | Event::ToolArguments { .. }
            | Event::Logprobs { .. } => self.lose(),
            Event::Stop { .. } => self.stopped = true,
        }
    }

    /// Nothing can be gone on with from here.
    pub(crate) fn lose(&mut self) {
        self.text = None;
    }

    /// All text so far; `None`: the answer cannot be gone on with.
    pub fn text(&self) -> Option<&str> {
        self.said().filter(|_| !self.stopped)
    }

    /// All text so far, also of an answer that is at its end; `None`: there was more to it than one text.
    pub fn said(&self) -> Option<&str> {
        self.text.as_deref()
    }
}
