//! The spool's state behind its lock: where rows are written, which wait in memory, what has been drained.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::reserve::Reserve;
use super::segment::{self, Create, Segment, Target, append_all};
use super::{Room, SpoolOptions, Stats};
use crate::SpoolError;

pub(super) struct State {
    pub(super) dir: PathBuf,
    pub(super) options: SpoolOptions,
    create: Create,
    /// The segments on disk, the oldest first; the last one is written to while `active` is set.
    segments: VecDeque<Segment>,
    active: Option<Arc<dyn Target>>,
    /// How far the first segment is drained.
    drained: u64,
    next_number: u64,
    bytes: u64,
    /// Records that the disk did not take, with the numbers that tell them apart.
    queue: VecDeque<(u64, Box<[u8]>)>,
    queued: u64,
    /// Rows that are not in the database yet.
    waiting: u64,
    damaged: u64,
    /// Written to since they were last synced.
    unsynced: Vec<Arc<dyn Target>>,
    reserve: Reserve,
    /// Why new calls are better refused: the last that the disk or the bound did not allow.
    trouble: Option<String>,
    /// Whether there is any, for those who ask without the lock.
    full: Arc<AtomicBool>,
}

/// Where the next rows are read.
pub(super) enum Next {
    /// From a segment.
    Segment {
        number: u64,
        /// Not yet drained.
        range: Range<u64>,
    },
    /// From memory: the records and the last one's number.
    Memory { records: Vec<Box<[u8]>>, last: u64 },
    /// First this segment is to be deleted: all of it is drained.
    Retire(Segment),
    /// Nothing is left.
    Nothing,
}

impl State {
    pub(super) fn new(
        dir: PathBuf,
        options: SpoolOptions,
        create: Create,
        segments: VecDeque<Segment>,
        next_number: u64,
        waiting: u64,
    ) -> Self {
        let bytes = segments.iter().map(|segment| segment.length).sum();
        let size = options.reserve_bytes.min(options.max_bytes / 4);
        let reserve = Reserve::new(&dir, size);
        let damaged = segments.iter().map(|segment| segment.damage.len() as u64).sum();
        Self {
            dir,
            options,
            create,
            segments,
            active: None,
            drained: 0,
            next_number,
            bytes,
            queue: VecDeque::new(),
            queued: 0,
            waiting,
            damaged,
            unsynced: Vec::new(),
            reserve,
            trouble: None,
            full: Arc::default(),
        }
    }

    /// Takes the reserve from the disk, or refuses new calls from the beginning.
    pub(super) fn begin(&mut self) -> Arc<AtomicBool> {
        let held = self.hold();
        self.found(held);
        Arc::clone(&self.full)
    }

    /// Keeps one record; says how many rows wait now.
    pub(super) fn append(&mut self, record: &[u8]) -> Result<u64, SpoolError> {
        if let Err(reason) = self.flush().and_then(|()| self.write(record)) {
            self.found(Err(reason.clone()));
            if self.queue.len() >= self.options.memory_rows {
                return Err(SpoolError::Full { reason });
            }
            self.queued += 1;
            self.queue.push_back((self.queued, record.into()));
        }
        self.waiting += 1;
        Ok(self.waiting)
    }

    /// Where the disk took no more: writes what waits in memory and takes the reserve from the disk again. New
    /// calls are welcome once both succeed, and not sooner: that a single row fits says little.
    pub(super) fn retry(&mut self) {
        if self.trouble.is_some() {
            let held = self.flush().and_then(|()| self.hold());
            self.found(held);
        }
    }

    /// Notes what became of the last try.
    fn found(&mut self, result: Result<(), String>) {
        self.trouble = result.err();
        self.full.store(self.trouble.is_some(), Ordering::Relaxed);
    }

    fn hold(&mut self) -> Result<(), String> {
        self.within(self.reserve.size)?;
        self.reserve.hold(&self.create).map_err(|error| error.to_string())
    }

    /// Whether so many more bytes are within the bound.
    fn within(&self, more: u64) -> Result<(), String> {
        if self.bytes.saturating_add(more) > self.options.max_bytes {
            return Err(format!("its bound of {} bytes is reached", self.options.max_bytes));
        }
        Ok(())
    }

    /// Writes what waits in memory, as far as the disk takes it.
    fn flush(&mut self) -> Result<(), String> {
        while let Some((number, record)) = self.queue.pop_front() {
            if let Err(reason) = self.write(&record) {
                self.queue.push_front((number, record));
                return Err(reason);
            }
        }
        Ok(())
    }

    /// Writes one record whole or not at all, if need be with what was reserved.
    fn write(&mut self, record: &[u8]) -> Result<(), String> {
        self.within(record.len() as u64)?;
        let mut written = self.put(record);
        if let Err(error) = &written
            && self.reserve.release()
        {
            // Calls that are under way may still write; what comes after them is refused.
            self.found(Err(error.to_string()));
            written = self.put(record);
        }
        written.map_err(|error| error.to_string())?;
        if self.trouble.is_none() {
            let within = self.within(self.reserve.size);
            self.found(within);
        }
        Ok(())
    }

