//! Decodes a whole stream into the vocabulary's events.

use types::chat::Event;
use types::{Dialect, Fault};

use crate::piece::Str;
use crate::said::{Reader, Said, cut};
use crate::sse::{Scanner, SseEvent};

/// A stream's bytes in, events out, however the bytes are cut.
#[derive(Clone, Debug)]
pub struct StreamDecoder {
    scanner: Scanner,
    reader: Reader,
    ended: bool,
}

impl StreamDecoder {
    /// A decoder at the start of a stream.
    pub fn new(dialect: Dialect) -> Self {
        Self { scanner: Scanner::new(), reader: Reader::new(dialect), ended: false }
    }

    /// Takes the next piece of the stream and appends what it says to `out`. After the end marker or an
    /// error event the rest is ignored.
    ///
    /// Fails with `BadAnswer`; what came before the bad event is in `out` all the same.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), Fault> {
        let Self { scanner, reader, ended } = self;
        scanner.scan(chunk, |block| block.event.map_or(Ok(()), |event| read(reader, ended, event, out)))
    }

    /// The stream has ended. Fails with `StreamCut` if neither its end marker nor an error event came.
    pub fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Fault> {
        let Self { scanner, reader, ended } = self;
        // What cannot be read at the very end was cut off.
        scanner.finish(|event| drop(read(reader, ended, event, out)));
        if self.ended { Ok(()) } else { Err(cut()) }
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
    reader.read(event, |said: Said<'_, Str<'_>>| {
        *ended |= matches!(said, Said::Done | Said::Failed(_));
        out.extend(said.into_event());
    })
}
