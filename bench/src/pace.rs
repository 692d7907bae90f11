//! A schedule kept to some microseconds. The runtime's own timer wakes on whole milliseconds, which is more
//! than what is measured, so this one asks the kernel for a timer of its own.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::Result;
use rustix::{
    io::Errno,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec},
};
use tokio::io::{Interest, unix::AsyncFd};

/// Wakes once per interval.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    interval: Duration,
    timer: AsyncFd<OwnedFd>,
}

impl Pace {
    /// Begins one interval from now.
    pub(crate) fn every(interval: Duration) -> Result<Self> {
        let timer = rustix::time::timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        let step = Timespec::try_from(interval)?;
        let start = Instant::now() + interval;
        let both = Itimerspec { it_interval: step, it_value: step };
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &both)?;
        #[expect(
            deprecated,
            reason = "its successor is `unsafe`, for descriptors that may close; ours is owned"
        )]
        let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
        Ok(Self { start, interval, timer })
    }

    /// Waits until at least one more turn is due; how many are.
    pub(crate) async fn turns(&self) -> Result<u64> {
        let read = |timer: &OwnedFd| {
            let mut due = [0; 8];
            match rustix::io::read(timer, &mut due) {
                Ok(_) => Ok(u64::from_ne_bytes(due)),
                Err(Errno::AGAIN) => Err(std::io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(error.into()),
            }
        };
        Ok(self.timer.async_io(Interest::READABLE, read).await?)
    }

    /// When turn `n` (from 0) was meant to be.
    pub(crate) fn intended(&self, n: u64) -> Instant {
        let nanos = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX).saturating_mul(n);
        self.start + Duration::from_nanos(nanos)
    }
}
