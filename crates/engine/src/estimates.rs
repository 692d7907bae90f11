//! How far our token estimates are from the truth, per model.
//!
//! The call path only reads: a snapshot of factors. It reports one settled call in a few through a bounded
//! queue, and one task learns from those and swaps the next snapshot in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;
use learn::Calibration;
use tokio::sync::mpsc;

/// Of so many settled calls one is learned from.
const EVERY: u32 = 8;
/// Observations that may wait; more are dropped, as they are a sample anyway.
const QUEUE: usize = 256;
/// Observations that are learned from before the next snapshot.
const BATCH: usize = 64;

#[derive(Debug)]
struct Observation {
    model: Arc<str>,
    rough: u64,
    reported: u64,
}

/// What has been learned so far, for the call path.
#[derive(Debug)]
pub(crate) struct Estimates {
    learned: ArcSwap<Calibration>,
    queue: mpsc::Sender<Observation>,
    count: AtomicU32,
}

/// The learning side, to be spawned.
pub(crate) struct Learner {
    queue: mpsc::Receiver<Observation>,
    calibration: Calibration,
}

impl Estimates {
    pub(crate) fn new() -> (Self, Learner) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let estimates = Self { learned: ArcSwap::default(), queue: sender, count: AtomicU32::new(0) };
        (estimates, Learner { queue: receiver, calibration: Calibration::default() })
    }

    /// A rough count, corrected by what is known of the model.
    pub(crate) fn correct(&self, model: &str, rough: u64) -> u64 {
        self.learned.load().correct(model, rough)
    }

    /// A settled call with the provider's own figure.
    pub(crate) fn observe(&self, model: &Arc<str>, rough: u64, reported: u64) {
        if self.count.fetch_add(1, Ordering::Relaxed).is_multiple_of(EVERY) {
            let _ = self.queue.try_send(Observation { model: Arc::clone(model), rough, reported });
        }
    }

    /// Learns until the engine is gone.
    pub(crate) async fn learn(self: Arc<Self>, mut learner: Learner) {
        let mut batch = Vec::with_capacity(BATCH);
        while learner.queue.recv_many(&mut batch, BATCH).await > 0 {
            for seen in batch.drain(..) {
                learner.calibration.observe(&seen.model, seen.rough, seen.reported);
            }
            self.learned.store(Arc::new(learner.calibration.clone()));
        }
    }
}
