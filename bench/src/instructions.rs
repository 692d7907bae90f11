//! Instructions per operation, counted by valgrind's callgrind on this same program: exact, and the same on a
//! busy machine. Leaves the operations to `hot`.

use std::{collections::HashSet, path::Path, process::Stdio};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::{
    hot::WORKLOADS,
    report::{Goal, Report},
};

/// Operations in the two counts whose difference is taken. The fewer still warm every lazy table.
const FEW: u64 = 200;
const MANY: u64 = 2200;

/// `windlass-bench instructions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only workloads whose name contains this; the report is then printed and not written.
    #[arg(long)]
    only: Option<String>,
}

/// Counts every workload and writes the report.
///
/// # Errors
/// When valgrind is missing or fails.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let mut report = Report::new("instructions");
    let directory = tempfile::tempdir()?;
    for workload in WORKLOADS {
        if options.only.as_ref().is_some_and(|only| !workload.name.contains(only.as_str())) {
            continue;
        }
        let few = count(&["hot", workload.name, &FEW.to_string()], directory.path()).await?;
        let many = count(&["hot", workload.name, &MANY.to_string()], directory.path()).await?;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let each = many.saturating_sub(few) as f64 / (MANY - FEW) as f64;
        report.add(format!("{}.instructions", workload.name), each, "instructions", Goal::None);
    }
    if options.only.is_some() {
        report.print();
        return Ok(());
    }
    report.publish()
}

/// Allocations of this program with these arguments: calls of the allocator's functions.
///
/// # Errors
/// When valgrind is missing, or it or the program fails.
pub(crate) async fn allocations(arguments: &[&str], directory: &Path) -> Result<u64> {
    Ok(allocated(&profile(arguments, directory).await?))
}

/// Instructions of this program with these arguments.
///
/// # Errors
/// When valgrind is missing, or it or the program fails.
pub(crate) async fn count(arguments: &[&str], directory: &Path) -> Result<u64> {
    let text = profile(arguments, directory).await?;
    total(&text).context("callgrind gave no total")
}

/// Callgrind's own file of this program with these arguments.
async fn profile(arguments: &[&str], directory: &Path) -> Result<String> {
    let out = directory.join("callgrind.out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start valgrind: it is in Debian's package of that name")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("valgrind failed ({}): {}", output.status, said.trim());
    }
    std::fs::read_to_string(&out).context("callgrind wrote nothing")
}

/// The instructions of the whole program, from callgrind's own file.
fn total(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

/// How often the allocator was called, from callgrind's own file. A name stands there with its number once,
/// and then the number alone.
fn allocated(text: &str) -> u64 {
    const ENTRIES: [&str; 4] = ["mi_malloc", "mi_zalloc", "mi_realloc", "mi_calloc"];
    let (mut allocators, mut called, mut calls) = (HashSet::new(), "", 0);
    for line in text.lines() {
        let name = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn="));
        if let Some((number, name)) = name.and_then(|name| name.split_once(' '))
            && ENTRIES.iter().any(|entry| name.starts_with(entry))
        {
            allocators.insert(number);
        }
        if let Some(name) = line.strip_prefix("cfn=") {
            called = name.split(' ').next().unwrap_or_default();
        }
        if let Some(count) = line.strip_prefix("calls=")
            && allocators.contains(called)
        {
            calls += count.split(' ').next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    #[test]
    fn calls_of_the_allocator_are_counted() {
        let text = "fn=(1) main\ncfn=(2) mi_malloc_aligned\ncalls=3 0\n1 9\ncfn=(4) other\ncalls=8 0\n1 1\nfn=(7) b\ncfn=(2)\ncalls=2 0\n";
        assert_eq!(super::allocated(text), 5);
    }

    #[test]
    fn the_total_is_found() {
        assert_eq!(super::total("events: Ir\nfn=(1)\n0 7\ntotals: 123456\n"), Some(123_456));
        assert_eq!(super::total("events: Ir\n"), None);
    }
}
