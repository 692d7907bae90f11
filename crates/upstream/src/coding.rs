//! Content codings between us and a provider: what we compress, what we ask for, and how whatever comes back
//! is read. Everything behind this file sees plain bytes.
//!
//! Streams are asked for as they are: a compressor holds events back until its block is full, and what it
//! saves on a few bytes a token it costs in the time to the first. One that is coded all the same is read.

use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue};
use types::{Code, Fault, Kind, Progress};
use wire::{Broken, Coding, Decoder, Rope};

use crate::Exchange;

/// What is compressed between us and a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compression {
    /// Request bodies of more bytes than this go out with gzip; `None`: none do.
    pub requests_above: Option<u64>,
    /// Whether whole answers are asked for with `accept-encoding: gzip, br, zstd`.
    pub answers: bool,
}

/// What is said where a compressed answer is welcome.
pub(crate) const WELCOME: HeaderValue = HeaderValue::from_static(Coding::ALL);
/// What a request's `content-encoding` says.
pub(crate) const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Bodies of more bytes than this are compressed beside the threads that serve calls.
const BESIDE: usize = 256 << 10;
/// The most that is decoded at once.
const STEP: usize = 32 << 10;
/// Steps in a row that may be taken from what is there, before others get their turn.
const TURNS: u32 = 16;
/// Codings on top of each other that are read.
const LAYERS: usize = 2;

impl Compression {
    /// The body with gzip, if it is to be compressed and becomes smaller by it.
    pub(crate) async fn coded(self, body: &Rope) -> Option<Rope> {
        let size = body.size();
        if self.requests_above.is_none_or(|above| size as u64 <= above) {
            return None;
        }
        let coded = if size > BESIDE {
            let body = body.clone();
            tokio::task::spawn_blocking(move || gzip(&body)).await.ok().flatten()
        } else {
            gzip(body)
        };
        coded.filter(|coded| coded.len() < size).map(Rope::from)
    }
}

fn gzip(body: &Rope) -> Option<Vec<u8>> {
    wire::encode(Coding::Gzip, body.pieces().map(|piece| &piece[..]))
}

/// The answer with its codings taken off, and the headers that spoke of them. `stream`: whether one was
/// asked for.
pub(crate) fn plain(mut exchange: Exchange, stream: bool) -> Exchange {
    if !exchange.headers.contains_key(CONTENT_ENCODING) {
        return exchange;
    }
    let codings = codings(&exchange.headers);
    exchange.headers.remove(CONTENT_ENCODING);
    exchange.headers.remove(CONTENT_LENGTH);
    match codings {
        Ok(codings) => {
            // The last that was put on is the first to be taken off.
            for coding in codings.into_iter().rev() {
                exchange.body = Body::over(exchange.body, Ok(coding), stream);
            }
        }
        Err(Unknown) => exchange.body = Body::over(exchange.body, Err(Unknown), stream),
    }
    exchange
}

/// A coding that we neither asked for nor know.
#[derive(Clone, Copy, Debug)]
struct Unknown;

/// The codings of an answer, in the order in which they were put on.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Unknown> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let named = value.to_str().map_err(|_| Unknown)?.split(',').map(str::trim);
        for name in named.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity")) {
            codings.push(Coding::named(name).ok_or(Unknown)?);
        }
    }
    if codings.len() > LAYERS { Err(Unknown) } else { Ok(codings) }
}

/// A coded body, read as it comes: never more at once than [`STEP`], however little it was made of.
#[derive(Debug)]
pub struct Body {
    /// Gone once it has ended.
    coded: Option<crate::Body>,
    decoder: Result<Decoder, Fault>,
    input: Bytes,
    room: Box<[u8]>,
    turns: u32,
    stream: bool,
}

impl Body {
    fn over(coded: crate::Body, coding: Result<Coding, Unknown>, stream: bool) -> crate::Body {
        let decoder = coding
            .map_err(|Unknown| bad("the answer has a coding that was not asked for".to_owned()))
            .and_then(|coding| Decoder::new(coding).map_err(broken));
        let room = vec![0; STEP].into();
        let body = Self { coded: Some(coded), decoder, input: Bytes::new(), room, turns: 0, stream };
        crate::Body::Coded(Box::new(body))
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        let chunk = ready!(self.poll_plain(cx));
        if !matches!(chunk, Some(Ok(_))) {
            // Its connection goes too: nothing good can follow on it.
            self.coded = None;
        }
        Poll::Ready(chunk)
    }

    fn poll_plain(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        let Some(coded) = &mut self.coded else { return Poll::Ready(None) };
        let decoder = match &mut self.decoder {
            Ok(decoder) => decoder,
            Err(fault) => return Poll::Ready(Some(Err(fault.clone()))),
        };
        loop {
            if self.turns == TURNS {
                self.turns = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let (taken, put) = match decoder.step(&self.input, &mut self.room) {
                Ok(step) => step,
                Err(error) => return Poll::Ready(Some(Err(broken(error)))),
            };
            self.input.advance(taken);
            if put > 0 {
                self.turns += 1;
                let plain = self.room.get(..put).unwrap_or_default();
                return Poll::Ready(Some(Ok(Bytes::copy_from_slice(plain))));
            }
            if taken > 0 {
                continue;
            }
            if !self.input.is_empty() {
                return Poll::Ready(Some(Err(bad("the answer's coding leads nowhere".to_owned()))));
            }
            match ready!(coded.poll_chunk(cx)) {
                Some(Ok(chunk)) => {
                    self.turns = 0;
                    self.input = chunk;
                }
                None if !decoder.is_whole() => return Poll::Ready(Some(Err(cut(self.stream)))),
                end => return Poll::Ready(end),
            }
        }
    }
}

fn broken(error: Broken) -> Fault {
    bad(format!("the answer cannot be read: {error}"))
}

fn cut(stream: bool) -> Fault {
    let message = "the answer ends inside its coding";
    if stream {
        return Fault::new(Kind::NetworkTimeout, Code::StreamCut, message)
            .with_progress(Progress::PerhapsExecuted);
    }
    bad(message.to_owned())
}

fn bad(message: String) -> Fault {
    Fault::new(Kind::InvalidResponse, Code::BadAnswer, message).with_progress(Progress::PerhapsExecuted)
}
