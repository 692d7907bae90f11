//! The journal on SQLite.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::Row as _;
use store::journal::{self, Claim, Ending, Journal, RunFilter, Seize, Status, Wish};
use store::sqlite::SqliteOptions;
use store::{Sqlite, StoreError};
use types::{RunId, Timestamp};

use crate::run::{LEASE, at, new_run};

fn wish(run: RunId, owner: &str, now: Timestamp) -> Wish {
    Wish { run, owner: owner.into(), now, lease: LEASE, seize: Seize::Expired }
}

async fn with_run() -> (Sqlite, Claim) {
    let journal = Sqlite::in_memory().await.unwrap();
    let claim = journal.create(&new_run(1), "a", LEASE).await.unwrap();
    (journal, claim)
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Started { step: String },
    Answered { step: String, text: String, score: f64 },
}

#[tokio::test]
async fn a_run_comes_back_with_its_events_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("windlass.db");
    let journal = Sqlite::open(&path, &SqliteOptions::default()).await.unwrap();
    let run = new_run(1);
    let claim = journal.create(&run, "a", LEASE).await.unwrap();
    let events = [
        Event::Started { step: "one".into() },
        Event::Answered { step: "one".into(), text: "sea ".repeat(5_000), score: 0.123_456_789_012_345_68 },
        Event::Started { step: "two".into() },
    ];
    let values = journal::events(events.clone());
    journal.append(&claim, 0, values[..1].to_vec()).await.unwrap();
    journal.append(&claim, 1, values[1..].to_vec()).await.unwrap();
    for number in 3..40 {
        journal.append(&claim, number, journal::events([json!(number)])).await.unwrap();
    }
    journal.close().await;

    let journal = Sqlite::open(&path, &SqliteOptions::default()).await.unwrap();
    let stored = journal.load(run.id).await.unwrap();
    assert_eq!((stored.source.as_ref(), &stored.inputs), (run.source.as_ref(), &run.inputs));
    assert_eq!((stored.head.status, stored.head.events), (Status::Running, 40));
    assert_eq!(stored.head.held.as_ref().map(|held| held.owner.as_ref()), Some("a"));
    assert_eq!(stored.result, None);
    assert_eq!(stored.events[3..], (3..40).map(Value::from).collect::<Vec<_>>());
    let mut first = stored;
    first.events.truncate(3);
    assert_eq!(first.events_as::<Event>().unwrap(), events);
}

#[tokio::test]
async fn only_one_of_two_claimers_gets_the_run_and_only_it_can_write() {
    let (journal, first) = with_run().await;
    let run = first.run;
    journal.append(&first, 0, journal::events([json!("a")])).await.unwrap();
    let error = journal.claim(&wish(run, "b", at(10))).await.unwrap_err();
    let StoreError::Claimed { owner, until, .. } = error else { panic!("{error}") };
    assert_eq!((owner.as_ref(), until), ("a", at(31)));

    let late = at(40);
    let (b, c) = (wish(run, "b", late), wish(run, "c", late));
    let (b, c) = tokio::join!(journal.claim(&b), journal.claim(&c));
    let (winner, loser) = if b.is_ok() { (b, c) } else { (c, b) };
    assert!(matches!(loser.unwrap_err(), StoreError::Claimed { .. }));
    let winner = winner.unwrap();

    let error = journal.append(&first, 1, journal::events([json!("late")])).await.unwrap_err();
    assert!(matches!(error, StoreError::ClaimLost(id) if id == run), "{error}");
    assert!(matches!(journal.renew(&first, late, LEASE).await.unwrap_err(), StoreError::ClaimLost(_)));
    assert!(matches!(journal.release(&first).await.unwrap_err(), StoreError::ClaimLost(_)));
    let ending = Ending { status: Status::Failed, result: Arc::new(Value::Null), at: late };
    assert!(matches!(journal.finish(&first, 1, &ending).await.unwrap_err(), StoreError::ClaimLost(_)));
    journal.append(&winner, 1, journal::events([json!("b")])).await.unwrap();
    assert_eq!(journal.load(run).await.unwrap().events, [json!("a"), json!("b")]);
}

