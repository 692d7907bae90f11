//! Compression towards callers: request bodies that come coded are read, whole answers leave coded where the
//! caller accepts it.
//!
//! A stream never leaves coded. A compressor holds bytes back until it has a block's worth, so tokens would
//! come in bursts; flushed after each event it saves next to nothing, and costs a compressor's memory for as
//! long as the stream lasts.

use axum::body::to_bytes;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, VARY};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Body as _;
use types::{Code, Fault, Kind};
use wire::{Coding, Decoder};

use crate::body::{Limits, too_large};
use crate::reply::ReplyBody;
use crate::room::{Held, Room};

/// Answers of less than this are not worth it, in bytes.
const WORTH: usize = 1 << 10;
/// Answers from this size on are compressed beside the threads that serve calls.
const BESIDE: usize = 64 << 10;
/// The largest answer that is not a call's and is compressed.
const MAX_ROUTED: usize = 16 << 20;
/// The most that is decoded at once.
const STEP: usize = 64 << 10;
/// What is decoded in a row before other calls get their turn.
const TURN: usize = 512 << 10;

/// How a request's body is coded. Fails with `BadCoding` for what we cannot read.
pub(crate) fn of_request(headers: &HeaderMap) -> Result<Option<Coding>, Fault> {
    let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
    let name = value.to_str().unwrap_or_default().trim();
    if name.is_empty() || name.eq_ignore_ascii_case("identity") {
        return Ok(None);
    }
    let single = headers.get_all(CONTENT_ENCODING).iter().nth(1).is_none();
    let coding = Coding::named(name).filter(|_| single);
    let bad = || bad("the body's content-encoding is none of gzip, br and zstd, or more than one of them");
    coding.map(Some).ok_or_else(bad)
}

/// Takes the coding off a request's body, which must then still be within its bounds.
pub(crate) async fn decode(
    (coded, held): (Bytes, Held),
    coding: Coding,
    limits: Limits,
    room: &Room,
) -> Result<(Bytes, Held), Fault> {
    let broken = |error: wire::Broken| bad(&error.to_string());
    let mut decoder = Decoder::new(coding).map_err(broken)?;
    let (mut plain, mut plain_held) = (BytesMut::new(), Held::default());
    let (mut input, mut turn) = (&coded[..], 0);
    loop {
        let before = plain.len();
        plain.resize(before + STEP, 0);
        let (_, out) = plain.split_at_mut(before);
        let (taken, put) = decoder.step(input, out).map_err(broken)?;
        plain.truncate(before + put);
        input = input.get(taken..).unwrap_or_default();
        let size = plain.len() as u64;
        if size > limits.max {
            return Err(too_large(limits.max));
        }
        if (taken, put) == (0, 0) {
            break;
        }
        if size > plain_held.bytes() {
            let next = size.max(2 * plain_held.bytes()).min(limits.max);
            room.hold(&mut plain_held, next).await?;
        }
        turn += put;
        if turn >= TURN {
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
    if !input.is_empty() || !decoder.is_whole() {
        return Err(bad("the body ends inside its coding"));
    }
    drop(held);
    Ok((plain.freeze(), plain_held))
}

fn bad(message: &str) -> Fault {
    Fault::new(Kind::Validation, Code::BadCoding, message)
        .with_hint("send the body plain, or with gzip, br or zstd")
}

/// The coding in which a caller with these headers is best answered.
pub(crate) fn accepted(headers: &HeaderMap) -> Option<Coding> {
    headers.get(ACCEPT_ENCODING)?;
    let mut values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut offers = Offers::default();
    values.by_ref().flat_map(|value| value.split(',')).for_each(|offer| offers.take(offer));
    offers.best()
}

/// What a caller makes of each coding, in thousandths; `None`: it does not say.
#[derive(Debug, Default)]
struct Offers {
    /// In the order in which they are preferred where the caller does not care.
    known: [Option<u32>; 3],
    identity: Option<u32>,
    any: Option<u32>,
}

/// The quickest for what it saves first.
const PREFERRED: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];

impl Offers {
    fn take(&mut self, offer: &str) {
        let mut parts = offer.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let Some(weight) = weight.map_or(Some(1000), thousandths) else { return };
        match Coding::named(name) {
            Some(coding) => {
                let slots = self.known.iter_mut().zip(PREFERRED);
                slots.filter(|(_, known)| *known == coding).for_each(|(slot, _)| *slot = Some(weight));
            }
            None if name == "*" => self.any = Some(weight),
            None if name.eq_ignore_ascii_case("identity") => self.identity = Some(weight),
            None => {}
        }
    }

    fn best(&self) -> Option<Coding> {
        // `*` speaks for gzip alone: it is the one that everybody can read.
        let weights = [self.known[0], self.known[1], self.known[2].or(self.any)];
        let mut best = None;
        for (weight, coding) in weights.into_iter().zip(PREFERRED) {
            let weight = weight.unwrap_or(0);
            if weight > best.map_or(0, |(most, _)| most) {
                best = Some((weight, coding));
            }
        }
        best.filter(|(weight, _)| *weight >= self.identity.unwrap_or(0)).map(|(_, coding)| coding)
    }
}

/// A weight as RFC 9110 §12.4.2 writes it: `0.5`.
fn thousandths(text: &str) -> Option<u32> {
    let weight: f32 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let whole = |weight: f32| (weight * 1000.0).round() as u32;
    (0.0..=1.0).contains(&weight).then(|| whole(weight))
}

/// The answer for a caller that accepts `coding`: coded if it is whole and gains by it.
pub(crate) async fn reply(response: Response<ReplyBody>, coding: Coding) -> Response<ReplyBody> {
    let (mut parts, body) = response.into_parts();
    let bytes = match body {
        ReplyBody::Whole(bytes) => bytes,
        ReplyBody::Routed(body, _) if is_worth(&body) && !parts.headers.contains_key(CONTENT_ENCODING) => {
            // Its size is known, so it is all there.
            to_bytes(body, MAX_ROUTED).await.unwrap_or_default()
        }
        other => return Response::from_parts(parts, other),
    };
    parts.headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    let size = bytes.len();
    if size < WORTH {
        return Response::from_parts(parts, ReplyBody::Whole(bytes));
    }
    let coded = if size < BESIDE {
        wire::encode(coding, std::iter::once(&bytes[..]))
    } else {
        let bytes = bytes.clone();
        let work = move || wire::encode(coding, std::iter::once(&bytes[..]));
        tokio::task::spawn_blocking(work).await.ok().flatten()
    };
    let bytes = match coded {
        Some(coded) if coded.len() < size => {
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
            parts.headers.remove(CONTENT_LENGTH);
            Bytes::from(coded)
        }
        _ => bytes,
    };
    Response::from_parts(parts, ReplyBody::Whole(bytes))
}

fn is_worth(body: &axum::body::Body) -> bool {
    let size = body.size_hint().exact().and_then(|size| usize::try_from(size).ok());
    size.is_some_and(|size| (WORTH..=MAX_ROUTED).contains(&size))
}

#[cfg(test)]
mod tests;
