//! The spool: ledger rows on local disk, until the database has them.
//!
//! A row that was appended survives a kill of the process: when [`Spool::append`] returns, its bytes are with
//! the operating system (with the disk itself only after the next sync, see [`Sync`]). A directory holds
//! numbered segments; each is deleted once all of its rows are in the database, and a segment that was only
//! partly drained when the process stopped is drained again, which doubles nothing because rows have keys.
//! Leaves alone: the database and when to drain, which are [`crate::Drain`]'s.

mod frame;
mod read;
mod reserve;
mod segment;
mod state;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use types::ledger::Row;

pub(crate) use self::read::Batch;
use self::segment::Create;
use self::state::State;
use crate::{SpoolError, record};

/// How much the spool may hold, and how safe it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    /// Most bytes on disk, all segments together.
    pub max_bytes: u64,
    /// Bytes after which a new segment begins. What is drained twice after a kill is less than this.
    pub segment_bytes: u64,
    /// Bytes of the disk that are kept for the rows of calls that are under way when it is full; at most a
    /// quarter of `max_bytes`, which they count against.
    pub reserve_bytes: u64,
    /// Most rows that are kept in memory while the disk takes none and the reserve is used up.
    pub memory_rows: usize,
    /// When rows reach the disk itself.
    pub sync: Sync,
}

impl Default for SpoolOptions {
    /// 256 MiB (about half a million rows) in segments of 1 MiB, 256 KiB (some hundred rows) in reserve, 4,096
    /// rows of memory, no sync.
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            segment_bytes: 1 << 20,
            reserve_bytes: 256 << 10,
            memory_rows: 4_096,
            sync: Sync::Never,
        }
    }
}

/// When rows reach the disk itself. A killed process loses nothing either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// When the operating system likes: a power failure can lose some seconds of rows.
    #[default]
    Never,
    /// So long after they were written, at the latest; off the call path, by the [`crate::Drain`].
    Every(Duration),
}

/// What was found in the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Rows that an earlier process left and the drain will now take to the database.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The segments that are damaged. Their other rows are counted above and are not lost.
    pub damaged: Vec<Damaged>,
}

/// A damaged segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The segment.
    pub segment: PathBuf,
    /// Lines that are no record.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Where those bytes are kept from now on; nothing reads them again.
    pub kept_in: PathBuf,
}

/// Where the next row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// To disk, as it should.
    Disk,
    /// To the reserve or, where that is used up, to memory: calls under way can end, new ones are better refused.
    Reserved,
    /// Nowhere: the next append will be refused.
    None,
}

/// Figures for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows that are not in the database yet.
    pub waiting: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Files on disk.
    pub segments: u64,
    /// Rows of `waiting` that are only in memory.
    pub in_memory: u64,
    /// Damaged lines found so far.
    pub damaged: u64,
}

