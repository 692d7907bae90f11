//! The journal on SQLite: runs, their events, and who may write them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite as Engine, SqliteConnection};
use types::{RunId, Timestamp};

use super::Sqlite;
use super::contents::{self, Texts};
use super::row::Columns;
use crate::journal::{Claim, Ending, Held, Journal, NewRun, RunFilter, RunHead, Seize, Status, Stored, Wish};
use crate::{Answer, StoreError};

/// Appends one event, if the claim holds and it is the next one.
const APPEND: &str = "INSERT INTO events (run, seq, body) SELECT run, ?2, ?3 FROM runs \
     WHERE run = ?1 AND epoch = ?4 AND owner IS NOT NULL \
     AND COALESCE((SELECT MAX(seq) + 1 FROM events WHERE run = ?1), 0) = ?2";
const NEXT: &str = "SELECT COALESCE(MAX(seq) + 1, 0) FROM events WHERE run = ?";
const HEAD: &str = "SELECT *, COALESCE((SELECT MAX(seq) + 1 FROM events WHERE events.run = runs.run), 0) \
     AS events FROM runs WHERE TRUE";

impl Journal for Sqlite {
    fn create<'a>(&'a self, run: &'a NewRun, owner: &'a str, lease: Duration) -> Answer<'a, Claim> {
        Box::pin(self.create_run(run, owner, lease))
    }

    fn claim<'a>(&'a self, wish: &'a Wish) -> Answer<'a, Claim> {
        Box::pin(self.claim_run(wish))
    }

    fn renew<'a>(&'a self, claim: &'a Claim, now: Timestamp, lease: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            let update =
                sqlx::query("UPDATE runs SET until = ? WHERE run = ? AND epoch = ? AND owner IS NOT NULL")
                    .bind(end(now, lease))
                    .bind(id(claim.run))
                    .bind(claim.epoch)
                    .execute(&self.write);
            held(update.await.map_err(StoreError::database("renew a claim"))?.rows_affected(), claim)
        })
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Answer<'a, ()> {
        Box::pin(async move {
            let update = sqlx::query(
                "UPDATE runs SET owner = NULL, until = NULL WHERE run = ? AND epoch = ? AND owner IS NOT NULL",
            );
            let update = update.bind(id(claim.run)).bind(claim.epoch).execute(&self.write);
            held(update.await.map_err(StoreError::database("release a claim"))?.rows_affected(), claim)
        })
    }

    fn append<'a>(&'a self, claim: &'a Claim, seq: u64, events: &'a [Value]) -> Answer<'a, ()> {
        Box::pin(self.append_events(claim, seq, events))
    }

    fn finish<'a>(&'a self, claim: &'a Claim, ending: &'a Ending) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut texts = Texts::default();
            let result = texts.pack(&ending.result);
            let mut transaction = self.begin().await?;
            texts.store(&mut transaction).await?;
            let update = sqlx::query(
                "UPDATE runs SET status = ?, result = ?, ended = ?, owner = NULL, until = NULL \
                 WHERE run = ? AND epoch = ? AND owner IS NOT NULL",
            );
            let update = update.bind(ending.status.as_str()).bind(result).bind(ending.at.as_micros());
            let update = update.bind(id(claim.run)).bind(claim.epoch).execute(&mut *transaction);
            held(update.await.map_err(StoreError::database("finish a run"))?.rows_affected(), claim)?;
            transaction.commit().await.map_err(StoreError::database("finish a run"))
        })
    }

    fn load(&self, run: RunId) -> Answer<'_, Stored> {
        Box::pin(self.load_run(run))
    }

    fn list<'a>(&'a self, filter: &'a RunFilter) -> Answer<'a, Vec<RunHead>> {
        Box::pin(async move {
            let mut query = QueryBuilder::<Engine>::new(HEAD);
            if let Some(chain) = &filter.chain {
                query.push(" AND chain = ").push_bind(chain.to_string());
            }
            if let Some(status) = filter.status {
                query.push(" AND status = ").push_bind(status.as_str());
            }
            if let Some(since) = filter.since {
                query.push(" AND at >= ").push_bind(since.as_micros());
            }
            if let Some(before) = filter.before {
                query.push(" AND run < ").push_bind(id(before));
            }
            query.push(" ORDER BY run DESC");
            if let Some(limit) = filter.limit {
                query.push(" LIMIT ").push_bind(i64::from(limit));
            }
            let query = query.build().persistent(false);
            let rows = query.fetch_all(&self.read).await.map_err(StoreError::database("list runs"))?;
            rows.iter().map(head).collect()
        })
    }
}

