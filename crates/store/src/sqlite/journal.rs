//! The journal on SQLite: runs, their events, and who may write them. What a run writes goes by way of the
//! queue in [`super::writer`]; what claims and reads is here.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite as Engine};
use types::{RunId, Timestamp};

use super::Sqlite;
use super::contents::{self, Texts};
use super::row::Columns;
use super::writer::{Closing, Creation};
use crate::journal::{Claim, Ending, Entry, Held, Journal, NewRun, RunFilter, RunHead, Status, Stored, Wish};
use crate::{Answer, StoreError};

/// What [`head`] reads, and the number of events; more columns can go between the two.
const HEAD: [&str; 2] = [
    "SELECT run, chain, status, trace, caller, tenant, at, ended, owner, until",
    ", COALESCE((SELECT seq + count FROM events WHERE events.run = runs.run \
     ORDER BY seq DESC LIMIT 1), firsts) AS events FROM runs WHERE TRUE",
];

impl Journal for Sqlite {
    fn create(&self, run: &NewRun, owner: &str, lease: Duration) -> Answer<'static, Claim> {
        let mut texts = Texts::default();
        let source = texts.keep(&run.source);
        let inputs = match texts.packed_json([&run.inputs as &dyn Entry]) {
            Ok(inputs) => inputs,
            Err(error) => return Box::pin(ready(Err(StoreError::unreadable("value", error)))),
        };
        let claim = Claim::first(run.id);
        let creation = Creation {
            chain: Arc::clone(&run.chain),
            source,
            inputs,
            trace: run.trace,
            caller: run.caller.clone(),
            tenant: run.tenant.clone(),
            at: run.at,
            owner: Arc::from(owner),
            until: end(run.at, lease),
        };
        let kept = self.journal.create(&claim, creation, texts);
        Box::pin(async move {
            kept.await?;
            Ok(claim)
        })
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

