//! The way back of an open breaker: wait, probe, ramp up, close.
//!
//! ```text
//! closed ─▶ open ── time is over ─▶ probing ── proven well ─▶ ramping ── all traffic ─▶ closed
//!            ▲                        │ proven ill               │ ill again
//!            └────────────────────────┴──────────────────────────┘  (each time twice as long, up to 32 ×)
//! ```
//!
//! Phase, number of probes, evidence and time belong together, so they lie under the breaker's small lock.
//! Only calls to a deployment that is on its way back meet it.

use std::time::Duration;

use types::Moment;

use crate::breaker::{Sample, Settings};
use crate::retry::scaled;

/// Wald's sequential test, in thousandths of a natural logarithm: `p0` = 0.5 (still ill) against `p1` = 0.05
/// (well), with 5 % error either way.
const SUCCESS: i32 = 642; // ln(0.95 / 0.5)
const FAILURE: i32 = -2_303; // ln(0.05 / 0.5)
const DECIDED: i32 = 2_944; // ln(0.95 / 0.05)

/// Doublings of the time open: 32 ×.
const MAX_DOUBLINGS: u8 = 5;

/// The share of traffic at the beginning of the ramp.
const FIRST_SHARE: f64 = 0.01;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Closed,
    Open { until: Moment },
    Probing,
    Ramping { since: Moment },
}

/// What a deployment on its way back says to one more call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// As one of the counted probes.
    Probe,
    /// As part of the ramp.
    Ramp,
    /// Not now; perhaps then.
    No(Moment),
}

#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) phase: Phase,
    /// Counts phases, so that a late sample is known as one.
    pub(super) generation: u32,
    /// Probes under way.
    probes: u16,
    /// The evidence so far; within ± `DECIDED`.
    score: i32,
    doublings: u8,
    closed_at: Option<Moment>,
}

impl Recovery {
    pub(super) const fn new() -> Self {
        Self { phase: Phase::Closed, generation: 0, probes: 0, score: 0, doublings: 0, closed_at: None }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation = self.generation.wrapping_add(1);
        self.probes = 0;
    }

    /// Opens, and says until when. Longer each time, unless the last recovery has lasted.
    pub(super) fn open(&mut self, settings: &Settings, now: Moment, random: u64) -> Moment {
        self.doublings = match (self.phase, self.closed_at) {
            (Phase::Closed, None) => 0,
            (Phase::Closed, Some(at)) if now - at >= settings.forget => 0,
            _ => self.doublings.saturating_add(1).min(MAX_DOUBLINGS),
        };
        let whole = settings.base.saturating_mul(1 << self.doublings);
        // A quarter of it by chance, downwards: the cap is one, and replicas do not probe together.
        let until = now + whole.saturating_sub(scaled(whole / 4, random)).max(Duration::from_nanos(1));
        self.enter(Phase::Open { until });
        until
    }

    pub(super) fn probe(&mut self) {
        self.score = 0;
        self.enter(Phase::Probing);
    }

    pub(super) fn ramp(&mut self, now: Moment) {
        self.score = DECIDED;
        self.enter(Phase::Ramping { since: now });
    }

    pub(super) fn close(&mut self, now: Moment) {
        self.closed_at = Some(now);
        self.enter(Phase::Closed);
    }

    /// Asks for a place. Only in the phases `Probing` and `Ramping`.
    pub(super) fn place(
        &mut self,
        settings: &Settings,
        since: Option<Moment>,
        now: Moment,
        random: u64,
    ) -> Answer {
        match since {
            Some(since) if chance(random) < share(settings, since, now) => Answer::Ramp,
            Some(since) => Answer::No(since + settings.ramp),
            None if self.probes < settings.probes => {
                self.probes += 1;
                Answer::Probe
            }
            None => Answer::No(now + settings.base),
        }
    }

    /// A probe of this generation is over.
    pub(super) fn release(&mut self, generation: u32) {
        if generation == self.generation && self.phase == Phase::Probing {
            self.probes = self.probes.saturating_sub(1);
        }
    }

    /// Adds a sample; whether it decides, and which way.
    pub(super) fn learn(&mut self, sample: Sample) -> Option<bool> {
        let step = match sample {
            Sample::Good => SUCCESS,
            // Neither proves that it is well again.
            Sample::Slow | Sample::Overloaded => FAILURE / 2,
            Sample::Failed => FAILURE,
        };
        self.score = (self.score + step).clamp(-DECIDED, DECIDED);
        match self.score {
            DECIDED => Some(true),
            score if score == -DECIDED => Some(false),
            _ => None,
        }
    }

    #[cfg(test)]
    pub(super) fn probes(&self) -> u16 {
        self.probes
    }
}

/// Whether all traffic is let through.
pub(super) fn ramped(settings: &Settings, since: Moment, now: Moment) -> bool {
    now - since >= settings.ramp
}

/// The share of traffic at `now`: from 1 % to all, growing by the same factor in the same time.
fn share(settings: &Settings, since: Moment, now: Moment) -> f64 {
    let done = (now - since).as_secs_f64() / settings.ramp.as_secs_f64().max(1e-9);
    FIRST_SHARE.powf(1.0 - done.min(1.0))
}

/// 64 uniform bits as a number from 0 up to 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are all that a float can hold, and plenty")]
fn chance(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}
