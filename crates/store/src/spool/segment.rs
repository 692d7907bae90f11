//! Segments on disk: their names, the directory's lock, what is left there by an earlier process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{Piece, Scan};
use crate::SpoolError;

/// A segment being written. A trait, so that tests can fill the disk.
pub(super) trait Target: Send + Sync {
    /// One write at the end, as `write(2)`.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Forgets what is behind `length`.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Waits until the disk itself has it.
    fn sync(&self) -> io::Result<()>;
}

impl Target for File {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self;
        loop {
            match file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Writes all of it, in as many writes as that takes; says how much of it was written.
pub(super) fn append_all(target: &dyn Target, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match target.append(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Makes a new segment.
pub(super) type Create = Box<dyn Fn(&Path) -> io::Result<Arc<dyn Target>> + Send + Sync>;

/// A segment that is a plain file.
pub(super) fn create(path: &Path) -> io::Result<Arc<dyn Target>> {
    Ok(Arc::new(OpenOptions::new().append(true).create_new(true).open(path)?))
}

/// A segment that lies in the directory.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Segments are read in the order of their numbers.
    pub(super) number: u64,
    /// Its bytes.
    pub(super) length: u64,
    /// Bytes that are no record.
    pub(super) damage: Vec<Range<u64>>,
}

impl Segment {
    pub(super) fn new(number: u64) -> Self {
        Self { number, length: 0, damage: Vec::new() }
    }

    /// Notes damage, unless it is noted already: a part of a segment may be read more than once.
    pub(super) fn note(&mut self, range: Range<u64>) {
        if self.damage.last().is_none_or(|last| last.end <= range.start) {
            self.damage.push(range);
        }
    }
}

pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.spool"))
}

pub(super) fn corrupt_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.corrupt"))
}

/// Makes the directory and takes its lock, which lasts as long as the file is open.
pub(super) fn lock(dir: &Path) -> Result<File, SpoolError> {
    fs::create_dir_all(dir).map_err(SpoolError::io("create", dir))?;
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(SpoolError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(SpoolError::Io { doing: "lock", path, source }),
    }
}

/// What was found of one segment.
pub(super) struct Found {
    pub(super) segment: Segment,
    /// Whole records.
    pub(super) rows: u64,
}

/// All segments in the directory, in order, checked; and the first number that none of them has.
pub(super) fn find(dir: &Path) -> Result<(Vec<Found>, u64), SpoolError> {
    let mut numbers = Vec::new();
    let mut next = 1;
    for entry in fs::read_dir(dir).map_err(SpoolError::io("list", dir))? {
        let name = entry.map_err(SpoolError::io("list", dir))?.file_name();
        let Some((stem, kind)) = name.to_str().and_then(|name| name.rsplit_once('.')) else { continue };
        let Ok(number) = stem.parse::<u64>() else { continue };
        next = next.max(number.saturating_add(1));
        if kind == "spool" && path(dir, number).ends_with(&name) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    let found = numbers.into_iter().map(|number| check(dir, number)).collect::<Result<_, _>>()?;
    Ok((found, next))
}

fn check(dir: &Path, number: u64) -> Result<Found, SpoolError> {
    let path = path(dir, number);
    let bytes = fs::read(&path).map_err(SpoolError::io("read", &path))?;
    let mut segment = Segment { length: bytes.len() as u64, ..Segment::new(number) };
    let mut rows = 0;
    for piece in Scan::whole(&bytes) {
        match piece {
            Piece::Record { .. } => rows += 1,
            Piece::Damage(range) => segment.note(range.start as u64..range.end as u64),
        }
    }
    Ok(Found { segment, rows })
}

/// Puts a segment's damaged bytes, and only those, into its `.corrupt` file. The same segment gives the same
/// file, however often.
pub(super) fn save_damage(dir: &Path, segment: &Segment) -> io::Result<()> {
    let bytes = fs::read(path(dir, segment.number))?;
    let mut file = File::create(corrupt_path(dir, segment.number))?;
    for range in &segment.damage {
        let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        let damaged = range.and_then(|(start, end)| bytes.get(start..end)).unwrap_or_default();
        file.write_all(damaged)?;
    }
    Ok(())
}

/// Removes a segment whose rows are in the database. Damaged bytes stay: in the `.corrupt` file or, where the
/// disk has no room for that, as the whole segment under that name.
pub(super) fn retire(dir: &Path, segment: &Segment) -> Result<(), SpoolError> {
    let path = path(dir, segment.number);
    if !segment.damage.is_empty() && save_damage(dir, segment).is_err() {
        let corrupt = corrupt_path(dir, segment.number);
        return fs::rename(&path, &corrupt).map_err(SpoolError::io("rename", &path));
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SpoolError::io("delete", &path)(error)),
        _ => Ok(()),
    }
}
