//! Kept answers in SQLite.

use sqlx::Row as _;
use types::Timestamp;

use super::Sqlite;
use crate::responses::{Kept, Responses, Turn};
use crate::{Answer, StoreError};

/// The longest conversation that is gone on with, in turns.
const MOST_TURNS: i64 = 1_000;

const HISTORY: &str = "
WITH RECURSIVE turns (id, previous, input, output, depth) AS (
    SELECT id, previous, input, output, 0 FROM responses WHERE id = ?1 AND tenant IS ?2
    UNION ALL
    SELECT r.id, r.previous, r.input, r.output, t.depth + 1
    FROM turns t JOIN responses r ON r.id = t.previous AND r.tenant IS ?2
    WHERE t.depth < ?3
)
SELECT previous, input, output FROM turns ORDER BY depth DESC";

impl Responses for Sqlite {
    fn keep(&self, kept: Kept) -> Answer<'static, ()> {
        let write = self.write.clone();
        Box::pin(async move {
            let Kept { id, previous, tenant, at, input, output, body } = kept;
            let insert = "INSERT INTO responses (id, previous, tenant, at, input, output, body) \
                          VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
            let query = sqlx::query(insert).bind(id).bind(previous).bind(tenant);
            let query = query.bind(at.as_micros()).bind(input).bind(output).bind(body);
            query.execute(&write).await.map_err(StoreError::database("keep an answer"))?;
            Ok(())
        })
    }

    fn history<'a>(&'a self, id: &'a str, tenant: Option<&'a str>) -> Answer<'a, Option<Vec<Turn>>> {
        Box::pin(async move {
            let query = sqlx::query(HISTORY).bind(id).bind(tenant).bind(MOST_TURNS);
            let rows = query.fetch_all(&self.read).await.map_err(StoreError::database("read answers"))?;
            // The first turn has none before it: else one is missing, and the conversation is not whole.
            let whole = rows.first().is_some_and(|row| row.get::<Option<String>, _>("previous").is_none());
            let turn =
                |row: &sqlx::sqlite::SqliteRow| Turn { input: row.get("input"), output: row.get("output") };
            Ok(whole.then(|| rows.iter().map(turn).collect()))
        })
    }

    fn find<'a>(&'a self, id: &'a str, tenant: Option<&'a str>) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let query = sqlx::query_scalar("SELECT body FROM responses WHERE id = ? AND tenant IS ?");
            let found = query.bind(id).bind(tenant).fetch_optional(&self.read).await;
            found.map_err(StoreError::database("read an answer"))
        })
    }

    fn remove<'a>(&'a self, id: &'a str, tenant: Option<&'a str>) -> Answer<'a, bool> {
        Box::pin(async move {
            let query = sqlx::query("DELETE FROM responses WHERE id = ? AND tenant IS ?");
            let gone = query.bind(id).bind(tenant).execute(&self.write).await;
            Ok(gone.map_err(StoreError::database("forget an answer"))?.rows_affected() > 0)
        })
    }

    fn forget(&self, before: Timestamp) -> Answer<'_, u64> {
        Box::pin(async move {
            let query = sqlx::query("DELETE FROM responses WHERE at < ?").bind(before.as_micros());
            let gone = query.execute(&self.write).await.map_err(StoreError::database("forget answers"))?;
            Ok(gone.rows_affected())
        })
    }
}
