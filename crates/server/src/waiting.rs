//! How long a connection waits for the head of a request.
//!
//! hyper sets a timer whenever it waits for a head and takes it down when the head is there: with tokio's, that is
//! a lock and a walk through the timer wheel with every request. Here it is a word that both sides see. The
//! connection has one sleep, set anew only when it is over: a deadline that has moved on by then is slept for again.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::Timer;
use tokio::task::unconstrained;
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
        let deadline =
            Deadline { origin: time::Instant::now().into_std(), until: NONE.into(), over: false.into() };
        Self(Arc::new(deadline))
    }

    fn set(&self, deadline: Instant) {
        let until = deadline.saturating_duration_since(self.0.origin).as_nanos();
        self.0.until.store(u64::try_from(until).unwrap_or(NONE - 1), Ordering::Relaxed);
        // The head before may have come at the last moment.
        self.0.over.store(false, Ordering::Relaxed);
    }

    fn until(&self) -> Option<Instant> {
        let until = self.0.until.load(Ordering::Relaxed);
        (until != NONE).then(|| self.0.origin + Duration::from_nanos(until))
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

    /// Polls the connection, and once more when a head has been waited for too long.
    pub(crate) fn poll<C: Future + ?Sized>(
        &mut self,
        mut connection: Pin<&mut C>,
        cx: &mut Context<'_>,
    ) -> Poll<C::Output> {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            if !self.is_over(cx) {
                return Poll::Pending;
            }
        }
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            match &mut self.sleep {
                // It has this task's waker already.
                Some(sleep) if !sleep.is_elapsed() => return false,
                Some(_) => self.sleep = None,
                None => {
                    let Some(until) = self.timer.until() else { return false };
                    if until <= self.timer.now() {
                        return !self.timer.0.over.swap(true, Ordering::Relaxed);
                    }
                    let mut sleep = Box::pin(time::sleep_until(until.into()));
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
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moves_on_is_slept_for_again_and_one_that_passes_is_told() {
        let timer = HeadTimer::new();
        let mut watch = Watch::new(timer.clone());
        let began = time::Instant::now();
        let first = timer.sleep(Duration::from_secs(20));
        assert!(!poll_fn(|cx| Poll::Ready(watch.is_over(cx))).await);
        drop(first);
        assert_eq!(timer.until(), None);
        for _ in 0..2 {
            let mut later = timer.sleep(Duration::from_secs(60));
            poll_fn(|cx| watch.poll(later.as_mut(), cx)).await;
        }
        assert_eq!(began.elapsed().as_secs(), 120, "the second does not take the first one's word");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_has_done_much_is_woken_all_the_same() {
        let timer = HeadTimer::new();
        let mut watch = Watch::new(timer.clone());
        let mut sleep = timer.sleep(Duration::from_secs(5));
        let mut spent = false;
        poll_fn(|cx| {
            if !std::mem::replace(&mut spent, true) {
                while tokio::task::coop::has_budget_remaining() {
                    let _ = pin!(tokio::task::consume_budget()).poll(cx);
                }
            }
            watch.poll(sleep.as_mut(), cx)
        })
        .await;
    }
}
