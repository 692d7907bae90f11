//! Who has come, when, and whether it has left: what the wall remembers, never more than a fixed amount.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::Request;

/// Cases that are remembered; requests of others are answered as if each were the first.
const MAX_CASES: usize = 4_096;
/// Requests of one case whose time is remembered; all are counted.
const MAX_TIMES: usize = 1_000;
/// Connections that are remembered to have been left.
const MAX_LEFT: usize = 10_000;

/// The requests of one case.
#[derive(Clone, Debug, Default)]
pub struct Visits {
    /// How many have come.
    pub count: usize,
    /// When each was whole, in order; of the first thousand.
    pub at: Vec<Instant>,
    connections: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
    news: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Pages {
    cases: HashMap<String, Visits>,
    /// Connections whose client has left in the middle of an answer.
    left: HashMap<usize, Instant>,
}

impl Book {
    pub(crate) fn new() -> Self {
        Self { pages: Mutex::default(), news: watch::Sender::new(()) }
    }

    /// Notes a request; gives its number in its case, from 0.
    pub(crate) fn came(&self, case: &str, request: &Request) -> usize {
        let mut pages = self.pages();
        if !pages.cases.contains_key(case) && pages.cases.len() >= MAX_CASES {
            return 0;
        }
        let visits = pages.cases.entry(case.to_owned()).or_default();
        visits.count += 1;
        if visits.at.len() < MAX_TIMES {
            visits.at.push(request.at);
            visits.connections.push(request.connection);
        }
        visits.count - 1
    }

    /// Notes that the client of a connection has left in the middle of an answer.
    pub(crate) fn left(&self, connection: usize, at: Instant) {
        let mut pages = self.pages();
        if pages.left.len() < MAX_LEFT {
            pages.left.insert(connection, at);
        }
        drop(pages);
        self.news.send_replace(());
    }

    pub(crate) fn of(&self, case: &str) -> Visits {
        self.pages().cases.get(case).cloned().unwrap_or_default()
    }

    /// Waits until every client of the case has left in the middle of its answer.
    pub(crate) async fn all_left(&self, case: &str) {
        let mut news = self.news.subscribe();
        let gone = || {
            let pages = self.pages();
            let visits = pages.cases.get(case);
            visits.is_none_or(|visits| visits.connections.iter().all(|known| pages.left.contains_key(known)))
        };
        // We hold the other end, so this cannot fail.
        let _ = news.wait_for(|()| gone()).await;
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
