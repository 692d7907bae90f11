//! The drain beside a database that comes and goes, on paused time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use store::drain::{Drain, DrainOptions, Drained};
use store::ledger::{Filter, Group, Inserted, Ledger, Total};
use store::spool::{SpoolOptions, Sync};
use store::{Answer, Record, Spool, StoreError};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use types::AttemptKey;
use types::ledger::Row;

use crate::sample::row;

/// A database that can be told how to behave.
#[derive(Default)]
struct Scripted {
    /// The times of all inserts, and how many rows each had.
    inserts: Mutex<Vec<(Instant, usize)>>,
    rows: Mutex<BTreeMap<AttemptKey, Row>>,
    mood: Mutex<Mood>,
    changed: Notify,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Mood {
    #[default]
    Well,
    /// Refuses at once, so many times.
    Refuses(u32),
    /// Never answers.
    Silent,
    /// Takes the rows and then fails to say so.
    Forgetful,
}

impl Scripted {
    async fn holds(&self, rows: usize) {
        while self.rows.lock().unwrap().len() < rows {
            self.changed.notified().await;
        }
    }

    fn mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

impl Ledger for Scripted {
    fn keep<'a>(&'a self, rows: &'a [Record]) -> Answer<'a, Inserted> {
        Box::pin(async move {
            self.inserts.lock().unwrap().push((Instant::now(), rows.len()));
            let mood = *self.mood.lock().unwrap();
            match mood {
                Mood::Refuses(times) => {
                    self.mood(if times > 1 { Mood::Refuses(times - 1) } else { Mood::Well });
                    return Err(StoreError::Slow);
                }
                Mood::Silent => std::future::pending().await,
                Mood::Well | Mood::Forgetful => {}
            }
            let mut inserted = Inserted::default();
            for row in rows {
                match self.rows.lock().unwrap().insert(row.key, row.row().unwrap()) {
                    None => inserted.new += 1,
                    Some(_) => inserted.known += 1,
                }
            }
            self.changed.notify_one();
            if mood == Mood::Forgetful {
                self.mood(Mood::Well);
                return Err(StoreError::Slow);
            }
            Ok(inserted)
        })
    }

    fn query<'a>(&'a self, _: &'a Filter) -> Answer<'a, Vec<Row>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn totals<'a>(&'a self, _: &'a Filter, _: Group) -> Answer<'a, Vec<Total>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

struct House {
    _dir: tempfile::TempDir,
    spool: Spool,
    ledger: Arc<Scripted>,
    stop: Arc<Notify>,
    drain: tokio::task::JoinHandle<Drained>,
}

fn house(options: DrainOptions, mood: Mood) -> House {
    let dir = tempfile::tempdir().unwrap();
    let sync = Sync::Every(Duration::from_millis(20));
    let (spool, _) = Spool::open(dir.path(), SpoolOptions { sync, ..SpoolOptions::default() }).unwrap();
    let ledger = Arc::new(Scripted::default());
    ledger.mood(mood);
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let drain = Drain::new(spool.clone(), Arc::clone(&ledger) as Arc<dyn Ledger>, options, || 1.0);
    let drain = tokio::spawn(drain.run(async move { stopped.notified().await }));
    House { _dir: dir, spool, ledger, stop, drain }
}

fn options() -> DrainOptions {
    DrainOptions { batch: 10, ..DrainOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn few_rows_wait_for_the_interval_and_many_do_not() {
    let house = house(options(), Mood::Well);
    let start = Instant::now();
    house.spool.append(&row(0)).unwrap();
    house.spool.append(&row(1)).unwrap();
    house.ledger.holds(2).await;
    assert!(start.elapsed() >= options().interval);
    let start = Instant::now();
    (2..27).for_each(|number| house.spool.append(&row(number)).unwrap());
    house.ledger.holds(27).await;
    assert!(start.elapsed() < options().interval, "a full batch does not wait");
    house.stop.notify_one();
    let drained = house.drain.await.unwrap();
    // Stopping can overtake the word that a batch is done; then it is carried again and known.
    assert_eq!((drained.new, drained.left), (27, 0));
    let sizes: Vec<_> = house.ledger.inserts.lock().unwrap().iter().map(|&(_, rows)| rows).collect();
    assert!(sizes[0] == 2 && sizes.iter().all(|&rows| rows <= 10), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_is_asked_ever_more_rarely_and_loses_nothing() {
    let house = house(options(), Mood::Refuses(5));
    (0..30).for_each(|number| house.spool.append(&row(number)).unwrap());
    house.ledger.holds(30).await;
    house.stop.notify_one();
    let drained = house.drain.await.unwrap();
    assert_eq!((drained.new, drained.left), (30, 0));
    let inserts = house.ledger.inserts.lock().unwrap();
    let pauses: Vec<_> = inserts.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_millis()).collect();
    for (pause, at_least) in pauses.iter().zip([100, 200, 400, 800, 1_600]) {
        assert!(*pause >= at_least, "{pauses:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_commit_was_not_heard_of_is_not_doubled() {
    let house = house(options(), Mood::Forgetful);
    (0..10).for_each(|number| house.spool.append(&row(number)).unwrap());
    house.ledger.holds(10).await;
    house.stop.notify_one();
    let drained = house.drain.await.unwrap();
    assert_eq!((drained.new, drained.left), (0, 0));
    assert!(drained.known >= 10);
}

#[tokio::test(start_paused = true)]
async fn stopping_drains_what_is_left() {
    let house = house(options(), Mood::Well);
    (0..25).for_each(|number| house.spool.append(&row(number)).unwrap());
    house.stop.notify_one();
    assert_eq!(house.drain.await.unwrap(), Drained { new: 25, known: 0, left: 0 });
    assert_eq!(house.spool.stats().segments, 0);
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_ever() {
    let house = house(options(), Mood::Silent);
    house.spool.append(&row(0)).unwrap();
    house.stop.notify_one();
    let drained = timeout(Duration::from_secs(6), house.drain).await.unwrap().unwrap();
    assert_eq!(drained, Drained { new: 0, known: 0, left: 1 });
    assert_eq!(house.spool.stats().waiting, 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_drain_leaves_the_database_alone() {
    let house = house(options(), Mood::Well);
    assert!(timeout(Duration::from_secs(3_600), house.ledger.holds(1)).await.is_err());
    assert!(house.ledger.inserts.lock().unwrap().is_empty());
    house.stop.notify_one();
    house.drain.await.unwrap();
}
