//! How a command fails: what it says, and with which exit code.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use document::Report;
use serde_json::json;
use types::{Code, Fault, Kind};

use crate::output::harmless;

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// A configuration or chain files are not valid: a report for each.
    Invalid(Vec<Report>),
    /// A call, a run or a start failed in a way that has a code.
    Fault(Fault),
    /// A run failed.
    Run {
        /// Why.
        fault: Fault,
        /// The command that goes on with it, where that helps.
        resume: Option<String>,
    },
    /// Files were checked and some are not valid; their problems have been told.
    Checked {
        /// How many.
        bad: usize,
        /// Of how many.
        of: usize,
    },
    /// Something else.
    Other(anyhow::Error),
}

impl Failure {
    /// 1 failed, 2 wrong usage, 3 configuration, 4 budget or limit.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Invalid(_) => 3,
            Self::Checked { .. } => 3,
            Self::Fault(fault) | Self::Run { fault, .. } => match (fault.code, fault.kind) {
                (Code::BadConfig | Code::BadChain | Code::ChainCycle, _) => 3,
                (Code::RunLimit, _) | (_, Kind::Budget) => 4,
                (Code::MissingVariable, _) => 2,
                // A variable that the chain does not ask for, or not like that.
                (Code::BadField, _) if is_variable(fault) => 2,
                _ => 1,
            },
            Self::Other(_) => 1,
        })
    }

    /// Tells it on standard error; as JSON for programs.
    pub(crate) fn report(&self, json: bool) {
        if json {
            let error = match self {
                Self::Usage(message) => json!({ "code": Code::BadField, "message": message }),
                Self::Invalid(reports) => match reports.as_slice() {
                    [report] => json!({ "message": "not valid", "problems": report }),
                    reports => json!({ "message": "not valid", "problems": reports }),
                },
                Self::Fault(fault) => json!(fault),
                // The result on standard output has it, and the list of problems too.
                Self::Run { .. } | Self::Checked { .. } => return,
                Self::Other(error) => json!({ "message": told(error) }),
            };
            eprintln!("{}", json!({ "error": error }));
            return;
        }
        match self {
            Self::Invalid(reports) => {
                for report in reports {
                    eprintln!("{}", harmless(&report.to_string()));
                }
            }
            _ => eprintln!("{}", harmless(&format!("windlass: {self}"))),
        }
    }
}

fn is_variable(fault: &Fault) -> bool {
    fault.param.as_deref().is_some_and(|param| param == "vars" || param.starts_with("vars."))
}

/// An error with its causes, each told once: many an error already says what it came from.
fn told(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Invalid(reports) => reports.iter().try_for_each(|report| write!(f, "{report}")),
            Self::Fault(fault) => write!(f, "{fault}"),
            Self::Run { fault, resume } => {
                write!(f, "the run failed: {fault}")?;
                resume.as_ref().map_or(Ok(()), |resume| write!(f, "\ngo on with: {resume}"))
            }
            Self::Checked { bad, of } => write!(f, "{bad} of {of} files are not valid"),
            Self::Other(error) => f.write_str(&told(error)),
        }
    }
}

/// A file that cannot be read, by the code of what it should be.
pub(crate) fn unreadable(code: Code, path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot read {}: {error}", path.display());
    Failure::Fault(Fault::new(Kind::Validation, code, message).with_blame(types::Blame::Caller))
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Report> for Failure {
    fn from(report: Report) -> Self {
        Self::Invalid(vec![report])
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        Self::Fault(error.into())
    }
}
