//! Sums over the ledger, exact.
//!
//! SQLite sums integers of 64 bits and fails where the sum has more. So each column is summed in two halves
//! that cannot overflow, and the halves are put together here in 128 bits.

use sqlx::{QueryBuilder, SqlitePool};
use types::{Money, Timestamp, Usage};

use super::row::Columns;
use crate::StoreError;
use crate::ledger::{Filter, Group, Total};

/// Where a column is cut in two.
const HALF: i128 = 1 << 32;
/// The columns that are summed.
const SUMMED: [&str; 10] = [
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
    "cost_usd",
    "cost_pico",
];

pub(super) async fn totals(pool: &SqlitePool, filter: &Filter, by: Group) -> Result<Vec<Total>, StoreError> {
    let mut query = QueryBuilder::new(format!(
        "SELECT {} AS key, COUNT(DISTINCT call) AS calls, COUNT(*) AS attempts, \
         SUM(outcome <> 'complete') AS incomplete, \
         SUM(cost_usd IS NULL AND usage_source <> 'none') AS unpriced, MIN(at) AS first, MAX(at) AS last",
        key(by)
    ));
    for column in SUMMED {
        query.push(format_args!(
            ", COALESCE(SUM({column} >> 32), 0) AS {column}_high, \
             COALESCE(SUM({column} & 4294967295), 0) AS {column}_low"
        ));
    }
    query.push(" FROM ledger WHERE TRUE");
    super::ledger::only(&mut query, filter);
    query.push(" GROUP BY 1 ORDER BY 1");
    let query = query.build().persistent(false);
    let rows = query.fetch_all(pool).await.map_err(StoreError::database("sum the ledger"))?;
    rows.iter().map(|row| total(&Columns(row))).collect()
}

/// The group's key as SQL, always a text.
fn key(by: Group) -> &'static str {
    match by {
        Group::Provider => "provider",
        Group::Model => "provider || '/' || model",
        Group::Day => "date(at / 1000000, 'unixepoch')",
        Group::Caller => "COALESCE(caller, '')",
        Group::Outcome => "outcome",
        Group::Run => "CASE WHEN run IS NULL THEN '' ELSE 'run_' || lower(hex(run)) END",
        Group::All => "''",
    }
}

/// Pico-dollars in a dollar.
const DOLLAR: i128 = 1_000_000_000_000;

fn total(from: &Columns<'_>) -> Result<Total, StoreError> {
    let mut sums = [0_i128; SUMMED.len()];
    for (sum, column) in sums.iter_mut().zip(SUMMED) {
        let high: i64 = from.get(&format!("{column}_high"))?;
        let low: i64 = from.get(&format!("{column}_low"))?;
        *sum = i128::from(high) * HALF + i128::from(low);
    }
    let [
        input,
        output,
        cache_read,
        cache_write,
        cache_write_1h,
        reasoning,
        audio_input,
        audio_output,
        cost @ ..,
    ] = sums;
    let count = |sum: i128| u64::try_from(sum).unwrap_or(u64::MAX);
    Ok(Total {
        key: from.get("key")?,
        calls: from.number("calls")?,
        attempts: from.number("attempts")?,
        incomplete: from.number("incomplete")?,
        usage: Usage {
            input: count(input),
            output: count(output),
            cache_read: count(cache_read),
            cache_write: count(cache_write),
            cache_write_1h: count(cache_write_1h),
            reasoning: count(reasoning),
            audio_input: count(audio_input),
            audio_output: count(audio_output),
        },
        cost: Money::from_pico(cost[0].saturating_mul(DOLLAR).saturating_add(cost[1])),
        unpriced: from.number("unpriced")?,
        first: Timestamp::from_micros(from.get("first")?),
        last: Timestamp::from_micros(from.get("last")?),
    })
}
