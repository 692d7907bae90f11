//! The studies: what is asked of the engine as a whole, each in scenarios of its own, with the goals of `algorithms.md`
//! §1.8–1.11. A study is asked with many seeds; a figure is their mean, or their worst where one is too many.

mod alone;
mod balance;
mod capacity;
mod fairness;
mod hedging;
mod limits;
mod outage;
mod quiet;
mod storm;

use std::time::Duration;

use crate::drive::{DriveError, Run, drive};
use crate::invariants::{Promises, broken};
use crate::scenario::Scenario;
use crate::traffic::Traces;

pub use storm::{storm, storm_of};

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// No more.
    AtMost(f64),
    /// No less.
    AtLeast(f64),
    /// Something to compare with.
    None,
}

/// How the figures of seeds become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Their mean.
    Mean,
    /// The one that is farthest from the goal; the largest where there is none.
    Worst,
}

/// One figure of one run.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it should be.
    pub goal: Goal,
    /// How it is judged.
    pub over: Over,
}

impl Goal {
    /// Whether `value` is as it should be.
    pub fn met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::None => true,
        }
    }
}

/// How much is asked: [`Size::Small`] for every test run, [`Size::Large`] for figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Some hundred calls.
    Small,
    /// Some thousand.
    Large,
}

/// Why a study has no figures.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// It could not be driven.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The engine did what it must never do.
    #[error("{scenario} with seed {seed}: {what}")]
    Broken {
        /// In which scenario.
        scenario: &'static str,
        /// With which seed.
        seed: u64,
        /// What.
        what: String,
    },
}

/// What a study makes of one seed.
type Ask = fn(&Asked<'_>) -> Result<Vec<Figure>, StudyError>;

/// One study.
#[derive(Clone, Copy, Debug)]
pub struct Study {
    /// Its name.
    pub name: &'static str,
    ask: Ask,
}

/// What a study is asked with.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Measured arrivals.
    pub traces: &'a Traces,
    /// The seed.
    pub seed: u64,
    /// How much.
    pub size: Size,
}

/// All studies.
pub const STUDIES: &[Study] = &[
    Study { name: "steady", ask: quiet::steady },
    Study { name: "outage_of_one", ask: outage::of_one },
    Study { name: "brown_out", ask: outage::brown_out },
    Study { name: "outage_of_all", ask: outage::of_all },
    Study { name: "outage_of_all_without_breakers", ask: outage::without_breakers },
    Study { name: "flapping", ask: outage::flapping },
    Study { name: "cut_streams", ask: quiet::cut_streams },
    Study { name: "capacity_halves", ask: capacity::halves },
    Study { name: "ten_tenants", ask: fairness::ten_tenants },
    Study { name: "told_limits", ask: limits::told },
    Study { name: "declared_limits", ask: limits::declared },
    Study { name: "hedging", ask: hedging::tail },
    Study { name: "slowdown", ask: hedging::slowdown },
    Study { name: "balance", ask: balance::ten },
    Study { name: "breaker_alone", ask: alone::breaker },
    Study { name: "prefixes_alone", ask: alone::prefixes },
];

impl Study {
    /// Its figures for one seed.
    ///
    /// # Errors
    /// [`StudyError::Broken`] where the engine did what it must never do.
    pub fn figures(&self, asked: &Asked<'_>) -> Result<Vec<Figure>, StudyError> {
        (self.ask)(asked)
    }

    /// Its figures over all of `seeds`.
    ///
    /// # Errors
    /// As [`Study::figures`].
    pub fn over(
        &self,
        traces: &Traces,
        seeds: impl IntoIterator<Item = u64>,
        size: Size,
    ) -> Result<Vec<Figure>, StudyError> {
        let runs = seeds.into_iter().map(|seed| self.figures(&Asked { traces, seed, size }));
        Ok(together(&runs.collect::<Result<Vec<_>, _>>()?))
    }
}

/// One figure of each name, from those of many runs.
pub fn together(runs: &[Vec<Figure>]) -> Vec<Figure> {
    let Some(names) = runs.first().cloned() else { return Vec::new() };
    let one = |index: usize, figure: Figure| {
        let values: Vec<f64> = runs.iter().filter_map(|run| Some(run.get(index)?.value)).collect();
        let value = match (figure.over, figure.goal) {
            (Over::Mean, _) => values.iter().sum::<f64>() / crate::figures::share(values.len(), 1),
            (Over::Worst, Goal::AtLeast(_)) => values.iter().copied().fold(f64::INFINITY, f64::min),
            (Over::Worst, _) => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        };
        Figure { value, ..figure }
    };
    names.into_iter().enumerate().map(|(index, figure)| one(index, figure)).collect()
}

/// What every scenario says: readings of the real process are left out.
const BASE: &str = "overload: { memory: { enabled: false } }\n";

/// Drives it, and insists on what must always hold.
fn sound(scenario: &Scenario, seed: u64, promises: &Promises) -> Result<Run, StudyError> {
    let run = drive(scenario, seed)?;
    match broken(scenario, &run, promises).into_iter().next() {
        None => Ok(run),
        Some(what) => Err(StudyError::Broken { scenario: scenario.name, seed, what }),
    }
}

const fn mean(name: &'static str, value: f64, unit: &'static str, goal: Goal) -> Figure {
    Figure { name, value, unit, goal, over: Over::Mean }
}

const fn worst(name: &'static str, value: f64, unit: &'static str, goal: Goal) -> Figure {
    Figure { name, value, unit, goal, over: Over::Worst }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