    fn append(&self, claim: &Claim, seq: u64, events: Vec<Arc<dyn Entry>>) -> Answer<'static, ()> {
        if events.is_empty() {
            return Box::pin(ready(Ok(())));
        }
        let mut texts = Texts::default();
        match texts.packed_json(events.iter().map(|event| &**event)) {
            Ok(body) => self.journal.append(claim, (seq, events.len() as u64), body, texts),
            Err(error) => Box::pin(ready(Err(StoreError::unreadable("event", error)))),
        }
    }

    fn finish(&self, claim: &Claim, seq: u64, ending: &Ending) -> Answer<'static, ()> {
        let mut texts = Texts::default();
        match texts.packed_json([&*ending.result]) {
            Ok(result) => {
                let (status, at) = (ending.status, ending.at);
                self.journal.finish(claim, Closing { seq, status, result, at }, texts)
            }
            Err(error) => Box::pin(ready(Err(StoreError::unreadable("result", error)))),
        }
    }

    fn load(&self, run: RunId) -> Answer<'_, Stored> {
        Box::pin(self.load_run(run))
    }

    fn list<'a>(&'a self, filter: &'a RunFilter) -> Answer<'a, Vec<RunHead>> {
        Box::pin(async move {
            let mut query = QueryBuilder::<Engine>::new(HEAD.concat());
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
    async fn claim_run(&self, wish: &Wish) -> Result<Claim, StoreError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query("SELECT status, epoch, owner, until FROM runs WHERE run = ?")
            .bind(id(wish.run))
            .fetch_optional(&mut *transaction);
        let row = row.await.map_err(StoreError::database("claim a run"))?;
        let epoch = match free(row.as_ref(), wish) {
            Ok(epoch) => epoch + 1,
            Err(error) => {
                transaction.undo().await;
                return Err(error);
            }
        };
        let update = sqlx::query(
            "UPDATE runs SET status = ?, result = NULL, ended = NULL, epoch = ?, owner = ?, until = ? WHERE run = ?",
        );
        let update = update.bind(Status::Running.as_str()).bind(epoch).bind(wish.owner.as_ref());
        let update = update.bind(end(wish.now, wish.lease)).bind(id(wish.run)).execute(&mut *transaction);
        update.await.map_err(StoreError::database("claim a run"))?;
        transaction.commit("claim a run").await?;
        Ok(Claim { run: wish.run, epoch })
    }

    async fn load_run(&self, run: RunId) -> Result<Stored, StoreError> {
        let failed = || StoreError::database("load a run");
        // One transaction, so that the events are those of this very head.
        let mut transaction = self.read.begin().await.map_err(failed())?;
        let [head_of, from] = HEAD;
        let mut query = QueryBuilder::<Engine>::new(head_of);
        query.push(", source, inputs, result, first, firsts").push(from);
        query.push(" AND run = ").push_bind(id(run));
        let row = query.build().fetch_optional(&mut *transaction).await.map_err(failed())?;
        let row = row.ok_or(StoreError::UnknownRun(run))?;
        let bodies = sqlx::query("SELECT seq, count, body FROM events WHERE run = ? ORDER BY seq");
        let bodies = bodies.bind(id(run)).fetch_all(&mut *transaction).await.map_err(failed())?;
        let source: Vec<u8> = Columns(&row).get("source")?;
        let source = source.try_into().map_err(|_| StoreError::unreadable("hash", "not 32 bytes"))?;
        let source: Arc<str> = contents::text(&mut transaction, &source).await?.into();
        transaction.commit().await.map_err(failed())?;

        let mut values = vec![json(&Columns(&row).get::<String>("inputs")?)?];
        let result = Columns(&row).get::<Option<String>>("result")?;
        values.push(result.as_deref().map_or(Ok(Value::Null), json)?);
        let expected = Columns(&row).get::<i64>("firsts")?;
        if let Some(first) = Columns(&row).get::<Option<String>>("first")? {
            put(&mut values, expected, &first)?;
        }
        let mut expected = expected;
        for row in &bodies {
            let (seq, count): (i64, i64) = (Columns(row).get("seq")?, Columns(row).get("count")?);
            if seq != expected {
                return Err(StoreError::unreadable("journal", format!("event {expected} is missing")));
            }
            expected += count;
            put(&mut values, count, &Columns(row).get::<String>("body")?)?;
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

/// The epoch of a run that this wish may have.
fn free(row: Option<&SqliteRow>, wish: &Wish) -> Result<i64, StoreError> {
    let from = Columns(row.ok_or(StoreError::UnknownRun(wish.run))?);
    if from.word::<Status>("status")? == Status::Complete {
        return Err(StoreError::Complete(wish.run));
    }
    if let Some(Held { owner, until }) = holder(&from)?
        && owner != wish.owner
        && until > wish.now
        && !wish.seize.takes_from(&owner)
    {
        return Err(StoreError::Claimed { run: wish.run, owner, until });
    }
    from.get::<i64>("epoch")
}

fn held(rows: u64, claim: &Claim) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::ClaimLost(claim.run)) }
}

pub(super) fn id(run: RunId) -> Vec<u8> {
    run.as_bytes().to_vec()
}

fn end(now: Timestamp, lease: Duration) -> i64 {
    now.as_micros().saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX))
}

fn json(text: &str) -> Result<Value, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::unreadable("value", error))
}

/// Events as they are stored: one as it is, several as an array.
fn put(events: &mut Vec<Value>, count: i64, body: &str) -> Result<(), StoreError> {
    match (count, json(body)?) {
        (1, event) => events.push(event),
        (_, Value::Array(several)) if i64::try_from(several.len()) == Ok(count) => events.extend(several),
        _ => return Err(StoreError::unreadable("journal", format!("{count} events that are none"))),
    }
    Ok(())
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
        caller: from.name("caller")?,
        tenant: from.name("tenant")?,
        at: Timestamp::from_micros(from.get("at")?),
        ended: from.get::<Option<i64>>("ended")?.map(Timestamp::from_micros),
        held: holder(&from)?,
        events: from.number("events")?,
    })
}
