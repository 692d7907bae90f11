//! What is told about this process itself.

use std::fs;

use types::Timestamp;

/// Resident memory in bytes; `None` where `/proc` does not say.
pub(super) fn resident_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Open file descriptors, sockets among them; `None` where `/proc` does not say.
pub(super) fn open_files() -> Option<u64> {
    // The directory handle that counts is open itself.
    let count = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u64::try_from(count).ok()
}

/// Seconds since the Unix epoch, with a fraction.
#[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit a double exactly")]
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_micros() as f64 / 1e6
}
