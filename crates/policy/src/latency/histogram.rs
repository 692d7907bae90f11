//! The rotating histogram: six slots of ten seconds, eight buckets to each doubling, two counters a bucket.
//! Fixed memory (about 9 KiB), shared by threads without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use types::Moment;

use crate::latency::Quantiles;
use crate::latency::quantiles::kaplan_meier;

/// Doublings from about half a millisecond to 73 minutes.
const OCTAVES: usize = 23;
/// Buckets: eight to a doubling, so that a bucket is at most 12.5 % wide.
pub(super) const BUCKETS: usize = OCTAVES * 8;
const FIRST_BIT: u32 = 9;
const SLOTS: usize = 6;
const SLOT_SECONDS: u64 = 10;

#[derive(Debug)]
struct Slot {
    /// Which ten seconds it holds, plus one; 0: none yet.
    epoch: AtomicU64,
    seen: [AtomicU32; BUCKETS],
    cut: [AtomicU32; BUCKETS],
}

/// Durations of the last minute.
#[derive(Debug)]
pub struct Window {
    slots: Box<[Slot]>,
    /// The last answer, packed, and the second in which it was worked out, plus one.
    answer: AtomicU64,
    answered: AtomicU64,
}

impl Window {
    /// An empty one.
    pub fn new() -> Self {
        let slot = || Slot {
            epoch: AtomicU64::new(0),
            seen: [const { AtomicU32::new(0) }; BUCKETS],
            cut: [const { AtomicU32::new(0) }; BUCKETS],
        };
        Self {
            slots: (0..SLOTS).map(|_| slot()).collect(),
            answer: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        }
    }

    /// It took so long.
    pub fn record(&self, now: Moment, took: Duration) {
        if let Some(counter) = self.slot(now).and_then(|slot| slot.seen.get(bucket(took))) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It was cut off after so long, without having come to an end.
    pub fn record_at_least(&self, now: Moment, waited: Duration) {
        if let Some(counter) = self.slot(now).and_then(|slot| slot.cut.get(bucket(waited))) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The quantiles of the last minute; worked out once a second, by whoever asks first. Between, a load.
    pub fn quantiles(&self, now: Moment) -> Quantiles {
        let second = now.as_nanos() / 1_000_000_000 + 1;
        let before = self.answered.load(Ordering::Acquire);
        if before < second
            && self.answered.compare_exchange(before, second, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            self.answer.store(self.work_out(now).pack(), Ordering::Release);
        }
        Quantiles::unpack(self.answer.load(Ordering::Acquire))
    }

    fn work_out(&self, now: Moment) -> Quantiles {
        let newest = epoch(now);
        let mut seen = [0_u32; BUCKETS];
        let mut cut = [0_u32; BUCKETS];
        for slot in &self.slots {
            let held = slot.epoch.load(Ordering::Acquire);
            if held == 0 || held > newest || held + SLOTS as u64 <= newest {
                continue;
            }
            for (sum, counter) in seen.iter_mut().zip(&slot.seen).chain(cut.iter_mut().zip(&slot.cut)) {
                *sum = sum.saturating_add(counter.load(Ordering::Relaxed));
            }
        }
        kaplan_meier(&seen, &cut)
    }

    /// The slot of `now`, emptied if it held older times. `None`: it holds newer ones already.
    fn slot(&self, now: Moment) -> Option<&Slot> {
        let wanted = epoch(now);
        let slot = self.slots.get(usize::try_from(wanted % SLOTS as u64).unwrap_or(0))?;
        let held = slot.epoch.load(Ordering::Acquire);
        if held < wanted
            && slot.epoch.compare_exchange(held, wanted, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            // What others add while this goes on may be lost: a handful of samples, once in ten seconds.
            for counter in slot.seen.iter().chain(&slot.cut) {
                counter.store(0, Ordering::Relaxed);
            }
        }
        (held <= wanted).then_some(slot)
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

const fn epoch(now: Moment) -> u64 {
    now.as_nanos() / (SLOT_SECONDS * 1_000_000_000) + 1
}

/// The bucket of a duration: its highest bit, in microseconds, and the three bits below that.
pub(super) fn bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1 << FIRST_BIT);
    let bit = micros.ilog2();
    let below = (micros >> (bit - 3)) & 7;
    let at = u64::from(bit - FIRST_BIT) * 8 + below;
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The longest duration of a bucket.
pub(super) fn upper(bucket: usize) -> Duration {
    let bucket = u64::try_from(bucket.min(BUCKETS - 1)).unwrap_or(0);
    let micros = (9 + bucket % 8) << (FIRST_BIT - 3) << (bucket / 8);
    Duration::from_micros(micros)
}
