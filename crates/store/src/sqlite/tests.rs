//! What needs the inside: a write connection on which something went wrong.

use super::*;
use crate::ledger::{Filter, Ledger as _};
use crate::sample;

/// Lets the file that this connection writes to grow no more.
async fn fill(database: &Sqlite) {
    let mut connection = database.write.acquire().await.unwrap();
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *connection).await.unwrap();
    // Less than there is counts as what there is.
    let most: i64 =
        sqlx::query_scalar("PRAGMA max_page_count = 1").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(most, pages);
}

async fn takes_rows_again(database: Sqlite) {
    let rows: Vec<_> = (0..2_000).map(sample::row).collect();
    database.insert(&rows[..3]).await.unwrap();
    fill(&database).await;
    let error = database.insert(&rows).await.unwrap_err().to_string();
    assert!(error.contains("full"), "{error}");
    if let Some(anchor) = &database.anchor {
        // In memory the bound is the database's; of a file it goes with the connection.
        sqlx::query("PRAGMA max_page_count = 1000000").execute(anchor).await.unwrap();
    }
    // The connection that could not is gone, and with it what it believed of its transaction.
    let inserted = database.insert(&rows).await.unwrap();
    assert_eq!((inserted.new, inserted.known), (1_997, 3), "nothing of the failed try was kept");
    assert_eq!(database.query(&Filter::default()).await.unwrap().len(), 2_000);
    database.close().await;
}

#[tokio::test]
async fn a_file_that_could_not_grow_takes_rows_again_once_it_can() {
    let dir = tempfile::tempdir().unwrap();
    takes_rows_again(Sqlite::open(&dir.path().join("a.db"), &SqliteOptions::default()).await.unwrap()).await;
}

#[tokio::test]
async fn a_database_in_memory_outlives_its_connection() {
    takes_rows_again(Sqlite::in_memory().await.unwrap()).await;
}

#[tokio::test]
async fn a_transaction_that_is_dropped_half_way_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let database = Sqlite::open(&dir.path().join("a.db"), &SqliteOptions::default()).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    let insert = sqlx::query("INSERT INTO contents (hash, body) VALUES (x'00', 'text')");
    insert.execute(&mut *transaction).await.unwrap();
    drop(transaction);
    database.insert(&[sample::row(0)]).await.unwrap();
    let texts: i64 =
        sqlx::query_scalar("SELECT count(*) FROM contents").fetch_one(&database.read).await.unwrap();
    assert_eq!(texts, 0);
}
