//! New names for calls and runs.

use rand::{Rng as _, RngExt as _};
use types::{CallId, RunId};
use upstream::clock;

/// Makes ids from the wall clock and the thread's generator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ids;

impl Ids {
    pub(crate) fn call(self) -> CallId {
        CallId::new(clock::wall(), random())
    }

    pub(crate) fn run(self) -> RunId {
        RunId::new(clock::wall(), random())
    }

    /// Where a call's jitter starts.
    pub(crate) fn seed(self) -> u64 {
        rand::rng().next_u64()
    }
}

fn random() -> [u8; 10] {
    rand::rng().random()
}
