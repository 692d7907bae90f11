//! The chain engine's own overhead per step, beside `LangChain` and `LangGraph` in the same run: a sequence of
//! three and eight side by side, on a model that answers at once. The Python side is `bench/peers/chains.py`,
//! ours `engine`. Leaves both to themselves; this file has the cases, the order of runs and the sums.
//!
//! With the journal in memory ours stands beside those that keep nothing; with the journal on disk beside
//! `LangGraph` with its SQLite checkpointer too, which also outlives a kill of the process.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

use crate::{
    child::Recipe,
    engine::{self, Journal},
    latency::median,
    peers,
    report::{Goal, Report, root},
};

/// Runs the chain `yaml` this many times, one after the other, with the input `topic` set to `tidal power`, on
/// a provider of no latency; the wall time of the runs alone, without compiling the chain or starting anything.
/// Called on a thread of its own, so it may build a runtime.
type RunChain = fn(yaml: &str, runs: u32, journal: Journal) -> Result<Duration>;

/// How much less time a step must take than in either of the others.
const GOAL: f64 = 20.0;
const WARM_UP: u32 = 50;
/// What `chains.py` measures that keeps nothing.
const OTHERS: [&str; 4] = ["langchain", "langgraph", "langchain_bare", "langgraph_bare"];
/// What it measures that keeps what happened on disk.
const KEEPERS: [&str; 3] = ["langgraph_sqlite", "langgraph_sqlite_normal", "langgraph_sqlite_bare"];

/// The same work as in `chains.py`, name by name.
const CASES: &[Case] = &[
    Case {
        name: "sequence3",
        steps: 3,
        yaml: r#"name: sequence
inputs: { topic: { type: string } }
defaults: { model: instant/zero }
steps:
  first:  { prompt: "Summarize {{ topic }} for a technical audience." }
  second: { prompt: "Name the top 3 practical applications of: {{ steps.first }}" }
  third:  { prompt: "Which of these matters most, and why? {{ steps.second }}" }
"#,
    },
    Case {
        name: "parallel8",
        steps: 8,
        yaml: r#"name: parallel
inputs: { topic: { type: string } }
defaults: { model: instant/zero }
steps:
  s1: { prompt: "Summarize {{ topic }} for audience 1." }
  s2: { prompt: "Summarize {{ topic }} for audience 2." }
  s3: { prompt: "Summarize {{ topic }} for audience 3." }
  s4: { prompt: "Summarize {{ topic }} for audience 4." }
  s5: { prompt: "Summarize {{ topic }} for audience 5." }
  s6: { prompt: "Summarize {{ topic }} for audience 6." }
  s7: { prompt: "Summarize {{ topic }} for audience 7." }
  s8: { prompt: "Summarize {{ topic }} for audience 8." }
"#,
    },
];

struct Case {
    name: &'static str,
    steps: u32,
    yaml: &'static str,
}

/// `windlass-bench chains`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    repetitions: u8,
    /// Seconds of each case.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=30))]
    seconds: u8,
    /// The core that both sides run on.
    #[arg(long, default_value_t = 1)]
    core: usize,
    /// Measure the engine of this program and print it as JSON; what the comparison starts on its core.
    #[arg(long, hide = true)]
    ours: bool,
}

/// What one side says.
#[derive(Debug, Default, Deserialize, serde::Serialize)]
struct Said {
    versions: BTreeMap<String, String>,
    cases: BTreeMap<String, Step>,
}

/// The cost of one step.
#[derive(Debug, Clone, Copy, Deserialize, serde::Serialize)]
struct Step {
    wall_us_per_step: f64,
    cpu_us_per_step: f64,
}

/// Measures both sides and writes the report.
///
/// # Errors
/// When a side fails.
pub(crate) async fn run(options: &Options) -> Result<()> {
    if options.ours {
        let seconds = f64::from(options.seconds);
        let said = tokio::task::spawn_blocking(move || ours(engine::run_chain, seconds)).await??;
        println!("{}", serde_json::to_string(&said)?);
        return Ok(());
    }
    let mut report = Report::new("chains");
    let python = peers::chains_python()?;
    let mut samples: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for repetition in 1..=options.repetitions {
        eprintln!("{repetition}/{}: LangChain and LangGraph", options.repetitions);
        let theirs = theirs(options, &python).await?;
        if repetition == 1 {
            println!("measured beside {:?}", theirs.versions);
        }
        eprintln!("{repetition}/{}: windlass", options.repetitions);
        let ours = ours_apart(options).await?;
        for (name, step) in theirs.cases.into_iter().chain(ours.cases) {
            samples.entry(name).or_default().push(step);
        }
    }
    summarize(&samples, &mut report);
    report.publish()
}

