//! HTTP/2 connections, shared by calls. Each runs in a task of its own, because no single call owns it.
//!
//! One connection carries at most [`STREAMS`] calls, or as many as its peer allows if that is less; further
//! calls get a further connection. Without that, a peer's limit stalls calls silently (hyper issues 2197 and
//! 3623).

use std::error::Error as _;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Body as _;
use hyper::client::conn::http2::{Builder, Connection as Http2Connection, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_util::task::TaskTracker;
use types::{Code, Fault, Kind, Moment, Progress};

use crate::clock;
use crate::dial::Stream;
use crate::http1::SendError;
use crate::parcel::Parcel;
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
    /// Streams that the origin allowed when it last told.
    limit: AtomicUsize,
    /// Whether the origin has spoken HTTP/2: then calls wait for one new connection rather than each
    /// opening its own.
    known: AtomicBool,
    /// Held by the call that opens a connection for all.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Parcel>,
    load: Arc<Load>,
    driver: Driver,
}

/// The connection itself, until it has ended: polled by its task, and asked for the peer's limit.
type Driver = Arc<Mutex<Option<Pin<Box<Http2Connection<TokioIo<Stream>, Parcel, TokioExecutor>>>>>>;

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
    sender: SendRequest<Parcel>,
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
    /// A place, if there is room for more than there are.
    fn place(&self, limit: usize) -> Option<Place> {
        if self.load.streams.fetch_add(1, Ordering::Relaxed) < limit {
            return Some(Place { sender: self.sender.clone(), taken: Taken(Arc::clone(&self.load)) });
        }
        self.load.streams.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// Streams that the peer allows; `None` before it has told. It may change its mind at any time.
    fn told(&self) -> Option<usize> {
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        driver.as_ref().map(|driver| driver.current_max_send_streams()).filter(|limit| *limit != UNTOLD)
    }

    fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.load.closing.load(Ordering::Relaxed)
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
            limit: AtomicUsize::new(STREAMS),
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
        connections.iter().find_map(|connection| {
            if let Some(limit) = connection.told() {
                self.limit.store(limit, Ordering::Relaxed);
            }
            // A connection that has not told yet allows what the one before it did.
            connection.place(self.limit.load(Ordering::Relaxed).min(STREAMS))
        })
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
        let driver: Driver = Arc::new(Mutex::new(Some(Box::pin(connection))));
        tasks.spawn(drive(Arc::clone(&driver)));
        self.known.store(true, Ordering::Relaxed);
        let connection = Connection { sender, load, driver };
        let place = connection.place(1).ok_or_else(|| Fault::internal("a new connection has no room"))?;
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

/// Polls a connection until it ends, and then lets go of it: calls that still wait in it come back unharmed.
async fn drive(driver: Driver) {
    let end = poll_fn(|cx| {
        let mut place = driver.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(connection) = place.as_mut() else { return Poll::Ready(Ok(())) };
        let end = connection.as_mut().poll(cx);
        if end.is_ready() {
            *place = None;
        }
        end
    });
    if let Err(error) = end.await {
        tracing::debug!(%error, "an HTTP/2 connection ended");
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
    // A refused stream was not looked at (RFC 9113 §8.7).
    let reason = error.source().and_then(|source| source.downcast_ref::<h2::Error>()?.reason());
    let progress = if reason == Some(h2::Reason::REFUSED_STREAM) { Progress::NothingSent } else { progress };
    Fault::new(Kind::NetworkTimeout, Code::Unreachable, message).with_progress(progress)
}
