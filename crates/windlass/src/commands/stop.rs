//! The ways in which a command is told to stop: at its terminal, by whoever manages processes, or because its terminal
//! is gone. To a command that makes calls they are the same.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits to be told to stop.
pub(super) struct Told {
    interrupt: Signal,
    terminate: Signal,
    /// `None`: whoever started us wants it not to matter, as `nohup` does.
    hangup: Option<Signal>,
}

impl Told {
    /// From here on these signals end nothing by themselves.
    pub(super) fn new() -> io::Result<Self> {
        let hangup = if ignores(SignalKind::hangup()) { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Done as soon as one of them comes.
    pub(super) async fn stopped(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => _ = hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hangup => {}
        }
    }
}

/// Whether the process was started with this signal ignored, as far as the system tells.
fn ignores(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let bit = kind.as_raw_value().saturating_sub(1);
    u32::try_from(bit).ok().and_then(|bit| ignored.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
}
