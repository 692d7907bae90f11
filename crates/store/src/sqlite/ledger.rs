//! The ledger on SQLite: rows in, rows out.

use std::sync::LazyLock;

use sqlx::sqlite::SqliteArguments;
use sqlx::{QueryBuilder, Sqlite as Engine, Transaction};
use types::ledger::Row;
use types::{CallId, Timestamp};

use super::row::{self, COLUMNS};
use super::{Sqlite, totals};
use crate::ledger::{Filter, Group, Inserted, Ledger, Order, Total};
use crate::{Answer, StoreError};

/// Rows in one statement. Only two statements are ever prepared: for so many rows, and for one.
const TOGETHER: usize = 16;

/// A day in microseconds.
const DAY: i64 = 24 * 3600 * 1_000_000;

static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert(1));
static INSERT_TOGETHER: LazyLock<String> = LazyLock::new(|| insert(TOGETHER));

/// Only a known key is passed over; whatever else is wrong with a row is an error.
fn insert(rows: usize) -> String {
    let marks = format!("({})", vec!["?"; COLUMNS.len()].join(","));
    let values = vec![marks.as_str(); rows].join(",");
    format!(
        "INSERT INTO ledger ({}) VALUES {values} ON CONFLICT (call, attempt) DO NOTHING",
        COLUMNS.join(",")
    )
}

impl Ledger for Sqlite {
    fn insert<'a>(&'a self, rows: &'a [Row]) -> Answer<'a, Inserted> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            let mut new = 0;
            let (chunks, rest) = rows.as_chunks::<TOGETHER>();
            for chunk in chunks {
                new += insert_rows(&mut transaction, &INSERT_TOGETHER, chunk).await?;
            }
            for row in rest {
                new += insert_rows(&mut transaction, &INSERT_ONE, std::slice::from_ref(row)).await?;
            }
            transaction.commit().await.map_err(StoreError::database("commit ledger rows"))?;
            Ok(Inserted { new, known: (rows.len() as u64).saturating_sub(new) })
        })
    }

    fn query<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Vec<Row>> {
        Box::pin(async move {
            let mut query = QueryBuilder::new("SELECT * FROM ledger WHERE TRUE");
            only(&mut query, filter);
            let (behind, direction) = match filter.order {
                Order::Newest => ("<", "DESC"),
                Order::Oldest => (">", "ASC"),
            };
            if let Some(after) = filter.after {
                query.push(format_args!(" AND (call, attempt) {behind} ("));
                query.push_bind(after.call.as_bytes().to_vec()).push(", ");
                query.push_bind(i64::from(after.attempt)).push(")");
            }
            query.push(format_args!(" ORDER BY call {direction}, attempt {direction}"));
            if let Some(limit) = filter.limit {
                query.push(" LIMIT ").push_bind(i64::from(limit));
            }
            let query = query.build().persistent(false);
            let rows = query.fetch_all(&self.read).await.map_err(StoreError::database("read the ledger"))?;
            rows.iter().map(row::read).collect()
        })
    }

    fn totals<'a>(&'a self, filter: &'a Filter, by: Group) -> Answer<'a, Vec<Total>> {
        Box::pin(totals::totals(&self.read, filter, by))
    }
}

async fn insert_rows(
    transaction: &mut Transaction<'static, Engine>,
    sql: &'static str,
    rows: &[Row],
) -> Result<u64, StoreError> {
    let mut arguments = SqliteArguments::default();
    for row in rows {
        row::bind(row, &mut arguments).map_err(StoreError::database("encode a ledger row"))?;
    }
    let insert = sqlx::query_with(sql, arguments).execute(&mut **transaction).await;
    Ok(insert.map_err(StoreError::database("insert ledger rows"))?.rows_affected())
}

/// The filter's conditions but for its page.
pub(super) fn only(query: &mut QueryBuilder<Engine>, filter: &Filter) {
    // Ids are in the order of time, so the primary key serves for it: an attempt begins with its call or up
    // to a day after it.
    if let Some(since) = filter.since {
        let earliest = Timestamp::from_micros(since.as_micros().saturating_sub(DAY));
        query.push(" AND call >= ").push_bind(CallId::new(earliest, [0; 10]).as_bytes().to_vec());
        query.push(" AND at >= ").push_bind(since.as_micros());
    }
    if let Some(until) = filter.until {
        query.push(" AND call <= ").push_bind(CallId::new(until, [0xff; 10]).as_bytes().to_vec());
        query.push(" AND at < ").push_bind(until.as_micros());
    }
    if let Some(call) = filter.call {
        query.push(" AND call = ").push_bind(call.as_bytes().to_vec());
    }
    if let Some(run) = filter.run {
        query.push(" AND run = ").push_bind(run.as_bytes().to_vec());
    }
    for (column, name) in
        [("provider", &filter.provider), ("model", &filter.model), ("caller", &filter.caller)]
    {
        if let Some(name) = name {
            query.push(format_args!(" AND {column} = ")).push_bind(name.to_string());
        }
    }
    if let Some(outcome) = filter.outcome {
        query.push(" AND outcome = ").push_bind(outcome.as_str());
    }
}
