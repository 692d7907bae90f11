//! The chain language: parse, check, plan, step machine. Pure.
//!
//! [`parse`] reads a chain file and tells everything that is wrong with it at once; [`Chain::builder`] makes
//! the same chain from Rust. A [`Machine`] runs it: it takes [`Event`]s, returns [`Command`]s, and knows no
//! clock and no network; the events are the run's journal, and folding them resumes it. Calling models,
//! keeping the journal and showing progress is the driver's (`engine`).
//!
//! ```
//! use document::Source;
//!
//! let text = r#"
//! name: research
//! inputs: { topic: { type: string } }
//! defaults: { model: local/smollm2 }
//! steps:
//!   summary: { prompt: "Summarize {{ topic }}." }
//!   use: "One application of {{ steps.summary }}"
//! "#;
//! let chain = chain::parse(&Source { name: "research.yaml", text })?;
//! assert_eq!(chain.steps()[1].needs(), [0]);
//! # Ok::<(), document::Report>(())
//! ```

mod answer;
mod builder;
mod chain;
mod check;
mod inputs;
mod machine;
mod parse;
mod report;
mod schema;
mod spec;
mod template;

pub use builder::{ChainBuilder, Step};
pub use chain::{Chain, PlannedStep};
pub use document::{Report, Source};
pub use inputs::Inputs;
pub use machine::{Command, Event, Machine, Spent, StepCall, StepResult};
pub use report::{CostAnalysis, Outputs, RunResult, RunStatus, StepReport, StepStatus};
pub use schema::json_schema;
pub use spec::{Backoff, Input, InputKind, Limits, MAX_STEPS, Retries, Settings, Spec, StepSpec, Switches};

/// Reads a chain file, checks everything and tells all problems at once, each with its line.
pub fn parse(source: &Source<'_>) -> Result<Chain, Report> {
    parse_with_warnings(source).map(|(chain, _)| chain)
}

/// As [`parse`], with what does not stop the chain from running: a report without errors, perhaps empty.
pub fn parse_with_warnings(source: &Source<'_>) -> Result<(Chain, Report), Report> {
    let code = types::Code::BadChain.as_str();
    let (root, broken) = match document::parse_what_there_is(source, code) {
        Ok(root) => (root, None),
        Err(broken) => match *broken {
            document::Broken { report, rest: Some(root), to_the_end: true } => (root, Some(report)),
            // What is only half there is not looked into: steps that are missing would be found everywhere.
            document::Broken { report, .. } => return Err(report),
        },
    };
    let problems = document::Problems::new(*source, code);
    let (mut spec, places) = parse::read(&problems, &root);
    if spec.name.is_empty() {
        spec.name = parse::name_of(source);
    }
    // A chain without steps has been reported as such; what its outputs name would only be noise.
    let chain = if spec.steps.is_empty() { None } else { check::check(spec, &places, &problems) };
    let mut report = problems.into_report();
    if let Some(broken) = broken {
        report = broken.and(report);
    }
    match (report.errors, chain) {
        (0, Some(chain)) => Ok((chain, report)),
        (0, None) => {
            let diagnostic = document::Diagnostic::error(code, "a chain needs at least one step");
            Err(Report::of(source, diagnostic))
        }
        _ => Err(report),
    }
}
