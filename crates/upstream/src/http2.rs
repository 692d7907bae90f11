//! HTTP/2 connections, shared by calls. Each runs in a task of its own, because no single call owns it.
//!
//! One connection carries at most [`STREAMS`] calls, or as many as its peer allows if that is less; further
//! calls get a further connection. Without that, a peer's limit stalls calls silently (hyper issues 2197 and
//! 3623).

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Body as _;
use http_body_util::Full;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use types::{Code, Fault, Kind, Moment, Progress};

use crate::clock;
use crate::dial::Stream;
use crate::http1::SendError;
use crate::request::Ready;

/// Calls that one connection carries at once; 100 is what RFC 9113 §6.5.2 asks servers to allow at least.
const STREAMS: usize = 100;
/// Stands for the peer's limit until the peer has told it: a number that no peer tells.
const UNTOLD: usize = (1 << 20) + 7;
/// How often a connection is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The open connections to one origin.
#[derive(Debug)]
pub(crate) struct Shared {
    connections: Mutex<Vec<Connection>>,
    idle_timeout: Duration,
    /// Whether the origin has spoken HTTP/2: then calls wait for one new connection rather than each
    /// opening its own.
    known: AtomicBool,
    /// Held by the call that opens a connection for all.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    load: Arc<Load>,
    /// Streams that the peer allows; `None` before it has told.
    limit: watch::Receiver<Option<usize>>,
}

/// What a connection carries.
#[derive(Debug)]
struct Load {
    streams: AtomicUsize,
    /// Whether it has refused a call: then it gets no other.
    closing: AtomicBool,
    /// When the last call ended, as [`Moment`]'s nanoseconds.
    used: AtomicU64,
}

/// A place on a connection for one call.
#[derive(Debug)]
pub(crate) struct Place {
    sender: SendRequest<Full<Bytes>>,
    taken: Taken,
}

/// Gives the place free when the call ends, in whatever way.
#[derive(Debug)]
struct Taken(Arc<Load>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.used.store(clock::now().as_nanos(), Ordering::Relaxed);
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// A place, if there is room. Before the peer has told its limit, there is room for the first call alone.
    fn place(&self) -> Option<Place> {
        let limit = self.limit.borrow().map_or(1, |limit| limit.min(STREAMS));
        if self.load.streams.fetch_add(1, Ordering::Relaxed) < limit {
            return Some(Place { sender: self.sender.clone(), taken: Taken(Arc::clone(&self.load)) });
        }
        self.load.streams.fetch_sub(1, Ordering::Relaxed);
        None
    }

    fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.load.closing.load(Ordering::Relaxed)
    }

    fn is_untold(&self) -> bool {
        self.is_open() && self.limit.borrow().is_none()
    }

    fn is_idle(&self, now: Moment, timeout: Duration) -> bool {
        let used = Moment::from_nanos(self.load.used.load(Ordering::Relaxed));
        self.load.streams.load(Ordering::Relaxed) == 0 && now - used >= timeout
    }
}

impl Shared {
    /// `known`: whether the origin is known to speak HTTP/2.
    pub(crate) fn new(idle_timeout: Duration, known: bool) -> Self {
        Self {
            connections: Mutex::default(),
            idle_timeout,
            known: AtomicBool::new(known),
            opening: tokio::sync::Mutex::default(),
        }
    }

    /// Whether a new connection will most probably speak HTTP/2.
    pub(crate) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// The origin has turned back to HTTP/1.
    pub(crate) fn forget(&self) {
        self.known.store(false, Ordering::Relaxed);
    }

    /// Waits for the turn to open a connection. Whoever gets it looks for a place once more before opening.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.opening.lock().await
    }

    /// A place on an open connection, if one has room.
    pub(crate) fn take(&self) -> Option<Place> {
        let mut connections = self.lock();
        connections.retain(Connection::is_open);
        connections.iter().find_map(Connection::place)
    }

    /// Waits until a connection that is open has told how much it carries. `false`: there is none to wait for.
    pub(crate) async fn told(&self) -> bool {
        let untold =
            self.lock().iter().find(|connection| connection.is_untold()).map(|one| one.limit.clone());
        match untold {
            Some(mut limit) => limit.wait_for(Option::is_some).await.is_ok(),
            None => false,
        }
    }

    /// Speaks the first words on a new connection and gives its first place.
    pub(crate) async fn open(&self, stream: Stream, tasks: &TaskTracker) -> Result<Place, Fault> {
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_max_send_streams(UNTOLD)
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error, Progress::NothingSent))?;
        let load = Arc::new(Load {
            streams: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            used: AtomicU64::new(clock::now().as_nanos()),
        });
        let (told, limit) = watch::channel(None);
        tasks.spawn(async move {
            let mut connection = pin!(connection);
            let end = poll_fn(|cx| {
                let end = connection.as_mut().poll(cx);
                // The peer may change its mind at any time.
                let now = Some(connection.current_max_send_streams()).filter(|limit| *limit != UNTOLD);
                told.send_if_modified(|limit| std::mem::replace(limit, now) != now);
                end
            });
            if let Err(error) = end.await {
                tracing::debug!(%error, "an HTTP/2 connection ended");
            }
        });
        self.known.store(true, Ordering::Relaxed);
        let connection = Connection { sender, load, limit };
        let place = connection.place().ok_or_else(|| Fault::internal("a new connection has no room"))?;
        self.lock().push(connection);
        Ok(place)
    }

    /// Closes the connections that have carried nothing for too long.
    pub(crate) fn sweep(&self) {
        let now = clock::now();
        self.lock().retain(|connection| connection.is_open() && !connection.is_idle(now, self.idle_timeout));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Sends a request and waits for the answer's head.
    pub(crate) async fn send(mut self, request: Ready) -> Result<Response<Body>, SendError> {
        let answer = self.sender.try_send_request(request).await;
        let answer = answer.map_err(|mut error| match error.take_message() {
            Some(request) => {
                self.taken.0.closing.store(true, Ordering::Relaxed);
                SendError::Unsent(Box::new(request))
            }
            None => SendError::Failed(broken(error.error(), Progress::PerhapsExecuted)),
        })?;
        Ok(answer.map(|incoming| Body { incoming, _taken: self.taken }))
    }
}

/// The body of an answer. Dropping it resets its stream.
#[derive(Debug)]
pub struct Body {
    incoming: hyper::body::Incoming,
    _taken: Taken,
}

impl Body {
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            match std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(broken(&error, Progress::PerhapsExecuted)))),
                None => return Poll::Ready(None),
            }
        }
    }
}

fn broken(error: &hyper::Error, progress: Progress) -> Fault {
    let message = format!("the HTTP/2 connection failed: {error}");
    Fault::new(Kind::NetworkTimeout, Code::Unreachable, message).with_progress(progress)
}