#[tokio::test]
async fn a_claim_can_be_renewed_released_and_seized() {
    let (journal, claim) = with_run().await;
    let run = claim.run;
    journal.renew(&claim, at(20), LEASE).await.unwrap();
    assert!(journal.claim(&wish(run, "b", at(40))).await.is_err());
    let seized = journal.claim(&Wish { seize: Seize::Held, ..wish(run, "b", at(40)) }).await.unwrap();
    assert!(seized.epoch > claim.epoch);
    journal.release(&seized).await.unwrap();
    assert_eq!(journal.load(run).await.unwrap().head.held, None);
    journal.claim(&wish(run, "c", at(41))).await.unwrap();
    let missing = new_run(9).id;
    assert!(matches!(
        journal.claim(&wish(missing, "c", at(41))).await.unwrap_err(),
        StoreError::UnknownRun(_)
    ));
    assert!(matches!(journal.load(missing).await.unwrap_err(), StoreError::UnknownRun(_)));
}

#[tokio::test]
async fn events_have_no_gaps_and_no_doubles() {
    let (journal, claim) = with_run().await;
    journal.append(&claim, 0, journal::events([json!(0), json!(1)])).await.unwrap();
    for wrong in [0, 1, 3, u64::MAX] {
        let error = journal.append(&claim, wrong, journal::events([json!("wrong")])).await.unwrap_err();
        assert!(matches!(error, StoreError::OutOfStep { expected: 2, got, .. } if got == wrong), "{error}");
        let two = journal::events([json!("wrong"), json!("x".repeat(2_000))]);
        assert!(journal.append(&claim, wrong, two).await.is_err());
    }
    journal.append(&claim, 2, Vec::new()).await.unwrap();
    assert_eq!(journal.load(claim.run).await.unwrap().events, [json!(0), json!(1)]);
    let error = journal.create(&new_run(1), "b", LEASE).await.unwrap_err();
    assert!(matches!(error, StoreError::KnownRun(_)), "{error}");
}

#[tokio::test]
async fn a_finished_run_is_over_and_a_failed_one_can_go_on() {
    let (journal, claim) = with_run().await;
    let failed = Ending { status: Status::Failed, result: Arc::new(json!({"code": "WL5005"})), at: at(5) };
    journal.finish(&claim, 0, &failed).await.unwrap();
    assert!(matches!(
        journal.append(&claim, 0, journal::events([json!(0)])).await.unwrap_err(),
        StoreError::ClaimLost(_)
    ));
    let stored = journal.load(claim.run).await.unwrap();
    assert_eq!(
        (stored.head.status, stored.head.ended, stored.result),
        (Status::Failed, Some(at(5)), Some(json!({"code": "WL5005"})))
    );

    let claim = journal.claim(&wish(claim.run, "b", at(6))).await.unwrap();
    let stored = journal.load(claim.run).await.unwrap();
    assert_eq!((stored.head.status, stored.head.ended, stored.result), (Status::Running, None, None));
    let result = json!("long ".repeat(1_000));
    let complete = Ending { status: Status::Complete, result: Arc::new(result.clone()), at: at(9) };
    journal.finish(&claim, 0, &complete).await.unwrap();
    assert_eq!(journal.load(claim.run).await.unwrap().result, Some(result));
    let error = journal.claim(&wish(claim.run, "b", at(10))).await.unwrap_err();
    assert!(matches!(error, StoreError::Complete(_)), "{error}");
}

#[tokio::test]
async fn long_texts_and_chain_files_are_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("windlass.db");
    let journal = Sqlite::open(&path, &SqliteOptions::default()).await.unwrap();
    let long = "the same long answer ".repeat(500);
    for number in 1..=5 {
        let claim = journal.create(&new_run(number), "a", LEASE).await.unwrap();
        let event =
            json!({"prompt": [&long, {"nested": &long}], "answer": &long, "short": "x".repeat(1_024)});
        journal.append(&claim, 0, journal::events([event.clone(), event.clone()])).await.unwrap();
        assert_eq!(journal.load(claim.run).await.unwrap().events, [event.clone(), event]);
    }
    journal.close().await;
    let raw = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let row = sqlx::query("SELECT COUNT(*), SUM(length(body)) FROM contents").fetch_one(&raw).await.unwrap();
    let (texts, bytes): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!((texts, bytes), (2, i64::try_from(long.len() + new_run(1).source.len()).unwrap()));
    let row = sqlx::query("SELECT MAX(length(body)) FROM events").fetch_one(&raw).await.unwrap();
    assert!(row.get::<i64, _>(0) < 3_000, "two events with a short text each");
}

