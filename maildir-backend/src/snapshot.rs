//! A message while it is read: the file as it was when it was opened, or an error.
//!
//! Owns the check that nobody wrote meanwhile. Never holds more of the file than its reader asks for.

use std::fs::File;
use std::io::{self, Read};

use crate::disk::Stamp;

/// Reads a file up to the size that it had, and fails if it is not that file any more at the end: half a
/// message must not look like a whole one.
#[derive(Debug)]
pub(crate) struct Snapshot {
    file: File,
    stamp: Stamp,
    left: u64,
}

impl Snapshot {
    pub(crate) fn new((file, stamp): (File, Stamp)) -> Self {
        Self {
            file,
            stamp,
            left: stamp.size,
        }
    }

    /// The state of the file that is read.
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    fn check(&self) -> io::Result<()> {
        let now = Stamp::of_file(&self.file)?;
        if (now.size, now.changed) == (self.stamp.size, self.stamp.changed) {
            return Ok(());
        }
        Err(changed())
    }
}

impl Read for Snapshot {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            self.check()?;
            return Ok(0);
        }
        let most = usize::try_from(self.left).map_or(buf.len(), |left| left.min(buf.len()));
        let n = self.file.read(&mut buf[..most])?;
        if n == 0 {
            return Err(changed());
        }
        self.left -= n as u64;
        Ok(n)
    }
}

fn changed() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file of the message changed while it was read",
    )
}
