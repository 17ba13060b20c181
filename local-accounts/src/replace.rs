//! Replacing a file in one step, one writer at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use crate::source;

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
        let before = self.file.metadata()?;
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            Some(_) | None => Path::new("."),
        };
        let name = self.path.file_name().unwrap_or_default().display();
        // only for its owner, and removed if anything fails
        let mut new = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(".new")
            .tempfile_in(folder)?;
        let file = new.as_file();
        let now = file.metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            fchown(file, Some(before.uid()), Some(before.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o7777))?;
        new.write_all(content)?;
        new.as_file().sync_all()?;
        new.persist(&self.path)?;
        File::open(folder)?.sync_all()
    }
}
