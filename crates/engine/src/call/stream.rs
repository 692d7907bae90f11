//! Reading a stream while it passes: watched where the dialects agree, translated where they do not.

use bytes::{Bytes, BytesMut};
use types::chat::Event;
use types::{Dialect, Fault, Usage};
use wire::{Seam, Seen, Shadow, Sift, StreamDecoder, StreamEncoder, Trail};

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
    /// Reads along, where the route continues broken streams.
    shadow: Option<Shadow>,
}

#[derive(Debug)]
pub(super) struct Translated {
    decoder: StreamDecoder,
    encoder: StreamEncoder,
    /// What holds back the beginning, where this goes on with another stream's answer.
    seam: Option<Seam>,
    /// What the caller has, where the route continues broken streams.
    trail: Option<Trail>,
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
            let sift = Sift::new(from, usage_added);
            return Self::Sifted(Box::new(Sifted { sift, pieces: Vec::new(), shadow: None }));
        }
        let encoder = StreamEncoder::new(to, meta, include_usage);
        Self::Translated(Box::new(Translated::new(from, encoder)))
    }

    /// A reader for a stream that goes on with an answer of which the caller has `text`, and behind which `encoder`
    /// stands.
    pub(super) fn going_on(from: Dialect, seam: Seam, encoder: StreamEncoder, text: String) -> Self {
        let translated = Translated::new(from, encoder);
        Self::Translated(Box::new(Translated {
            seam: Some(seam),
            trail: Some(Trail::from(text)),
            ..translated
        }))
    }

    /// Keeps what it takes to go on with the answer elsewhere.
    pub(super) fn follow(&mut self, dialect: Dialect) {
        match self {
            Self::Sifted(sifted) => sifted.shadow = Shadow::new(dialect),
            Self::Translated(translated) => translated.trail = Some(Trail::default()),
        }
    }

    /// The text that the caller has, and a writer that stands behind it; `None`: the answer cannot be gone on with.
    pub(super) fn behind(
        &self,
        meta: &wire::AnswerMeta<'_>,
        include_usage: bool,
    ) -> Option<(String, StreamEncoder)> {
        match self {
            Self::Sifted(sifted) => {
                let shadow = sifted.shadow.as_ref()?;
                Some((shadow.text()?.to_owned(), shadow.encoder(meta, include_usage)))
            }
            Self::Translated(translated) => {
                let text = translated.trail.as_ref()?.text()?.to_owned();
                Some((text, translated.encoder.clone()))
            }
        }
    }

    /// All text of the answer so far, if it was followed; `None`: it was not, or is not only text.
    pub(super) fn said(&self) -> Option<&str> {
        match self {
            Self::Sifted(sifted) => sifted.shadow.as_ref()?.said(),
            Self::Translated(translated) => translated.trail.as_ref()?.said(),
        }
    }

    /// Takes a piece of the stream, and adds to `out` what the caller is to be sent.
    pub(super) fn feed(&mut self, chunk: &Bytes, out: &mut Joined) -> Result<Seen, Fault> {
        match self {
            Self::Sifted(sifted) => {
                let seen = sifted.sift.push(chunk, &mut sifted.pieces);
                sifted.forward(out);
                seen
            }
            Self::Translated(translated) => {
                let verdict = translated.decoder.push(chunk, &mut translated.events);
                let seen = translated.write(out);
                verdict.map(|()| seen)
            }
        }
    }

    /// The stream has ended. Fails with `StreamCut` if its end marker never came.
    pub(super) fn finish(&mut self, out: &mut Joined) -> Result<Seen, Fault> {
        match self {
            Self::Sifted(sifted) => {
                let seen = sifted.sift.finish(&mut sifted.pieces);
                sifted.forward(out);
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

impl Sifted {
    fn forward(&mut self, out: &mut Joined) {
        for piece in self.pieces.drain(..) {
            if let Some(shadow) = &mut self.shadow {
                shadow.push(&piece);
            }
            out.push(piece);
        }
    }
}

impl Translated {
    fn new(from: Dialect, encoder: StreamEncoder) -> Self {
        Self {
            decoder: StreamDecoder::new(from),
            encoder,
            seam: None,
            trail: None,
            events: Vec::new(),
            usage: None,
            text_bytes: 0,
            content: false,
            complete: false,
            last: None,
        }
    }

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
            let Self { encoder, trail, seam, .. } = self;
            let mut pass = |event: Event| {
                if let Some(trail) = trail {
                    trail.note(&event);
                }
                encoder.event(&event, &mut written);
            };
            match seam {
                None => pass(event),
                Some(seam) => {
                    if let Err(diverged) = seam.pass(event, pass) {
                        failed = Some(diverged.into());
                        break;
                    }
                }
            }
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
