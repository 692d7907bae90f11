//! Forwards a stream in whole events, without what the caller is not to see.
//!
//! Two things are left out. OpenAI's usage comes as a chunk of its own, with no choices, and only on request: where
//! Windlass asked and the caller did not, that chunk goes. And the provider's own error event goes, because the
//! caller is told of the failure once, in our words, with the call's id. Only whole events can be judged, and half
//! an event must not be followed by anything, so the beginning of an unfinished one waits for its end; comments go
//! out at once.

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
    /// Whether a chunk that only tells the usage is left out.
    hides_usage: bool,
}

impl Sift {
    /// A sieve at the start of a stream; `hides_usage` says whether a chunk that only tells the usage is left out.
    pub fn new(dialect: Dialect, hides_usage: bool) -> Self {
        Self { watch: Watch::new(dialect), held: Vec::new(), dropped: false, hides_usage }
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
        let Self { watch: Watch { scanner, eye }, held, dropped, hides_usage } = self;
        // From where on nothing has been forwarded yet, and where the present block began. A LF that only
        // completes the CRLF before it goes with what it completes.
        let split = held.is_empty() && scanner.is_after_cr() && chunk.first() == Some(&b'\n');
        let mut begin = usize::from(split);
        let mut from = if *dropped { begin } else { 0 };
        let mut first = true;
        let verdict = scanner.scan(chunk, |block| {
            let kind = block.event.map_or(Ok(Event::Other), |event| eye.look(event))?;
            let drops = kind == Event::Error || kind == Event::UsageOnly && *hides_usage;
            if drops {
                // What is held can only be the beginning of this event.
                if first {
                    held.clear();
                }
                forward(chunk, from, begin, out);
                from = block.end;
            } else if first {
                out.append(held);
            }
            *dropped = drops;
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

    /// The stream has ended: like [`Watch::finish`]. What is left of a stream that ended as it should is appended to
    /// `out`; half an event of one that was cut is not.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<Seen, Fault> {
        let seen = self.watch.finish()?;
        if seen.failed.is_none() {
            out.append(&mut self.held);
        }
        Ok(seen)
    }
}

fn forward(chunk: &Bytes, from: usize, to: usize, out: &mut Vec<Bytes>) {
    if from < to {
        out.push(chunk.slice(from..to));
    }
}
