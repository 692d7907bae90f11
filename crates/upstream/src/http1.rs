//! HTTP/1.1 connections, each polled by the task that owns the call it serves.
//!
//! hyper's usual arrangement is a task a connection, and a channel between it and the caller: two wake-ups a
//! chunk. Here the connection travels inside the body, so a chunk costs none. Between calls a connection
//! lies in the pool, polled by nobody; whether it is still good is asked when it is taken out.

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Body as _;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use types::{Code, Fault, Kind, Moment, Progress};

use crate::clock;
use crate::dial::Stream;
use crate::parcel::Parcel;
use crate::request::Ready;

/// An open connection with nothing on the way.
pub(crate) struct Live {
    sender: SendRequest<Parcel>,
    connection: Pin<Box<Connection<TokioIo<Stream>, Parcel>>>,
}

/// The most that is read of an answer at once, which is what a caller who does not read makes wait here; an
/// answer's head must fit into it.
const MAX_BUFFER: usize = 128 << 10;

/// Why a request on a connection failed.
pub(crate) enum SendError {
    /// The connection was closed before it took a byte of the request, which comes back unharmed.
    Unsent(Box<Ready>),
    /// Something went wrong after that.
    Failed(Fault),
}

impl Live {
    /// Speaks the first words on a new connection.
    pub(crate) async fn open(stream: Stream) -> Result<Self, Fault> {
        let (sender, connection) = Builder::new()
            .max_buf_size(MAX_BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error).with_progress(Progress::NothingSent))?;
        Ok(Self { sender, connection: Box::pin(connection) })
    }

    /// Whether the peer has kept the connection open since it was last used.
    fn is_good(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.connection.as_mut().poll(&mut cx).is_pending() && self.sender.is_ready()
    }

    /// Sends a request and waits for the answer's head.
    pub(crate) async fn send(
        &mut self,
        request: Ready,
    ) -> Result<Response<hyper::body::Incoming>, SendError> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let connection = &mut self.connection;
        let mut open = true;
        let result = poll_fn(|cx| {
            if open {
                open = connection.as_mut().poll(cx).is_pending();
            }
            answer.as_mut().poll(cx)
        })
        .await;
        result.map_err(|mut error| match error.take_message() {
            Some(request) => SendError::Unsent(Box::new(request)),
            None => SendError::Failed(broken(error.error())),
        })
    }
}

/// Idle connections to one origin.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    max_idle: usize,
    idle_timeout: Duration,
}

struct Idle {
    live: Live,
    since: Moment,
}

impl Pool {
    pub(crate) fn new(max_idle: usize, idle_timeout: Duration) -> Self {
        Self { idle: Mutex::new(VecDeque::new()), max_idle, idle_timeout }
    }

    /// The connection used last that is still good. The last one, so that surplus ones grow old and go.
    pub(crate) fn take(&self) -> Option<Live> {
        loop {
            let Idle { mut live, since } = self.lock().pop_back()?;
            if clock::now() - since < self.idle_timeout && live.is_good() {
                return Some(live);
            }
        }
    }

    fn put(&self, live: Live) {
        let mut idle = self.lock();
        if idle.len() < self.max_idle {
            idle.push_back(Idle { live, since: clock::now() });
        }
    }

    /// Closes the connections that have lain idle for too long, or that their peer has closed.
    pub(crate) fn sweep(&self) {
        let now = clock::now();
        let mut idle = self.lock();
        idle.retain_mut(|idle| now - idle.since < self.idle_timeout && idle.live.is_good());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer, with the connection that it comes on.
pub struct Body {
    incoming: hyper::body::Incoming,
    /// Gone once the connection is back in its pool, or closed.
    live: Option<Live>,
    pool: Arc<Pool>,
    /// The place among the origin's open connections that this call takes.
    _permit: OwnedSemaphorePermit,
}

impl Body {
    pub(crate) fn new(
        incoming: hyper::body::Incoming,
        live: Live,
        pool: Arc<Pool>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { incoming, live: Some(live), pool, _permit: permit }
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        let mut asked = false;
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers carry nothing that a provider's answer needs.
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.live = None;
                    return Poll::Ready(Some(Err(broken(&error))));
                }
                Poll::Ready(None) => {
                    self.give_back(cx);
                    return Poll::Ready(None);
                }
                Poll::Pending if asked => return Poll::Pending,
                Poll::Pending => {
                    // The connection reads the socket and fills the body; its end ends the body.
                    asked = true;
                    let over =
                        self.live.as_mut().is_none_or(|live| live.connection.as_mut().poll(cx).is_ready());
                    if over {
                        self.live = None;
                    }
                }
            }
        }
    }

    /// Puts the connection back into its pool, if it can take another request.
    fn give_back(&mut self, cx: &mut Context<'_>) {
        if let Some(mut live) = self.live.take()
            && live.connection.as_mut().poll(cx).is_pending()
            && live.sender.is_ready()
        {
            self.pool.put(live);
        }
    }
}

/// The connection failed with a request on the way.
pub(crate) fn broken(error: &hyper::Error) -> Fault {
    let why = if error.is_incomplete_message() {
        "the connection was closed before the answer was whole".to_owned()
    } else if error.is_parse() {
        format!("the answer is not HTTP: {error}")
    } else {
        format!("the connection failed: {error}")
    };
    let kind = if error.is_parse() { Kind::InvalidResponse } else { Kind::NetworkTimeout };
    let code = if error.is_parse() { Code::BadAnswer } else { Code::Unreachable };
    Fault::new(kind, code, why).with_progress(Progress::PerhapsExecuted)
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("http1::Body").field("open", &self.live.is_some()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idle").field("since", &self.since).finish_non_exhaustive()
    }
}
