//! Both journals keep the same rules.

use std::sync::Arc;

use serde_json::json;
use store::journal::{self, Ending, Journal, RunFilter, Seize, Status, Wish};
use store::{Memory, Sqlite, StoreError};

use crate::run::{LEASE, at, new_run};

async fn keeps_the_rules(journal: &dyn Journal) {
    let run = new_run(1);
    let first = journal.create(&run, "a", LEASE).await.unwrap();
    assert!(matches!(journal.create(&run, "b", LEASE).await, Err(StoreError::KnownRun(_))));
    journal.append(&first, 0, journal::events([json!("one"), json!("two")])).await.unwrap();
    let doubled = journal.append(&first, 1, journal::events([json!("two")])).await;
    assert!(matches!(doubled, Err(StoreError::OutOfStep { expected: 2, got: 1, .. })));

    let wish = |now, seize| Wish { run: run.id, owner: "b".into(), now, lease: LEASE, seize };
    let held = journal.claim(&wish(at(2), Seize::Expired)).await;
    assert!(matches!(held, Err(StoreError::Claimed { owner, .. }) if &*owner == "a"));
    journal.renew(&first, at(20), LEASE).await.unwrap();
    assert!(matches!(journal.claim(&wish(at(40), Seize::Expired)).await, Err(StoreError::Claimed { .. })));
    let second = journal.claim(&wish(at(60), Seize::Expired)).await.unwrap();
    assert!(matches!(
        journal.append(&first, 2, journal::events([json!("late")])).await,
        Err(StoreError::ClaimLost(_))
    ));

    let failed = Ending { status: Status::Failed, result: Arc::new(json!({"why": "x"})), at: at(61) };
    journal.finish(&second, 2, &failed).await.unwrap();
    let stored = journal.load(run.id).await.unwrap();
    assert_eq!((stored.head.status, stored.head.events, stored.head.held), (Status::Failed, 2, None));
    assert_eq!((stored.events, stored.result), (vec![json!("one"), json!("two")], Some(json!({"why": "x"}))));

    let third = journal.claim(&wish(at(62), Seize::Expired)).await.unwrap();
    let well = Ending { status: Status::Complete, result: Arc::new(json!(1)), at: at(63) };
    journal.finish(&third, 2, &well).await.unwrap();
    assert!(matches!(journal.claim(&wish(at(99), Seize::Held)).await, Err(StoreError::Complete(_))));
    assert!(matches!(journal.load(new_run(9).id).await, Err(StoreError::UnknownRun(_))));

    let other = journal.create(&new_run(2), "a", LEASE).await.unwrap();
    journal.release(&other).await.unwrap();
    let all = journal.list(&RunFilter::default()).await.unwrap();
    assert_eq!(all.iter().map(|head| head.id).collect::<Vec<_>>(), [new_run(2).id, run.id]);
    let running = RunFilter { status: Some(Status::Running), ..RunFilter::default() };
    assert_eq!(journal.list(&running).await.unwrap().len(), 1);
}

#[tokio::test]
async fn both_journals_keep_the_same_rules() {
    let journals: [Arc<dyn Journal>; 2] =
        [Arc::new(Memory::default()), Arc::new(Sqlite::in_memory().await.unwrap())];
    for journal in journals {
        keeps_the_rules(&*journal).await;
    }
}
