//! The drain's side of the spool: rows in batches, and the word that a batch is in the database.
//!
//! One reader at a time; a batch that is not committed is read again.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::frame::{Piece, Scan};
use super::state::Next;
use super::{Spool, segment};
use crate::{Record, SpoolError};

/// Bytes that are read at once.
const CHUNK: u64 = 256 << 10;

/// Rows on their way to the database.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The rows; none if what was read is damaged.
    pub(crate) rows: Vec<Record>,
    /// Records that these rows were, and those that could not be read as rows.
    records: u64,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Segment { number: u64, to: u64 },
    Memory { last: u64 },
}

impl Spool {
    /// The next at most `most` rows, `None` if nothing is left. Blocks on the disk.
    pub(crate) fn read(&self, most: usize) -> Result<Option<Batch>, SpoolError> {
        loop {
            let next = self.state().next(most);
            match next {
                Next::Nothing => return Ok(None),
                Next::Retire(segment) => self.retire(&segment)?,
                Next::Memory { records, last } => {
                    let rows = records.iter().flat_map(|record| rows_of(record)).collect();
                    return Ok(Some(Batch { rows, records: 0, place: Place::Memory { last } }));
                }
                Next::Segment { number, range } => match self.read_segment(number, range, most) {
                    Ok(batch) => return Ok(Some(batch)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        tracing::error!(segment = number, "a segment of the ledger's spool was deleted");
                        self.state().drop_first();
                    }
                    Err(source) => {
                        let path = segment::path(&self.state().dir, number);
                        return Err(SpoolError::Io { doing: "read", path, source });
                    }
                },
            }
        }
    }

    /// The batch is in the database: forget it here, and delete its segment if that was the last of it.
    /// Blocks on the disk.
    pub(crate) fn commit(&self, batch: &Batch) -> Result<(), SpoolError> {
        let done = match batch.place {
            Place::Segment { number, to } => self.state().advance(number, to, batch.records),
            Place::Memory { last } => {
                self.state().forget(last);
                None
            }
        };
        done.map_or(Ok(()), |segment| self.retire(&segment))
    }

    /// Deletes the segment that is written to, if it is drained: after the last batch, so that a stopped
    /// process leaves nothing behind. Blocks on the disk.
    pub(crate) fn tidy(&self) -> Result<(), SpoolError> {
        let done = self.state().close_drained();
        done.map_or(Ok(()), |segment| self.retire(&segment))
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    /// Rows that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.state().waiting()
    }

    fn retire(&self, segment: &segment::Segment) -> Result<(), SpoolError> {
        let dir = self.state().dir.clone();
        segment::retire(&dir, segment)
    }

    fn read_segment(&self, number: u64, range: Range<u64>, most: usize) -> io::Result<Batch> {
        let path = segment::path(&self.state().dir, number);
        let file = File::open(path)?;
        let mut size = CHUNK;
        loop {
            let end = range.end.min(range.start.saturating_add(size));
            let mut bytes = vec![0; usize::try_from(end - range.start).map_err(io::Error::other)?];
            file.read_exact_at(&mut bytes, range.start)?;
            let scan = if end == range.end { Scan::whole(&bytes) } else { Scan::beginning(&bytes) };
            let batch = self.rows(number, range.start, scan, &bytes, most);
            if let Place::Segment { to, .. } = batch.place
                && (to > range.start || end == range.end)
            {
                return Ok(batch);
            }
            size = size.saturating_mul(2);
        }
    }

    fn rows(&self, number: u64, from: u64, scan: Scan<'_>, bytes: &[u8], most: usize) -> Batch {
        let (mut rows, mut records, mut to) = (Vec::new(), 0, from);
        for piece in scan {
            let start = to;
            to = from + piece.end() as u64;
            match piece {
                Piece::Record { json, .. } => {
                    records += 1;
                    if let Some(record) = Record::find(&bytes[json]) {
                        rows.push(record);
                    } else {
                        tracing::error!(
                            segment = number,
                            "a row of the ledger's spool is not for this version"
                        );
                        self.state().note_damage(number, start..to);
                    }
                }
                Piece::Damage(_) => self.state().note_damage(number, start..to),
            }
            if rows.len() >= most {
                break;
            }
        }
        Batch { rows, records, place: Place::Segment { number, to } }
    }
}

/// The rows in records that never left memory.
fn rows_of(record: &[u8]) -> Vec<Record> {
    let pieces = Scan::whole(record).filter_map(|piece| match piece {
        Piece::Record { json, .. } => Record::find(&record[json]),
        Piece::Damage(_) => None,
    });
    pieces.collect()
}
