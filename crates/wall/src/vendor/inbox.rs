//! What has happened, in order, for whoever waits for it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

#[derive(Debug)]
pub(super) struct Inbox<T> {
    queue: Mutex<VecDeque<T>>,
    news: Notify,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self { queue: Mutex::default(), news: Notify::new() }
    }
}

impl<T> Inbox<T> {
    pub(super) fn push(&self, item: T) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
        self.news.notify_one();
    }

    pub(super) async fn next(&self) -> T {
        loop {
            let item = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match item {
                Some(item) => return item,
                None => self.news.notified().await,
            }
        }
    }
}
