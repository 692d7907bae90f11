//! The ledger of a simulation: rows in memory, without a thread beside the driven clock.

use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::ledger::{Filter, Group, Inserted, Total};
use store::responses::{Kept, Turn};
use store::{Answer, Ledger, Record, Responses, StoreError};
use types::Timestamp;
use types::ledger::Row;

/// Rows as they came from the spool.
#[derive(Debug, Default)]
pub(crate) struct Rows(Mutex<Vec<Record>>);

impl Rows {
    /// All of them.
    pub(crate) fn rows(&self) -> Result<Vec<Row>, StoreError> {
        self.lock().iter().map(Record::row).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Rows {
    // No key is looked for: that each row comes once is for the simulation to find out.
    fn keep<'a>(&'a self, records: &'a [Record]) -> Answer<'a, Inserted> {
        self.lock().extend_from_slice(records);
        Box::pin(ready(Ok(Inserted { new: records.len() as u64, known: 0 })))
    }

    fn query<'a>(&'a self, _: &'a Filter) -> Answer<'a, Vec<Row>> {
        Box::pin(ready(self.rows()))
    }

    fn totals<'a>(&'a self, _: &'a Filter, _: Group) -> Answer<'a, Vec<Total>> {
        Box::pin(ready(Ok(Vec::new())))
    }
}

/// Nothing is kept: no scenario goes on from an answer.
impl Responses for Rows {
    fn keep(&self, _: Kept) -> Answer<'static, ()> {
        Box::pin(ready(Ok(())))
    }

    fn history<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> Answer<'a, Option<Vec<Turn>>> {
        Box::pin(ready(Ok(None)))
    }

    fn find<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> Answer<'a, Option<String>> {
        Box::pin(ready(Ok(None)))
    }

    fn remove<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> Answer<'a, bool> {
        Box::pin(ready(Ok(false)))
    }

    fn forget(&self, _: Timestamp) -> Answer<'_, u64> {
        Box::pin(ready(Ok(0)))
    }
}
