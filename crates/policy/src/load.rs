//! Load levels (B8): low, medium, high, critical, from rate, latency, errors, running calls, processor and
//! memory; and what each level allows. Up at the second reading that says so, down one level at a time and
//! only after half a minute of less: no flapping.
//!
//! Points and marks are seed 004's, with processor and memory (which it left open) beside them.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::Moment;

/// How much is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Hardly anything.
    #[default]
    Low,
    /// The usual.
    Medium,
    /// Much.
    High,
    /// Too much.
    Critical,
}

impl Level {
    /// The name in events, labels and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    const fn of(number: u8) -> Self {
        match number {
            0 => Self::Low,
            1 => Self::Medium,
            2 => Self::High,
            _ => Self::Critical,
        }
    }

    const fn under(self) -> Self {
        match self {
            Self::Low | Self::Medium => Self::Low,
            Self::High => Self::Medium,
            Self::Critical => Self::High,
        }
    }
}

/// One reading.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Calls per second, over the last minute.
    pub rate: f64,
    /// Mean time to answer.
    pub latency: Duration,
    /// Failed calls, 0 to 1.
    pub errors: f64,
    /// Calls that run.
    pub running: u32,
    /// Processor use, 0 to 1.
    pub processor: f64,
    /// Memory use, 0 to 1.
    pub memory: f64,
}

/// Over the first mark is one point, over the second two, over the third three.
pub type Marks = [f64; 3];

/// From a reading to points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Calls per second.
    pub rate: Marks,
    /// Seconds.
    pub latency: Marks,
    /// 0 to 1.
    pub errors: Marks,
    /// Calls.
    pub running: [f64; 2],
    /// 0 to 1.
    pub processor: Marks,
    /// 0 to 1.
    pub memory: Marks,
    /// Points from which a level is medium, high, critical.
    pub levels: [u32; 3],
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            rate: [5.0, 10.0, 20.0],
            latency: [1.0, 2.0, 5.0],
            errors: [0.02, 0.05, 0.10],
            running: [20.0, 40.0],
            processor: [0.70, 0.85, 0.95],
            memory: [0.70, 0.80, 0.90],
            levels: [2, 5, 8],
        }
    }
}

impl Thresholds {
    /// The points of a reading.
    pub fn points(&self, reading: &Reading) -> u32 {
        over(&self.rate, reading.rate)
            + over(&self.latency, reading.latency.as_secs_f64())
            + over(&self.errors, reading.errors)
            + over(&self.running, f64::from(reading.running))
            + over(&self.processor, reading.processor)
            + over(&self.memory, reading.memory)
    }

    /// The level of so many points.
    pub fn level(&self, points: u32) -> Level {
        let passed = self.levels.iter().filter(|from| points >= **from).count();
        Level::of(u8::try_from(passed).unwrap_or(3))
    }
}

fn over(marks: &[f64], value: f64) -> u32 {
    marks.iter().map(|mark| u32::from(value > *mark)).sum()
}

/// What a level allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Calls at once.
    pub concurrency: u32,
    /// The longest time of a call.
    pub timeout: Duration,
    /// Attempts on each model, the first included.
    pub attempts: u16,
    /// The longest answer in tokens; `None`: as asked.
    pub max_tokens: Option<u32>,
}

/// What each level allows. Seed 004's: more at once and for shorter, the more there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowances(pub [Allowance; 4]);

impl Allowances {
    /// What `level` allows.
    pub const fn of(&self, level: Level) -> Allowance {
        self.0[level as usize]
    }
}

impl Default for Allowances {
    fn default() -> Self {
        let row = |concurrency, seconds, attempts, max_tokens| Allowance {
            concurrency,
            timeout: Duration::from_secs(seconds),
            attempts,
            max_tokens,
        };
        Self([
            row(5, 30, 3, None),
            row(15, 20, 2, None),
            row(30, 15, 1, Some(300)),
            row(50, 10, 1, Some(300)),
        ])
    }
}

/// When levels change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// From readings to levels.
    pub thresholds: Thresholds,
    /// Readings in a row that it takes to go up.
    pub confirm: u32,
    /// Points that must be missing to the present level before it goes down.
    pub margin: u32,
    /// How long they must be missing.
    pub hold: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { thresholds: Thresholds::default(), confirm: 2, margin: 1, hold: Duration::from_secs(30) }
    }
}

/// A level changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Before.
    pub from: Level,
    /// Now.
    pub to: Level,
    /// The points that led to it.
    pub points: u32,
}

#[derive(Debug, Default)]
struct State {
    higher: u32,
    least: Level,
    lower_since: Option<Moment>,
}

/// The present level.
#[derive(Debug)]
pub struct Monitor {
    settings: Settings,
    level: AtomicU8,
    /// Only the few readings a minute come here.
    state: Mutex<State>,
}

