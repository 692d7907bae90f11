//! Calls over HTTP/2: hyper wants each spawned, and here is what watches them.
//!
//! A caller who does not read withholds the window of its stream. The connection's socket is fine then, and the
//! call's body is asked for nothing more; so each call is looked at from around it: a body that has given
//! something and is not asked again is stuck. What is handed out is cut into pieces, since the library keeps
//! what it has been given for as long as the connection lives.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::rt::Executor;
use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep};

use crate::closing::Closing;
use crate::waiting::HeadTimer;

/// Bytes of a body that are handed out at once; a frame has no more.
const PIECE: usize = 16 << 10;

/// How far the body of a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Body {
    /// Pieces that it has given.
    given: u64,
    /// It has been asked for another, and has none yet.
    asked: bool,
}

tokio::task_local! {
    /// Of the call that is being polled; only where it came over HTTP/2.
    static BODY: Cell<Body>;
}

/// Notes that a body was asked for more and whether it had it.
pub(crate) fn asked(has: bool) {
    let _ = BODY.try_with(|body| {
        let given = body.get().given + u64::from(has);
        body.set(Body { given, asked: !has });
    });
}

/// What of `bytes` is to be handed out next: all, but over HTTP/2 a piece.
pub(crate) fn piece(bytes: &mut Bytes) -> Bytes {
    let most = BODY.try_with(|_| PIECE).unwrap_or(usize::MAX);
    bytes.split_to(bytes.len().min(most))
}

/// Spawns what hyper wants spawned, which is the calls of HTTP/2 connections: they are polled by their own tasks.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    pub(crate) closing: Arc<Closing>,
    pub(crate) timer: HeadTimer,
    /// How long a caller may not read.
    pub(crate) patience: Duration,
}

impl<F> Executor<F> for Calls
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        let (closing, patience, stream) = (Arc::clone(&self.closing), self.patience, self.timer.stream());
        tokio::spawn(async move {
            if waking(read(future, patience), &closing).await.is_none() {
                tracing::debug!("a caller does not read its answer");
            }
            drop(stream);
        });
    }
}

/// Does `work`, and polls it once more when calls in flight are told to end.
pub(crate) async fn waking<F: Future>(work: F, closing: &Closing) -> F::Output {
    let mut work = pin!(work);
    let mut abort = pin!(closing.abort.told());
    let mut told = false;
    poll_fn(|cx| {
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() && !told && abort.as_mut().poll(cx).is_ready() {
            told = true;
            return work.as_mut().poll(cx);
        }
        polled
    })
    .await
}

/// Does a call; `None` if its caller does not read the answer.
async fn read<F: Future>(call: F, patience: Duration) -> Option<F::Output> {
    let mut call = pin!(call);
    let mut body = Body::default();
    let mut stuck: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        let before = body;
        let polled = BODY.sync_scope(Cell::new(before), || {
            let polled = call.as_mut().poll(cx);
            body = BODY.with(Cell::get);
            polled
        });
        if let Poll::Ready(output) = polled {
            return Poll::Ready(Some(output));
        }
        if body.given == 0 || body.asked {
            stuck = None;
        } else if body != before || stuck.is_none() {
            stuck = Some(Box::pin(sleep(patience)));
        }
        stuck.as_mut().map_or(Poll::Pending, |stuck| over(stuck, cx)).map(|()| None)
    })
    .await
}

/// Polls it to its timer, whatever else this task has done: else it would never wake anybody.
fn over(sleep: &mut Pin<Box<Sleep>>, cx: &mut Context<'_>) -> Poll<()> {
    pin!(unconstrained(sleep.as_mut())).poll(cx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_body_that_is_not_asked_for_more_is_stuck() {
        let began = tokio::time::Instant::now();
        let patience = Duration::from_secs(30);
        let waits = |seconds| sleep(Duration::from_secs(seconds));
        let call = async {
            // The provider takes its time, before the answer and in it.
            waits(100).await;
            asked(true);
            asked(false);
            waits(100).await;
            // The caller reads slowly, but it reads.
            for _ in 0..3 {
                asked(true);
                waits(29).await;
            }
            asked(true);
            waits(31).await;
        };
        assert_eq!(read(call, patience).await, None);
        assert_eq!(began.elapsed(), Duration::from_secs(100 + 100 + 3 * 29 + 30));
        assert_eq!(read(async { asked(true) }, patience).await, Some(()));
    }

    #[tokio::test]
    async fn pieces_are_cut_over_http2_only() {
        let all = Bytes::from(vec![0; PIECE + 1]);
        assert_eq!(piece(&mut all.clone()).len(), PIECE + 1);
        let sizes = async {
            let mut rest = all.clone();
            [(); 3].map(|()| piece(&mut rest).len())
        };
        assert_eq!(read(sizes, Duration::MAX).await, Some([PIECE, 1, 0]));
    }
}
