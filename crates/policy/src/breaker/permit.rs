//! The right to make one call through a breaker, and the duty to say what came of it.

use std::sync::Arc;

use types::Moment;

use crate::breaker::{Breaker, Change, Sample};

/// Settle it when the attempt has its first content or its fault. Dropped without, it frees its place and says
/// nothing: the caller went away, or the fault is not about health.
#[derive(Debug)]
#[must_use = "settle it with the attempt's outcome, or the breaker learns nothing"]
pub struct Permit {
    breaker: Arc<Breaker>,
    generation: u32,
    through: Through,
    change: Option<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    ClosedGate,
    Probe,
    Ramp,
    /// Settled: nothing is left to free.
    Done,
}

impl Permit {
    pub(super) fn passing(breaker: &Arc<Breaker>, generation: u32) -> Self {
        Self::new(breaker, generation, Through::ClosedGate)
    }

    pub(super) fn probing(breaker: &Arc<Breaker>, generation: u32) -> Self {
        Self::new(breaker, generation, Through::Probe)
    }

    pub(super) fn ramping(breaker: &Arc<Breaker>, generation: u32) -> Self {
        Self::new(breaker, generation, Through::Ramp)
    }

    fn new(breaker: &Arc<Breaker>, generation: u32, through: Through) -> Self {
        Self { breaker: Arc::clone(breaker), generation, through, change: None }
    }

    pub(super) fn telling(mut self, change: Option<Change>) -> Self {
        self.change = change;
        self
    }

    /// Whether this call is one of the counted probes of a breaker that was open.
    pub fn is_probe(&self) -> bool {
        self.through == Through::Probe
    }

    /// The change of state that asking for this permit has brought, if any: an event to pass on.
    pub const fn change(&self) -> Option<Change> {
        self.change
    }

    /// Says what came of the call. Returns the change of state that it brings, if any. `random` is 64 uniform
    /// bits for the jitter of the time open.
    pub fn settle(mut self, sample: Sample, now: Moment, random: u64) -> Option<Change> {
        let through = std::mem::replace(&mut self.through, Through::Done);
        match through {
            Through::ClosedGate => self.breaker.settle_closed(self.generation, sample, now, random),
            Through::Probe | Through::Ramp => {
                let probe = through == Through::Probe;
                self.breaker.settle_recovering((self.generation, probe), sample, now, random)
            }
            Through::Done => None,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.through == Through::Probe {
            self.breaker.release(self.generation);
        }
    }
}