    fn put(&mut self, record: &[u8]) -> io::Result<()> {
        let size = record.len() as u64;
        let target = self.active(size)?;
        let (written, result) = append_all(target.as_ref(), record);
        if result.is_err() {
            self.take_back(target.as_ref(), written as u64);
        } else {
            if let Some(segment) = self.segments.back_mut() {
                segment.length += size;
            }
            self.bytes += size;
        }
        result
    }

    /// Removes the part of a record that was written. Where that fails too, the segment ends here: what was
    /// written stays as damage at its end, and is counted and kept like other damage.
    fn take_back(&mut self, target: &dyn Target, written: u64) {
        let Some(segment) = self.segments.back_mut() else { return };
        if written > 0 && target.truncate(segment.length).is_err() {
            segment.length += written;
            self.bytes += written;
            self.active = None;
        }
    }

    /// The segment that takes the next record of `size` bytes.
    fn active(&mut self, size: u64) -> io::Result<Arc<dyn Target>> {
        if let (Some(target), Some(segment)) = (&self.active, self.segments.back())
            && (segment.length == 0 || segment.length.saturating_add(size) <= self.options.segment_bytes)
        {
            return Ok(Arc::clone(target));
        }
        let number = self.next_number;
        self.next_number += 1;
        let target = (self.create)(&segment::path(&self.dir, number))?;
        self.segments.push_back(Segment::new(number));
        self.active = Some(Arc::clone(&target));
        if self.options.sync != super::Sync::Never {
            self.unsynced.push(Arc::clone(&target));
        }
        Ok(target)
    }

    /// What to read next, at most `rows` of what waits in memory.
    pub(super) fn next(&mut self, rows: usize) -> Next {
        if let Some(first) = self.segments.front() {
            if self.drained < first.length {
                return Next::Segment { number: first.number, range: self.drained..first.length };
            }
            // Drained. The one that is written to goes once it has grown: it counts against the bound.
            let active = self.segments.len() == 1 && self.active.is_some();
            let grown = first.length > self.options.segment_bytes.min(self.options.max_bytes) / 2;
            if (!active || grown)
                && let Some(segment) = self.drop_first()
            {
                return Next::Retire(segment);
            }
        }
        let records: Vec<_> = self.queue.iter().take(rows).map(|(_, record)| record.clone()).collect();
        if let Some(&(last, _)) = self.queue.get(records.len().wrapping_sub(1)) {
            return Next::Memory { records, last };
        }
        self.waiting = 0;
        Next::Nothing
    }

    /// Notes bytes of a segment that are no row.
    pub(super) fn note_damage(&mut self, number: u64, range: Range<u64>) {
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.number == number) {
            let before = segment.damage.len();
            segment.note(range);
            self.damaged += (segment.damage.len() - before) as u64;
        }
    }

    /// Moves on in a segment; says which segment is to be deleted.
    pub(super) fn advance(&mut self, number: u64, to: u64, rows: u64) -> Option<Segment> {
        let last = self.segments.len() == 1 && self.active.is_some();
        let first = self.segments.front().filter(|first| first.number == number)?;
        if to <= self.drained {
            return None;
        }
        let length = first.length;
        self.drained = to;
        self.waiting = self.waiting.saturating_sub(rows);
        if to < length || last { None } else { self.drop_first() }
    }

    /// Drops from memory the records up to number `last`, which are in the database.
    pub(super) fn forget(&mut self, last: u64) {
        while self.queue.front().is_some_and(|&(number, _)| number <= last) {
            self.queue.pop_front();
            self.waiting = self.waiting.saturating_sub(1);
        }
    }

    /// Ends the segment that is written to, if all of it is drained; says which is to be deleted.
    pub(super) fn close_drained(&mut self) -> Option<Segment> {
        let only = self.segments.len() == 1 && self.active.is_some();
        (only && self.segments.front().is_some_and(|first| self.drained >= first.length))
            .then(|| self.drop_first())
            .flatten()
    }

    /// Forgets the first segment.
    pub(super) fn drop_first(&mut self) -> Option<Segment> {
        let first = self.segments.pop_front()?;
        self.drained = 0;
        self.bytes = self.bytes.saturating_sub(first.length);
        if self.segments.is_empty() {
            self.active = None;
        }
        Some(first)
    }

    /// What has been written to since the last call; the active one stays on the list for the next.
    pub(super) fn take_unsynced(&mut self) -> Vec<Arc<dyn Target>> {
        let kept = self.active.iter().cloned().collect();
        std::mem::replace(&mut self.unsynced, kept)
    }

    pub(super) fn room(&self) -> Room {
        match &self.trouble {
            None => Room::Disk,
            Some(_) if self.queue.len() < self.options.memory_rows => Room::Reserved,
            Some(_) => Room::None,
        }
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            waiting: self.waiting,
            bytes: self.bytes,
            segments: self.segments.len() as u64,
            in_memory: self.queue.len() as u64,
            damaged: self.damaged,
        }
    }
}
