//! What outlives the process: the ledger's rows and the journals of runs.
//!
//! Three ports, [`Ledger`], [`Journal`] and [`Responses`], with SQLite behind them; the [`Spool`], a file that takes ledger
//! rows on the call path; and the [`Drain`] that carries them from the spool to the database. Leaves alone:
//! what a row or an event means, and when tasks run (every task here is a future that the caller spawns).

use std::future::Future;
use std::pin::Pin;

pub mod drain;
mod error;
pub mod journal;
pub mod ledger;
pub mod limits;
mod memory;
mod record;
pub mod responses;
#[cfg(test)]
#[path = "../tests/it/sample.rs"]
mod sample;
pub mod spool;
pub mod sqlite;

pub use drain::Drain;
pub use error::{SpoolError, StoreError};
pub use journal::Journal;
pub use ledger::Ledger;
pub use memory::Memory;
pub use record::Record;
pub use responses::Responses;
pub use spool::Spool;
pub use sqlite::Sqlite;

/// What a port's method returns: the ports are used as `dyn`, so the future is boxed.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;
