//! Reading a stream while it passes: watched where the dialects agree, translated where they do not.

use bytes::{Bytes, BytesMut};
use types::chat::Event;
use types::{Dialect, Fault, Usage};
use wire::{Seen, Sift, StreamDecoder, StreamEncoder};

use crate::call::conversation::last_event;
use crate::call::joined::Joined;

/// Reads one stream.
#[derive(Debug)]
pub(super) enum Reader {
    /// The same dialect on both sides: whole events pass as they come.
    Sifted(Box<Sifted>),
    /// Two dialects: events are read and written anew.
    Translated(Box<Translated>),
}

#[derive(Debug)]
pub(super) struct Sifted {
    sift: Sift,
    pieces: Vec<Bytes>,
}

#[derive(Debug)]
pub(super) struct Translated {
    decoder: StreamDecoder,
    encoder: StreamEncoder,
    events: Vec<Event>,
    usage: Option<Usage>,
    text_bytes: u64,
    content: bool,
    complete: bool,
    /// The last piece written, where the caller's dialect ends a stream with the whole answer.
    last: Option<Bytes>,
}

impl Reader {
    /// A reader for a stream that comes in the first dialect and leaves in the second.
    pub(super) fn new(
        (from, to): (Dialect, Dialect),
        usage_added: bool,
        include_usage: bool,
        meta: &wire::AnswerMeta<'_>,
    ) -> Self {
        if from == to {
            return Self::Sifted(Box::new(Sifted { sift: Sift::new(from, usage_added), pieces: Vec::new() }));
        }
        Self::Translated(Box::new(Translated {
            decoder: StreamDecoder::new(from),
            encoder: StreamEncoder::new(to, meta, include_usage),
            events: Vec::new(),
            usage: None,
            text_bytes: 0,
            content: false,
            complete: false,
            last: None,
        }))
    }

    /// Takes a piece of the stream, and adds to `out` what the caller is to be sent.
    pub(super) fn feed(&mut self, chunk: &Bytes, out: &mut Joined) -> Result<Seen, Fault> {
        match self {
            Self::Sifted(sifted) => {
                let seen = sifted.sift.push(chunk, &mut sifted.pieces);
                sifted.pieces.drain(..).for_each(|piece| out.push(piece));
                seen
            }
            Self::Translated(translated) => {
                translated.decoder.push(chunk, &mut translated.events)?;
                Ok(translated.write(out))
            }
        }
    }

    /// The stream has ended. Fails with `StreamCut` if its end marker never came.
    pub(super) fn finish(&mut self, out: &mut Joined) -> Result<Seen, Fault> {
        match self {
            Self::Sifted(sifted) => {
                let seen = sifted.sift.finish(&mut sifted.pieces);
                sifted.pieces.drain(..).for_each(|piece| out.push(piece));
                seen
            }
            Self::Translated(translated) => {
                translated.decoder.finish(&mut translated.events)?;
                Ok(translated.write(out))
            }
        }
    }

    /// The provider's figure so far.
    pub(super) fn usage(&self) -> Option<Usage> {
        match self {
            Self::Sifted(sifted) => sifted.sift.watch().usage(),
            Self::Translated(translated) => translated.usage,
        }
    }

    /// Bytes of answer text so far.
    pub(super) fn text_bytes(&self) -> u64 {
        match self {
            Self::Sifted(sifted) => sifted.sift.watch().text_bytes(),
            Self::Translated(translated) => translated.text_bytes,
        }
    }

    /// The data of the event that ended a stream in the Responses dialect, if we wrote it.
    pub(super) fn last_event(&self) -> Option<Bytes> {
        match self {
            Self::Translated(translated) => translated.last.as_ref().and_then(last_event),
            Self::Sifted(_) => None,
        }
    }

    /// Whether the end marker has come.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Sifted(sifted) => sifted.sift.watch().is_complete(),
            Self::Translated(translated) => translated.complete,
        }
    }
}

impl Translated {
    /// Writes what has been read, in the caller's dialect.
    fn write(&mut self, out: &mut Joined) -> Seen {
        let mut written = BytesMut::new();
        let mut failed = None;
        for event in self.events.drain(..) {
            self.content |= event.is_content();
            match &event {
                Event::Text { text, .. } | Event::Thinking { text, .. } | Event::Refusal { text, .. } => {
                    self.text_bytes += text.len() as u64;
                }
                Event::ToolArguments { json, .. } => self.text_bytes += json.len() as u64,
                Event::Usage(usage) | Event::Start { usage: Some(usage), .. } => self.usage = Some(*usage),
                Event::Done => self.complete = true,
                Event::Failed(fault) => {
                    // The relay writes the error event, with the call's id in it.
                    failed = Some(fault.clone());
                    continue;
                }
                Event::Start { .. }
                | Event::ThinkingSignature { .. }
                | Event::HiddenThinking { .. }
                | Event::Citation { .. }
                | Event::Image { .. }
                | Event::ToolStart { .. }
                | Event::Logprobs { .. }
                | Event::Stop { .. } => {}
            }
            self.encoder.event(&event, &mut written);
        }
        if !written.is_empty() {
            let written = written.freeze();
            if self.complete {
                self.last = Some(written.clone());
            }
            out.push(written);
        }
        Seen { content: self.content, complete: self.complete, failed }
    }
}
