//! Bytes of the disk that nobody else gets: given up once it is full, for the rows of calls under way.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use super::segment::{Create, Target, append_all};

/// What is written at once.
const BLOCK: [u8; 4096] = [b'.'; 4096];

/// A file in the spool's directory that is there to be deleted.
pub(super) struct Reserve {
    path: PathBuf,
    pub(super) size: u64,
    file: Option<Arc<dyn Target>>,
}

impl Reserve {
    /// A reserve that is not held yet. Removes what a killed process left.
    pub(super) fn new(dir: &Path, size: u64) -> Self {
        let path = dir.join("reserve");
        // Mostly there is none; where it stays, holding says so.
        let _ = fs::remove_file(&path);
        Self { path, size, file: None }
    }

    /// Takes the bytes from the disk: all of them, or none and an error.
    pub(super) fn hold(&mut self, create: &Create) -> io::Result<()> {
        if self.file.is_some() || self.size == 0 {
            return Ok(());
        }
        let file = create(&self.path)?;
        self.file = Some(Arc::clone(&file));
        let mut left = self.size;
        while left > 0 {
            let block = &BLOCK[..usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK.len())];
            if let (_, Err(error)) = append_all(file.as_ref(), block) {
                self.release();
                return Err(error);
            }
            left -= block.len() as u64;
        }
        Ok(())
    }

    /// Gives the bytes back to the disk; says whether there were any.
    pub(super) fn release(&mut self) -> bool {
        let Some(file) = self.file.take() else { return false };
        // Each of the two frees the space.
        let cut = file.truncate(0).is_ok();
        fs::remove_file(&self.path).is_ok() || cut
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.release();
    }
}
