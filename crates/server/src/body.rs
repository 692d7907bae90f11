//! Reading a request's body: bounded in size, in memory, in the caller's silence and in its slowness.

use std::error::Error as _;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;
use types::{Blame, Code, Fault, Kind};

use crate::room::{COUNTED, Held, Room};

/// How much is read, how long a silence is borne, and how slow the whole may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max: u64,
    pub(crate) idle: Duration,
    /// Bytes a second.
    pub(crate) rate: u64,
}

impl From<&config::Server> for Limits {
    fn from(server: &config::Server) -> Self {
        Self { max: server.max_body, idle: server.body_timeout, rate: server.body_rate }
    }
}

/// How a body comes.
#[derive(Debug, Default)]
struct Pace {
    /// Spent in waiting for the caller; what we take for ourselves does not count.
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// How much longer the caller is waited for.
    fn patience(&self, limits: Limits) -> Duration {
        let earned = Duration::from_millis(self.bytes.saturating_mul(1_000) / limits.rate.max(1));
        limits.idle.min((limits.idle + earned).saturating_sub(self.waited))
    }
}

/// How long the rest of a body that found no room is listened to.
const LISTEN: Duration = Duration::from_secs(10);

/// The whole body, and the room that it takes.
pub(crate) async fn read(mut body: Incoming, limits: Limits, room: &Room) -> Result<(Bytes, Held), Fault> {
    let mut held = Held::default();
    let read = fill(&mut body, limits, room, &mut held).await;
    if let Err(fault) = &read
        && fault.code == Code::Overloaded
    {
        drop(held);
        // Hung up on in the middle of a large body, many clients never look at the answer.
        let _ = tokio::time::timeout(LISTEN, listen(&mut body, limits)).await;
        return read.map(|bytes| (bytes, Held::default()));
    }
    Ok((read?, held))
}

async fn fill(body: &mut Incoming, limits: Limits, room: &Room, held: &mut Held) -> Result<Bytes, Fault> {
    let said = body.size_hint().lower();
    if said > limits.max {
        return Err(too_large(limits.max));
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut pace = Pace::default();
    if said >= COUNTED {
        room.hold(held, said).await?;
        // Once, and not by doubling, which would take up to twice as much.
        all.reserve(usize::try_from(said).unwrap_or(0));
    }
    while let Some(frame) = next(body, limits, &mut pace).await? {
        let Ok(data) = frame.into_data() else { continue };
        let so_far = if all.is_empty() { first.len() } else { all.len() };
        let size = (so_far + data.len()) as u64;
        if size > limits.max {
            return Err(too_large(limits.max));
        }
        if size > held.bytes() && size >= COUNTED {
            // Its length is not known: it grows by doubling, and so does its room.
            let next = size.max(2 * held.bytes()).min(limits.max);
            room.hold(held, next).await?;
        }
        if so_far == 0 {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Takes in the rest of a body and keeps nothing of it.
async fn listen(body: &mut Incoming, limits: Limits) {
    let (mut heard, mut pace) = (0, Pace::default());
    while let Ok(Some(frame)) = next(body, limits, &mut pace).await {
        heard += frame.into_data().map_or(0, |data| data.len() as u64);
        if heard > limits.max {
            return;
        }
    }
}

async fn next(
    body: &mut Incoming,
    limits: Limits,
    pace: &mut Pace,
) -> Result<Option<http_body::Frame<Bytes>>, Fault> {
    // What is there has cost no time, and no look at the clock.
    let there = poll_fn(|cx| Poll::Ready(Pin::new(&mut *body).poll_frame(cx))).await;
    let frame = match there {
        Poll::Ready(frame) => frame,
        Poll::Pending => {
            let (since, patience) = (Instant::now(), pace.patience(limits));
            let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
            let Ok(frame) = tokio::time::timeout(patience, frame).await else {
                return Err(too_slow(limits, patience));
            };
            pace.waited += since.elapsed();
            frame
        }
    };
    match frame.transpose() {
        Ok(frame) => {
            pace.bytes += frame.as_ref().and_then(|frame| frame.data_ref()).map_or(0, Bytes::len) as u64;
            Ok(frame)
        }
        Err(error) if is_misframed(&error) => {
            let message = "the body's chunks are not what HTTP/1.1 calls so";
            Err(Fault::new(Kind::Parsing, Code::BadHeaders, message)
                .with_blame(Blame::Caller)
                .with_hint("look at what writes `transfer-encoding: chunked`, a proxy perhaps"))
        }
        Err(error) => {
            let message = format!("the request's body did not arrive: {error}");
            Err(Fault::new(Kind::Cancelled, Code::Cancelled, message))
        }
    }
}

/// Whether the caller is still there and what it sends makes no sense; else, it has hung up.
fn is_misframed(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| matches!(cause.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData))
}

fn too_slow(limits: Limits, patience: Duration) -> Fault {
    let (message, hint) = if patience == limits.idle {
        let message = format!("no byte of the request's body came for {:?}", limits.idle);
        (message, "send the body without pauses; the operator sets server.body_timeout")
    } else {
        let message = format!("the request's body came slower than {} bytes a second", limits.rate);
        (message, "send the body faster; the operator sets server.body_rate")
    };
    Fault::new(Kind::NetworkTimeout, Code::SlowCaller, message).with_blame(Blame::Caller).with_hint(hint)
}

pub(crate) fn too_large(max: u64) -> Fault {
    let message = format!("the body is larger than {max} bytes");
    Fault::new(Kind::Validation, Code::BodyTooLarge, message)
        .with_hint("send less, or ask the operator to raise server.max_body")
}
