//! Files for their owner alone: whole or not there, and on the disk when a call returns.
//!
//! Owns how a file with a secret in it is written. Never reads one, and knows nothing of what is in it.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Makes a file of mode 0600 with this content.
///
/// # Errors
///
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if something has this name, and those of the system. There is
/// no file then.
pub fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = New::beside(path, content)?;
    new.file.persist_noclobber(path)?;
    File::open(new.folder)?.sync_all()
}

/// Puts a file of mode 0600 with this content in the place of whatever has this name; nothing of that is kept,
/// neither its owner nor its mode.
///
/// # Errors
///
/// Those of the system. The file of before is still there then.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    New::beside(path, content)?.put(path)
}

/// [`replace`], with the owner and the mode of the file before.
pub(crate) fn replace_like(path: &Path, content: &[u8], before: &Metadata) -> io::Result<()> {
    let new = New::beside(path, content)?;
    let file = new.file.as_file();
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        fchown(file, Some(before.uid()), Some(before.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o7777))?;
    file.sync_all()?;
    new.put(path)
}

/// A file under a name of its own, gone if anything fails.
struct New {
    file: NamedTempFile,
    folder: PathBuf,
}

impl New {
    fn beside(path: &Path, content: &[u8]) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            Some(_) | None => Path::new("."),
        };
        let name = path.file_name().unwrap_or_default().display();
        // for its owner alone
        let mut file = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(".new")
            .tempfile_in(folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        Ok(Self {
            file,
            folder: folder.into(),
        })
    }

    fn put(self, path: &Path) -> io::Result<()> {
        self.file.persist(path)?;
        File::open(self.folder)?.sync_all()
    }
}