/// The spool of one process. Cheap to clone: all clones are the same spool.
#[derive(Clone)]
pub struct Spool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    sync: Sync,
    /// Told when the first row waits, and when a batch is full.
    wake: Notify,
    /// Whether new calls are better refused.
    full: Arc<AtomicBool>,
    /// Told when that begins.
    filled: Notify,
    /// Told when there is something to sync.
    written: Notify,
    /// How many rows are a full batch.
    batch: AtomicU64,
    /// Holds the directory's lock.
    _lock: File,
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Spool {
    /// Opens the directory, making it if it is not there, and checks what an earlier process left in it.
    ///
    /// # Errors
    /// [`SpoolError::InUse`] if another process has it open; [`SpoolError::Io`].
    pub fn open(dir: &Path, options: SpoolOptions) -> Result<(Self, Recovery), SpoolError> {
        Self::open_with(dir, options, Box::new(segment::create))
    }

    fn open_with(dir: &Path, options: SpoolOptions, create: Create) -> Result<(Self, Recovery), SpoolError> {
        let lock = segment::lock(dir)?;
        let (found, next) = segment::find(dir)?;
        let mut recovery = Recovery::default();
        for found in &found {
            let segment = &found.segment;
            recovery.rows += found.rows;
            recovery.bytes += segment.length;
            if !segment.damage.is_empty() {
                recovery.damaged.push(Damaged {
                    segment: segment::path(dir, segment.number),
                    lines: segment.damage.len() as u64,
                    bytes: segment.damage.iter().map(|range| range.end - range.start).sum(),
                    kept_in: segment::corrupt_path(dir, segment.number),
                });
                if let Err(error) = segment::save_damage(dir, segment) {
                    tracing::warn!(%error, "damaged ledger rows stay in their segment for now");
                }
            }
        }
        let segments = found.into_iter().map(|found| found.segment).collect();
        let sync = options.sync;
        let mut state = State::new(dir.to_owned(), options, create, segments, next, recovery.rows);
        let full = state.begin();
        let shared = Shared {
            state: Mutex::new(state),
            sync,
            wake: Notify::new(),
            full,
            filled: Notify::new(),
            written: Notify::new(),
            batch: u64::MAX.into(),
            _lock: lock,
        };
        Ok((Self(Arc::new(shared)), recovery))
    }

    /// Keeps a row. Does not wait for anything but the one `write(2)`: made for the call path.
    ///
    /// `Ok` means on disk; in memory, for as long as it lasts, only of calls that went on when the disk was full
    /// and the reserve used up.
    ///
    /// # Errors
    /// [`SpoolError::Full`]: the row is not kept.
    pub fn append(&self, row: &Row) -> Result<(), SpoolError> {
        BUFFER.with_borrow_mut(|buffer| {
            frame::encode(|line| record::write(row, line), buffer);
            let fine = !self.is_full();
            let appended = self.state().append(buffer);
            if fine && self.is_full() {
                self.0.filled.notify_one();
            }
            let waiting = appended?;
            if waiting == 1 || waiting == self.0.batch.load(Ordering::Relaxed) {
                self.0.wake.notify_one();
            }
            if self.0.sync != Sync::Never {
                self.0.written.notify_one();
            }
            Ok(())
        })
    }

    /// Whether the disk or the bound takes no more than the rows of calls under way. Ask before a new call is
    /// admitted; it costs nothing. Ends by itself within a second of there being room, where a [`crate::Drain`] runs.
    pub fn is_full(&self) -> bool {
        self.0.full.load(Ordering::Relaxed)
    }

    /// Where the next row goes.
    pub fn room(&self) -> Room {
        self.state().room()
    }

    /// Figures for metrics.
    pub fn stats(&self) -> Stats {
        self.state().stats()
    }

    /// Tries again to write to disk what waits in memory and to have the reserve; the drain does this too. Does
    /// nothing while all is well. Blocks on the disk.
    pub fn retry(&self) -> Room {
        let mut state = self.state();
        state.retry();
        state.room()
    }

    /// Waits until the disk itself has every row written so far. Blocks on the disk.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn sync(&self) -> Result<(), SpoolError> {
        let (targets, dir) = {
            let mut state = self.state();
            (state.take_unsynced(), state.dir.clone())
        };
        for target in targets {
            target.sync().map_err(SpoolError::io("sync", &dir))?;
        }
        File::open(&dir).and_then(|dir| dir.sync_all()).map_err(SpoolError::io("sync", &dir))
    }

    /// Returns once the spool is full, with why.
    pub(crate) async fn filled(&self) -> String {
        loop {
            let filled = self.0.filled.notified();
            if let Some(trouble) = self.is_full().then(|| self.state().trouble()).flatten() {
                return trouble;
            }
            filled.await;
        }
    }

    /// How rows are synced.
    pub(crate) fn sync_policy(&self) -> Sync {
        self.0.sync
    }

    /// From now on [`Self::woken`] also returns when so many rows wait.
    pub(crate) fn wake_at(&self, rows: u64) {
        self.0.batch.store(rows, Ordering::Relaxed);
    }

    /// Returns when the first row waits or a batch is full; sometimes without reason.
    pub(crate) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// Returns when something was written since the last return.
    pub(crate) async fn written(&self) {
        self.0.written.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic inside cannot leave the state half changed in a way that loses rows.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Spool").field(&self.stats()).finish()
    }
}
