//! Forwards a stream without the usage chunk that only we asked for.
//!
//! OpenAI's usage comes as a chunk of its own, with no choices, and only on request. Where Windlass asked and
//! the caller did not, that chunk is left out. Only whole events can be judged, so the beginning of an
//! unfinished one waits for its end; comments go out at once.

use bytes::Bytes;
use types::{Dialect, Fault};

use super::{Event, Seen, Watch};

/// A [`Watch`] that also says which bytes to forward.
#[derive(Clone, Debug)]
pub struct Sift {
    watch: Watch,
    /// The beginning of an unfinished event.
    held: Vec<Bytes>,
    /// Whether the last block was left out.
    dropped: bool,
}

impl Sift {
    /// A sieve at the start of a stream.
    pub fn new(dialect: Dialect) -> Self {
        Self { watch: Watch::new(dialect), held: Vec::new(), dropped: false }
    }

    /// What has been seen so far.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Looks at the next piece and appends to `out` what of the stream is to be forwarded now: slices of
    /// the pieces, never copies, joined where they are one.
    ///
    /// Fails like [`Watch::push`]; what stood before the bad event is in `out`.
    pub fn push(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>) -> Result<Seen, Fault> {
        let Self { watch: Watch { scanner, eye }, held, dropped } = self;
        // From where on nothing has been forwarded yet, and where the present block began. A LF that only
        // completes the CRLF before it goes with what it completes.
        let split = held.is_empty() && scanner.is_after_cr() && chunk.first() == Some(&b'\n');
        let mut begin = usize::from(split);
        let mut from = if *dropped { begin } else { 0 };
        let mut first = true;
        let verdict = scanner.scan(chunk, |block| {
            let kind = block.event.map_or(Ok(Event::Other), |event| eye.look(event))?;
            if kind == Event::UsageOnly {
                // What is held can only be the beginning of this event.
                if first {
                    held.clear();
                }
                forward(chunk, from, begin, out);
                from = block.end;
            } else if first {
                out.append(held);
            }
            *dropped = kind == Event::UsageOnly;
            (begin, first) = (block.end, false);
            Ok(())
        });
        forward(chunk, from, begin, out);
        verdict?;
        if begin < chunk.len() {
            held.push(chunk.slice(begin..));
        }
        Ok(eye.seen())
    }

    /// The stream has ended: like [`Watch::finish`]; an unfinished event is appended to `out`.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<Seen, Fault> {
        out.append(&mut self.held);
        self.watch.finish()
    }
}

fn forward(chunk: &Bytes, from: usize, to: usize, out: &mut Vec<Bytes>) {
    if from < to {
        out.push(chunk.slice(from..to));
    }
}
