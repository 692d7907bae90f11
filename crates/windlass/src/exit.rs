//! How a command fails: what it says, and with which exit code.

use std::fmt;
use std::process::ExitCode;

use document::Report;
use serde_json::json;
use types::{Code, Fault, Kind, RunId};

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// A configuration or a chain file is not valid.
    Invalid(Box<Report>),
    /// A call, a run or a start failed in a way that has a code.
    Fault(Fault),
    /// A run failed; it can be resumed.
    Run {
        /// Why.
        fault: Fault,
        /// The run.
        resume: RunId,
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
                _ => 1,
            },
            Self::Other(_) => 1,
        })
    }

    /// Tells it on standard error; as JSON for programs.
    pub(crate) fn report(&self, json: bool) {
        if json {
            let error = match self {
                Self::Usage(message) => json!({ "message": message }),
                Self::Invalid(report) => json!({ "message": "not valid", "problems": report }),
                Self::Fault(fault) => json!(fault),
                // The result on standard output has it, and the list of problems too.
                Self::Run { .. } | Self::Checked { .. } => return,
                Self::Other(error) => json!({ "message": format!("{error:#}") }),
            };
            eprintln!("{}", json!({ "error": error }));
            return;
        }
        match self {
            Self::Invalid(report) => eprintln!("{report}"),
            _ => eprintln!("windlass: {self}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Invalid(report) => write!(f, "{report}"),
            Self::Fault(fault) => write!(f, "{fault}"),
            Self::Run { fault, resume } => {
                write!(f, "the run failed: {fault}\ngo on with: windlass runs resume {resume}")
            }
            Self::Checked { bad, of } => write!(f, "{bad} of {of} files are not valid"),
            Self::Other(error) => write!(f, "{error:#}"),
        }
    }
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
        Self::Invalid(Box::new(report))
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        Self::Fault(error.into())
    }
}
