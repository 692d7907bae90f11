//! How long a connection waits for the head of a request.
//!
//! hyper sets a timer whenever it waits for a head and takes it down when the head is there: with tokio's, that is
//! a lock and a walk through the timer wheel with every request. Here it is a word that both sides see. The
//! connection has one sleep, set anew only when it is over: a deadline that has moved on by then is slept for again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::Timer;
use tokio::time;

/// hyper's side: the timer of one connection.
#[derive(Clone, Debug)]
pub(crate) struct HeadTimer(Arc<Deadline>);

#[derive(Debug)]
struct Deadline {
    origin: Instant,
    /// Nanoseconds after the origin; [`NONE`] while no head is waited for.
    until: AtomicU64,
    /// The connection has seen the deadline pass.
    over: AtomicBool,
}

const NONE: u64 = u64::MAX;

impl HeadTimer {
    pub(crate) fn new() -> Self {
        let deadline = Deadline { origin: Instant::now(), until: NONE.into(), over: false.into() };
        Self(Arc::new(deadline))
    }

    fn until(&self) -> Option<Instant> {
        let until = self.0.until.load(Ordering::Relaxed);
        (until != NONE).then(|| self.0.origin + Duration::from_nanos(until))
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let until = deadline.saturating_duration_since(self.0.origin).as_nanos();
        self.0.until.store(u64::try_from(until).unwrap_or(NONE - 1), Ordering::Relaxed);
        Box::pin(HeadSleep(self.clone()))
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
    }
}

/// The connection's side.
#[derive(Debug)]
pub(crate) struct Watch {
    timer: HeadTimer,
    sleep: Option<Pin<Box<time::Sleep>>>,
}

impl Watch {
    pub(crate) fn new(timer: HeadTimer) -> Self {
        Self { timer, sleep: None }
    }

    /// Whether a head has been waited for too long: then the connection is to be polled once more. To be asked
    /// whenever the connection has nothing to do.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            match &mut self.sleep {
                // It has this task's waker already.
                Some(sleep) if !sleep.is_elapsed() => return false,
                Some(_) => self.sleep = None,
                None => {
                    let Some(until) = self.timer.until() else { return false };
                    if until <= Instant::now() {
                        return !self.timer.0.over.swap(true, Ordering::Relaxed);
                    }
                    let mut sleep = Box::pin(time::sleep_until(until.into()));
                    if sleep.as_mut().poll(cx).is_pending() {
                        self.sleep = Some(sleep);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// The sleep of hyper, watched as a connection watches it.
    async fn slept(timer: &HeadTimer, watch: &mut Watch, mut sleep: Pin<Box<dyn hyper::rt::Sleep>>) {
        poll_fn(|cx| {
            loop {
                if sleep.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                if !watch.is_over(cx) {
                    return Poll::Pending;
                }
            }
        })
        .await;
        assert!(timer.until().is_some());
    }

    #[tokio::test]
    async fn a_deadline_that_moves_on_is_slept_for_again_and_one_that_passes_is_told() {
        let timer = HeadTimer::new();
        let mut watch = Watch::new(timer.clone());
        let began = Instant::now();
        let first = timer.sleep(Duration::from_millis(20));
        let pending = poll_fn(|cx| Poll::Ready(watch.is_over(cx))).await;
        assert!(!pending);
        drop(first);
        assert_eq!(timer.until(), None);
        let second = timer.sleep(Duration::from_millis(60));
        slept(&timer, &mut watch, second).await;
        assert!(began.elapsed() >= Duration::from_millis(60));
    }
}
