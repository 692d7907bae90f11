//! The circuit breaker of one deployment (B4): when it fails, calls go elsewhere at once instead of waiting
//! for it.
//!
//! Three tests can open it, each for what the others miss. A *streak* of failures that is too long for how the
//! deployment usually does (3 to 20): total outage, also in little traffic. A *drift*: a cumulative sum that
//! sees a brown-out after a few dozen calls, the sooner the better it was before ([`drift`]). A *rate* over the last ten
//! seconds that is proven above the threshold (a Beta lower bound, [`bound`]); slow calls have one too. How it
//! comes back is told in [`recovery`].
//!
//! A closed or open breaker costs a few atomic operations and no lock. Time and randomness come from outside.

mod bound;
mod change;
mod drift;
mod permit;
mod recovery;
mod ring;
mod sample;
mod settings;

use std::sync::{Arc, PoisonError};

use types::Moment;

pub use change::{Change, State, Why};
use drift::Drift;
pub use permit::Permit;
use recovery::{Answer, Phase, Recovery, ramped};
use ring::Ring;
pub use sample::Sample;
pub use settings::{Judge, Settings};

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// No call now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The soonest moment at which it makes sense to ask again.
    pub until: Moment,
}

/// The gate's word for the phase that every call meets first. Everything between is "open until then".
const CLOSED: u64 = 0;
const RECOVERING: u64 = u64::MAX;

/// One deployment's breaker. Shared by all its calls.
#[derive(Debug)]
pub struct Breaker {
    judge: Arc<Judge>,
    gate: AtomicU64,
    generation: AtomicU32,
    ring: Ring,
    /// Failures since the last success, in halves.
    streak: AtomicU32,
    /// What is usual, and how far it is from that.
    drift: Drift,
    /// Calls settled since it closed, up to `least_calls`.
    seen: AtomicU32,
    recovery: Mutex<Recovery>,
}

impl Breaker {
    /// A closed one.
    pub fn new(judge: Arc<Judge>) -> Self {
        Self {
            judge,
            gate: AtomicU64::new(CLOSED),
            generation: AtomicU32::new(0),
            ring: Ring::new(),
            streak: AtomicU32::new(0),
            drift: Drift::new(),
            seen: AtomicU32::new(0),
            recovery: Mutex::new(Recovery::new()),
        }
    }

    /// May a call go? Settle the permit with what came of it, or drop it where that says nothing.
    ///
    /// # Errors
    /// [`Refused`]: the breaker is open, its probes are out, or the ramp has no place for this call.
    pub fn admit(self: &Arc<Self>, now: Moment, random: u64) -> Result<Permit, Refused> {
        // Read before the gate: a permit can only be taken for an older one, never for a newer.
        let generation = self.generation.load(Ordering::Acquire);
        match self.gate.load(Ordering::Acquire) {
            CLOSED => Ok(Permit::passing(self, generation)),
            until if until != RECOVERING && now.as_nanos() < until => {
                Err(Refused { until: Moment::from_nanos(until) })
            }
            _ => self.admit_recovering(now, random),
        }
    }

    /// A permit for a call that goes although the breaker may be open ([`panic_mode`]). What comes of it
    /// counts only if the breaker is closed.
    pub fn ignore(self: &Arc<Self>) -> Permit {
        Permit::passing(self, self.generation.load(Ordering::Acquire))
    }

    /// What it does now.
    pub fn state(&self, now: Moment) -> State {
        match self.gate.load(Ordering::Acquire) {
            CLOSED => State::Closed,
            RECOVERING => match self.lock().phase {
                Phase::Closed => State::Closed,
                Phase::Open { .. } => State::Open,
                Phase::Probing => State::HalfOpen,
                Phase::Ramping { .. } => State::Ramping,
            },
            until if now.as_nanos() < until => State::Open,
            _ => State::HalfOpen,
        }
    }

    /// Opens a closed breaker because failure is coming. `None`: it is not closed.
    pub fn open_early(&self, now: Moment, random: u64, sign: crate::analysis::Sign) -> Option<Change> {
        let mut recovery = self.lock();
        if recovery.phase != Phase::Closed {
            return None;
        }
        Some(self.open(&mut recovery, (State::Closed, Why::Foreseen(sign)), now, random))
    }

