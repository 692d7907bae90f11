//! How connections are told to end. They ask at every turn, so asking is one look at a flag: a connection
//! puts itself on the list of those to be woken only once.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::sync::Notify;

/// What connections are told, in this order.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    /// End once nothing is in flight.
    pub(crate) finish: Word,
    /// The engine has told calls in flight to end: each is to be polled once more.
    pub(crate) abort: Word,
    /// End now.
    pub(crate) cut: Word,
}

/// A word that is said once, for all.
#[derive(Debug, Default)]
pub(crate) struct Word {
    said: AtomicBool,
    wake: Notify,
}

impl Word {
    pub(crate) fn say(&self) {
        self.said.store(true, Ordering::Release);
        self.wake.notify_waiters();
    }

    /// Done once it is said. To be polled by one task only.
    pub(crate) async fn told(&self) {
        let mut wake = pin!(self.wake.notified());
        let mut listed = false;
        poll_fn(|cx| {
            // Listed before the flag is looked at, so that a word said in between wakes this task.
            if !listed {
                listed = true;
                let _ = wake.as_mut().poll(cx);
            }
            if self.said.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_word_reaches_those_who_wait_and_those_who_come_later() {
        let word = Arc::new(Word::default());
        let waiting = tokio::spawn({
            let word = Arc::clone(&word);
            async move { word.told().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        word.say();
        waiting.await.unwrap();
        word.told().await;
    }
}
