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
    #[cfg(feature = "driven")]
    if let Some(number) = upstream::driven::number() {
        return number;
    }
    rand::rng().next_u64()
}

/// The same in every process and version (FNV-1a).
pub(crate) fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.into_iter().fold(0xCBF2_9CE4_8422_2325, step)
}

fn random() -> [u8; 10] {
    #[cfg(feature = "driven")]
    if let (Some(one), Some(two)) = (upstream::driven::number(), upstream::driven::number()) {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&one.to_le_bytes());
        bytes[8..].copy_from_slice(&two.to_le_bytes()[..2]);
        return bytes;
    }
    rand::rng().random()
}
