//! The state of one rule for one name, whatever it is counted by.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use types::Moment;

use super::adaptive::Pace;
use super::bucket::{Bucket, Rate};
use super::window::Window;
use super::{Algorithm, Gauge, Rule, Signal};

#[derive(Debug)]
pub(super) enum Cell {
    /// Limit 0.
    Closed,
    Bucket(Bucket),
    /// 61 counts that move together: no single word holds them.
    Window(Box<Mutex<Window>>),
    Adaptive(Bucket, Pace),
}

impl Cell {
    pub(super) fn new(rule: &Rule) -> Self {
        match rule.algorithm {
            _ if rule.limit == 0 => Self::Closed,
            Algorithm::TokenBucket => Self::Bucket(Bucket::default()),
            Algorithm::SlidingWindow => Self::Window(Box::new(Mutex::new(Window::new(rule.span())))),
            Algorithm::Adaptive(adaptive) => {
                Self::Adaptive(Bucket::default(), Pace::new(rule.limit, &adaptive))
            }
        }
    }

    /// Takes, or says how long until it could.
    pub(super) fn take(&self, rule: &Rule, amount: u64, percent: u8, now: Moment) -> Result<(), Duration> {
        let capacity = rule.capacity_for(percent);
        match self {
            Self::Closed => Err(Duration::MAX),
            Self::Bucket(bucket) => bucket.take(fixed(rule), amount, capacity, now),
            Self::Window(window) => lock(window).take(amount, capacity, now),
            Self::Adaptive(bucket, pace) => bucket.take(paced(rule, pace), amount, capacity, now),
        }
    }

    /// How long until it could be taken.
    pub(super) fn wait(&self, rule: &Rule, amount: u64, percent: u8, now: Moment) -> Duration {
        let capacity = rule.capacity_for(percent);
        match self {
            Self::Closed => Duration::MAX,
            Self::Bucket(bucket) => bucket.wait(fixed(rule), amount, capacity, now),
            Self::Window(window) => lock(window).wait(amount, capacity, now),
            Self::Adaptive(bucket, pace) => bucket.wait(paced(rule, pace), amount, capacity, now),
        }
    }

    /// Makes what was taken at `at` as `from` into `to`.
    pub(super) fn shift(&self, rule: &Rule, at: Moment, (from, to): (u64, u64), now: Moment) {
        match self {
            Self::Closed => {}
            Self::Bucket(bucket) => bucket.shift(fixed(rule), from, to, now),
            Self::Window(window) => lock(window).shift(at, (from, to), now),
            Self::Adaptive(bucket, pace) => bucket.shift(paced(rule, pace), from, to, now),
        }
    }

    /// Tells an adaptive rule how the call fared.
    pub(super) fn learn(&self, rule: &Rule, signal: Signal, now: Moment) {
        if let (Self::Adaptive(_, pace), Algorithm::Adaptive(adaptive)) = (self, &rule.algorithm) {
            pace.learn(adaptive, signal, now);
        }
    }

    /// Units per span now.
    pub(super) fn rate(&self, rule: &Rule) -> u64 {
        match self {
            Self::Adaptive(_, pace) => pace.rate(),
            Self::Closed | Self::Bucket(_) | Self::Window(_) => rule.limit,
        }
    }

    /// Where it stands for a share of `percent`.
    pub(super) fn gauge(&self, rule: &Rule, percent: u8, now: Moment) -> Gauge {
        let capacity = rule.capacity_for(percent);
        let (limit, remaining, reset) = match self {
            Self::Closed => (0, 0, Duration::ZERO),
            Self::Bucket(bucket) => {
                (rule.limit, bucket.remaining(fixed(rule), capacity, now), bucket.reset(now))
            }
            Self::Window(window) => {
                let mut window = lock(window);
                (rule.limit, capacity.saturating_sub(window.used(now)), window.reset(now))
            }
            Self::Adaptive(bucket, pace) => {
                (pace.rate(), bucket.remaining(paced(rule, pace), capacity, now), bucket.reset(now))
            }
        };
        Gauge { limit, remaining, reset }
    }

    /// Until losing this state would give nobody anything.
    pub(super) fn busy_for(&self, now: Moment) -> Duration {
        match self {
            Self::Closed => Duration::ZERO,
            Self::Bucket(bucket) | Self::Adaptive(bucket, _) => bucket.reset(now),
            Self::Window(window) => lock(window).reset(now),
        }
    }
}

fn lock(window: &Mutex<Window>) -> MutexGuard<'_, Window> {
    window.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fixed(rule: &Rule) -> Rate {
    Rate { limit: rule.limit, span: rule.span() }
}

fn paced(rule: &Rule, pace: &Pace) -> Rate {
    Rate { limit: pace.rate(), span: rule.span() }
}
