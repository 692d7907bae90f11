//! How long a connection waits: for its first request, for the rest of a head, and for the next request.
//!
//! hyper sets a timer whenever it waits for a head and takes it down when the head is there: with tokio's, that is
//! a lock and a walk through the timer wheel with every request. Here it is a word that both sides see. The
//! connection has one sleep, set anew when it is over: a deadline that has moved on by then is slept for again.
//!
//! hyper knows one time for silence and for a head that does not end, and none for a peer that says nothing at
//! all or that has spoken HTTP/2 once. Here it only says when it waits; the deadlines are made here. What is not
//! seen is a head of which a part came together with the request before: it counts as silence until more of it comes.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::Timer;
use tokio::task::unconstrained;
use tokio::time;

/// What is said by those who work on one connection: hyper, whose timer for heads it is; the socket; and the calls
/// of HTTP/2.
#[derive(Clone, Debug)]
pub(crate) struct HeadTimer(Arc<Deadline>);

#[derive(Debug)]
struct Deadline {
    origin: Instant,
    /// Nanoseconds after the origin; [`NONE`] while no head is waited for.
    until: AtomicU64,
    /// One of [`FIRST`], [`QUIET`], [`HEARD`] and [`BEGUN`].
    wait: AtomicU8,
    /// The connection has seen the deadline pass.
    over: AtomicBool,
    /// Calls in flight over HTTP/2.
    streams: AtomicUsize,
    /// When the last of them ended, in nanoseconds after the origin; [`NONE`]: there was none.
    since: AtomicU64,
}

const NONE: u64 = u64::MAX;

/// The first request is waited for, from the first moment of the connection until its head is there.
const FIRST: u8 = 0;
/// Nothing has come since the last request.
const QUIET: u8 = 1;
/// Something has come, and the deadline is still that of silence.
const HEARD: u8 = 2;
/// The deadline is that of a head.
const BEGUN: u8 = 3;

impl HeadTimer {
    /// For a connection that begins now and has so much time for the head of its first request.
    pub(crate) fn new(header: Duration) -> Self {
        let timer = Self(Arc::new(Deadline {
            origin: time::Instant::now().into_std(),
            until: NONE.into(),
            wait: FIRST.into(),
            over: false.into(),
            streams: 0.into(),
            since: NONE.into(),
        }));
        timer.0.until.store(timer.nanos(timer.0.origin + header), Ordering::Relaxed);
        timer
    }

    /// The socket has brought something.
    pub(crate) fn heard(&self) {
        if self.0.wait.load(Ordering::Relaxed) == QUIET {
            self.0.wait.store(HEARD, Ordering::Relaxed);
        }
    }

    /// A call begins over HTTP/2; it ends when what is returned is dropped.
    pub(crate) fn stream(&self) -> Stream {
        self.0.streams.fetch_add(1, Ordering::AcqRel);
        Stream(self.clone())
    }

    fn set(&self, deadline: Instant) {
        if self.0.wait.load(Ordering::Relaxed) == FIRST {
            return;
        }
        self.0.until.store(self.nanos(deadline), Ordering::Relaxed);
        self.0.wait.store(QUIET, Ordering::Relaxed);
        // The head before may have come at the last moment.
        self.0.over.store(false, Ordering::Relaxed);
    }

    fn nanos(&self, moment: Instant) -> u64 {
        let nanos = moment.saturating_duration_since(self.0.origin).as_nanos();
        u64::try_from(nanos).unwrap_or(NONE - 1)
    }

    fn moment(&self, nanos: u64) -> Option<Instant> {
        (nanos != NONE).then(|| self.0.origin + Duration::from_nanos(nanos))
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.set(deadline);
        Box::pin(HeadSleep(self.clone()))
    }

    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }

    fn reset(&self, _: &mut Pin<Box<dyn hyper::rt::Sleep>>, deadline: Instant) {
        // The sleep that is there sees it: it has nothing of its own.
        self.set(deadline);
    }
}

/// Over once the connection says so, which polls what waits for it then.
struct HeadSleep(HeadTimer);

impl Future for HeadSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.0.over.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl hyper::rt::Sleep for HeadSleep {}

