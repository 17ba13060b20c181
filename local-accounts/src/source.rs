//! Reading a file where anything may be in its place: a FIFO, a directory, a device, too much data.
//!
//! Never waits for a writer and never reads without bound.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// The largest file that is read: some million accounts.
pub(crate) const MAX_FILE: u64 = 256 << 20;

/// Opens with these options, without waiting for a FIFO's other end, and refuses anything but a regular file.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<(File, Metadata)> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = options.custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_file() => return Ok((file, metadata)),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_char_device() || kind.is_block_device() => "a device",
        () => "something else",
    };
    let text = format!("it is {what}, and must be a regular file");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// All of a file, unless that is more than [`MAX_FILE`].
pub(crate) fn read(file: &File) -> io::Result<Vec<u8>> {
    let too_large = || {
        let text = format!("it is larger than {} MiB", MAX_FILE >> 20);
        io::Error::new(io::ErrorKind::FileTooLarge, text)
    };
    let size = file.metadata()?.len();
    if size > MAX_FILE {
        return Err(too_large());
    }
    let mut octets = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    // it may grow meanwhile
    file.take(MAX_FILE + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > MAX_FILE {
        return Err(too_large());
    }
    Ok(octets)
}
