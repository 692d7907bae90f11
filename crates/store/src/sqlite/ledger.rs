//! The ledger on SQLite: a row is its key and its line of JSON, out of which
//! the view `ledger` reads its other columns.

use std::sync::{Arc, LazyLock};

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, QueryBuilder, Row as _, Sqlite as Engine};
use types::ledger::Row;
use types::{CallId, Timestamp};

use super::{Sqlite, totals};
use crate::ledger::{Filter, Group, Inserted, Ledger, Order, Total};
use crate::{Answer, Record, StoreError, record};

/// Rows in one statement. Each statement is a message to the database's thread and back.
const TOGETHER: usize = 128;

/// A day in microseconds.
const DAY: i64 = 24 * 3600 * 1_000_000;

/// The one statement that is prepared. Rows that are not bound are NULL, and left out. Only a known key is
/// passed over, but for a row that was counted after it had been estimated; whatever else is wrong with a row is an
/// error.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    let values = vec!["(?,?,?,?)"; TOGETHER].join(",");
    format!(
        "INSERT INTO ledger_rows (call, attempt, run, line) SELECT * FROM (VALUES {values}) \
         WHERE column1 IS NOT NULL ON CONFLICT (call, attempt) DO UPDATE SET line = excluded.line \
         WHERE excluded.line ->> '$.usage_source' = 'counted' AND line ->> '$.usage_source' = 'estimated'"
    )
});

impl Ledger for Sqlite {
    fn keep<'a>(&'a self, records: &'a [Record]) -> Answer<'a, Inserted> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            let mut new = 0;
            for records in records.chunks(TOGETHER) {
                let arguments = bound(records).map_err(StoreError::database("encode ledger rows"))?;
                let insert = sqlx::query_with(INSERT.as_str(), arguments).execute(&mut *transaction).await;
                new += insert.map_err(StoreError::database("insert ledger rows"))?.rows_affected();
            }
            transaction.commit("commit ledger rows").await?;
            Ok(Inserted { new, known: (records.len() as u64).saturating_sub(new) })
        })
    }

    fn query<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Vec<Row>> {
        Box::pin(async move {
            let mut query = QueryBuilder::new("SELECT line FROM ledger WHERE TRUE");
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
            let line =
                |row| SqliteRow::try_get::<&str, _>(row, 0).map_err(StoreError::database("read a row"));
            rows.iter().map(|row| record::read(line(row)?)).collect()
        })
    }

    fn totals<'a>(&'a self, filter: &'a Filter, by: Group) -> Answer<'a, Vec<Total>> {
        Box::pin(totals::totals(&self.read, filter, by))
    }
}

fn bound(records: &[Record]) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(4 * records.len(), 0);
    let mut bind = |record: &Record| {
        arguments.add(record.key.call.as_bytes().as_slice())?;
        arguments.add(i64::from(record.key.attempt))?;
        arguments.add(record.run.as_ref().map(|run| run.as_bytes().as_slice()))?;
        arguments.add(Arc::clone(&record.json))
    };
    records.iter().try_for_each(&mut bind).map_err(sqlx::Error::Encode)?;
    Ok(arguments)
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
