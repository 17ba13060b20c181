//! Maildirs whose messages an IMAP server has compressed or encrypted.
//!
//! Owns the knowledge of how such files begin. Sent as they are they would be noise, and a client that
//! deletes what it fetched would lose them. Never unpacks anything.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// No message begins like this.
const MAGIC: [(&[u8], &str); 7] = [
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh91AY&SY", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"Dovecot-LZ4\x0d\x2a\x9b\xc5", "lz4"),
    (b"CRYPTED\x03\x07", "encryption"),
];

/// An error if the file is packed. What is read of it is read again.
pub(crate) fn refuse(file: &File) -> io::Result<()> {
    let mut head = [0; 16];
    let n = file.read_at(&mut head, 0)?;
    let head = &head[..n];
    match MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        None => Ok(()),
        Some((_, how)) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "the message lies packed ({how}) in the Maildir, and can only be sent as it is"
            ),
        )),
    }
}
