//! HTTP/1.1 connections, each polled by the task that owns the call it serves.
//!
//! The usual arrangement is a task a connection, and a channel between it and the caller: two wake-ups a chunk.
//! Here the connection travels inside the body, so a chunk costs none, and its bytes are handed on as they were
//! read. Between calls a connection lies in the pool, polled by nobody; whether it is still good is asked when it
//! is taken out. What the bytes mean is [`wire::http1`]'s.

mod live;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use types::{Fault, Moment};
use wire::http1::{Framing, Piece};

pub(crate) use self::live::{Live, SendError};
use crate::clock;

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
    framing: Framing,
    /// Gone once the connection is back in its pool, or closed.
    live: Option<Live>,
    /// Where the connection goes when the body has ended; `None`: nowhere, it is closed.
    pool: Option<Arc<Pool>>,
    /// The place among the origin's open connections that this call takes.
    _permit: OwnedSemaphorePermit,
}

impl Body {
    pub(crate) fn new(
        framing: Framing,
        live: Live,
        pool: Option<Arc<Pool>>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { framing, live: Some(live), pool, _permit: permit }
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        let Some(live) = &mut self.live else { return Poll::Ready(None) };
        let result = loop {
            match self.framing.next(&mut live.read) {
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(data))),
                Ok(Piece::End) => break None,
                Ok(Piece::More) => match ready!(live.poll_read(cx)) {
                    Ok(0) if self.framing.may_end_here() => break None,
                    Ok(0) => break Some(Err(live::cut_off())),
                    Ok(_) => {}
                    Err(error) => break Some(Err(live::failed(&error))),
                },
                Err(error) => break Some(Err(live::not_http(error))),
            }
        };
        if let (Some(live), Some(pool), None) = (self.live.take(), &self.pool, &result)
            && live.read.is_empty()
        {
            pool.put(live);
        }
        Poll::Ready(result)
    }
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