impl Sqlite {
    async fn create_run(&self, run: &NewRun, owner: &str, lease: Duration) -> Result<Claim, StoreError> {
        let mut texts = Texts::default();
        let source = texts.keep(&run.source);
        let inputs = texts.pack(&run.inputs);
        let mut transaction = self.begin().await?;
        texts.store(&mut transaction).await?;
        let insert = sqlx::query(
            "INSERT INTO runs (run, chain, source, inputs, trace, at, status, epoch, owner, until) \
             VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO NOTHING",
        );
        let insert = insert
            .bind(id(run.id))
            .bind(run.chain.as_ref())
            .bind(source.to_vec())
            .bind(inputs)
            .bind(run.trace.to_bytes().to_vec())
            .bind(run.at.as_micros())
            .bind(Status::Running.as_str())
            .bind(owner)
            .bind(end(run.at, lease))
            .execute(&mut *transaction);
        if insert.await.map_err(StoreError::database("create a run"))?.rows_affected() == 0 {
            return Err(StoreError::KnownRun(run.id));
        }
        transaction.commit().await.map_err(StoreError::database("create a run"))?;
        Ok(Claim { run: run.id, epoch: 1 })
    }

    async fn claim_run(&self, wish: &Wish) -> Result<Claim, StoreError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query("SELECT status, epoch, owner, until FROM runs WHERE run = ?")
            .bind(id(wish.run))
            .fetch_optional(&mut *transaction);
        let row = row.await.map_err(StoreError::database("claim a run"))?;
        let row = row.ok_or(StoreError::UnknownRun(wish.run))?;
        let from = Columns(&row);
        if from.word::<Status>("status")? == Status::Complete {
            return Err(StoreError::Complete(wish.run));
        }
        if let Some(Held { owner, until }) = holder(&from)?
            && owner != wish.owner
            && until > wish.now
            && wish.seize == Seize::Expired
        {
            return Err(StoreError::Claimed { run: wish.run, owner, until });
        }
        let epoch = from.get::<i64>("epoch")? + 1;
        let update = sqlx::query(
            "UPDATE runs SET status = ?, result = NULL, ended = NULL, epoch = ?, owner = ?, until = ? WHERE run = ?",
        );
        let update = update.bind(Status::Running.as_str()).bind(epoch).bind(wish.owner.as_ref());
        let update = update.bind(end(wish.now, wish.lease)).bind(id(wish.run)).execute(&mut *transaction);
        update.await.map_err(StoreError::database("claim a run"))?;
        transaction.commit().await.map_err(StoreError::database("claim a run"))?;
        Ok(Claim { run: wish.run, epoch })
    }

    async fn append_events(&self, claim: &Claim, seq: u64, events: &[Value]) -> Result<(), StoreError> {
        let mut texts = Texts::default();
        let bodies: Vec<String> = events.iter().map(|event| texts.pack(event)).collect();
        if let ([body], true) = (bodies.as_slice(), texts.is_empty()) {
            let mut connection =
                self.write.acquire().await.map_err(StoreError::database("append an event"))?;
            return append_one(&mut connection, claim, seq, body).await;
        }
        let mut transaction = self.begin().await?;
        texts.store(&mut transaction).await?;
        for (further, body) in (0..).zip(&bodies) {
            append_one(&mut transaction, claim, seq.saturating_add(further), body).await?;
        }
        transaction.commit().await.map_err(StoreError::database("append events"))
    }

    async fn load_run(&self, run: RunId) -> Result<Stored, StoreError> {
        let failed = || StoreError::database("load a run");
        // One transaction, so that the events are those of this very head.
        let mut transaction = self.read.begin().await.map_err(failed())?;
        let mut query = QueryBuilder::<Engine>::new(HEAD);
        query.push(" AND run = ").push_bind(id(run));
        let row = query.build().fetch_optional(&mut *transaction).await.map_err(failed())?;
        let row = row.ok_or(StoreError::UnknownRun(run))?;
        let bodies = sqlx::query("SELECT seq, body FROM events WHERE run = ? ORDER BY seq");
        let bodies = bodies.bind(id(run)).fetch_all(&mut *transaction).await.map_err(failed())?;
        let source: Vec<u8> = Columns(&row).get("source")?;
        let source = source.try_into().map_err(|_| StoreError::unreadable("hash", "not 32 bytes"))?;
        let source: Arc<str> = contents::text(&mut transaction, &source).await?.into();
        transaction.commit().await.map_err(failed())?;

        let mut values = vec![json(&Columns(&row).get::<String>("inputs")?)?];
        let result = Columns(&row).get::<Option<String>>("result")?;
        values.push(result.as_deref().map_or(Ok(Value::Null), json)?);
        for (expected, row) in (0_i64..).zip(&bodies) {
            let seq: i64 = Columns(row).get("seq")?;
            if seq != expected {
                return Err(StoreError::unreadable("journal", format!("event {expected} is missing")));
            }
            values.push(json(&Columns(row).get::<String>("body")?)?);
        }
        contents::unpack(&self.read, &mut values).await?;
        let events = values.split_off(2);
        let ending = values.pop();
        Ok(Stored {
            head: head(&row)?,
            source,
            inputs: values.pop().unwrap_or_default(),
            result: result.and(ending),
            events,
        })
    }
}

