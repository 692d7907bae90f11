//! Every translation as something to do many times: a request into a provider's dialect, its answer and its
//! stream back into the caller's, and beside each the parse of the same bytes into a tree. Leaves what they are
//! done with to `bodies`, and counting to `dialects`.

use std::hint::black_box;

use anyhow::{Context, Result};
use bytes::BytesMut;
use serde_json::Value;
use types::{CallId, Dialect, Timestamp};
use wire::{AnswerMeta, StreamDecoder, StreamEncoder, Writing};

use super::bodies::{self, Heavy};

/// The dialects of callers and of providers, with their names in the report.
pub(crate) const CALLERS: [(Dialect, &str); 3] = [
    (Dialect::OpenaiChat, "openai"),
    (Dialect::OpenaiResponses, "responses"),
    (Dialect::AnthropicMessages, "anthropic"),
];
pub(crate) const PROVIDERS: [(Dialect, &str); 5] = [
    CALLERS[0],
    CALLERS[1],
    CALLERS[2],
    (Dialect::GeminiContent, "gemini"),
    (Dialect::BedrockConverse, "bedrock"),
];

/// What is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Request,
    Answer,
    Stream,
}

/// What it is translated for; `None`: it is parsed into a tree, for comparison.
pub(crate) type Into = Option<Dialect>;

/// One job: `from` is the dialect in which the bytes come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) what: What,
    pub(crate) heavy: Heavy,
    pub(crate) from: Dialect,
    pub(crate) into: Into,
}

/// Bytes and events that one round of a job reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) bytes: usize,
    pub(crate) events: usize,
}

impl What {
    pub(crate) const ALL: [Self; 3] = [Self::Request, Self::Answer, Self::Stream];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
            Self::Stream => "stream",
        }
    }

    /// What there is of it.
    pub(crate) const fn kinds(self) -> &'static [Heavy] {
        match self {
            Self::Request => &[Heavy::Text, Heavy::Tools, Heavy::Image],
            Self::Answer | Self::Stream => &[Heavy::Text, Heavy::Tools],
        }
    }
}

impl Job {
    /// `request.text.openai-gemini`; the last word is `tree` for the comparison.
    pub(crate) fn name(self) -> String {
        let name = |dialect: Dialect| {
            PROVIDERS.iter().find(|(known, _)| *known == dialect).map_or("", |(_, name)| *name)
        };
        let into = self.into.map_or("tree", name);
        format!("{}.{}.{}-{into}", self.what.name(), self.heavy.name(), name(self.from))
    }

    /// All jobs: each comparison before the translations that are compared with it.
    pub(crate) fn all() -> Vec<Self> {
        let mut jobs = Vec::new();
        for what in What::ALL {
            let (from, into) = match what {
                What::Request => (&CALLERS[..], &PROVIDERS[..]),
                What::Answer | What::Stream => (&PROVIDERS[..], &CALLERS[..]),
            };
            for &heavy in what.kinds() {
                for &(from, _) in from {
                    jobs.push(Self { what, heavy, from, into: None });
                    jobs.extend(into.iter().map(|&(into, _)| Self { what, heavy, from, into: Some(into) }));
                }
            }
        }
        jobs
    }

    /// Does it `iters` times.
    ///
    /// # Errors
    /// When something cannot be translated.
    pub(crate) fn run(self, iters: u64) -> Result<Size> {
        match self.what {
            What::Request => self.request(iters),
            What::Answer => self.answer(iters),
            What::Stream => self.stream(iters),
        }
        .with_context(|| self.name())
    }

    fn request(self, iters: u64) -> Result<Size> {
        let body = bodies::request(self.from, self.heavy)?;
        for _ in 0..iters {
            match self.into {
                Some(into) => {
                    let neutral = wire::decode_request(self.from, black_box(&body))?;
                    black_box(wire::encode_request(&neutral, &Writing::plain(into, model(into)))?);
                }
                None => tree(&body)?,
            }
        }
        Ok(Size { bytes: body.len(), events: 1 })
    }

    fn answer(self, iters: u64) -> Result<Size> {
        let body = bodies::answer(self.from, self.heavy);
        let meta = meta();
        for _ in 0..iters {
            match self.into {
                Some(into) => {
                    let neutral = wire::decode_answer(self.from, black_box(&body))?;
                    black_box(wire::encode_answer(into, &neutral, &meta));
                }
                None => tree(&body)?,
            }
        }
        Ok(Size { bytes: body.len(), events: 1 })
    }

    /// An event at a time, as the network mostly brings them.
    fn stream(self, iters: u64) -> Result<Size> {
        let stream = bodies::stream(self.from, self.heavy)?;
        let meta = meta();
        let (mut events, mut out) = (Vec::new(), BytesMut::new());
        for _ in 0..iters {
            let Some(into) = self.into else {
                stream.data.iter().try_for_each(|data| tree(data))?;
                continue;
            };
            let mut decoder = StreamDecoder::new(self.from);
            let mut encoder = StreamEncoder::new(into, &meta, true);
            for event in &stream.events {
                decoder.push(black_box(event), &mut events)?;
                events.drain(..).for_each(|event| encoder.event(&event, &mut out));
                black_box(out.split());
            }
            decoder.finish(&mut events)?;
            events.drain(..).for_each(|event| encoder.event(&event, &mut out));
            black_box(out.split());
        }
        Ok(Size { bytes: stream.data.iter().map(Vec::len).sum(), events: stream.data.len() })
    }
}

fn tree(body: &[u8]) -> Result<()> {
    black_box(serde_json::from_slice::<Value>(black_box(body))?);
    Ok(())
}

fn meta() -> AnswerMeta<'static> {
    let created = Timestamp::from_micros(1_790_000_000_000_000);
    AnswerMeta { created, model: "mock/gpt-4o-mini", call: CallId::new(created, [7; 10]), previous: None }
}

/// What a provider of the dialect calls its model.
const fn model(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::AnthropicMessages => "claude-haiku-4-5",
        Dialect::GeminiContent => "gemini-2.5-flash",
        Dialect::BedrockConverse => "anthropic.claude-haiku-4-5-20251001-v1:0",
        Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::OpenaiEmbeddings => "gpt-4o-mini",
    }
}
