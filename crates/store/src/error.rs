//! What can go wrong with disk and database, and the fault that callers see of it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use types::{Code, Fault, Kind, Retry, RunId, Timestamp};

/// The spool cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process holds the directory.
    #[error("the spool {} is in use by another process; give each process a directory of its own", .dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A file could not be opened, read or written.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was tried: `open`, `read`…
        doing: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The row was **not** kept: the disk takes no more, and neither does the memory that stands in for it.
    #[error("the ledger's spool is full: {reason}")]
    Full {
        /// Why the disk took none.
        reason: String,
    },
}

impl SpoolError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}

impl From<SpoolError> for Fault {
    fn from(error: SpoolError) -> Self {
        Self::new(Kind::ResourceExhausted, Code::SpoolFull, error.to_string())
            .with_hint("free space on the spool's disk, raise its bound, or bring the database back")
    }
}

/// The database cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not be opened, read or written.
    #[error("the database failed to {doing}: {source}")]
    Database {
        /// What was tried, to follow "failed to".
        doing: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A directory or file beside the database could not be made.
    #[error("cannot create {}: {source}", .path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No answer within the bound that was set for it.
    #[error("the database did not answer in time")]
    Slow,
    /// A stored value cannot be read as what it should be.
    #[error("the database holds a {what} that cannot be read: {problem}")]
    Unreadable {
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// No such run.
    #[error("no run {0}")]
    UnknownRun(RunId),
    /// A run with this id is there already.
    #[error("there is a run {0} already")]
    KnownRun(RunId),
    /// Another process works on the run.
    #[error("{run} is being worked on by {owner}")]
    Claimed {
        /// The run.
        run: RunId,
        /// Who holds it.
        owner: Arc<str>,
        /// When its lease ends, unless renewed.
        until: Timestamp,
    },
    /// The claim was taken over by somebody else, or given up.
    #[error("the claim on {0} is no longer held")]
    ClaimLost(RunId),
    /// The run is complete: there is nothing to resume.
    #[error("{0} is complete")]
    Complete(RunId),
    /// Events were appended at another place than the journal's end.
    #[error("the journal of {run} goes on at {expected}, not at {got}")]
    OutOfStep {
        /// The run.
        run: RunId,
        /// The number that the next event has.
        expected: u64,
        /// The number that was given.
        got: u64,
    },
}

impl StoreError {
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }

    pub(crate) fn unreadable(what: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::Unreadable { what, problem: format!("{problem}") }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::UnknownRun(_) => Self::new(Kind::Validation, Code::UnknownRun, message)
                .with_hint("`windlass runs list` lists the runs that are kept"),
            StoreError::Complete(_) => Self::new(Kind::Validation, Code::UnknownRun, message),
            StoreError::Claimed { .. } => {
                Self::new(Kind::Validation, Code::UnknownRun, message).with_retry(Retry::Maybe)
            }
            StoreError::KnownRun(_) | StoreError::ClaimLost(_) | StoreError::OutOfStep { .. } => {
                Self::new(Kind::Permanent, Code::Database, message).with_blame(types::Blame::Operator)
            }
            StoreError::Database { .. }
            | StoreError::Migrate(_)
            | StoreError::Create { .. }
            | StoreError::Slow
            | StoreError::Unreadable { .. } => {
                Self::new(Kind::DependencyFailure, Code::Database, message).with_blame(types::Blame::Operator)
            }
        }
    }
}
