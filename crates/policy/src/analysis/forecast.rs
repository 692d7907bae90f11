//! Failure that is coming: the trend of a deployment's failures and of its latency, looked at once a second.
//!
//! A trend alone is noise, so an alarm needs two things: a cumulative sum that has left the usual range
//! (Page's CUSUM), and a straight line through the last seconds that leads somewhere bad within the horizon
//! (Holt's level and slope).

use std::fmt;
use std::time::Duration;

use types::Moment;

/// How far ahead, in seconds.
const HORIZON: f64 = 10.0;
/// Weights of one second: in what is usual, in the level, in the slope.
const USUAL: f64 = 1.0 / 300.0;
const LEVEL: f64 = 0.3;
const SLOPE: f64 = 0.1;
/// Seconds with calls before anything is foretold.
const WARM_UP: u32 = 30;
/// Where the cumulative sums ring.
const FAILURES_RING: f64 = 6.0;
const LATENCY_RING: f64 = 10.0;
/// No two different proposals within so long.
const CALM: Duration = Duration::from_secs(10);

/// What one deployment did in the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// Attempts that ended.
    pub attempts: u64,
    /// Those that failed in a way that speaks of health ([`crate::analysis::Tally::totals`]).
    pub failures: u64,
    /// Its p95 to first token, if known.
    pub p95: Option<Duration>,
}

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// The share of failures at which the breaker should not be waited for.
    pub open_at: f64,
    /// The share of failures from which weight is shifted away: the breaker's threshold.
    pub shift_at: f64,
    /// The time to first token at which calls begin to fail: the deadline.
    pub deadline: Duration,
}

impl Default for Outlook {
    fn default() -> Self {
        Self { open_at: 0.5, shift_at: 0.1, deadline: Duration::from_secs(60) }
    }
}

/// What to do before it fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Open its breaker now.
    OpenEarly,
    /// Give it this share of its usual weight, 0.1 to 1. 1 takes an earlier shift back.
    ShiftWeight(f64),
}

/// Which trend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trend {
    /// The share of failures, as a number from 0 to 1.
    #[default]
    Failures,
    /// The p95 to first token, in milliseconds.
    Latency,
}

/// Why: what is usual, what is, and what is expected within ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sign {
    /// Of what.
    pub trend: Trend,
    /// As it usually is.
    pub usual: f64,
    /// As it is.
    pub level: f64,
    /// As it will be in ten seconds, if it goes on like this.
    pub expected: f64,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trend, usual, level, expected } = self;
        match trend {
            Trend::Failures => write!(
                f,
                "failures: usually {:.1} %, now {:.1} %, {:.1} % expected in {HORIZON:.0} s",
                usual * 100.0,
                level * 100.0,
                expected * 100.0
            ),
            Trend::Latency => write!(
                f,
                "p95 to first token: usually {usual:.0} ms, now {level:.0} ms, {expected:.0} ms expected in {HORIZON:.0} s"
            ),
        }
    }
}

/// A proposal and its reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// What to do.
    pub action: Action,
    /// Why.
    pub sign: Sign,
}

/// A line through the last seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    level: f64,
    slope: f64,
}

impl Line {
    fn add(&mut self, value: f64) {
        let before = self.level;
        self.level += self.slope + LEVEL * (value - self.level - self.slope);
        self.slope += SLOPE * (self.level - before - self.slope);
    }

    fn ahead(&self) -> f64 {
        self.level + self.slope * HORIZON
    }
}

/// The outlook of one deployment. Driven once a second by one task.
#[derive(Clone, Debug)]
pub struct Forecast {
    outlook: Outlook,
    seconds: u32,
    failing: Line,
    usual_failing: f64,
    failures_sum: f64,
    /// Latencies as natural logarithms of milliseconds.
    latency: Option<Line>,
    usual_latency: f64,
    spread: f64,
    latency_sum: f64,
    weight: f64,
    proposed: Option<Moment>,
}

impl Forecast {
    /// Nothing is known yet.
    pub fn new(outlook: Outlook) -> Self {
        Self {
            outlook,
            seconds: 0,
            failing: Line::default(),
            usual_failing: 0.01,
            failures_sum: 0.0,
            latency: None,
            usual_latency: 0.0,
            spread: 0.1,
            latency_sum: 0.0,
            weight: 1.0,
            proposed: None,
        }
    }