    /// The usual share of failures, 0 to 1: a mean over a thousand calls, outages left out.
    pub fn usual(&self) -> f32 {
        self.drift.usual()
    }

    /// The share of failures among the calls of the last ten seconds, overloads half.
    #[expect(clippy::cast_precision_loss, reason = "counters of a few bits")]
    pub fn failing(&self, now: Moment) -> f32 {
        let sums = self.ring.sums(now);
        if sums.calls == 0 { 0.0 } else { sums.halves as f32 / 2.0 / sums.calls as f32 }
    }

    /// Failures in a row that open it, as things usually are: 3 to 20.
    pub fn streak_limit(&self) -> u32 {
        self.judge.streak_limit(self.usual())
    }

    fn lock(&self) -> MutexGuard<'_, Recovery> {
        // Nothing under the lock can panic half-way; a poisoned state is still a state.
        self.recovery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit_recovering(self: &Arc<Self>, now: Moment, random: u64) -> Result<Permit, Refused> {
        let mut recovery = self.lock();
        let mut change = None;
        if let Phase::Open { until } = recovery.phase {
            if now < until {
                return Err(Refused { until });
            }
            recovery.probe();
            self.publish(&recovery);
            change = Some(changed((State::Open, State::HalfOpen), Why::Waited, now));
        }
        let since = match recovery.phase {
            Phase::Ramping { since } if ramped(self.settings(), since, now) => {
                change = Some(self.close(&mut recovery, now));
                return Ok(Permit::passing(self, recovery.generation).telling(change));
            }
            Phase::Ramping { since } => Some(since),
            Phase::Closed => return Ok(Permit::passing(self, recovery.generation)),
            Phase::Probing | Phase::Open { .. } => None,
        };
        match recovery.place(self.settings(), since, now, random) {
            Answer::Probe => Ok(Permit::probing(self, recovery.generation).telling(change)),
            Answer::Ramp => Ok(Permit::ramping(self, recovery.generation).telling(change)),
            Answer::No(until) => Err(Refused { until }),
        }
    }

    /// A call that went through the closed gate is over.
    fn settle_closed(&self, generation: u32, sample: Sample, now: Moment, random: u64) -> Option<Change> {
        if self.gate.load(Ordering::Acquire) != CLOSED
            || self.generation.load(Ordering::Acquire) != generation
        {
            // It began before the breaker opened: that is known already.
            return None;
        }
        self.ring.add(now, sample);
        let seen = self.seen.load(Ordering::Relaxed);
        if seen < self.judge.settings.least_calls {
            self.seen.fetch_add(1, Ordering::Relaxed);
        }
        let why = match sample {
            Sample::Good => {
                self.went_well();
                return None;
            }
            Sample::Slow => {
                self.went_well();
                self.too_slow(now)
            }
            Sample::Failed | Sample::Overloaded => self.failed(sample, seen + 1, now),
        };
        self.trip(generation, why?, now, random)
    }

    fn went_well(&self) {
        // Read first: a store on every call would be a write that all cores wait for.
        if self.streak.load(Ordering::Relaxed) > 0 {
            self.streak.store(0, Ordering::Relaxed);
        }
        self.drift.well(self.judge.marks);
    }

    fn failed(&self, sample: Sample, seen: u32, now: Moment) -> Option<Why> {
        let halves = u32::from(sample.halves());
        let streak = self.streak.fetch_add(halves, Ordering::Relaxed).saturating_add(halves);
        if streak >= 2 * self.streak_limit() {
            return Some(Why::Streak { failures: streak / 2 });
        }
        if self.drift.failed(self.judge.marks, sample) && seen >= self.judge.settings.least_calls {
            return Some(Why::Drift);
        }
        let sums = self.ring.sums(now);
        let enough = sums.calls >= u64::from(self.judge.settings.least_calls);
        (enough && self.judge.failing.proven(sums.halves, sums.calls))
            .then(|| Why::Rate { failures: short(sums.halves / 2), calls: short(sums.calls) })
    }

