//! What needs the inside: damage at every byte of a segment, and disks that are full.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::frame::{Piece, Scan, encode};
use super::segment::Target;
use super::*;
use crate::{Record, sample};

fn records(count: u64) -> Vec<Vec<u8>> {
    let encoded = (0..count).map(|number| {
        let mut record = Vec::new();
        encode(|line| crate::record::write(&sample::row(number), line), &mut record);
        record
    });
    encoded.collect()
}

fn found(bytes: &[u8]) -> (Vec<&[u8]>, Vec<&[u8]>) {
    let (mut whole, mut damaged, mut at) = (Vec::new(), Vec::new(), 0);
    for piece in Scan::whole(bytes) {
        let end = piece.end();
        match piece {
            Piece::Record { json, .. } => whole.push(&bytes[json]),
            Piece::Damage(range) => damaged.push(&bytes[range]),
        }
        assert!(end > at && end <= bytes.len(), "pieces follow each other");
        at = end;
    }
    assert_eq!(at, bytes.len(), "and cover all bytes");
    (whole, damaged)
}

#[test]
fn a_record_reads_like_a_line_of_json() {
    let record = String::from_utf8(records(1).remove(0)).unwrap();
    assert!(record.starts_with("W1 0000"), "{record}");
    assert_eq!(record.find('\n'), Some(record.len() - 1));
    let json: types::ledger::Row = serde_json::from_str(&record[21..]).unwrap();
    assert_eq!(json, sample::row(0));
}

#[test]
fn a_flipped_byte_loses_only_the_row_it_is_in() {
    let records = records(3);
    let intact = records.concat();
    for at in 0..intact.len() {
        for mask in [1, 0x20, 0x80, intact[at] ^ b'\n'] {
            let mut bytes = intact.clone();
            bytes[at] ^= mask;
            let (whole, damaged) = found(&bytes);
            let lost: Vec<_> =
                records.iter().filter(|one| !whole.contains(&&one[21..one.len() - 1])).collect();
            assert!(lost.len() <= 1, "flip {mask:#x} at {at} lost {} rows", lost.len());
            assert_eq!(lost.is_empty(), damaged.is_empty(), "flip {mask:#x} at {at}");
        }
    }
}

