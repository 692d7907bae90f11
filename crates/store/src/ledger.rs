//! The ledger's port: rows in, rows and sums out. What a row means is `types::ledger`'s business.

use std::sync::Arc;

use serde::Serialize;
use types::ledger::{Outcome, Row};
use types::{AttemptKey, CallId, Money, RunId, Timestamp, Usage};

use crate::{Answer, Record};

/// A place that keeps rows.
///
/// A row is known by its key (call, attempt): written again, it is kept once, as it was first written.
/// Counts above `i64::MAX` are summed as `i64::MAX`; amounts of money are kept and summed exactly.
pub trait Ledger: Send + Sync {
    /// Keeps all of `records`, or none where it fails.
    fn keep<'a>(&'a self, records: &'a [Record]) -> Answer<'a, Inserted>;

    /// Keeps all of `rows`, or none where it fails.
    fn insert<'a>(&'a self, rows: &'a [Row]) -> Answer<'a, Inserted> {
        Box::pin(async move {
            let records: Vec<_> = rows.iter().map(Record::from).collect();
            self.keep(&records).await
        })
    }

    /// The rows that fit, in the filter's order, at most its limit.
    fn query<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Vec<Row>>;

    /// Sums over the rows that fit, one per group, the group's key ascending; the filter's order, limit and
    /// `after` do not count.
    fn totals<'a>(&'a self, filter: &'a Filter, by: Group) -> Answer<'a, Vec<Total>>;
}

/// What became of the rows of one insert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// Rows that were not there before.
    pub new: u64,
    /// Rows that were.
    pub known: u64,
}

/// Which rows; every field that is set must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Attempts of this call.
    pub call: Option<CallId>,
    /// Attempts of this run's calls.
    pub run: Option<RunId>,
    /// The configured name of the provider.
    pub provider: Option<Arc<str>>,
    /// The provider's name of the model.
    pub model: Option<Arc<str>>,
    /// The name of the caller's key.
    pub caller: Option<Arc<str>>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// By call id, which is by time.
    pub order: Order,
    /// Only rows behind this one, in the order: the last row of the page before.
    pub after: Option<AttemptKey>,
    /// At most so many rows; `None` for all.
    pub limit: Option<u32>,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

/// What to sum by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The provider's configured name.
    Provider,
    /// `provider/model`.
    Model,
    /// The UTC day, `2026-11-22`.
    Day,
    /// The name of the caller's key; empty for calls without one.
    Caller,
    /// How it ended.
    Outcome,
    /// The run, as text; empty for calls outside of one.
    Run,
    /// All in one group with an empty key.
    All,
}

/// The sums of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// What the rows have in common; [`Group`] says what it looks like.
    pub key: String,
    /// Calls, however many attempts each needed.
    pub calls: u64,
    /// Attempts, which are rows.
    pub attempts: u64,
    /// Attempts whose outcome is not `complete`.
    pub incomplete: u64,
    /// Tokens.
    pub usage: Usage,
    /// The sum of all known costs, exact.
    pub cost: Money,
    /// Attempts that used tokens and whose cost is not known: `cost` is without them.
    pub unpriced: u64,
    /// When the first attempt began.
    pub first: Timestamp,
    /// When the last attempt began.
    pub last: Timestamp,
}
