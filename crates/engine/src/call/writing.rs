//! The answers that are being kept just now. A stream has ended for its caller a moment before its answer is in the
//! database, and who goes on from it in that moment waits for it. Nobody waits for another's answer.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Their ids.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    ids: Mutex<HashSet<String>>,
    done: Notify,
}

/// One of them; written when dropped.
#[derive(Debug)]
#[must_use = "held as long as it is being written"]
pub(super) struct Being {
    writing: Arc<Writing>,
    id: String,
}

impl Writing {
    /// It is written from now on.
    pub(super) fn begin(self: &Arc<Self>, id: &str) -> Being {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        Being { writing: Arc::clone(self), id: id.to_owned() }
    }

    /// Over when it is not being written, or no more.
    pub(super) async fn end(&self, id: &str) {
        loop {
            let done = self.done.notified();
            if !self.ids.lock().unwrap_or_else(PoisonError::into_inner).contains(id) {
                return;
            }
            done.await;
        }
    }
}

impl Drop for Being {
    fn drop(&mut self) {
        self.writing.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.writing.done.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn only_its_own_writing_is_waited_for() {
        let writing = Arc::new(Writing::default());
        let one = writing.begin("one");
        let other = writing.begin("other");
        let mut waits = Box::pin(writing.end("one"));
        assert_eq!(waits.as_mut().now_or_never(), None);
        assert_eq!(writing.end("nobody's").now_or_never(), Some(()));
        drop(other);
        assert_eq!(waits.as_mut().now_or_never(), None);
        drop(one);
        assert_eq!(waits.now_or_never(), Some(()));
    }
}
