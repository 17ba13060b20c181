//! Directories and files, always below a directory that is open already: no path is walked a second
//! time, and symbolic links are followed only where the documentation says so.
//!
//! Owns every system call of the crate that opens, makes or moves something. Each error says what could not be done, to
//! which path, and as which user. Never decides what a file means.

#[cfg(test)]
pub(crate) mod faults;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::stamp::{self, Stamp};
#[cfg(test)]
pub(crate) use faults::{readable, step};

/// A directory that is open.
#[derive(Debug)]
pub(crate) struct Dir {
    file: File,
    path: PathBuf,
}

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY)
    // a pipe without a reader must not hold us up
    .union(OFlags::NONBLOCK);

impl Dir {
    /// A directory by its path, through any symbolic link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = READ | OFlags::DIRECTORY;
        let fd = rustix::fs::open(path, flags, Mode::empty());
        Ok(Self {
            file: fd.map_err(|errno| named("open", path, errno))?.into(),
            path: path.to_owned(),
        })
    }

    /// A directory in this one.
    pub(crate) fn enter(&self, name: &OsStr, follow_links: bool) -> io::Result<Self> {
        let links = if follow_links {
            OFlags::empty()
        } else {
            OFlags::NOFOLLOW
        };
        let flags = READ | OFlags::DIRECTORY | links;
        let fd = rustix::fs::openat(&self.file, name, flags, Mode::empty());
        let path = match name {
            name if name == "." => self.path.clone(),
            name => self.path.join(name),
        };
        Ok(Self {
            file: fd.map_err(|errno| self.named("open", name, errno))?.into(),
            path,
        })
    }

    /// The same, made if it is not there.
    pub(crate) fn enter_or_make(&self, name: &OsStr, follow_links: bool) -> io::Result<Self> {
        match self.enter(name, follow_links) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            entered => return entered,
        }
        step("mkdir", name)?;
        match rustix::fs::mkdirat(&self.file, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(self.named("make", name, errno)),
        }
        let made = self.enter(name, follow_links)?;
        made.give_to_owner_of(self)?;
        self.sync()?;
        Ok(made)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The names, without those of directories and symbolic links as far as that is known at no cost. In
    /// the order in which a disk finds the files fastest.
    pub(crate) fn names(&self) -> io::Result<Vec<Box<[u8]>>> {
        let fail = |errno| named("list", &self.path, errno);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.file).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown) {
                names.push((entry.ino(), Box::from(entry.file_name().to_bytes())));
            }
        }
        names.sort_unstable_by_key(|(inode, _)| *inode);
        Ok(names.into_iter().map(|(_, name)| name).collect())
    }

    /// The names that may be directories, or links to them.
    pub(crate) fn folders(&self) -> io::Result<Vec<OsString>> {
        let fail = |errno| named("list", &self.path, errno);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.file).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if matches!(
                entry.file_type(),
                FileType::Directory | FileType::Symlink | FileType::Unknown
            ) {
                names.push(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Its own state, which changes when names do.
    pub(crate) fn stamp(&self) -> io::Result<Stamp> {
        let looked = stamp::look(&self.file);
        Ok(looked
            .map_err(|errno| named("look at", &self.path, errno))?
            .stamp)
    }

    /// Which directory it is, whatever path leads to it.
    #[allow(
        clippy::unnecessary_cast,
        reason = "other systems have other types here"
    )]
    pub(crate) fn identity(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::fstat(&self.file);
        let stat = stat.map_err(|errno| named("look at", &self.path, errno))?;
        Ok((stat.st_dev as u64, stat.st_ino as u64))
    }

    /// The state of a regular file; anything else is not found.
    pub(crate) fn stat(&self, name: &[u8]) -> io::Result<Stamp> {
        let name = OsStr::from_bytes(name);
        readable(name, 0)?;
        let looked = stamp::look_at(&self.file, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| self.named("look at", name, errno))?;
        if looked.is_file {
            return Ok(looked.stamp);
        }
        Err(self.named("take for a message", name, Errno::NOENT))
    }

    /// Opens a regular file for reading; anything else is not found.
    pub(crate) fn read(&self, name: &[u8]) -> io::Result<(File, Stamp)> {
        let name = OsStr::from_bytes(name);
        readable(name, 0)?;
        let fail = |errno| self.named("read", name, errno);
        let fd = rustix::fs::openat(&self.file, name, READ | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|errno| match errno {
                // a symbolic link
                Errno::LOOP => fail(Errno::NOENT),
                errno => fail(errno),
            })?;
        let looked = stamp::look(&fd).map_err(fail)?;
        if looked.is_file {
            return Ok((fd.into(), looked.stamp));
        }
        Err(fail(Errno::NOENT))
    }

    /// Makes a file that was not there.
    pub(crate) fn create(&self, name: &[u8]) -> io::Result<File> {
        self.open_to_write(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)
    }

    /// Opens a file that is there, to write at its end. A file with a second name may be somebody else's,
    /// and counts as not found.
    pub(crate) fn append(&self, name: &[u8]) -> io::Result<File> {
        let file = self.open_to_write(name, OFlags::WRONLY | OFlags::APPEND)?;
        let stat = rustix::fs::fstat(&file)?;
        if stamp::is_file(stat.st_mode) && stat.st_nlink == 1 {
            return Ok(file);
        }
        Err(self.named("write", OsStr::from_bytes(name), Errno::NOENT))
    }

    /// Renames a file in place of whatever has that name.
    pub(crate) fn replace(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        let (from, to) = (OsStr::from_bytes(from), OsStr::from_bytes(to));
        step("replace", from)?;
        rustix::fs::renameat(&self.file, from, &self.file, to)
            .map_err(|errno| self.named("rename", from, errno))
    }

    /// Moves a file to a place where no other has that name.
    pub(crate) fn rename(&self, from: &[u8], target: &Self, to: &[u8]) -> io::Result<()> {
        let (from, to) = (OsStr::from_bytes(from), OsStr::from_bytes(to));
        step("rename", from)?;
        self.rename_alone(from, target, to).map_err(|errno| {
            let blamed = match errno {
                Errno::EXIST => target.path.join(to),
                _ => self.path.join(from),
            };
            named("rename", &blamed, errno)
        })
    }

    pub(crate) fn unlink(&self, name: &[u8]) -> io::Result<()> {
        let name = OsStr::from_bytes(name);
        step("unlink", name)?;
        rustix::fs::unlinkat(&self.file, name, AtFlags::empty())
            .map_err(|errno| self.named("remove", name, errno))
    }

    /// When this returns, changes to the names in it are on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        step("sync", self.path.as_os_str())?;
        match rustix::fs::fsync(&self.file) {
            // a file system that cannot do this to a directory
            Ok(()) | Err(Errno::INVAL | Errno::ROFS) => Ok(()),
            Err(errno) => Err(named("sync", &self.path, errno)),
        }
    }

    /// Takes the lock of this directory for as long as the value lives; `None` if another has it.
    pub(crate) fn lock(&self) -> io::Result<Option<File>> {
        let file = self.enter(OsStr::new("."), false)?.file;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // a file system without locks
            Ok(()) | Err(Errno::NOLCK | Errno::NOSYS | Errno::NOTSUP | Errno::BADF) => {
                Ok(Some(file))
            }
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(named("lock", &self.path, errno)),
        }
    }

    /// What root makes in somebody's directory is given to its owner.
    pub(crate) fn give_file(&self, file: &File) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let fail = |errno| named("give away a file in", &self.path, errno);
        let owner = rustix::fs::fstat(&self.file).map_err(fail)?;
        let (user, group) = (
            rustix::fs::Uid::from_raw(owner.st_uid),
            rustix::fs::Gid::from_raw(owner.st_gid),
        );
        rustix::fs::fchown(file, Some(user), Some(group)).map_err(fail)
    }

    fn give_to_owner_of(&self, parent: &Self) -> io::Result<()> {
        parent.give_file(&self.file)
    }

    fn open_to_write(&self, name: &[u8], flags: OFlags) -> io::Result<File> {
        let name = OsStr::from_bytes(name);
        step("write", name)?;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(&self.file, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| self.named("write", name, errno))?;
        Ok(fd.into())
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    fn rename_alone(&self, from: &OsStr, target: &Self, to: &OsStr) -> Result<(), Errno> {
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&self.file, from, &target.file, to, flags) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => self.relink(from, target, to),
            renamed => renamed,
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    fn rename_alone(&self, from: &OsStr, target: &Self, to: &OsStr) -> Result<(), Errno> {
        self.relink(from, target, to)
    }

    /// Killed in between, it leaves the file under both names.
    fn relink(&self, from: &OsStr, target: &Self, to: &OsStr) -> Result<(), Errno> {
        rustix::fs::linkat(&self.file, from, &target.file, to, AtFlags::empty())?;
        rustix::fs::unlinkat(&self.file, from, AtFlags::empty())
    }

    fn named(&self, action: &str, name: &OsStr, errno: Errno) -> io::Error {
        named(action, &self.path.join(name), errno)
    }
}