    /// A second has passed. Returns what to do, if something is coming or has passed by.
    #[expect(clippy::cast_precision_loss, reason = "counts of one second")]
    pub fn tick(&mut self, now: Moment, seen: Seen) -> Option<Prediction> {
        if seen.attempts == 0 {
            // No calls, no news: what rang long ago must not ring for ever.
            self.failures_sum *= 0.9;
            self.latency_sum *= 0.9;
            return self.propose(now);
        }
        self.seconds = self.seconds.saturating_add(1);
        let (failures, attempts) = (seen.failures.min(seen.attempts) as f64, seen.attempts as f64);
        self.learn_failures(failures, attempts);
        if let Some(p95) = seen.p95 {
            self.learn_latency((p95.as_secs_f64() * 1_000.0).max(0.1).ln());
        }
        self.propose(now)
    }

    fn learn_failures(&mut self, failures: f64, attempts: f64) {
        // "As usual" against "three times that, and 5 % at least".
        let usual = self.usual_failing.clamp(0.01, 0.3);
        let ill = (3.0 * usual).max(0.05);
        let step = failures * (ill / usual).ln() + (attempts - failures) * ((1.0 - ill) / (1.0 - usual)).ln();
        self.failures_sum = (self.failures_sum + step).clamp(0.0, 3.0 * FAILURES_RING);
        self.failing.add(failures / attempts);
        self.usual_failing += USUAL * (failures / attempts - self.usual_failing);
    }

    fn learn_latency(&mut self, log_millis: f64) {
        let Some(line) = &mut self.latency else {
            self.latency = Some(Line { level: log_millis, slope: 0.0 });
            self.usual_latency = log_millis;
            return;
        };
        line.add(log_millis);
        let away = log_millis - self.usual_latency;
        let deviation = (away / self.spread.max(0.1)).clamp(-4.0, 4.0);
        self.latency_sum = (self.latency_sum + deviation - 1.0).clamp(0.0, 3.0 * LATENCY_RING);
        // Quicker at first, so that the first sample is not what is usual.
        let weight = USUAL.max(1.0 / f64::from(self.seconds.max(1)));
        self.usual_latency += weight * away;
        self.spread += weight * (away.abs().min(1.0) - self.spread);
    }

    fn propose(&mut self, now: Moment) -> Option<Prediction> {
        if self.seconds < WARM_UP || self.proposed.is_some_and(|at| now - at < CALM) {
            return None;
        }
        let failures = self.failures_sign();
        let latency = self.latency_sign();
        let Some(sign) = failures.or(latency) else {
            // Nothing rings: an earlier shift is taken back.
            let calm = self.failures_sum < FAILURES_RING / 2.0 && self.latency_sum < LATENCY_RING / 2.0;
            if self.weight < 1.0 && calm {
                return Some(self.proposing(now, 1.0, self.failures_now()));
            }
            return None;
        };
        let (open, shift) = match sign.trend {
            Trend::Failures => (sign.expected >= self.outlook.open_at, self.outlook.shift_at / sign.expected),
            Trend::Latency => {
                (sign.expected >= self.outlook.deadline.as_secs_f64() * 1_000.0, sign.usual / sign.expected)
            }
        };
        if open {
            self.proposed = Some(now);
            return Some(Prediction { action: Action::OpenEarly, sign });
        }
        let weight = shift.clamp(0.1, 1.0);
        // A little more or less is not worth a proposal.
        ((weight - self.weight).abs() > 0.1).then(|| self.proposing(now, weight, sign))
    }

    fn proposing(&mut self, now: Moment, weight: f64, sign: Sign) -> Prediction {
        self.weight = weight;
        self.proposed = Some(now);
        Prediction { action: Action::ShiftWeight(weight), sign }
    }

    fn failures_now(&self) -> Sign {
        Sign {
            trend: Trend::Failures,
            usual: self.usual_failing,
            level: self.failing.level.clamp(0.0, 1.0),
            expected: self.failing.ahead().clamp(0.0, 1.0),
        }
    }

    fn failures_sign(&self) -> Option<Sign> {
        let sign = self.failures_now();
        (self.failures_sum >= FAILURES_RING && sign.expected >= self.outlook.shift_at).then_some(sign)
    }

    fn latency_sign(&self) -> Option<Sign> {
        let line = self.latency?;
        let sign = Sign {
            trend: Trend::Latency,
            usual: self.usual_latency.exp(),
            level: line.level.exp(),
            // Nothing grows a thousandfold in ten seconds; a line through logarithms might say so.
            expected: (line.level + (line.slope * HORIZON).min(3.0)).exp(),
        };
        (self.latency_sum >= LATENCY_RING && sign.expected >= 1.5 * sign.usual).then_some(sign)
    }
}
