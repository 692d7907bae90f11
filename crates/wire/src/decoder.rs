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
use crate::sse::{Scanner, SseEvent};

/// A stream's bytes in, events out, however the bytes are cut.
#[derive(Clone, Debug)]
pub struct StreamDecoder {
    framing: Framing,
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
        Self { framing, reader: Reader::new(dialect), ended: false }
    }

    /// Takes the next piece of the stream and appends what it says to `out`. After the end marker or an
    /// error event the rest is ignored.
    ///
    /// Fails with `BadAnswer`; what came before the bad event is in `out` all the same.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        let Self { framing, reader, ended } = self;
        match framing {
            Framing::Sse(scanner) => scanner
                .scan(chunk, |block| block.event.map_or(Ok(()), |event| read(reader, ended, event, out))),
            Framing::Aws(frames) => {
                let verdict = frames.push(chunk, |frame| match frame.kind {
                    FrameKind::Event => {
                        read(reader, ended, SseEvent { event: Some(frame.name), data: frame.payload }, out)
                    }
                    FrameKind::Exception | FrameKind::Error => {
                        if !std::mem::replace(ended, true) {
                            out.push(Event::Failed(bedrock::exception::fault(frame)));
                        }
                        Ok(())
                    }
                });
                // What is broken behind the end breaks nothing.
                if *ended { Ok(()) } else { verdict }
            }
        }
    }

    /// The stream has ended. Fails with `StreamCut` if neither its end marker nor an error event came.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Fault> {
        let Self { framing, reader, ended } = self;
        if let Framing::Sse(scanner) = framing {
            // What cannot be read at the very end was cut off.
            scanner.finish(|event| drop(read(reader, ended, event, out)));
        }
        if !*ended {
            reader.finish(|said: Said<'_, Str<'_>>| take(said, ended, out));
        }
        if *ended { Ok(()) } else { Err(cut()) }
    }
}

fn read(
    reader: &mut Reader,
    ended: &mut bool,
    event: SseEvent<'_>,
    out: &mut Vec<Event>,
) -> Result<(), Fault> {
    if *ended {
        return Ok(());
    }
    reader.read(event, |said: Said<'_, Str<'_>>| take(said, ended, out))
}

fn take(said: Said<'_, Str<'_>>, ended: &mut bool, out: &mut Vec<Event>) {
    *ended |= matches!(said, Said::Done | Said::Failed(_));
    out.extend(said.into_event());
}
