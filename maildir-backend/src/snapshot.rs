//! A message while it is read: the file as it was when it was opened, or an error.
//!
//! Owns the check that the file did not change meanwhile. Never holds more of the file than its reader asks for.

use std::fs::File;
use std::io::{self, Read};

use crate::disk;
use crate::identity::{Digest, Reading};
use crate::stamp::Stamp;

/// Reads a file up to the size that it had, and fails at the end if the file has changed: half a message
/// must not look like a whole one.
#[derive(Debug)]
pub(crate) struct Snapshot {
    file: File,
    stamp: Stamp,
    left: u64,
    reading: Option<Reading>,
}

impl Snapshot {
    pub(crate) fn new((file, stamp): (File, Stamp)) -> Self {
        Self {
            file,
            stamp,
            left: stamp.size,
            reading: None,
        }
    }

    /// Makes a digest of everything that is read from here on.
    pub(crate) fn digest(&mut self) {
        self.reading = Some(Reading::default());
    }

    /// The digest of what was read, which has to be the whole file.
    ///
    /// # Errors
    ///
    /// If there was more, or anything about the file changed meanwhile.
    pub(crate) fn digested(self) -> io::Result<Digest> {
        match self.reading {
            Some(reading) if self.left == 0 && Stamp::of_file(&self.file)? == self.stamp => {
                Ok(reading.digest())
            }
            Some(_) | None => Err(changed()),
        }
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
        disk::readable("an open file".as_ref(), self.stamp.size - self.left)?;
        let most = usize::try_from(self.left).map_or(buf.len(), |left| left.min(buf.len()));
        let n = self.file.read(&mut buf[..most])?;
        if n == 0 {
            return Err(changed());
        }
        self.left -= n as u64;
        if let Some(reading) = &mut self.reading {
            reading.update(&buf[..n]);
        }
        Ok(n)
    }
}

fn changed() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file of the message changed while it was read",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::{Seek as _, Write as _};

    use super::*;

    #[test]
    fn the_digest_is_that_of_a_whole_file_that_did_not_change() {
        for (read, written, is_whole) in [(3, "", true), (2, "", false), (3, "d", false)] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(b"abc").unwrap();
            file.rewind().unwrap();
            let stamp = Stamp::of_file(&file).unwrap();
            let mut snapshot = Snapshot::new((file.try_clone().unwrap(), stamp));
            snapshot.digest();
            snapshot.read_exact(&mut vec![0; read]).unwrap();
            file.write_all(written.as_bytes()).unwrap();
            assert_eq!(snapshot.digested().is_ok(), is_whole, "{read} {written}");
        }
    }
}