/// An error of this kind that says what could not be done, and which user lacks the rights.
fn named(action: &str, path: &Path, errno: Errno) -> io::Error {
    let kind = match errno {
        Errno::LOOP => io::ErrorKind::PermissionDenied,
        errno => errno.kind(),
    };
    let advice = match errno {
        Errno::ACCESS | Errno::PERM => format!(
            "; it needs rights for the user {} and the group {}",
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw()
        ),
        Errno::LOOP | Errno::NOTDIR => "; symbolic links are not followed here".to_owned(),
        _ => String::new(),
    };
    let error = io::Error::from(errno);
    io::Error::new(
        kind,
        format!("cannot {action} {}: {error}{advice}", path.display()),
    )
}

/// Called before every change.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "tests break in here")]
fn step(_: &str, _: &OsStr) -> io::Result<()> {
    Ok(())
}

/// Called before a file is looked at, and before it is read at this place.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "tests break in here")]
pub(crate) fn readable(_: &OsStr, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::*;

    /// The way of file systems that cannot rename without replacing.
    #[test]
    fn a_file_is_moved_by_linking_and_covers_nothing() {
        let root = tempfile::tempdir().unwrap();
        let dir = Dir::open(root.path()).unwrap();
        fs::write(root.path().join("a"), "a").unwrap();
        dir.relink("a".as_ref(), &dir, "b".as_ref()).unwrap();
        assert!(!root.path().join("a").exists());
        fs::write(root.path().join("a"), "another").unwrap();
        let covered = dir.relink("a".as_ref(), &dir, "b".as_ref());
        assert_eq!(covered, Err(Errno::EXIST));
        assert_eq!(fs::read(root.path().join("b")).unwrap(), b"a");
        assert_eq!(fs::read(root.path().join("a")).unwrap(), b"another");
    }

    /// Root may run the tests, and lacks no rights.
    #[test]
    fn who_lacks_rights_is_named() {
        for (errno, is_named) in [
            (Errno::ACCESS, true),
            (Errno::PERM, true),
            (Errno::IO, false),
        ] {
            let error = named("open", Path::new("/x"), errno).to_string();
            assert_eq!(
                error.contains("it needs rights for the user"),
                is_named,
                "{error}"
            );
        }
    }
}
