//! Reading a request's body: bounded in size, and in the caller's silence.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;
use types::{Blame, Code, Fault, Kind};

/// How much is read, and how long a silence is borne.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max: u64,
    pub(crate) idle: Duration,
}

/// The whole body.
pub(crate) async fn read(mut body: Incoming, limits: Limits) -> Result<Bytes, Fault> {
    if body.size_hint().lower() > limits.max {
        return Err(too_large(limits.max));
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = next(&mut body, limits.idle).await? {
        let Ok(data) = frame.into_data() else { continue };
        let so_far = if all.is_empty() { first.len() } else { all.len() };
        if (so_far + data.len()) as u64 > limits.max {
            return Err(too_large(limits.max));
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

fn too_large(max: u64) -> Fault {
    let message = format!("the body is larger than {max} bytes");
    Fault::new(Kind::Validation, Code::BodyTooLarge, message)
        .with_hint("send less, or ask the operator to raise server.max_body")
}
