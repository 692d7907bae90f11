//! What every translation costs beside a parse of the same bytes into a tree, in instructions: exact, and the
//! same on a busy machine. Leaves counting to `instructions`.

mod bodies;
mod translate;

use anyhow::{Context, Result};

use crate::{
    instructions::count,
    report::{Goal, Report},
};
use translate::{Job, Size, What};

/// Rounds in the two counts whose difference is taken. The fewer still warm every lazy table.
const FEW: u64 = 3;
const MANY: u64 = 13;

/// How many times the parse of the same bytes a translation may cost.
const LIMIT: f64 = 3.0;

/// `windlass-bench dialects`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only translations whose name contains this; the report is then printed and not written.
    #[arg(long)]
    only: Option<String>,
}

/// `windlass-bench translation`.
#[derive(Debug, clap::Args)]
pub(crate) struct Round {
    name: String,
    #[arg(value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    iters: u64,
}

/// Counts every translation and writes the report.
///
/// # Errors
/// When valgrind is missing or fails.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let mut report = Report::new("dialects");
    let mut tree: Option<(String, f64)> = None;
    for job in Job::all() {
        let name = job.name();
        // The parses are counted when something is compared with them.
        if job.into.is_none() || options.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let compared = Job { into: None, ..job };
        let parse = match &tree {
            Some((of, parse)) if *of == compared.name() => *parse,
            _ => {
                let parse = each(compared).await?;
                add(&mut report, compared, parse)?;
                tree = Some((compared.name(), parse));
                parse
            }
        };
        let cost = each(job).await?;
        add(&mut report, job, cost)?;
        report.add(format!("{name}.ratio"), cost / parse, "times the parse", Goal::AtMost(LIMIT));
    }
    if options.only.is_some() {
        report.print();
        return Ok(());
    }
    report.publish()
}

/// Instructions of one round.
async fn each(job: Job) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let name = job.name();
    let few = count(&["translation", &name, &FEW.to_string()], directory.path()).await?;
    let many = count(&["translation", &name, &MANY.to_string()], directory.path()).await?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    Ok(many.saturating_sub(few) as f64 / (MANY - FEW) as f64)
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn add(report: &mut Report, job: Job, cost: f64) -> Result<()> {
    let (name, Size { bytes, events }) = (job.name(), job.run(0)?);
    if job.heavy != bodies::Heavy::Image {
        report.add(format!("{name}.per_kb"), cost * 1024.0 / bytes as f64, "instructions", Goal::None);
    }
    if job.what == What::Stream {
        report.add(format!("{name}.per_event"), cost / events as f64, "instructions", Goal::None);
    }
    Ok(())
}

/// Does one job.
///
/// # Errors
/// When there is none of that name, or it fails.
pub(crate) fn round(options: &Round) -> Result<()> {
    let job = Job::all().into_iter().find(|job| job.name() == options.name);
    job.with_context(|| format!("there is no translation {:?}", options.name))?.run(options.iters)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_translation_runs() {
        for job in Job::all() {
            let size = job.run(1).unwrap_or_else(|error| panic!("{error:#}"));
            assert!(size.bytes > 1000 && size.events > 0, "{}: {size:?}", job.name());
        }
    }
}
