//! The hot path in small fixed pieces, to count instructions of. A workload does its setup and then the same
//! operation `iters` times; `instructions` takes the difference of two counts, so setup costs nothing. Leaves
//! counting to `instructions`.

use std::hint::black_box;

use anyhow::{Context, Result};

use crate::target;

/// One operation of the hot path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) run: fn(iters: u64),
}

/// All of them, in the order of the report.
pub(crate) const WORKLOADS: &[Workload] =
    &[Workload { name: "baseline.serde_json_parse", run: parse_request }];

/// `windlass-bench hot`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    name: String,
    #[arg(value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    iters: u64,
}

/// Runs one workload.
///
/// # Errors
/// When there is none of that name.
pub(crate) fn run(options: &Options) -> Result<()> {
    let workload = WORKLOADS.iter().find(|workload| workload.name == options.name);
    let workload = workload.with_context(|| format!("there is no workload {:?}", options.name))?;
    (workload.run)(options.iters);
    Ok(())
}

/// The whole request of the comparison into a tree: what a gateway that looks at everything would pay.
fn parse_request(iters: u64) {
    let body = target::body("mock/gpt-4o-mini", false);
    for _ in 0..iters {
        black_box(serde_json::from_str::<serde_json::Value>(black_box(&body)).ok());
    }
}
