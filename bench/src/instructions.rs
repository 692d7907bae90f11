//! Instructions per operation, counted by valgrind's callgrind on this same program: exact, and the same on a
//! busy machine. Leaves the operations to `hot`.

use std::{path::Path, process::Stdio};

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

/// Instructions of this program with these arguments.
///
/// # Errors
/// When valgrind is missing, or it or the program fails.
pub(crate) async fn count(arguments: &[&str], directory: &Path) -> Result<u64> {
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
    let text = std::fs::read_to_string(&out).context("callgrind wrote nothing")?;
    total(&text).with_context(|| format!("callgrind gave no total: {}", said.trim()))
}

/// The instructions of the whole program, from callgrind's own file.
fn total(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_total_is_found() {
        assert_eq!(super::total("events: Ir\nfn=(1)\n0 7\ntotals: 123456\n"), Some(123_456));
        assert_eq!(super::total("events: Ir\n"), None);
    }
}
