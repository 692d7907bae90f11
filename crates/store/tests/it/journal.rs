//! The journal on SQLite.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::Row as _;
use store::journal::{self, Claim, Ending, Journal, NewRun, RunFilter, Seize, Status, Wish};
use store::sqlite::SqliteOptions;
use store::{Sqlite, StoreError};
use types::{RunId, Timestamp};

const LEASE: Duration = Duration::from_secs(30);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + seconds * 1_000_000)
}

fn new_run(number: u8) -> NewRun {
    let id = RunId::new(at(i64::from(number)), [number; 10]);
    NewRun {
        id,
        chain: "research".into(),
        source: "name: research\nsteps: []\n".into(),
        inputs: json!({"topic": "tides"}),
        trace: id.into(),
        at: at(i64::from(number)),
    }
}

fn wish(run: RunId, owner: &str, now: Timestamp) -> Wish {
    Wish { run, owner: owner.into(), now, lease: LEASE, seize: Seize::Expired }
}

async fn with_run() -> (Sqlite, Claim) {
    let journal = Sqlite::in_memory().await.unwrap();
    let claim = journal.create(&new_run(1), "a", LEASE).await.unwrap();
    (journal, claim)
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
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
    let values = journal::events(&events).unwrap();
    journal.append(&claim, 0, &values[..1]).await.unwrap();
    journal.append(&claim, 1, &values[1..]).await.unwrap();
    for number in 3..40 {
        journal.append(&claim, number, &[json!(number)]).await.unwrap();
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
    journal.append(&first, 0, &[json!("a")]).await.unwrap();
    let error = journal.claim(&wish(run, "b", at(10))).await.unwrap_err();
    let StoreError::Claimed { owner, until, .. } = error else { panic!("{error}") };
    assert_eq!((owner.as_ref(), until), ("a", at(31)));

    let late = at(40);
    let (b, c) = (wish(run, "b", late), wish(run, "c", late));
    let (b, c) = tokio::join!(journal.claim(&b), journal.claim(&c));
    let (winner, loser) = if b.is_ok() { (b, c) } else { (c, b) };
    assert!(matches!(loser.unwrap_err(), StoreError::Claimed { .. }));
    let winner = winner.unwrap();

    let error = journal.append(&first, 1, &[json!("late")]).await.unwrap_err();
    assert!(matches!(error, StoreError::ClaimLost(id) if id == run), "{error}");
    assert!(matches!(journal.renew(&first, late, LEASE).await.unwrap_err(), StoreError::ClaimLost(_)));
    assert!(matches!(journal.release(&first).await.unwrap_err(), StoreError::ClaimLost(_)));
    let ending = Ending { status: Status::Failed, result: Value::Null, at: late };
    assert!(matches!(journal.finish(&first, &ending).await.unwrap_err(), StoreError::ClaimLost(_)));
    journal.append(&winner, 1, &[json!("b")]).await.unwrap();
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
    journal.append(&claim, 0, &[json!(0), json!(1)]).await.unwrap();
    for wrong in [0, 1, 3, u64::MAX] {
        let error = journal.append(&claim, wrong, &[json!("wrong")]).await.unwrap_err();
        assert!(matches!(error, StoreError::OutOfStep { expected: 2, got, .. } if got == wrong), "{error}");
        let two = [json!("wrong"), json!("x".repeat(2_000))];
        assert!(journal.append(&claim, wrong, &two).await.is_err());
    }
    journal.append(&claim, 2, &[]).await.unwrap();
    assert_eq!(journal.load(claim.run).await.unwrap().events, [json!(0), json!(1)]);
    let error = journal.create(&new_run(1), "b", LEASE).await.unwrap_err();
    assert!(matches!(error, StoreError::KnownRun(_)), "{error}");
}

#[tokio::test]
async fn a_finished_run_is_over_and_a_failed_one_can_go_on() {
    let (journal, claim) = with_run().await;
    let failed = Ending { status: Status::Failed, result: json!({"code": "WL5005"}), at: at(5) };
    journal.finish(&claim, &failed).await.unwrap();
    assert!(matches!(journal.append(&claim, 0, &[json!(0)]).await.unwrap_err(), StoreError::ClaimLost(_)));
    let stored = journal.load(claim.run).await.unwrap();
    assert_eq!(
        (stored.head.status, stored.head.ended, stored.result),
        (Status::Failed, Some(at(5)), Some(failed.result))
    );

    let claim = journal.claim(&wish(claim.run, "b", at(6))).await.unwrap();
    let stored = journal.load(claim.run).await.unwrap();
    assert_eq!((stored.head.status, stored.head.ended, stored.result), (Status::Running, None, None));
    let complete = Ending { status: Status::Complete, result: json!("long ".repeat(1_000)), at: at(9) };
    journal.finish(&claim, &complete).await.unwrap();
    assert_eq!(journal.load(claim.run).await.unwrap().result, Some(complete.result));
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
        journal.append(&claim, 0, &[event.clone(), event.clone()]).await.unwrap();
        assert_eq!(journal.load(claim.run).await.unwrap().events, [event.clone(), event]);
    }
    journal.close().await;
    let raw = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let row = sqlx::query("SELECT COUNT(*), SUM(length(body)) FROM contents").fetch_one(&raw).await.unwrap();
    let (texts, bytes): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!((texts, bytes), (2, i64::try_from(long.len() + new_run(1).source.len()).unwrap()));
    let row = sqlx::query("SELECT MAX(length(body)) FROM events").fetch_one(&raw).await.unwrap();
    assert!(row.get::<i64, _>(0) < 2_000);
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
            let ending = Ending { status: Status::Cancelled, result: Value::Null, at: at(50) };
            journal.finish(&claim, &ending).await.unwrap();
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
