//! One writer of a file at a time: reads it, and replaces it in one step.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::{private_file, source};

/// How often a file may be replaced under our hands.
const TRIES: usize = 1000;

/// A file that no other program replaces while this lives.
pub(crate) struct Locked {
    path: PathBuf,
    file: File,
}

/// Opens the file, or makes an empty one only for its owner, and locks it.
pub(crate) fn lock(path: &Path) -> io::Result<Locked> {
    // a symbolic link leads to what is to be replaced
    let path = match fs::canonicalize(path) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    for _ in 0..TRIES {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600);
        let (file, _) = source::open(&path, options.truncate(false))?;
        file.lock()?;
        let (ours, theirs) = (file.metadata()?, fs::metadata(&path));
        // the holder of the lock before may have put another file in its place
        if theirs.is_ok_and(|theirs| (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())) {
            return Ok(Locked { path, file });
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

impl Locked {
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        source::read(&self.file)
    }

    /// Puts a file with this content in the other's place, with its owner and its mode.
    pub(crate) fn replace(self, content: &[u8]) -> io::Result<()> {
        private_file::replace_like(&self.path, content, &self.file.metadata()?)
    }
}
