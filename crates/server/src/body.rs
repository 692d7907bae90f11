//! Reading a request's body: bounded in size, in memory, and in the caller's silence.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;
use types::{Blame, Code, Fault, Kind};

use crate::room::{COUNTED, Held, Room};

/// How much is read, and how long a silence is borne.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max: u64,
    pub(crate) idle: Duration,
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
    if said >= COUNTED {
        room.hold(held, said).await?;
        // Once, and not by doubling, which would take up to twice as much.
        all.reserve(usize::try_from(said).unwrap_or(0));
    }
    while let Some(frame) = next(body, limits.idle).await? {
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
    let mut heard = 0;
    while let Ok(Some(frame)) = next(body, limits.idle).await {
        heard += frame.into_data().map_or(0, |data| data.len() as u64);
        if heard > limits.max {
            return;
        }
    }
}

async fn next(body: &mut Incoming, idle: Duration) -> Result<Option<http_body::Frame<Bytes>>, Fault> {
    let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
    // tokio's timeout asks the body first and sets its timer only when nothing is there.
    match tokio::time::timeout(idle, frame).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(frame))) => Ok(Some(frame)),
        Ok(Some(Err(error))) => {
            let message = format!("the request's body did not arrive: {error}");
            Err(Fault::new(Kind::Cancelled, Code::Cancelled, message))
        }
        Err(_) => Err(Fault::new(
            Kind::NetworkTimeout,
            Code::SlowCaller,
            format!("no byte of the request's body came for {} s", idle.as_secs()),
        )
        .with_blame(Blame::Caller)
        .with_hint("send the body without pauses; the operator sets server.body_timeout")),
    }
}

pub(crate) fn too_large(max: u64) -> Fault {
    let message = format!("the body is larger than {max} bytes");
    Fault::new(Kind::Validation, Code::BodyTooLarge, message)
        .with_hint("send less, or ask the operator to raise server.max_body")
}