impl Drop for HeadSleep {
    fn drop(&mut self) {
        self.0.0.until.store(NONE, Ordering::Relaxed);
        self.0.0.wait.store(QUIET, Ordering::Relaxed);
    }
}

/// A call over HTTP/2.
#[derive(Debug)]
pub(crate) struct Stream(HeadTimer);

impl Drop for Stream {
    fn drop(&mut self) {
        let HeadTimer(deadline) = &self.0;
        deadline.since.store(self.0.nanos(self.0.now()), Ordering::Relaxed);
        deadline.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// For a head.
    pub(crate) header: Duration,
    /// For the next request.
    pub(crate) idle: Duration,
}

/// The connection's side.
#[derive(Debug)]
pub(crate) struct Watch {
    timer: HeadTimer,
    waits: Waits,
    sleep: Option<Pin<Box<time::Sleep>>>,
}

/// What a connection that is not done does next.
enum Next {
    Waits,
    /// The deadline has just passed: hyper is to see it.
    Told,
    /// hyper has seen it, and had nothing to end.
    GivesUp,
}

impl Watch {
    pub(crate) fn new(timer: HeadTimer, waits: Waits) -> Self {
        Self { timer, waits, sleep: None }
    }

    /// Polls the connection, and once more when it has waited for too long. Ready with `None` where it does not
    /// end by itself then.
    pub(crate) fn poll<C: Future + ?Sized>(
        &mut self,
        mut connection: Pin<&mut C>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<C::Output>> {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(ended));
            }
            match self.next(cx) {
                Next::Waits => return Poll::Pending,
                Next::Told => {}
                Next::GivesUp => return Poll::Ready(None),
            }
        }
    }

    /// The connection has been asked to end: from now on it is waited for as for a head.
    pub(crate) fn ending(&mut self) {
        let (now, HeadTimer(deadline)) = (self.timer.now(), &self.timer);
        self.waits.idle = self.waits.header;
        for moment in [(&deadline.since, now), (&deadline.until, now + self.waits.header)] {
            if moment.0.load(Ordering::Relaxed) != NONE {
                moment.0.store(self.timer.nanos(moment.1), Ordering::Relaxed);
            }
        }
        deadline.over.store(false, Ordering::Relaxed);
        self.sleep = None;
    }

    /// When what is waited for must have come.
    fn until(&self) -> Option<Instant> {
        let HeadTimer(deadline) = &self.timer;
        if deadline.streams.load(Ordering::Acquire) > 0 {
            // To be looked at again by then: the calls' tasks wake nobody here.
            return Some(self.timer.now() + self.waits.idle);
        }
        match self.timer.moment(deadline.since.load(Ordering::Relaxed)) {
            Some(since) => Some(since + self.waits.idle),
            None => self.timer.moment(deadline.until.load(Ordering::Relaxed)),
        }
    }

    /// A head that has begun must come as fast as any; no clock is read for those that came whole.
    fn begin(&mut self) {
        let HeadTimer(deadline) = &self.timer;
        if deadline.wait.load(Ordering::Relaxed) == HEARD && deadline.until.load(Ordering::Relaxed) != NONE {
            let until = self.timer.nanos(self.timer.now() + self.waits.header);
            deadline.until.store(until, Ordering::Relaxed);
            deadline.wait.store(BEGUN, Ordering::Relaxed);
            self.sleep = None;
        }
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Next {
        self.begin();
        loop {
            match &mut self.sleep {
                // It has this task's waker already.
                Some(sleep) if !sleep.is_elapsed() => return Next::Waits,
                Some(_) => self.sleep = None,
                None => {
                    let Some(until) = self.until() else { return Next::Waits };
                    let now = self.timer.now();
                    if until <= now {
                        let told = self.timer.0.over.swap(true, Ordering::Relaxed);
                        return if told { Next::GivesUp } else { Next::Told };
                    }
                    // No longer than any silence that may begin meanwhile.
                    let mut sleep = Box::pin(time::sleep_until(until.min(now + self.waits.idle).into()));
                    // Whatever else this task has done: a sleep that is not polled to its timer never wakes anybody.
                    if pin!(unconstrained(sleep.as_mut())).poll(cx).is_pending() {
                        self.sleep = Some(sleep);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
