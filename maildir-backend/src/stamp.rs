//! What the system says of a file: which one it is, and in what state.
//!
//! Owns the question to the system, and the comparison of two answers. Never opens a file.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

/// What distinguishes one state of a file from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which file it is: the moment of its birth in nanoseconds, which no program can set; its inode where
    /// the file system does not know that. An inode is reused for later files, and some file systems
    /// number them again whenever they are mounted.
    pub(crate) file: u64,
    pub(crate) size: u64,
    /// When its content was last changed: seconds and nanoseconds since 1970. Any program can set it.
    pub(crate) changed: (i64, u32),
    /// When anything about it was last changed, its rights and links too: nanoseconds since 1970. No
    /// program can set it.
    pub(crate) status: i64,
}

impl Stamp {
    /// The state of a file that is open.
    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        Ok(look(file)?.stamp)
    }

    /// Whether it is the same file, not written to in between as far as sizes and times show. Programs can
    /// set the time.
    pub(crate) fn looks_like(self, other: Self) -> bool {
        (self.file, self.size, self.changed) == (other.file, other.size, other.changed)
    }
}

/// What the system says of a file.
pub(crate) struct Looked {
    pub(crate) stamp: Stamp,
    pub(crate) is_file: bool,
}

pub(crate) fn look(file: impl AsFd) -> Result<Looked, Errno> {
    look_at(file, OsStr::new(""), AtFlags::EMPTY_PATH)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn look_at(dir: impl AsFd, name: &OsStr, flags: AtFlags) -> Result<Looked, Errno> {
    use rustix::fs::{StatxFlags, StatxTimestamp};

    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let stat = match rustix::fs::statx(&dir, name, flags, wanted) {
        Ok(stat) => stat,
        // forbidden by a sandbox, or a kernel of before 2017
        Err(Errno::NOSYS | Errno::PERM) => return look_at_less(dir, name, flags),
        Err(errno) => return Err(errno),
    };
    let nanos = |time: StatxTimestamp| nanos(time.tv_sec, time.tv_nsec);
    let born = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME);
    let born = born
        .then(|| nanos(stat.stx_btime))
        .filter(|born| *born != 0);
    Ok(Looked {
        stamp: Stamp {
            file: born.map_or(stat.stx_ino, i64::cast_unsigned),
            size: stat.stx_size,
            changed: (stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
            status: nanos(stat.stx_ctime),
        },
        is_file: is_file(stat.stx_mode.into()),
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn look_at(dir: impl AsFd, name: &OsStr, flags: AtFlags) -> Result<Looked, Errno> {
    look_at_less(dir, name, flags)
}

/// What every system knows.
#[allow(
    clippy::unnecessary_cast,
    reason = "other systems have other types here"
)]
fn look_at_less(dir: impl AsFd, name: &OsStr, flags: AtFlags) -> Result<Looked, Errno> {
    let stat = match name.is_empty() {
        true => rustix::fs::fstat(dir)?,
        false => rustix::fs::statat(dir, name, flags)?,
    };
    let part = |nanos| u32::try_from(nanos).unwrap_or_default();
    Ok(Looked {
        stamp: Stamp {
            file: stat.st_ino as u64,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            changed: (stat.st_mtime as i64, part(stat.st_mtime_nsec)),
            status: nanos(stat.st_ctime as i64, part(stat.st_ctime_nsec)),
        },
        is_file: is_file(stat.st_mode),
    })
}

/// Only for distinguishing moments: beyond the year 2262 only the lower part is kept.
fn nanos(seconds: i64, nanos: u32) -> i64 {
    seconds
        .wrapping_mul(1_000_000_000)
        .wrapping_add(nanos.into())
}

pub(crate) fn is_file(mode: rustix::fs::RawMode) -> bool {
    FileType::from_raw_mode(mode) == FileType::RegularFile
}
