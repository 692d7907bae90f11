//! Gradient2 (Netflix concurrency-limits), on what of a call's time is waiting.
//!
//! The plain form is `new = limit × clamp(1.5 × long ÷ short, ½, 1) + queue`. It assumes that a call holds its
//! place for the time that is measured. Here a place is held until the stream ends, while the measure is the
//! time to the first token: a tenth of a second more of it may be a third of the first token and a hundredth
//! of the call. So the gradient is `served ÷ (served + waited)`, with `waited = short − long` and `served` the
//! rest of the time in the place; with the whole time as the measure both forms are the same. It is applied to
//! the number that ran when the call *began*: a line of first come, first served makes `running × gradient`
//! the capacity itself, so that a late sample is as good as a fresh one and nothing falls twice for one cause.
//!
//! Two more departures. The baseline hardly follows samples that are themselves slow for load: otherwise
//! steady overload becomes the new normal and the limit runs away. And `queue` is a twentieth of the limit,
//! at most 4: four more than eight is half as much again.

use std::time::Duration;

use types::Moment;

/// The numbers of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient {
    /// Slower than the baseline by this factor is not yet slow.
    pub tolerance: f64,
    /// Samples that the baseline spans.
    pub window: f64,
    /// Samples whose plain mean the baseline begins with.
    pub warm_up: u32,
    /// The part of a step up that is taken at once.
    pub smoothing: f64,
    /// The longest queue that is built to find out whether there is room.
    pub queue: f64,
}

impl Default for Gradient {
    fn default() -> Self {
        Self { tolerance: 1.5, window: 600.0, warm_up: 10, smoothing: 0.2, queue: 4.0 }
    }
}

/// Weight of a sample in the average time of service.
const SERVED: f64 = 0.1;
/// Samples that are slow for load count in the baseline this much less.
const SLOW: f64 = 0.05;
/// At the floor, slowness is not our doing: the baseline follows within about fifty samples.
const FLOOR: f64 = 0.02;
/// The least gradient of one sample.
const STEEPEST: f64 = 0.25;

#[derive(Debug)]
pub(super) struct State {
    /// Kept with its fraction: rounded down at each step it would never grow from a small number.
    limit: f64,
    long: f64,
    samples: u32,
    /// The average time in place without waiting, once a call has ended.
    served: Option<f64>,
    decreased: Option<Moment>,
}

impl State {
    pub(super) fn new(initial: u32) -> Self {
        Self { limit: f64::from(initial), long: 0.0, samples: 0, served: None, decreased: None }
    }

    /// A call held its place for `held`, after `first` of which its first token came.
    pub(super) fn finished(&mut self, held: Duration, first: Duration) {
        let waited = (first.as_secs_f64() - self.long).max(0.0);
        let served = (held.as_secs_f64() - waited).max(1e-6);
        self.served = Some(self.served.map_or(served, |mean| mean + SERVED * (served - mean)));
    }

    /// One more sample, of a call that began as one of `beside`; the new limit.
    pub(super) fn first_token(
        &mut self,
        settings: &Gradient,
        rtt: Duration,
        beside: u32,
        (least, most): (f64, f64),
    ) -> f64 {
        let rtt = rtt.as_secs_f64().max(1e-6);
        self.samples = self.samples.saturating_add(1);
        if self.samples <= settings.warm_up {
            self.long += (rtt - self.long) / f64::from(self.samples);
            return self.limit;
        }
        self.follow(settings, rtt, least);

        let beside = f64::from(beside);
        let queue = (self.limit * 0.05).clamp(0.5, settings.queue.max(0.5));
        let target = if rtt <= settings.tolerance * self.long {
            // Room is not proven by not using what there is.
            if beside < self.limit / 2.0 { self.limit } else { self.limit + queue }
        } else {
            (beside * self.gradient(settings.tolerance, rtt) + queue).min(self.limit)
        };
        self.limit = (self.limit + settings.smoothing * (target - self.limit)).clamp(least, most);
        self.limit
    }

    /// A tenth less, once a round: calls that began before the last decrease have not felt it.
    pub(super) fn overloaded(&mut self, (started, now): (Moment, Moment), (least, most): (f64, f64)) -> f64 {
        if self.decreased.is_none_or(|last| started >= last) {
            self.limit = (self.limit * 0.9).clamp(least, most);
            self.decreased = Some(now);
        }
        self.limit
    }

    /// Moves the baseline.
    fn follow(&mut self, settings: &Gradient, rtt: f64, least: f64) {
        let mut weight = 2.0 / (settings.window + 1.0);
        if rtt > settings.tolerance * self.long {
            weight = if self.limit <= least { FLOOR } else { weight * SLOW };
        }
        // A baseline from a bad time comes down quickly; a single fast answer (a cache's) hardly moves it.
        if self.long > 2.0 * rtt {
            weight = weight.max(FLOOR);
        }
        self.long += weight * (rtt - self.long);
    }

    /// The part of the calls in place that do not wait.
    fn gradient(&self, tolerance: f64, rtt: f64) -> f64 {
        let gradient = match self.served {
            Some(served) => served / (served + rtt - self.long),
            None => tolerance * self.long / rtt,
        };
        gradient.clamp(STEEPEST, 1.0)
    }
}
