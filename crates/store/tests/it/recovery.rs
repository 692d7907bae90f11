//! What a new process finds in the spool of an earlier one.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use store::drain::{Drain, DrainOptions, Drained};
use store::ledger::{Filter, Ledger, Order};
use store::spool::{Recovery, SpoolOptions};
use store::{Spool, SpoolError, Sqlite};
use types::ledger::Row;

use crate::sample::row;

/// Opens the spool, drains it into `ledger` as a stopping process does, and closes it.
pub(crate) async fn drain(dir: &Path, ledger: &Sqlite) -> (Recovery, Drained) {
    let (spool, recovery) = Spool::open(dir, SpoolOptions::default()).unwrap();
    let drain = Drain::new(spool, Arc::new(ledger.clone()), DrainOptions::default(), || 0.5);
    (recovery, drain.run(async {}).await)
}

pub(crate) async fn all(ledger: &Sqlite) -> Vec<Row> {
    let filter = Filter { order: Order::Oldest, ..Filter::default() };
    ledger.query(&filter).await.unwrap()
}

fn written(dir: &Path, rows: u64) {
    let (spool, _) =
        Spool::open(dir, SpoolOptions { segment_bytes: 1_500, ..SpoolOptions::default() }).unwrap();
    (0..rows).for_each(|number| spool.append(&row(number)).unwrap());
}

fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "spool"));
    paths.sort();
    paths
}

#[test]
fn two_processes_cannot_have_the_same_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = Spool::open(dir.path(), SpoolOptions::default()).unwrap();
    let error = Spool::open(dir.path(), SpoolOptions::default()).unwrap_err();
    assert!(matches!(error, SpoolError::InUse { .. }));
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    drop(first);
    Spool::open(dir.path(), SpoolOptions::default()).unwrap();
}

#[tokio::test]
async fn rows_of_a_dead_process_are_drained_once() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 10);
    let copies: Vec<_> =
        segments(dir.path()).iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(copies.len() > 3);
    let ledger = Sqlite::in_memory().await.unwrap();
    let (recovery, drained) = drain(dir.path(), &ledger).await;
    assert_eq!((recovery.rows, drained.new, drained.known, drained.left), (10, 10, 0, 0));
    assert!(segments(dir.path()).is_empty(), "drained segments are deleted");

    // The process died between the database's commit and the deletion.
    for (path, bytes) in &copies {
        fs::write(path, bytes).unwrap();
    }
    let (_, drained) = drain(dir.path(), &ledger).await;
    assert_eq!((drained.new, drained.known, drained.left), (0, 10, 0));
    assert_eq!(all(&ledger).await, (0..10).map(row).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_row_from_another_version_is_kept_for_people_to_see() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 2);
    let json = br#"{"call":"from the future"}"#;
    let length = format!("{:08x}", json.len());
    let crc = crc32fast::hash(&[length.as_bytes(), json].concat());
    let record = [format!("W1 {length} {crc:08x} ").as_bytes(), json, b"\n"].concat();
    fs::write(dir.path().join("0000000009.spool"), &record).unwrap();
    let ledger = Sqlite::in_memory().await.unwrap();
    let (_, drained) = drain(dir.path(), &ledger).await;
    assert_eq!((drained.new, drained.left), (2, 0));
    assert_eq!(fs::read(dir.path().join("0000000009.corrupt")).unwrap(), record);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn damage_loses_at_most_the_damaged_row_and_is_reported(
        file in 0_usize..3,
        at in 0_usize..1_400,
        mask in 1_u8..,
        cut in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path(), 6);
        let segments = segments(dir.path());
        let path = &segments[file % segments.len()];
        let mut bytes = fs::read(path).unwrap();
        let at = at % bytes.len();
        // A cut in the middle of a segment loses what was behind it; that is no row's damage.
        let behind = if cut { bytes[at..].split(|&byte| byte == b'\n').count() - 1 } else { 1 };
        if cut { bytes.truncate(at) } else { bytes[at] ^= mask }
        fs::write(path, &bytes).unwrap();

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (recovery, drained, rows) = runtime.block_on(async {
            let ledger = Sqlite::in_memory().await.unwrap();
            let (recovery, drained) = drain(dir.path(), &ledger).await;
            (recovery, drained, all(&ledger).await)
        });
        let lost = (0..6).map(row).filter(|row| !rows.contains(row)).count();
        prop_assert!(lost <= behind, "{lost} rows lost");
        prop_assert_eq!(recovery.rows, 6 - lost as u64);
        prop_assert_eq!(drained.left, 0);
        if lost > 0 && !cut {
            prop_assert_eq!(recovery.damaged.len(), 1);
        }
        for damaged in &recovery.damaged {
            prop_assert_eq!(&damaged.segment, path);
            prop_assert_eq!(fs::metadata(&damaged.kept_in).unwrap().len(), damaged.bytes);
        }
    }
}
