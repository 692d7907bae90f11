//! The scorecard: a table for people, JSON for programs.

use serde::Serialize;

use super::judge::Verdict;
use crate::exit::Failure;
use crate::output;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Card<'a> {
    gateway: &'a str,
    passed: usize,
    of: usize,
    cases: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    passed: bool,
    #[serde(flatten)]
    verdict: &'a Verdict,
}

/// Prints the verdicts.
pub(super) fn print(url: &str, verdicts: &[Verdict], json: bool) -> Result<(), Failure> {
    let passed = verdicts.iter().filter(|verdict| verdict.passed()).count();
    if json {
        let cases = verdicts.iter().map(|verdict| Row { passed: verdict.passed(), verdict }).collect();
        return output::json(&Card { gateway: url, passed, of: verdicts.len(), cases });
    }
    let mut table = output::table(&["FAULT", "ASKED FOR", "THE CALLER SAW", "TOOK", "REQUESTS", ""], &[3, 4]);
    for verdict in verdicts {
        table.add_row([
            verdict.fault.to_owned(),
            verdict.way.to_owned(),
            verdict.saw.clone(),
            output::duration(verdict.took),
            format!("{} of {}", verdict.requests, verdict.allowed),
            if verdict.passed() { "passed" } else { "FAILED" }.to_owned(),
        ]);
    }
    output::line(&table);
    for verdict in verdicts.iter().filter(|verdict| !verdict.passed()) {
        for complaint in &verdict.complaints {
            output::line(format_args!("\n{}, {}: {complaint}", verdict.fault, verdict.way));
        }
    }
    output::line(format_args!("\n{passed} of {} passed · {url}", verdicts.len()));
    Ok(())
}