#[test]
fn a_cut_loses_only_the_row_it_is_in() {
    let records = records(3);
    let intact = records.concat();
    for at in 0..intact.len() {
        let (whole, damaged) = found(&intact[..at]);
        // A record whose line end alone is missing is whole.
        let (mut kept, mut end) = (0, 0);
        for record in &records {
            if end + record.len() - 1 > at {
                break;
            }
            end += record.len();
            kept += 1;
        }
        assert_eq!(whole.len(), kept, "cut at {at}");
        assert_eq!(damaged.concat(), &intact[end.min(at)..at], "cut at {at}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        found(&bytes);
    }

    #[test]
    fn any_damage_leaves_the_rows_around_it(
        at in 0_usize..3_000,
        damage in prop::collection::vec(any::<u8>(), 0..60),
        remove in 0_usize..60,
        chunk in 1_usize..3_000,
    ) {
        let records = records(6);
        let intact = records.concat();
        let at = at.min(intact.len());
        let until = (at + remove).min(intact.len());
        let bytes = [&intact[..at], &damage, &intact[until..]].concat();
        let (whole, _) = found(&bytes);
        let mut start = 0;
        for record in &records {
            let end = start + record.len();
            // The damage can join a line to the next one where it takes the line's end away.
            let untouched = end <= at || start > until;
            if untouched {
                prop_assert!(whole.contains(&&record[21..record.len() - 1]), "row at {}", start);
            }
            start = end;
        }
        // Reading only the beginning gives the same pieces, as far as it goes.
        let all: Vec<_> = Scan::whole(&bytes).collect();
        let some: Vec<_> = Scan::beginning(&bytes[..chunk.min(bytes.len())]).collect();
        prop_assert_eq!(&all[..some.len()], some.as_slice());
    }
}

/// A disk with so many bytes of room left.
struct Tight {
    file: File,
    room: Arc<AtomicU64>,
    /// Whether it refuses to truncate, too.
    broken: bool,
}

impl Target for Tight {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room.load(Ordering::Relaxed);
        let taken = bytes.len().min(usize::try_from(room).unwrap());
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room.store(room - taken as u64, Ordering::Relaxed);
        Target::append(&self.file, &bytes[..taken])
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        if self.broken {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let freed = self.file.metadata()?.len() - length;
        self.room.fetch_add(freed, Ordering::Relaxed);
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn tight(room: u64, broken: bool) -> (Arc<AtomicU64>, Create) {
    let room = Arc::new(AtomicU64::new(room));
    let shared = Arc::clone(&room);
    let create: Create = Box::new(move |path: &Path| {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Arc::new(Tight { file, room: Arc::clone(&shared), broken }))
    });
    (room, create)
}

/// Takes out all rows, in batches of three.
fn drained(spool: &Spool) -> Vec<types::ledger::Row> {
    let mut rows = Vec::new();
    while let Some(batch) = spool.read(3).unwrap() {
        spool.commit(&batch).unwrap();
        rows.extend(batch.rows.iter().map(|record| record.row().unwrap()));
    }
    rows
}

fn sorted(mut rows: Vec<types::ledger::Row>) -> Vec<types::ledger::Row> {
    rows.sort_by_key(|row| row.key);
    rows
}

fn small(memory_rows: usize) -> SpoolOptions {
    SpoolOptions { memory_rows, segment_bytes: 2_000, reserve_bytes: 0, ..SpoolOptions::default() }
}

#[test]
fn a_full_disk_keeps_rows_in_memory_up_to_the_bound_and_then_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let size = records(1)[0].len() as u64;
    let (room, create) = tight(2 * size + size / 2, false);
    let (spool, _) = Spool::open_with(dir.path(), small(3), create).unwrap();
    for number in 0..2 {
        spool.append(&sample::row(number)).unwrap();
        assert_eq!(spool.room(), Room::Disk);
    }
    for number in 2..4 {
        spool.append(&sample::row(number)).unwrap();
        assert_eq!(spool.room(), Room::Reserved);
    }
    spool.append(&sample::row(4)).unwrap();
    assert_eq!(spool.room(), Room::None);
    let error = spool.append(&sample::row(5)).unwrap_err();
    assert!(matches!(error, SpoolError::Full { .. }), "{error}");
    assert_eq!(types::Fault::from(error).code, types::Code::SpoolFull);
    assert_eq!(spool.stats().in_memory, 3);
    assert_eq!(spool.stats().bytes, 2 * size, "a partly written row was taken back");

    room.store(100 * size, Ordering::Relaxed);
    assert_eq!(spool.retry(), Room::Disk);
    spool.append(&sample::row(6)).unwrap();
    assert_eq!(spool.room(), Room::Disk);
    let expected: Vec<_> = [0, 1, 2, 3, 4, 6].map(sample::row).into();
    assert_eq!(drained(&spool), expected, "all rows that were taken, in their order");
    assert_eq!(spool.stats(), Stats { bytes: spool.stats().bytes, segments: 1, ..Stats::default() });
}

#[test]
fn rows_in_memory_reach_the_database_without_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (room, create) = tight(0, false);
    let (spool, _) = Spool::open_with(dir.path(), small(10), create).unwrap();
    (0..7).for_each(|number| spool.append(&sample::row(number)).unwrap());
    assert_eq!(spool.stats().in_memory, 7);
    assert_eq!(drained(&spool), (0..7).map(sample::row).collect::<Vec<_>>());
    assert_eq!((spool.room(), spool.waiting()), (Room::Reserved, 0), "the disk is still full");
    room.store(1, Ordering::Relaxed);
    assert_eq!(spool.retry(), Room::Disk);
}

