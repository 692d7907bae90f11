//! What the pass-through needs to know of a stream that it forwards untouched: whether content has come,
//! whether the end has, and what was used.
//!
//! This is the hottest code of the crate. Two events of the same stream mostly differ in one string only, so
//! the watcher remembers the bytes around that string (`shape`): an event of the same bytes around another
//! string says the same thing about another text, and needs no parsing. Everything else is read by the same
//! reader as [`crate::StreamDecoder`]'s.

mod shape;
mod sift;

use types::chat::Stop;
use types::{Dialect, Fault, Usage};

use crate::piece::Len;
use crate::said::{Reader, Said, cut};
use crate::sse::{Scanner, SseEvent};
use shape::Shape;

pub use sift::Sift;

/// What a stream has shown so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Content has come, in this piece or before: the stream is committed.
    pub content: bool,
    /// The end marker has come: `[DONE]`, `message_stop`, or the last event of a response.
    pub complete: bool,
    /// The provider reported an error inside the stream.
    pub failed: Option<Fault>,
}

/// Watches a stream go by.
#[derive(Clone, Debug)]
pub struct Watch {
    scanner: Scanner,
    eye: Eye,
}

impl Watch {
    /// A watcher at the start of a stream.
    pub fn new(dialect: Dialect) -> Self {
        Self { scanner: Scanner::new(), eye: Eye::new(dialect) }
    }

    /// Looks at the next piece of the stream.
    ///
    /// Fails with `BadAnswer` on an event that is not what the dialect says it is; what came before it
    /// in the piece has been taken note of.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Seen, Fault> {
        let Self { scanner, eye } = self;
        scanner.scan(chunk, |block| block.event.map_or(Ok(()), |event| eye.look(event).map(drop)))?;
        Ok(eye.seen())
    }

    /// The stream has ended. Fails with `StreamCut` if neither its end marker nor an error event came.
    pub fn finish(&mut self) -> Result<Seen, Fault> {
        let Self { scanner, eye } = self;
        scanner.finish(|event| drop(eye.look(event)));
        eye.end();
        if eye.complete || eye.failed.is_some() { Ok(eye.seen()) } else { Err(cut()) }
    }

    /// The provider's own figures, as far as it has told them.
    pub fn usage(&self) -> Option<Usage> {
        self.eye.usage
    }

    /// Whether the end marker has come.
    pub fn is_complete(&self) -> bool {
        self.eye.complete
    }

    /// Whether content has come: [`types::chat::Event::is_content`], or audio.
    pub fn has_content(&self) -> bool {
        self.eye.events > 0
    }

    /// How many events of the stream held content; the one that says why it stopped counts.
    pub fn content_events(&self) -> u64 {
        self.eye.events
    }

    /// Bytes of text, reasoning, refusals and tool arguments, in UTF-8: what there is to estimate the usage
    /// of a cut stream from.
    pub fn text_bytes(&self) -> u64 {
        self.eye.text_bytes
    }

    /// Why the first choice to stop did so.
    pub fn stop(&self) -> Option<&Stop> {
        self.eye.stop.as_ref()
    }

    /// The error that the provider reported inside the stream.
    pub fn error(&self) -> Option<&Fault> {
        self.eye.failed.as_ref()
    }

    /// Whether the stream so far ends inside an event.
    pub fn is_mid_event(&self) -> bool {
        self.scanner.is_mid_event()
    }
}

/// What one event was, to those who may leave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// It says nothing but what was used.
    UsageOnly,
    /// It reports the provider's error, or comes after it.
    Error,
    Other,
}

#[derive(Clone, Debug)]
struct Eye {
    reader: Reader,
    shape: Shape,
    events: u64,
    text_bytes: u64,
    usage: Option<Usage>,
    stop: Option<Stop>,
    complete: bool,
    failed: Option<Fault>,
}

impl Eye {
    fn new(dialect: Dialect) -> Self {
        Self {
            reader: Reader::new(dialect),
            shape: Shape::default(),
            events: 0,
            text_bytes: 0,
            usage: None,
            stop: None,
            complete: false,
            failed: None,
        }
    }

    fn seen(&self) -> Seen {
        Seen { content: self.events > 0, complete: self.complete, failed: self.failed.clone() }
    }

    fn look(&mut self, event: SseEvent<'_>) -> Result<Event, Fault> {
        if self.failed.is_some() {
            return Ok(Event::Error);
        }
        if self.complete {
            return Ok(Event::Other);
        }
        if let Some(bytes) = self.shape.text_of(event) {
            self.events += 1;
            self.text_bytes += bytes as u64;
            return Ok(Event::Other);
        }
        self.read(event)
    }

    /// The stream has ended, which in a dialect without end marker may say that it is whole.
    fn end(&mut self) {
        let Self { reader, stop, events, complete, failed, .. } = self;
        if *complete || failed.is_some() {
            return;
        }
        reader.finish(|said: Said<'_, Len>| match said {
            Said::Stop { stop: why, .. } => {
                *events += 1;
                stop.get_or_insert(why);
            }
            Said::Done => *complete = true,
            _ => {}
        });
    }

    fn read(&mut self, event: SseEvent<'_>) -> Result<Event, Fault> {
        let Self { reader, shape, events, text_bytes, usage, stop, complete, failed } = self;
        let (mut content, mut kind) = (false, Event::Other);
        // The text, if the event says this one text and nothing else.
        let (mut only, mut others) = (None::<Len>, 0_u32);
        let verdict = reader.read(event, |said: Said<'_, Len>| {
            let shows = match said {
                Said::Text { text, .. }
                | Said::Thinking { text, .. }
                | Said::Refusal { text, .. }
                | Said::ToolArguments { json: text, .. } => {
                    content = true;
                    *text_bytes += text.bytes as u64;
                    others += u32::from(only.replace(text).is_some());
                    return;
                }
                Said::ToolStart { .. } | Said::HiddenThinking { .. } | Said::Audio | Said::Image { .. } => {
                    true
                }
                Said::Stop { stop: why, .. } => {
                    stop.get_or_insert(why);
                    true
                }
                Said::Start { usage: figures, .. } => {
                    *usage = figures.or(*usage);
                    false
                }
                Said::Usage { usage: figures, alone } => {
                    *usage = Some(figures);
                    if alone {
                        kind = Event::UsageOnly;
                    }
                    false
                }
                Said::Done => {
                    *complete = true;
                    false
                }
                Said::Failed(fault) => {
                    *failed = Some(fault);
                    kind = Event::Error;
                    false
                }
                Said::ThinkingSignature { .. } | Said::Citation { .. } | Said::Logprobs { .. } => false,
            };
            others += 1;
            content |= shows;
        });
        *events += u64::from(content);
        verdict?;
        if let (Some(text), 0) = (only, others) {
            shape.remember(event, text);
        }
        Ok(kind)
    }
}
