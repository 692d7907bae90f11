//! Calls that have ended, counted: what rates, error shares and mean latencies are made of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    ended: AtomicU64,
    failed: AtomicU64,
    nanos: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beat {
    /// Calls.
    pub(crate) ended: u64,
    /// Those of them that failed, but not by their callers' doing.
    pub(crate) failed: u64,
    /// How long they took together.
    pub(crate) nanos: u64,
}

impl Pulse {
    /// A call has ended after so long.
    pub(crate) fn ended(&self, took: Duration, failed: bool) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn beat(&self) -> Beat {
        Beat {
            ended: self.ended.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            nanos: self.nanos.load(Ordering::Relaxed),
        }
    }
}
