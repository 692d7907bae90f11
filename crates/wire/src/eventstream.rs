//! AWS event streams: bytes in whatever pieces the network delivers, whole frames out.
//!
//! A frame is a prelude (its length, the length of its headers, a checksum over both), headers, a payload and a
//! checksum over everything. The bound of a frame's length and the prelude's checksum are checked here, before
//! its bytes are waited for; the rest is `aws-smithy-eventstream`'s. Nothing is reserved from what a prelude
//! claims. What a payload means is the dialect's business.
//!
//! Source: AWS, "Event stream encoding" (Amazon Transcribe developer guide), and smithy-rs.

use std::mem;

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::{HeaderValue, Message};
use types::{Code, Fault, Kind};

/// One frame that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What sort of frame it is.
    pub kind: FrameKind,
    /// `:event-type`, `:exception-type` or `:error-code`; empty if there is none.
    pub name: &'a str,
    /// The payload; of an error, its `:error-message`.
    pub payload: &'a [u8],
}

/// `:message-type` of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// An event of the answer.
    Event,
    /// An error that the service's model knows; its payload tells.
    Exception,
    /// An error that the service's model does not know.
    Error,
}

/// Finds frames in a stream of bytes, however it is cut.
#[derive(Clone, Debug)]
pub struct Frames {
    /// The beginning of a frame whose end has not come yet.
    kept: Vec<u8>,
    limit: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self::with_limit(Self::LIMIT)
    }
}

/// Length, length of the headers, checksum over both.
const PRELUDE: usize = 12;

/// A frame without headers and payload: the prelude and the checksum at the end.
const SHORTEST: usize = PRELUDE + 4;

impl Frames {
    /// Greatest length of one frame, in bytes: what AWS allows a payload to be.
    pub const LIMIT: usize = 16 << 20;

    /// A reader at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader that refuses frames of more than `limit` bytes.
    pub const fn with_limit(limit: usize) -> Self {
        Self { kept: Vec::new(), limit }
    }

    /// Whether the stream so far ends inside a frame: it was cut if nothing more comes.
    pub fn is_mid_frame(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Takes the next piece of the stream and calls `on` for each frame that it completes.
    ///
    /// Fails with `BadAnswer` on bytes that are no frame or one beyond the limit, and with what `on` fails with;
    /// where the next frame begins is not known then, so nothing that follows can be read.
    pub fn push(
        &mut self,
        mut chunk: &[u8],
        mut on: impl FnMut(Frame<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        while !chunk.is_empty() {
            if self.kept.is_empty() {
                match self.length(chunk)? {
                    Some(length) if length <= chunk.len() => {
                        let (frame, rest) = chunk.split_at(length);
                        chunk = rest;
                        deliver(frame, &mut on)?;
                    }
                    _ => self.kept.extend_from_slice(mem::take(&mut chunk)),
                }
                continue;
            }
            // First as much as says how long the frame is, then the frame.
            let wanted = self.length(&self.kept)?.unwrap_or(PRELUDE);
            let (more, rest) = chunk.split_at(chunk.len().min(wanted - self.kept.len()));
            self.kept.extend_from_slice(more);
            chunk = rest;
            if self.length(&self.kept)? == Some(self.kept.len()) {
                let mut frame = mem::take(&mut self.kept);
                deliver(&frame, &mut on)?;
                frame.clear();
                self.kept = frame;
            }
        }
        Ok(())
    }

    /// The length of the frame that begins so; `None` if too little of it is there to say.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let Some(prelude) = bytes.get(..PRELUDE) else { return Ok(None) };
        let word = |at: usize| prelude[at..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        if word(8) != crc32fast::hash(&prelude[..8]) {
            return Err(broken("a frame whose prelude does not fit its checksum"));
        }
        let length = usize::try_from(word(0)).unwrap_or(usize::MAX);
        if length < SHORTEST {
            return Err(broken("a frame that is shorter than a frame can be"));
        }
        if length > self.limit {
            let what = format!("a frame of more than {} bytes", self.limit);
            return Err(broken(&what));
        }
        Ok(Some(length))
    }
}

fn deliver(frame: &[u8], on: &mut impl FnMut(Frame<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
    // The library's messages quote values; ours never quote an answer.
    let message = read_message_from(frame)
        .map_err(|_| broken("a frame whose headers or checksum are not what they should be"))?;
    let kind = match header(&message, ":message-type") {
        "exception" => FrameKind::Exception,
        "error" => FrameKind::Error,
        _ => FrameKind::Event,
    };
    let (name, payload) = match kind {
        FrameKind::Event => (":event-type", &message.payload()[..]),
        FrameKind::Exception => (":exception-type", &message.payload()[..]),
        FrameKind::Error => (":error-code", header(&message, ":error-message").as_bytes()),
    };
    on(Frame { kind, name: header(&message, name), payload })
}

/// A header that is a string; empty if there is none.
fn header<'m>(message: &'m Message, name: &str) -> &'m str {
    let found = message.headers().iter().find(|header| header.name().as_str() == name);
    match found.map(aws_smithy_types::event_stream::Header::value) {
        Some(HeaderValue::String(value)) => value.as_str(),
        _ => "",
    }
}

fn broken(what: &str) -> Fault {
    Fault::new(Kind::InvalidResponse, Code::BadAnswer, format!("the provider sent {what}"))
}