    fn too_slow(&self, now: Moment) -> Option<Why> {
        let sums = self.ring.sums(now);
        let enough = sums.calls >= u64::from(self.judge.settings.least_calls);
        (enough && self.judge.slow.proven(2 * sums.slow, sums.calls))
            .then(|| Why::Slow { slow: short(sums.slow), calls: short(sums.calls) })
    }

    fn trip(&self, generation: u32, why: Why, now: Moment, random: u64) -> Option<Change> {
        let mut recovery = self.lock();
        // Of many that saw it, one opens it.
        if recovery.phase != Phase::Closed || recovery.generation != generation {
            return None;
        }
        if why == Why::Drift {
            self.drift.alarmed();
        }
        Some(self.open(&mut recovery, (State::Closed, why), now, random))
    }

    /// A probe, or a call of the ramp, is over.
    fn settle_recovering(
        &self,
        permit: (u32, bool),
        sample: Sample,
        now: Moment,
        random: u64,
    ) -> Option<Change> {
        let (generation, probe) = permit;
        let mut recovery = self.lock();
        if probe {
            recovery.release(generation);
        }
        if recovery.generation != generation {
            return None;
        }
        let decided = recovery.learn(sample);
        match (recovery.phase, decided) {
            (Phase::Probing, Some(true)) => {
                recovery.ramp(now);
                self.publish(&recovery);
                Some(changed((State::HalfOpen, State::Ramping), Why::ProbesWell, now))
            }
            (Phase::Probing, Some(false)) => {
                Some(self.open(&mut recovery, (State::HalfOpen, Why::ProbesBad), now, random))
            }
            (Phase::Ramping { .. }, Some(false)) => {
                Some(self.open(&mut recovery, (State::Ramping, Why::ProbesBad), now, random))
            }
            (Phase::Ramping { since }, _) if ramped(self.settings(), since, now) => {
                Some(self.close(&mut recovery, now))
            }
            _ => None,
        }
    }

    /// A probe has ended without a sample.
    fn release(&self, generation: u32) {
        self.lock().release(generation);
    }

    fn open(&self, recovery: &mut Recovery, from: (State, Why), now: Moment, random: u64) -> Change {
        let until = recovery.open(self.settings(), now, random);
        self.publish(recovery);
        Change { until: Some(until), ..changed((from.0, State::Open), from.1, now) }
    }

    fn close(&self, recovery: &mut Recovery, now: Moment) -> Change {
        // What led to the outage is over; the ten seconds begin anew.
        self.ring.clear();
        self.streak.store(0, Ordering::Relaxed);
        self.drift.forget();
        self.seen.store(0, Ordering::Relaxed);
        recovery.close(now);
        self.publish(recovery);
        changed((State::Ramping, State::Closed), Why::Ramped, now)
    }

    /// Makes a change under the lock known to those who do not take it.
    fn publish(&self, recovery: &Recovery) {
        self.generation.store(recovery.generation, Ordering::Release);
        let gate = match recovery.phase {
            Phase::Closed => CLOSED,
            Phase::Open { until } => until.as_nanos().clamp(CLOSED + 1, RECOVERING - 1),
            Phase::Probing | Phase::Ramping { .. } => RECOVERING,
        };
        self.gate.store(gate, Ordering::Release);
    }

    fn settings(&self) -> &Settings {
        &self.judge.settings
    }
}

fn changed((from, to): (State, State), why: Why, at: Moment) -> Change {
    Change { from, to, why, at, until: None }
}

fn short(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The smallest pool in which most can be open by mistake.
const POOL: usize = 3;

/// Whether breakers are to be ignored: more than half of a pool of at least three is open. Then it is more
/// likely that we see badly than that all of them fail, and the few that are left would drown in the traffic
/// of all (Envoy's panic threshold). In a smaller pool an open breaker means what it says.
pub const fn panic_mode(open: usize, pool: usize) -> bool {
    pool >= POOL && open > pool / 2
}

#[cfg(test)]
#[cfg(loom)]
mod races;
#[cfg(test)]
#[cfg(not(loom))]
#[expect(clippy::cast_precision_loss, reason = "figures of simulations")]
mod tests;