#[test]
fn a_row_that_can_neither_be_written_nor_taken_back_is_damage_and_is_kept_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let size = records(1)[0].len() as u64;
    let (room, create) = tight(size + 10, true);
    let (spool, _) = Spool::open_with(dir.path(), small(10), create).unwrap();
    spool.append(&sample::row(0)).unwrap();
    spool.append(&sample::row(1)).unwrap();
    assert_eq!(spool.room(), Room::Reserved);
    room.store(100 * size, Ordering::Relaxed);
    spool.append(&sample::row(2)).unwrap();
    assert_eq!(sorted(drained(&spool)), (0..3).map(sample::row).collect::<Vec<_>>());
    let corrupt = std::fs::read(segment::corrupt_path(dir.path(), 1)).unwrap();
    assert_eq!(corrupt, &records(2)[1][..10]);
    assert_eq!(spool.stats().damaged, 1);
}

#[test]
fn the_kernels_own_full_disk_refuses_without_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let full = Path::new("/dev/full");
    assert!(full.exists(), "this test needs /dev/full");
    let create: Create = Box::new(|_| Ok(Arc::new(OpenOptions::new().append(true).open("/dev/full")?)));
    let (spool, _) = Spool::open_with(dir.path(), small(1), create).unwrap();
    spool.append(&sample::row(0)).unwrap();
    let error = spool.append(&sample::row(1)).unwrap_err().to_string();
    assert!(error.contains("No space left on device"), "{error}");
    assert_eq!(drained(&spool), [sample::row(0)]);
}

#[test]
fn the_bound_holds_and_draining_makes_room_again() {
    let dir = tempfile::tempdir().unwrap();
    let size = records(1)[0].len() as u64;
    let options = SpoolOptions { max_bytes: 4 * size, segment_bytes: 2 * size, memory_rows: 1, ..small(1) };
    let (spool, _) = Spool::open(dir.path(), options).unwrap();
    (0..5).for_each(|number| spool.append(&sample::row(number)).unwrap());
    let error = spool.append(&sample::row(5)).unwrap_err().to_string();
    assert!(error.contains("bound of"), "{error}");
    assert_eq!(drained(&spool).len(), 5);
    assert_eq!(spool.retry(), Room::Disk);
    (6..9).for_each(|number| spool.append(&sample::row(number)).unwrap());
    assert_eq!(spool.room(), Room::Disk);
    assert_eq!(drained(&spool).len(), 3);
}

#[test]
fn calls_under_way_write_into_the_reserve_and_new_ones_are_refused_until_it_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let size = records(1)[0].len() as u64;
    let options = || SpoolOptions { reserve_bytes: 5_000, ..small(1) };
    let reserved = 5_000 / size;
    let (room, create) = tight(5_000 + 2 * size + size / 2, false);
    let (spool, _) = Spool::open_with(dir.path(), options(), create).unwrap();
    assert_eq!(room.load(Ordering::Relaxed), 2 * size + size / 2, "the reserve is taken from the disk");
    (0..2).for_each(|number| spool.append(&sample::row(number)).unwrap());
    assert!(!spool.is_full());
    spool.append(&sample::row(2)).unwrap();
    assert!(spool.is_full(), "with the first row that is written into the reserve");
    (3..2 + reserved).for_each(|number| spool.append(&sample::row(number)).unwrap());
    assert_eq!((spool.stats().in_memory, spool.room()), (0, Room::Reserved), "all of them are on disk");
    assert_eq!(spool.retry(), Room::Reserved);
    // A row may fit where the reserve does not: that says nothing to new calls.
    room.fetch_add(2 * size, Ordering::Relaxed);
    spool.append(&sample::row(2 + reserved)).unwrap();
    assert_eq!((spool.stats().in_memory, spool.retry()), (0, Room::Reserved));
    // A process that is killed now has lost none of them.
    let killed = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), killed.path().join(entry.file_name())).unwrap();
    }
    let (next, recovery) = Spool::open(killed.path(), options()).unwrap();
    assert_eq!((recovery.rows, recovery.damaged), (3 + reserved, vec![]));
    assert_eq!(drained(&next).len() as u64, 3 + reserved);

    room.fetch_add(5_000, Ordering::Relaxed);
    assert_eq!((spool.retry(), spool.is_full()), (Room::Disk, false));
    assert!(dir.path().join("reserve").exists());
    drop(spool);
    assert!(!dir.path().join("reserve").exists());
}

