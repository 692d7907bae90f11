//! How the engine as a whole stays up, on a driven clock with scripted providers: goodput, tails, fairness, retries and
//! probes beside the goals of `algorithms.md` §1.8–1.11. Leaves the scenarios to `simulation`; this file asks them with
//! many seeds on all processors and writes the figures down.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, Result, anyhow};
use simulation::{
    Traces,
    studies::{self, Asked, Figure, STUDIES, Size, Study, storm},
};

use crate::report::{Goal, Report, root};

/// `windlass-bench stays-up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Seeds of each study.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// Storms of sixty calls each, in which only what must always hold is looked at.
    #[arg(long, default_value_t = 10_000)]
    storms: u64,
    /// Only studies whose name contains this; the report is then printed and not written.
    #[arg(long)]
    only: Option<String>,
}

/// Asks everything and writes the report.
///
/// # Errors
/// When a trace is missing, or the engine did what it must never do.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = root().join("../shared/data/traffic");
    let traces = Traces::load(&folder).or_else(|_| Traces::load(&root().join("shared/data/traffic")))?;
    let mut report = Report::new("stays-up");
    let began = Instant::now();
    let wanted = |study: &&Study| options.only.as_ref().is_none_or(|only| study.name.contains(only.as_str()));
    for study in STUDIES.iter().filter(wanted) {
        let runs =
            each(options.seeds, |seed| study.figures(&Asked { traces: &traces, seed, size: Size::Large }))?;
        for Figure { name, value, unit, goal, .. } in studies::together(&runs) {
            report.add(format!("{}.{name}", study.name), value, unit, told(goal));
        }
    }
    if options.only.is_none() {
        let asked = |seed| Asked { traces: &traces, seed, size: Size::Large };
        each(options.storms, |seed| storm(&asked(seed), 60))?;
        #[expect(clippy::cast_precision_loss, reason = "some thousand")]
        let storms = options.storms as f64;
        report.add("storms.without_a_broken_invariant", storms, "seeds", Goal::AtLeast(storms));
        report.add("wall_time", began.elapsed().as_secs_f64(), "s", Goal::None);
        return report.publish();
    }
    report.print();
    Ok(())
}

const fn told(goal: studies::Goal) -> Goal {
    match goal {
        studies::Goal::AtMost(most) => Goal::AtMost(most),
        studies::Goal::AtLeast(least) => Goal::AtLeast(least),
        studies::Goal::None => Goal::None,
    }
}

/// Asks with the seeds 1 to `seeds`, on all processors; the answers in the seeds' order.
fn each(
    seeds: u64,
    ask: impl Fn(u64) -> Result<Vec<Figure>, studies::StudyError> + Sync,
) -> Result<Vec<Vec<Figure>>> {
    let (next, answers) = (AtomicU64::new(1), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > seeds {
                return;
            }
            let answer = ask(seed);
            let failed = answer.is_err();
            answers.lock().unwrap_or_else(PoisonError::into_inner).push((seed, answer));
            if failed {
                // The others need not go on.
                next.store(seeds + 1, Ordering::Relaxed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut answers = answers.into_inner().map_err(|_| anyhow!("a study panicked"))?;
    answers.sort_by_key(|(seed, _)| *seed);
    answers.into_iter().map(|(seed, answer)| answer.with_context(|| format!("seed {seed}"))).collect()
}