async fn theirs(options: &Options, python: &Path) -> Result<Said> {
    let text = Recipe::new("chains.py", python, options.core)
        .args([root().join("bench/peers/chains.py")])
        .args([options.seconds.to_string()])
        .output(Duration::from_secs(180 + 60 * u64::from(options.seconds)))
        .await?;
    serde_json::from_str(&text).context("chains.py prints something else")
}

async fn ours_apart(options: &Options) -> Result<Said> {
    let text = Recipe::new("the chain engine", std::env::current_exe()?, options.core)
        .args(["chains", "--ours", "--seconds", &options.seconds.to_string()])
        .output(Duration::from_secs(60 + 20 * u64::from(options.seconds)))
        .await?;
    Ok(serde_json::from_str(&text)?)
}

fn ours(run_chain: RunChain, seconds: f64) -> Result<Said> {
    let mut said = Said::default();
    for journal in Journal::ALL {
        for case in CASES {
            let trial = run_chain(case.yaml, WARM_UP, journal)?.as_secs_f64().max(1e-6);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped just before"
            )]
            let runs = (f64::from(WARM_UP) * seconds / trial).clamp(f64::from(WARM_UP), 1e5) as u32;
            // CPU is the whole program's, so the start, the ledger's way to the database after the last run
            // and the stop are in it; the wall time is that of the runs alone.
            let before = process_cpu()?;
            let wall = run_chain(case.yaml, runs, journal)?;
            let cpu = process_cpu()?.saturating_sub(before);
            let steps = f64::from(runs) * f64::from(case.steps);
            let step = Step {
                wall_us_per_step: wall.as_secs_f64() * 1e6 / steps,
                cpu_us_per_step: cpu.as_secs_f64() * 1e6 / steps,
            };
            said.cases.insert(format!("{}.{}", journal.side(), case.name), step);
        }
    }
    Ok(said)
}

/// User and system time of this process, with threads that have ended.
fn process_cpu() -> Result<Duration> {
    Ok(Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?)
}

fn summarize(samples: &BTreeMap<String, Vec<Step>>, report: &mut Report) {
    let wall = |name: &str| middle(samples.get(name)?, |step| step.wall_us_per_step);
    let cpu = |name: &str| middle(samples.get(name)?, |step| step.cpu_us_per_step);
    let ours = Journal::ALL.map(Journal::side);
    for side in ours.into_iter().chain(OTHERS).chain(KEEPERS) {
        for case in CASES {
            let name = format!("{side}.{}", case.name);
            for (what, value) in [("wall_us_per_step", wall(&name)), ("cpu_us_per_step", cpu(&name))] {
                if let Some(value) = value {
                    report.add(format!("{name}.{what}"), value, "us", Goal::None);
                }
            }
        }
    }
    let others = ours.into_iter().flat_map(|ours| OTHERS.map(|theirs| (ours, theirs)));
    let keepers = KEEPERS.map(|theirs| (Journal::Disk.side(), theirs));
    for (ours, theirs) in others.chain(keepers) {
        // The bare ones leave out what a step of ours does: a comparison with them is information.
        let goal = if theirs.ends_with("_bare") { Goal::None } else { Goal::AtLeast(GOAL) };
        for case in CASES {
            let (left, right) = (format!("{ours}.{}", case.name), format!("{theirs}.{}", case.name));
            for (what, left, right) in
                [("wall_ratio", wall(&left), wall(&right)), ("cpu_ratio", cpu(&left), cpu(&right))]
            {
                if let Some((left, right)) = left.zip(right) {
                    report.add(format!("{ours}.{}.{what}_to_{theirs}", case.name), right / left, "x", goal);
                }
            }
        }
    }
}

fn middle(steps: &[Step], of: impl Fn(&Step) -> f64) -> Option<f64> {
    median(&steps.iter().map(of).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_is_measured_per_step() {
        let instant: RunChain = |yaml, runs, _| {
            assert!(yaml.contains("{{ topic }}"));
            Ok(Duration::from_micros(24) * runs)
        };
        let said = ours(instant, 0.01).unwrap();
        let each = |name: &str| said.cases[name].wall_us_per_step;
        for side in ["windlass_journal_in_memory", "windlass_journal_on_disk"] {
            assert!((8.0..9.0).contains(&each(&format!("{side}.sequence3"))), "{said:?}");
            assert!((3.0..4.0).contains(&each(&format!("{side}.parallel8"))), "{said:?}");
        }
    }

    #[test]
    fn the_engine_runs_every_case() {
        for case in CASES {
            for journal in Journal::ALL {
                assert!(!engine::run_chain(case.yaml, 2, journal).unwrap().is_zero(), "{}", case.name);
            }
        }
    }
}