async fn append_one(
    connection: &mut SqliteConnection,
    claim: &Claim,
    seq: u64,
    body: &str,
) -> Result<(), StoreError> {
    let failed = || StoreError::database("append an event");
    let number = i64::try_from(seq).unwrap_or(i64::MAX);
    let insert = sqlx::query(APPEND).bind(id(claim.run)).bind(number).bind(body).bind(claim.epoch);
    if insert.execute(&mut *connection).await.map_err(failed())?.rows_affected() == 1 {
        return Ok(());
    }
    let holds = sqlx::query("SELECT 1 FROM runs WHERE run = ? AND epoch = ? AND owner IS NOT NULL");
    let holds = holds.bind(id(claim.run)).bind(claim.epoch).fetch_optional(&mut *connection);
    if holds.await.map_err(failed())?.is_none() {
        return Err(StoreError::ClaimLost(claim.run));
    }
    let next = sqlx::query(NEXT).bind(id(claim.run)).fetch_one(&mut *connection).await.map_err(failed())?;
    let next: i64 = next.try_get(0).map_err(failed())?;
    Err(StoreError::OutOfStep { run: claim.run, expected: next.unsigned_abs(), got: seq })
}

fn held(rows: u64, claim: &Claim) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::ClaimLost(claim.run)) }
}

fn id(run: RunId) -> Vec<u8> {
    run.as_bytes().to_vec()
}

fn end(now: Timestamp, lease: Duration) -> i64 {
    now.as_micros().saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX))
}

fn json(text: &str) -> Result<Value, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::unreadable("value", error))
}

fn holder(from: &Columns<'_>) -> Result<Option<Held>, StoreError> {
    let owner = from.name("owner")?;
    let until = from.get::<Option<i64>>("until")?;
    Ok(owner.zip(until).map(|(owner, until)| Held { owner, until: Timestamp::from_micros(until) }))
}

fn head(row: &SqliteRow) -> Result<RunHead, StoreError> {
    let from = Columns(row);
    Ok(RunHead {
        id: from.run("run")?.ok_or_else(|| StoreError::unreadable("run", "nothing"))?,
        chain: from.name("chain")?.unwrap_or_default(),
        status: from.word("status")?,
        trace: from.trace("trace")?,
        at: Timestamp::from_micros(from.get("at")?),
        ended: from.get::<Option<i64>>("ended")?.map(Timestamp::from_micros),
        held: holder(&from)?,
        events: from.number("events")?,
    })
}