#[tokio::test]
async fn lists_are_filtered_and_newest_first() {
    let journal = Sqlite::in_memory().await.unwrap();
    for number in 1..=5 {
        let mut run = new_run(number);
        if number == 2 {
            run.chain = "other".into();
        }
        let claim = journal.create(&run, "a", LEASE).await.unwrap();
        if number == 3 {
            let ending = Ending { status: Status::Cancelled, result: Arc::new(Value::Null), at: at(50) };
            journal.finish(&claim, 0, &ending).await.unwrap();
        }
    }
    let journal: Arc<dyn Journal> = Arc::new(journal);
    let ids = async |filter: RunFilter| -> Vec<RunId> {
        journal.list(&filter).await.unwrap().into_iter().map(|head| head.id).collect()
    };
    let run = |number| new_run(number).id;
    let any = RunFilter::default;
    assert_eq!(ids(any()).await, [5, 4, 3, 2, 1].map(run));
    assert_eq!(ids(RunFilter { chain: Some("other".into()), ..any() }).await, [run(2)]);
    assert_eq!(ids(RunFilter { status: Some(Status::Cancelled), ..any() }).await, [run(3)]);
    assert_eq!(ids(RunFilter { since: Some(at(4)), ..any() }).await, [5, 4].map(run));
    assert_eq!(ids(RunFilter { before: Some(run(4)), limit: Some(2), ..any() }).await, [3, 2].map(run));
}

/// The rows of `events`, as the database has them.
async fn rows(path: &std::path::Path) -> Vec<(i64, i64)> {
    pairs(path, "SELECT seq, count FROM events ORDER BY run, seq").await
}

/// How many events stand in each run's own row, and whether somebody holds it.
async fn firsts(path: &std::path::Path) -> Vec<(i64, i64)> {
    pairs(path, "SELECT firsts, owner IS NOT NULL FROM runs ORDER BY run").await
}

async fn pairs(path: &std::path::Path, query: &'static str) -> Vec<(i64, i64)> {
    let raw = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let rows = sqlx::query(query).fetch_all(&raw).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn what_is_written_while_nobody_waits_is_kept_in_order_and_together() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("windlass.db");
    let journal = Sqlite::open(&path, &SqliteOptions::default()).await.unwrap();
    let run = new_run(1);
    let claim = Claim::first(run.id);
    let created = journal.create(&run, "a", LEASE);
    // Nobody waits for these: they are written all the same.
    drop(journal.append(&claim, 0, journal::events([json!({"$text": "not a hash"}), json!("one")])));
    drop(journal.append(&claim, 2, journal::events([json!("long ".repeat(1_000))])));
    let ending = Ending { status: Status::Complete, result: Arc::new(json!(3)), at: at(9) };
    let finished = journal.finish(&claim, 3, &ending);
    let late = journal.append(&claim, 3, journal::events([json!("late")]));
    assert_eq!(created.await.unwrap(), claim);
    finished.await.unwrap();
    assert!(matches!(late.await.unwrap_err(), StoreError::ClaimLost(_)));

    let stored = journal.load(run.id).await.unwrap();
    let whole = [json!({"$text": "not a hash"}), json!("one"), json!("long ".repeat(1_000))];
    assert_eq!((stored.head.status, stored.head.events), (Status::Complete, 3));
    assert_eq!((stored.events.as_slice(), stored.result), (whole.as_slice(), Some(json!(3))));
    assert_eq!((stored.head.caller.as_deref(), stored.head.tenant.as_deref()), (Some("key"), Some("tenant")));
    // All of it in one row.
    assert_eq!((rows(&path).await, firsts(&path).await), (vec![], vec![(3, 0)]));
}

#[tokio::test]
async fn closing_waits_for_what_was_handed_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("windlass.db");
    let journal = Sqlite::open(&path, &SqliteOptions::default()).await.unwrap();
    for number in 1..=9 {
        let run = new_run(number);
        drop(journal.create(&run, "a", LEASE));
        drop(journal.append(&Claim::first(run.id), 0, journal::events([json!(number)])));
    }
    journal.close().await;
    assert_eq!((rows(&path).await, firsts(&path).await), (vec![], vec![(1, 1); 9]));
    let late = journal.create(&new_run(10), "a", LEASE).await;
    assert!(matches!(late.unwrap_err(), StoreError::Database { .. }));
}

