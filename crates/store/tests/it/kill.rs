//! A process that is killed at any moment loses no row that it has acknowledged, and doubles none.
//!
//! The other process is this test binary again, running [`writer_process`] alone.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use store::drain::{Drain, DrainOptions};
use store::spool::SpoolOptions;
use store::sqlite::SqliteOptions;
use store::{Spool, Sqlite};

use crate::recovery::{all, drain};
use crate::sample::row;

/// Where the other process writes, and the first number of its rows.
const DIR: &str = "WINDLASS_TEST_SPOOL";
const FIRST: &str = "WINDLASS_TEST_FIRST";
const ROUNDS: u64 = 20;
/// More rows than a process gets to write before it is killed.
const MOST: u64 = 100_000;

/// Not a test by itself: what the killed process does.
#[tokio::test]
async fn writer_process() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let options = SpoolOptions { segment_bytes: 16 << 10, ..SpoolOptions::default() };
    let (spool, _) = Spool::open(&dir.join("spool"), options).unwrap();
    let ledger = Sqlite::open(&dir.join("ledger.db"), &SqliteOptions::default()).await.unwrap();
    let options = DrainOptions { batch: 20, interval: Duration::from_millis(1), ..DrainOptions::default() };
    let drain = Drain::new(spool.clone(), Arc::new(ledger), options, || 0.5);
    let draining = tokio::spawn(drain.run(std::future::pending()));
    let mut out = std::io::stdout();
    for number in first..first + MOST {
        spool.append(&row(number)).unwrap();
        writeln!(out, "ack {number}").unwrap();
        tokio::task::yield_now().await;
    }
    draining.abort();
}

fn start(dir: &Path, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::writer_process", "--nocapture"])
        .env(DIR, dir)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_row_and_doubles_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = HashSet::new();
    let mut random: u64 = 0x5eed_0001;
    for round in 0..ROUNDS {
        let first = round * MOST;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let until = 1 + (random >> 33) % 300;
        let mut child = start(dir.path(), first);
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
            // The last line may be cut: then nobody has been told of its row.
            let line = String::from_utf8(line.unwrap()).unwrap();
            let Some(number) = line.strip_prefix("ack ") else { continue };
            acknowledged.insert(number.parse::<u64>().unwrap());
            seen += 1;
            if seen == until {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= until, "round {round}: the writer stopped by itself after {seen} rows");
    }

    let ledger = Sqlite::open(&dir.path().join("ledger.db"), &SqliteOptions::default()).await.unwrap();
    let before = all(&ledger).await.len();
    let (recovery, drained) = drain(&dir.path().join("spool"), &ledger).await;
    assert_eq!(drained.left, 0);
    assert_eq!(drained.new + drained.known, recovery.rows);
    let rows = all(&ledger).await;
    assert_eq!(rows.len() as u64, before as u64 + drained.new);
    let keys: HashSet<_> = rows.iter().map(|row| row.key).collect();
    assert_eq!(keys.len(), rows.len(), "no row is there twice");
    for &number in &acknowledged {
        assert!(keys.contains(&row(number).key), "row {number} was acknowledged and is lost");
    }
    // One row per round may be written and not acknowledged.
    assert!(rows.len() <= acknowledged.len() + 2 * usize::try_from(ROUNDS).unwrap());
}
