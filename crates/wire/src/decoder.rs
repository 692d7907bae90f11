//! Decodes a whole stream into the vocabulary's events.
//!
//! Most dialects stream server-sent events, Bedrock's AWS event streams. One event of either is read by the
//! dialect's reader.

use types::chat::Event;
use types::{Dialect, Fault};

use crate::bedrock;
use crate::eventstream::{FrameKind, Frames};
use crate::piece::Str;
use crate::said::{Reader, Said, cut};
use crate::signature::marked_event;
use crate::sse::{Scanner, SseEvent};

/// A stream's bytes in, events out, however the bytes are cut.
#[derive(Clone, Debug)]
pub struct StreamDecoder {
    framing: Framing,
    inner: Inner,
}

#[derive(Clone, Debug)]
struct Inner {
    dialect: Dialect,
    reader: Reader,
    ended: bool,
}

/// How events are told apart.
#[derive(Clone, Debug)]
enum Framing {
    Sse(Scanner),
    Aws(Frames),
}

impl StreamDecoder {
    /// A decoder at the start of a stream.
    pub fn new(dialect: Dialect) -> Self {
        let framing = match dialect {
            Dialect::BedrockConverse => Framing::Aws(Frames::new()),
            Dialect::OpenaiChat
            | Dialect::OpenaiEmbeddings
            | Dialect::OpenaiResponses
            | Dialect::AnthropicMessages
            | Dialect::GeminiContent => Framing::Sse(Scanner::new()),
        };
        Self { framing, inner: Inner { dialect, reader: Reader::new(dialect), ended: false } }
    }

    /// Takes the next piece of the stream and appends what it says to `out`. After the end marker or an
    /// error event the rest is ignored.
    ///
    /// Fails with `BadAnswer`; what came before the bad event is in `out` all the same.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        let Self { framing, inner } = self;
        match framing {
            Framing::Sse(scanner) => {
                scanner.scan(chunk, |block| block.event.map_or(Ok(()), |event| inner.read(event, out)))
            }
            Framing::Aws(frames) => {
                let verdict = frames.push(chunk, |frame| match frame.kind {
                    FrameKind::Event => {
                        inner.read(SseEvent { event: Some(frame.name), data: frame.payload }, out)
                    }
                    FrameKind::Exception | FrameKind::Error => {
                        if !std::mem::replace(&mut inner.ended, true) {
                            out.push(Event::Failed(bedrock::exception::fault(frame)));
                        }
                        Ok(())
                    }
                });
                // What is broken behind the end breaks nothing.
                if inner.ended { Ok(()) } else { verdict }
            }
        }
    }

    /// The stream has ended. Fails with `StreamCut` if neither its end marker nor an error event came.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Fault> {
        let Self { framing, inner } = self;
        if let Framing::Sse(scanner) = framing {
            // What cannot be read at the very end was cut off.
            scanner.finish(|event| drop(inner.read(event, out)));
        }
        let Inner { dialect, reader, ended } = inner;
        if !*ended {
            reader.finish(|said: Said<'_, Str<'_>>| take(said, *dialect, ended, out));
        }
        if *ended { Ok(()) } else { Err(cut()) }
    }
}

impl Inner {
    fn read(&mut self, event: SseEvent<'_>, out: &mut Vec<Event>) -> Result<(), Fault> {
        let Self { dialect, reader, ended } = self;
        if *ended {
            return Ok(());
        }
        reader.read(event, |said: Said<'_, Str<'_>>| take(said, *dialect, ended, out))
    }
}

fn take(said: Said<'_, Str<'_>>, dialect: Dialect, ended: &mut bool, out: &mut Vec<Event>) {
    *ended |= matches!(said, Said::Done | Said::Failed(_));
    out.extend(said.into_event().and_then(|event| marked_event(dialect, event)));
}
