//! One deployment's outcomes by class, a minute at a time, for an hour. Fixed memory (3.5 KiB), no lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use types::Moment;

use crate::attempt::Cause;

/// Minutes that are kept.
pub(super) const MINUTES: usize = 60;
const CAUSES: usize = Cause::ALL.len();

#[derive(Debug)]
struct Minute {
    /// Which minute it holds, plus one; 0: none yet.
    epoch: AtomicU64,
    attempts: AtomicU32,
    causes: [AtomicU32; CAUSES],
}

/// Counts of one deployment.
#[derive(Debug)]
pub struct Tally {
    minutes: Box<[Minute]>,
    attempts: AtomicU64,
    failures: AtomicU64,
}

impl Tally {
    /// Nothing counted.
    pub fn new() -> Self {
        let minute = || Minute {
            epoch: AtomicU64::new(0),
            attempts: AtomicU32::new(0),
            causes: [const { AtomicU32::new(0) }; CAUSES],
        };
        Self {
            minutes: (0..MINUTES).map(|_| minute()).collect(),
            attempts: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// One attempt is over; with a cause if it failed.
    pub fn record(&self, now: Moment, cause: Option<Cause>) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        if cause.is_some_and(of_health) {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        let Some(minute) = self.minute(now) else { return };
        minute.attempts.fetch_add(1, Ordering::Relaxed);
        if let Some(counter) = cause.and_then(|cause| minute.causes.get(cause as usize)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Attempts, and failures that speak of the deployment's health, since it was made. For the forecast, which
    /// takes differences.
    pub fn totals(&self) -> (u64, u64) {
        (self.attempts.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    /// Attempts in the last `minutes` (at most 60), the one of `now` included.
    pub fn attempts(&self, now: Moment, minutes: usize) -> u64 {
        self.recent(now, minutes).map(|minute| u64::from(minute.attempts.load(Ordering::Relaxed))).sum()
    }

    /// Failures of one class in the last `minutes` (at most 60), the one of `now` included.
    pub fn count(&self, now: Moment, minutes: usize, cause: Cause) -> u64 {
        self.recent(now, minutes)
            .filter_map(|minute| minute.causes.get(cause as usize))
            .map(|counter| u64::from(counter.load(Ordering::Relaxed)))
            .sum()
    }

    /// Failures of one class in each of the last 60 minutes, the oldest first.
    pub fn series(&self, now: Moment, cause: Cause) -> Vec<u32> {
        let newest = epoch(now);
        let mut series = vec![0; MINUTES];
        for minute in &self.minutes {
            let held = minute.epoch.load(Ordering::Acquire);
            let age = newest.checked_sub(held).and_then(|age| usize::try_from(age).ok());
            let at = age.filter(|_| held > 0).and_then(|age| (MINUTES - 1).checked_sub(age));
            let counter = minute.causes.get(cause as usize);
            if let (Some(value), Some(counter)) = (at.and_then(|at| series.get_mut(at)), counter) {
                *value = counter.load(Ordering::Relaxed);
            }
        }
        series
    }

    fn recent(&self, now: Moment, minutes: usize) -> impl Iterator<Item = &Minute> {
        let newest = epoch(now);
        let span = u64::try_from(minutes.min(MINUTES)).unwrap_or(0);
        self.minutes.iter().filter(move |minute| {
            let held = minute.epoch.load(Ordering::Acquire);
            held > 0 && held <= newest && held + span > newest
        })
    }

    /// The slot of `now`, emptied if it held an older minute. `None`: it holds a newer one already.
    fn minute(&self, now: Moment) -> Option<&Minute> {
        let wanted = epoch(now);
        let minute = self.minutes.get(usize::try_from(wanted % MINUTES as u64).unwrap_or(0))?;
        let held = minute.epoch.load(Ordering::Acquire);
        if held < wanted
            && minute.epoch.compare_exchange(held, wanted, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            // What others add while this goes on may be lost: a few counts, once a minute.
            minute.attempts.store(0, Ordering::Relaxed);
            for counter in &minute.causes {
                counter.store(0, Ordering::Relaxed);
            }
        }
        (held <= wanted).then_some(minute)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

const fn epoch(now: Moment) -> u64 {
    now.as_nanos() / 60_000_000_000 + 1
}

/// Whether a cause speaks of the deployment's health, as the breaker sees it.
const fn of_health(cause: Cause) -> bool {
    match cause {
        Cause::Unreachable | Cause::Silent | Cause::Overloaded | Cause::Failed | Cause::BadAnswer => true,
        Cause::RateLimited
        | Cause::ContextTooLong
        | Cause::ContentFiltered
        | Cause::Refused
        | Cause::OutOfCredit
        | Cause::BreakerOpen => false,
    }
}
