//! Degradation levels (B7): full, reduced, minimal, emergency. What each leaves out, and a floor that the
//! caller sets: below it a call is refused rather than answered badly.
//!
//! The quality of each level is seed 000's (§2.4). Which level holds follows from load and memory.

use types::Priority;

use crate::{load, memory};

/// How well calls are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Only what keeps an answer coming.
    Emergency,
    /// A cheap model and short answers.
    Minimal,
    /// Somewhat shorter, nothing optional.
    Reduced,
    /// As asked.
    #[default]
    Full,
}

impl Level {
    /// From the best to the last.
    pub const ALL: [Self; 4] = [Self::Full, Self::Reduced, Self::Minimal, Self::Emergency];

    /// The name in `x-windlass-level`, events and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Reduced => "reduced",
            Self::Minimal => "minimal",
            Self::Emergency => "emergency",
        }
    }

    /// The level of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }

    /// Its quality, 0 to 1.
    pub const fn quality(self) -> f64 {
        match self {
            Self::Full => 1.0,
            Self::Reduced => 0.7,
            Self::Minimal => 0.4,
            Self::Emergency => 0.1,
        }
    }

    /// The lowest level whose quality is at least `minimum`: a floor that was given as a number.
    pub fn floor(minimum: f64) -> Self {
        Self::ALL.into_iter().rev().find(|level| level.quality() >= minimum).unwrap_or(Self::Full)
    }
}

/// Which model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// The one that was asked for.
    Asked,
    /// The cheapest of the route.
    Cheapest,
}

/// What may be answered from the semantic cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// As configured.
    Fresh,
    /// Also what has just become too old.
    Stale,
}

/// What a level changes in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The longest answer, in percent of what was asked.
    pub answer_percent: u8,
    /// The longest answer in tokens, whatever was asked.
    pub max_tokens: Option<u32>,
    /// Which model.
    pub model: Model,
    /// What may come from the cache.
    pub cache: Cache,
    /// Attempts on each model at most, the first included; `None`: as configured.
    pub attempts: Option<u16>,
    /// Whether hedges, optional chain steps, judges and shadow traffic run.
    pub extras: bool,
}

impl Level {
    /// What it changes.
    pub const fn changes(self) -> Changes {
        match self {
            Self::Full => Changes {
                answer_percent: 100,
                max_tokens: None,
                model: Model::Asked,
                cache: Cache::Fresh,
                attempts: None,
                extras: true,
            },
            Self::Reduced => Changes {
                answer_percent: 70,
                max_tokens: None,
                model: Model::Asked,
                cache: Cache::Fresh,
                attempts: Some(2),
                extras: false,
            },
            Self::Minimal => Changes {
                answer_percent: 40,
                max_tokens: Some(300),
                model: Model::Cheapest,
                cache: Cache::Stale,
                attempts: Some(1),
                extras: false,
            },
            Self::Emergency => Changes {
                answer_percent: 10,
                max_tokens: Some(100),
                model: Model::Cheapest,
                cache: Cache::Stale,
                attempts: Some(1),
                extras: false,
            },
        }
    }
}

impl Changes {
    /// The longest answer for a call that asked for `tokens`; at least one.
    pub fn answer(&self, tokens: u32) -> u32 {
        let part = u64::from(tokens) * u64::from(self.answer_percent) / 100;
        let part = u32::try_from(part).unwrap_or(tokens).max(1);
        self.max_tokens.map_or(part, |most| part.min(most))
    }
}

/// Only a worse answer than the caller accepts could be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only {} service is possible now, and the call accepts no less than {}", now.as_str(), floor.as_str())]
pub struct BelowFloor {
    /// The level that holds.
    pub now: Level,
    /// The least that the call accepts.
    pub floor: Level,
}

/// The level that load and memory allow.
pub const fn level(load: load::Level, memory: memory::Zone) -> Level {
    match (load, memory) {
        (_, memory::Zone::Shedding) => Level::Emergency,
        (load::Level::Critical, _) => Level::Minimal,
        (load::Level::High, _) | (_, memory::Zone::Tight) => Level::Reduced,
        (load::Level::Low | load::Level::Medium, memory::Zone::Ample) => Level::Full,
    }
}

/// The level of one call: what holds, one better for each step of priority above normal; refused if that is
/// below its floor.
pub fn choose(holds: Level, priority: Priority, floor: Level) -> Result<Level, BelowFloor> {
    let better = match priority {
        Priority::Critical => 2,
        Priority::High => 1,
        Priority::Normal | Priority::Low => 0,
    };
    let at = Level::ALL.iter().position(|level| *level == holds).unwrap_or(0);
    let now = Level::ALL[at.saturating_sub(better)];
    if now < floor { Err(BelowFloor { now, floor }) } else { Ok(now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_kept() {
        for holds in Level::ALL {
            for floor in Level::ALL {
                for priority in [Priority::Low, Priority::Normal, Priority::High, Priority::Critical] {
                    match choose(holds, priority, floor) {
                        Ok(level) => assert!(level >= floor && level >= holds),
                        Err(below) => assert!(below.now < floor && below.now >= holds),
                    }
                }
            }
        }
        assert_eq!(choose(Level::Minimal, Priority::High, Level::Reduced), Ok(Level::Reduced));
    }

    #[test]
    fn a_floor_may_be_a_quality() {
        let cases =
            [(0.0, Level::Emergency), (0.1, Level::Emergency), (0.2, Level::Minimal), (0.7, Level::Reduced)];
        for (minimum, level) in cases {
            assert_eq!(Level::floor(minimum), level, "{minimum}");
        }
        assert_eq!((Level::floor(0.71), Level::floor(7.0)), (Level::Full, Level::Full));
    }

    #[test]
    fn a_worse_level_never_gives_more() {
        for pair in Level::ALL.windows(2) {
            let (better, worse) = (pair[0].changes(), pair[1].changes());
            for tokens in [1, 10, 500, 4_096, u32::MAX] {
                assert!(worse.answer(tokens) <= better.answer(tokens));
                assert!(worse.answer(tokens) >= 1);
            }
            assert!(worse.attempts.unwrap_or(u16::MAX) <= better.attempts.unwrap_or(u16::MAX));
        }
    }

    #[test]
    fn more_pressure_never_serves_better() {
        let loads = [load::Level::Low, load::Level::Medium, load::Level::High, load::Level::Critical];
        let zones = [memory::Zone::Ample, memory::Zone::Tight, memory::Zone::Shedding];
        for zone in zones.windows(2) {
            for pair in loads.windows(2) {
                assert!(level(pair[1], zone[0]) <= level(pair[0], zone[0]));
                assert!(level(pair[0], zone[1]) <= level(pair[0], zone[0]));
            }
        }
    }
}
