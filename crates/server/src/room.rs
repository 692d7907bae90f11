//! Room for large request bodies: so many bytes of memory for all calls together.
//!
//! A small body is not counted: there can be no more of them than connections. A large one takes its room
//! before it is read, so that callers who find none keep their bytes in their own memory, and gives it back
//! when the call no longer needs its body. Waiting is bounded: who waits too long is told to come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use types::{Code, Fault, Kind, Retry};

/// Bodies of less than this are not counted, in bytes.
pub(crate) const COUNTED: u64 = 64 << 10;
/// What is counted in, in bytes: a semaphore counts to 2^32 in one step.
const UNIT: u64 = 1 << 10;
/// How long a call waits for room.
const PATIENCE: Duration = Duration::from_secs(10);
/// When a call that found no room is told to come back.
const COME_BACK: Duration = Duration::from_secs(2);

/// The room that there is.
#[derive(Debug)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    all: u32,
}

/// The room that one body takes; given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct Held(Option<OwnedSemaphorePermit>);

impl Held {
    /// Bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |permit| permit.num_permits() as u64 * UNIT)
    }
}

impl Room {
    pub(crate) fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        let all = all.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Makes `held` room for a body of so many bytes, if it is large enough to be counted. A body that is
    /// larger than all the room there is takes all of it.
    ///
    /// Fails with `Overloaded` if there is no room in time.
    pub(crate) async fn hold(&self, held: &mut Held, bytes: u64) -> Result<(), Fault> {
        if bytes < COUNTED || bytes <= held.bytes() {
            return Ok(());
        }
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.all);
        let has = held.0.as_ref().map_or(0, |permit| u32::try_from(permit.num_permits()).unwrap_or(u32::MAX));
        let more = units.saturating_sub(has);
        let permit = match Arc::clone(&self.free).try_acquire_many_owned(more) {
            Ok(permit) => permit,
            Err(_) => self.wait(more).await?,
        };
        match &mut held.0 {
            Some(had) => had.merge(permit),
            None => held.0 = Some(permit),
        }
        Ok(())
    }

    async fn wait(&self, units: u32) -> Result<OwnedSemaphorePermit, Fault> {
        let free = Arc::clone(&self.free);
        let waited = tokio::time::timeout(PATIENCE, free.acquire_many_owned(units)).await;
        // The semaphore is never closed: what is left is that time has run out.
        waited.ok().and_then(Result::ok).ok_or_else(|| {
            let message = format!(
                "{} of large request bodies are being worked on, and no room came free in {} s",
                size(u64::from(self.all) * UNIT),
                PATIENCE.as_secs()
            );
            Fault::new(Kind::ResourceExhausted, Code::Overloaded, message)
                .with_retry(Retry::After(COME_BACK))
                .with_hint("come back, send less, or ask the operator to raise server.max_bodies")
        })
    }
}

fn size(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KB", bytes >> 10) } else { format!("{} MB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn large_bodies_wait_for_each_other_and_not_for_ever() {
        let room = Room::new(1 << 20);
        let (mut first, mut second, mut small) = (Held::default(), Held::default(), Held::default());
        room.hold(&mut first, 1 << 20).await.unwrap();
        // Small ones pass by.
        room.hold(&mut small, COUNTED - 1).await.unwrap();
        let fault = room.hold(&mut second, COUNTED).await.unwrap_err();
        assert_eq!((fault.code, fault.retry), (Code::Overloaded, Retry::After(COME_BACK)));
        assert!(fault.message.starts_with("1 MB"), "{fault}");
        {
            let waiting = room.hold(&mut second, 700 << 10);
            tokio::pin!(waiting);
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(waiting.as_mut().poll(&mut cx).is_pending());
            drop(first);
            waiting.await.unwrap();
        }
        assert_eq!(second.bytes(), 700 << 10);
    }

    #[tokio::test(start_paused = true)]
    async fn what_grows_takes_more_and_what_is_too_large_takes_all() {
        let room = Room::new(1 << 20);
        let mut held = Held::default();
        for bytes in [100 << 10, 50 << 10, 200 << 10, 5 << 20] {
            room.hold(&mut held, bytes).await.unwrap();
        }
        assert_eq!(held.bytes(), 1 << 20);
        drop(held);
        assert_eq!(room.free.available_permits(), 1 << 10);
    }
}