#[tokio::test]
async fn a_run_whose_first_events_are_in_its_row_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("windlass.db");
    let journal = Sqlite::open(&path, &SqliteOptions::default()).await.unwrap();
    let run = new_run(1);
    let claim = Claim::first(run.id);
    let created = journal.create(&run, "a", LEASE);
    let error = journal.append(&claim, 2, journal::events([json!("too early")])).await.unwrap_err();
    assert!(matches!(error, StoreError::OutOfStep { expected: 0, got: 2, .. }), "{error}");
    created.await.unwrap();
    let other = new_run(2);
    let created = journal.create(&other, "a", LEASE);
    let first =
        journal.append(&Claim::first(other.id), 0, journal::events([json!("x".repeat(3_000)), json!(1)]));
    created.await.unwrap();
    first.await.unwrap();
    let claim = journal.claim(&Wish { seize: Seize::Held, ..wish(other.id, "b", at(3)) }).await.unwrap();
    for wrong in [0, 1, 3] {
        let error = journal.append(&claim, wrong, journal::events([json!("wrong")])).await.unwrap_err();
        assert!(matches!(error, StoreError::OutOfStep { expected: 2, got, .. } if got == wrong), "{error}");
    }
    let appended = journal.append(&claim, 2, journal::events([json!(2)]));
    let ending = Ending { status: Status::Complete, result: Arc::new(json!("end")), at: at(9) };
    journal.finish(&claim, 3, &ending).await.unwrap();
    appended.await.unwrap();
    let stored = journal.load(other.id).await.unwrap();
    assert_eq!(stored.events, [json!("x".repeat(3_000)), json!(1), json!(2)]);
    assert_eq!((stored.head.events, stored.result), (3, Some(json!("end"))));
    let heads = journal.list(&RunFilter::default()).await.unwrap();
    assert_eq!(heads.iter().map(|head| head.events).collect::<Vec<_>>(), [3, 0]);
    assert_eq!((rows(&path).await, firsts(&path).await), (vec![(2, 1)], vec![(0, 1), (2, 0)]));
}

#[tokio::test]
async fn one_run_that_cannot_be_written_takes_no_other_with_it() {
    let (journal, old) = with_run().await;
    journal.append(&old, 0, journal::events([json!("old")])).await.unwrap();
    let known = new_run(1);
    let fresh = new_run(2);
    let (first, second) = (Claim::first(known.id), Claim::first(fresh.id));
    let writes = [
        journal.append(&first, 7, journal::events([json!("out of step")])),
        journal.append(&second, 0, journal::events([json!("before it is there")])),
    ];
    let [out_of_step, homeless] = writes.map(|write| async { write.await.unwrap_err() });
    assert!(matches!(out_of_step.await, StoreError::OutOfStep { expected: 1, got: 7, .. }));
    assert!(matches!(homeless.await, StoreError::ClaimLost(_)));

    let doubled = journal.create(&known, "b", LEASE);
    let created = journal.create(&fresh, "b", LEASE);
    let appended = journal.append(&second, 0, journal::events([json!("new")]));
    assert!(matches!(doubled.await.unwrap_err(), StoreError::KnownRun(id) if id == known.id));
    created.await.unwrap();
    appended.await.unwrap();
    assert_eq!(journal.load(known.id).await.unwrap().events, [json!("old")]);
    assert_eq!(journal.load(fresh.id).await.unwrap().events, [json!("new")]);
}

#[tokio::test]
async fn journals_from_before_batches_are_read_and_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("windlass.db");
    let journal = Sqlite::open(&path, &SqliteOptions::default()).await.unwrap();
    let claim = journal.create(&new_run(1), "a", LEASE).await.unwrap();
    let raw = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    for (seq, body) in [(0_i64, "[1,2]"), (1, "{\"event\":\"old\"}")] {
        let insert = sqlx::query("INSERT INTO events (run, seq, body) VALUES (?, ?, ?)");
        insert.bind(claim.run.as_bytes().to_vec()).bind(seq).bind(body).execute(&raw).await.unwrap();
    }
    journal.append(&claim, 2, journal::events([json!("new"), json!("er")])).await.unwrap();
    let events = journal.load(claim.run).await.unwrap().events;
    assert_eq!(events, [json!([1, 2]), json!({"event": "old"}), json!("new"), json!("er")]);
    assert_eq!(rows(&path).await, [(0, 1), (1, 1), (2, 2)]);
}