#[test]
fn a_disk_that_is_full_at_the_start_takes_no_calls() {
    let dir = tempfile::tempdir().unwrap();
    let (room, create) = tight(4_999, false);
    let options = SpoolOptions { reserve_bytes: 5_000, ..small(1) };
    let (spool, _) = Spool::open_with(dir.path(), options, create).unwrap();
    assert!(spool.is_full());
    assert_eq!(room.load(Ordering::Relaxed), 4_999, "half a reserve is none");
    room.store(5_000, Ordering::Relaxed);
    assert_eq!(spool.retry(), Room::Disk);
}

#[test]
fn the_last_of_the_bound_is_for_calls_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let size = records(1)[0].len() as u64;
    let options = SpoolOptions { max_bytes: 8 * size, reserve_bytes: 1 << 20, ..small(0) };
    let (spool, _) = Spool::open(dir.path(), options).unwrap();
    (0..6).for_each(|number| spool.append(&sample::row(number)).unwrap());
    assert!(!spool.is_full());
    (6..8).for_each(|number| spool.append(&sample::row(number)).unwrap());
    assert!(spool.is_full());
    assert_eq!(spool.stats().in_memory, 0);
    spool.append(&sample::row(8)).unwrap_err();
    assert_eq!(drained(&spool).len(), 8);
    assert_eq!(spool.retry(), Room::Disk);
}

/// A disk that takes a few bytes at a time.
struct Slow(File);

impl Target for Slow {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        Target::append(&self.0, &bytes[..bytes.len().min(7)])
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_row_that_is_taken_in_parts_is_written_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let create: Create =
        Box::new(|path| Ok(Arc::new(Slow(OpenOptions::new().append(true).create_new(true).open(path)?))));
    let (spool, _) = Spool::open_with(dir.path(), small(0), create).unwrap();
    (0..3).for_each(|number| spool.append(&sample::row(number)).unwrap());
    assert_eq!((spool.stats().in_memory, spool.is_full()), (0, false));
    assert_eq!(drained(&spool), (0..3).map(sample::row).collect::<Vec<_>>());
}

#[test]
fn a_batch_that_is_not_committed_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(dir.path(), small(1)).unwrap();
    (0..4).for_each(|number| spool.append(&sample::row(number)).unwrap());
    let first = spool.read(3).unwrap().unwrap();
    assert_eq!(spool.read(3).unwrap().unwrap().rows, first.rows);
    spool.commit(&first).unwrap();
    spool.commit(&first).unwrap();
    assert_eq!(spool.waiting(), 1, "the second commit of the same batch counts for nothing");
    assert_eq!(spool.read(3).unwrap().unwrap().rows, [Record::from(&sample::row(3))]);
}

#[test]
fn a_drained_spool_leaves_no_segment_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(dir.path(), small(1)).unwrap();
    (0..20).for_each(|number| spool.append(&sample::row(number)).unwrap());
    assert!(spool.stats().segments > 3, "rows are spread over segments");
    assert_eq!(drained(&spool).len(), 20);
    spool.tidy().unwrap();
    assert_eq!(spool.stats(), Stats::default());
    let names: Vec<_> = dir.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["lock"]);
}
