//! New names for calls and runs, from the wall clock and the thread's generator.

use rand::{Rng as _, RngExt as _};
use types::{CallId, RunId};
use upstream::clock;

/// A new call.
pub(crate) fn call() -> CallId {
    CallId::new(clock::wall(), random())
}

/// A new run.
pub(crate) fn run() -> RunId {
    RunId::new(clock::wall(), random())
}

/// Where a call's jitter starts.
pub(crate) fn seed() -> u64 {
    rand::rng().next_u64()
}

fn random() -> [u8; 10] {
    rand::rng().random()
}
