//! A vendor that falls ill and gets well again, for tests of what a call does then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use testkit::{Answer, Script, Vendor, openai as gpt};

use crate::house::{House, chat, openai, whole};

/// A vendor that can be broken and mended, and counts its requests.
pub(crate) struct Patient {
    vendor: Vendor,
    pub(crate) ill: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Patient {
    pub(crate) async fn start(ill: bool) -> Self {
        let (ill, asked) = (Arc::new(AtomicBool::new(ill)), Arc::new(AtomicUsize::new(0)));
        let (seen, count) = (Arc::clone(&ill), Arc::clone(&asked));
        let script = Script::by(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            if seen.load(Ordering::SeqCst) { broken() } else { fine() }
        });
        Self { vendor: Vendor::start(script).await.unwrap(), ill, asked }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn broken() -> Answer {
    Answer::json(500, gpt::error("boom", "server_error", None))
}

pub(crate) fn fine() -> Answer {
    Answer::json(200, gpt::chat("ok", 5, 2))
}

pub(crate) fn one(name: &str, patient: &Patient) -> String {
    openai(name, &patient.vendor)
}

/// Who answered a call of the route `r`.
pub(crate) async fn answerer(house: &House) -> String {
    whole(house.engine().call(chat("r", false)).await.unwrap()).about.provider.to_string()
}

/// Failures in a row that open a fresh breaker.
pub(crate) const STREAK: usize = 7;