impl Monitor {
    /// A monitor at low.
    pub fn new(settings: Settings) -> Self {
        Self { settings, level: AtomicU8::new(0), state: Mutex::default() }
    }

    /// The present level: one load.
    pub fn level(&self) -> Level {
        Level::of(self.level.load(Ordering::Relaxed))
    }

    /// Takes a reading; every few seconds (seed 004: 5 s).
    pub fn read(&self, reading: &Reading, now: Moment) -> Option<Change> {
        let points = self.settings.thresholds.points(reading);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let from = self.level();
        let says = self.settings.thresholds.level(points);
        let to = if says > from {
            state.lower_since = None;
            // Up to the lowest that all of the confirming readings agree on.
            state.least = if state.higher == 0 { says } else { state.least.min(says) };
            state.higher += 1;
            if state.higher >= self.settings.confirm.max(1) { state.least } else { from }
        } else {
            state.higher = 0;
            let calm = self.settings.thresholds.level(points + self.settings.margin) < from;
            let since = if calm { Some(*state.lower_since.get_or_insert(now)) } else { None };
            state.lower_since = since;
            match since {
                Some(since) if now.since(since) >= self.settings.hold => from.under(),
                _ => from,
            }
        };
        if to == from {
            return None;
        }
        *state = State::default();
        self.level.store(to as u8, Ordering::Relaxed);
        Some(Change { from, to, points })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_nanos(seconds * 1_000_000_000)
    }

    fn busy(rate: f64, errors: f64) -> Reading {
        Reading { rate, errors, ..Reading::default() }
    }

    #[test]
    fn the_seeds_points() {
        let marks = Thresholds::default();
        let cases = [
            (busy(4.0, 0.0), 0, Level::Low),
            (busy(12.0, 0.0), 2, Level::Medium),
            (busy(25.0, 0.06), 5, Level::High),
            (Reading { latency: Duration::from_secs(6), running: 41, ..busy(25.0, 0.0) }, 8, Level::Critical),
            (Reading { processor: 0.99, memory: 0.95, ..busy(12.0, 0.0) }, 8, Level::Critical),
        ];
        for (reading, points, level) in cases {
            assert_eq!((marks.points(&reading), marks.level(points)), (points, level), "{reading:?}");
        }
        let table = Allowances::default();
        assert_eq!(table.of(Level::Low).concurrency, 5);
        assert_eq!(table.of(Level::Critical).max_tokens, Some(300));
    }

    #[test]
    fn a_reading_that_jumps_about_a_mark_does_not_flap() {
        let monitor = Monitor::new(Settings::default());
        let changes = (0..1_000)
            .filter(|step| {
                monitor.read(&busy(if step % 3 == 0 { 10.5 } else { 9.5 }, 0.03), at(step * 5)).is_some()
            })
            .count();
        assert!(changes <= 1, "{changes}");
    }

    #[test]
    fn up_at_once_down_by_steps() {
        let monitor = Monitor::new(Settings::default());
        let bad = Reading { latency: Duration::from_secs(6), ..busy(30.0, 0.2) };
        assert_eq!(monitor.read(&bad, at(0)), None);
        let change = monitor.read(&bad, at(5)).unwrap();
        assert_eq!((change.from, change.to), (Level::Low, Level::Critical));
        let mut seen = Vec::new();
        for step in 2..40 {
            seen.extend(monitor.read(&busy(0.0, 0.0), at(step * 5)).map(|change| (step * 5, change.to)));
        }
        assert_eq!(seen, [(40, Level::High), (75, Level::Medium), (110, Level::Low)]);
    }

    proptest! {
        /// Never up without two readings that agree, never down by more than one, never down within the hold.
        #[test]
        fn levels_move_by_the_rules(readings in prop::collection::vec((0.0..30.0, 0.0..0.2), 1..200)) {
            let monitor = Monitor::new(Settings::default());
            let marks = Thresholds::default();
            let mut said = vec![Level::Low];
            let mut last = 0;
            for (step, (rate, errors)) in (0_u64..).zip(readings) {
                let reading = busy(rate, errors);
                said.push(marks.level(marks.points(&reading)));
                if let Some(change) = monitor.read(&reading, at(step * 5)) {
                    prop_assert_eq!(change.to, monitor.level());
                    if change.to > change.from {
                        prop_assert!(said[said.len() - 2..].iter().all(|level| *level >= change.to));
                    } else {
                        prop_assert_eq!(change.to, change.from.under());
                        prop_assert!(step * 5 - last >= 30);
                        prop_assert!(said[said.len() - 6..].iter().all(|level| *level < change.from));
                    }
                    last = step * 5;
                }
            }
        }
    }
}
