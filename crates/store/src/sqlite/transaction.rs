//! The write connection while somebody writes: it goes back only if the write ended well, else it is closed.
//!
//! SQLite undoes a transaction by itself on some errors, a full disk among them, and not on others. Who counts
//! transactions beside it is wrong from then on, and no later write begins. So nothing is counted here, and a
//! connection on which a write failed, or was dropped half-way, is not used again.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite as Engine, SqliteConnection, SqlitePool};

use crate::StoreError;

/// The write connection, lent. Closed when it is dropped, unless it was given back.
pub(super) struct Lent {
    connection: PoolConnection<Engine>,
    sound: bool,
}

impl Lent {
    /// Waits for the connection, or opens a new one.
    pub(super) async fn from(write: &SqlitePool) -> Result<Self, StoreError> {
        let connection = write.acquire().await.map_err(StoreError::database("open the file to write"))?;
        Ok(Self { connection, sound: false })
    }

    /// The connection is as it was: somebody else may write.
    pub(super) fn give_back(mut self) {
        self.sound = true;
    }

    async fn tell(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(statement).execute(&mut *self.connection).await.map(drop)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.sound {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Lent {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

/// A transaction on the write connection. Undone when it is dropped.
pub(super) struct Transaction(Lent);

impl Transaction {
    /// Begins to write. Takes the file's write lock at once: taken later, it could fail half-way.
    pub(super) async fn begin(write: &SqlitePool) -> Result<Self, StoreError> {
        let mut lent = Lent::from(write).await?;
        lent.tell("BEGIN IMMEDIATE").await.map_err(StoreError::database("begin to write"))?;
        Ok(Self(lent))
    }

    /// Keeps what was written.
    pub(super) async fn commit(mut self, doing: &'static str) -> Result<(), StoreError> {
        self.0.tell("COMMIT").await.map_err(StoreError::database(doing))?;
        self.0.give_back();
        Ok(())
    }

    /// Undoes what was written, where nothing went wrong and it is only not wanted.
    pub(super) async fn undo(mut self) {
        if self.0.tell("ROLLBACK").await.is_ok() {
            self.0.give_back();
        }
    }
}

impl Deref for Transaction {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}
