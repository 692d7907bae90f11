//! SQLite behind the ports: one file for ledger and journal.
//!
//! SQLite has one writer at a time: writes go through one connection, reads through a few that are opened
//! when first needed. Other processes may have the same file open (WAL, and a bounded wait for their writes).

mod contents;
mod journal;
mod ledger;
mod responses;
mod row;
mod statement;
#[cfg(test)]
mod tests;
mod totals;
mod transaction;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use self::transaction::Transaction;
use crate::StoreError;

/// How the database is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// How long to wait for another process's write.
    pub busy_timeout: Duration,
    /// Most connections that read at the same time.
    pub readers: u32,
    /// KiB of pages that each connection keeps in memory.
    pub cache_kib: u32,
    /// What outlasts a power failure.
    pub durability: Durability,
}

impl Default for SqliteOptions {
    /// 5 s, two readers, 512 KiB each, safe from kills of the process.
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(5),
            readers: 2,
            cache_kib: 512,
            durability: Durability::Process,
        }
    }
}

/// What a committed transaction outlasts. The file is never corrupted either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A kill of the process; a power failure can undo the last transactions.
    #[default]
    Process,
    /// A power failure, too: each transaction waits for the disk.
    Power,
}

/// A SQLite database. Cheap to clone: all clones are the same database.
#[derive(Clone, Debug)]
pub struct Sqlite {
    write: SqlitePool,
    read: SqlitePool,
    /// A connection that does nothing: a database in memory lasts as long as one is open.
    anchor: Option<SqlitePool>,
    /// Writes of journals that wait for their transaction.
    journal: Arc<writer::Queue>,
}

impl Sqlite {
    /// Opens the file, making it and its directory if they are not there, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Create`], [`StoreError::Database`], [`StoreError::Migrate`]: the last also for a
    /// database that a newer version has changed.
    pub async fn open(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)
                .map_err(|source| StoreError::Create { path: dir.to_owned(), source })?;
        }
        let connect = base(SqliteConnectOptions::new(), options)
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let read = pool(options.readers.max(1)).connect_lazy_with(connect.clone().create_if_missing(false));
        let write = pool(1).connect_with(connect).await.map_err(StoreError::database("open"))?;
        Self::migrated(write, read, None).await
    }

    /// A database that lasts as long as this value, for tests and for runs that nobody wants to keep.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn in_memory() -> Result<Self, StoreError> {
        // This way it has a name, by which a connection finds it again.
        let named: SqliteConnectOptions = "sqlite::memory:".parse().map_err(StoreError::database("open"))?;
        let connect = base(named, &SqliteOptions::default());
        let open = || pool(1).connect_with(connect.clone());
        let anchor = open().await.map_err(StoreError::database("open"))?;
        let write = open().await.map_err(StoreError::database("open"))?;
        Self::migrated(write.clone(), write, Some(anchor)).await
    }

    async fn migrated(
        write: SqlitePool,
        read: SqlitePool,
        anchor: Option<SqlitePool>,
    ) -> Result<Self, StoreError> {
        sqlx::migrate!("migrations/sqlite").run(&write).await?;
        Ok(Self { journal: Arc::new(writer::Queue::new(write.clone())), write, read, anchor })
    }

    /// Closes the connections, after what they are doing and what waits for them.
    pub async fn close(&self) {
        self.journal.idle().await;
        self.read.close().await;
        self.write.close().await;
        if let Some(anchor) = &self.anchor {
            anchor.close().await;
        }
    }

    /// Begins to write.
    async fn begin(&self) -> Result<Transaction, StoreError> {
        Transaction::begin(&self.write).await
    }
}

fn base(connect: SqliteConnectOptions, options: &SqliteOptions) -> SqliteConnectOptions {
    connect
        .foreign_keys(true)
        .busy_timeout(options.busy_timeout)
        .synchronous(match options.durability {
            Durability::Process => SqliteSynchronous::Normal,
            Durability::Power => SqliteSynchronous::Full,
        })
        .pragma("cache_size", format!("-{}", options.cache_kib))
        .statement_cache_capacity(24)
        .thread_name(|number| format!("sqlite-{number}"))
}

/// Connections stay open once they are: nothing wakes up to look after them.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(10))
}
