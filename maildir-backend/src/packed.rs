//! Messages that an IMAP server has compressed in a Maildir, as Dovecot's zlib plugin does.
//!
//! Owns the first octets of such files, and unpacking them in little memory up to a bound: a file of some
//! megabytes can unpack to any size. A file that cannot be unpacked is an error of the kind
//! [`io::ErrorKind::InvalidData`]; an error of reading is passed on. Never packs anything.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// RFC 8878 section 3.1.1.1.2 recommends that decoders support this much; a message takes no more memory.
const ZSTD_WINDOW: u64 = 8 * 1024 * 1024;

/// How a message is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Bzip2,
    Zstd,
}

/// No message begins like this.
const MAGIC: [(&[u8], Packing); 3] = [
    (b"\x1f\x8b\x08", Packing::Gzip),
    (b"BZh", Packing::Bzip2),
    (b"\x28\xb5\x2f\xfd", Packing::Zstd),
];

/// Nor like this, which cannot be read here.
const OTHERS: [(&[u8], &str); 4] = [
    (b"\xfd7zXZ\0", "xz"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"Dovecot-LZ4\x0d\x2a\x9b\xc5", "lz4"),
    (b"CRYPTED\x03\x07", "encryption"),
];

/// How a file is packed, if it is. Its beginning is read again later.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] if it is packed in a way that cannot be read here.
pub(crate) fn look(file: &File) -> io::Result<Option<Packing>> {
    let mut head = [0; 16];
    let n = file.read_at(&mut head, 0)?;
    named(&head[..n])
}

/// How a file that begins like this is packed.
pub(crate) fn named(head: &[u8]) -> io::Result<Option<Packing>> {
    if let Some((_, how)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(broken(format!(
            "the message lies packed in the Maildir ({how}), which cannot be read here; gzip, bzip2 and zstd \
             can"
        )));
    }
    let found = MAGIC.iter().find(|(magic, _)| head.starts_with(magic));
    Ok(found
        .map(|(_, packing)| *packing)
        .filter(|packing| match packing {
            // the digit is the size of the blocks, and a block or the end follows
            Packing::Bzip2 => {
                matches!(head.get(3), Some(b'1'..=b'9'))
                    && matches!(
                        head.get(4..10),
                        Some(b"\x31\x41\x59\x26\x53\x59" | b"\x17\x72\x45\x38\x50\x90")
                    )
            }
            Packing::Gzip | Packing::Zstd => true,
        }))
}

/// The message in a packed file.
///
/// Reading it fails where the file is damaged, is cut, or holds more than `limit` octets.
pub(crate) fn unpack<'a>(
    packing: Packing,
    file: impl Read + Send + 'a,
    limit: u64,
) -> impl Read + Send + 'a {
    let failed = Arc::new(AtomicBool::new(false));
    let source = Source {
        file,
        failed: Arc::clone(&failed),
    };
    let decoder: Box<dyn Read + Send + 'a> = match packing {
        Packing::Gzip => Box::new(MultiGzDecoder::new(source)),
        Packing::Bzip2 => Box::new(MultiBzDecoder::new(source)),
        Packing::Zstd => Box::new(Frames::new(source)),
    };
    Unpacked {
        decoder,
        failed,
        limit,
        left: limit,
    }
}

/// A file that remembers that it could not be read: decoders wrap errors in their own.
struct Source<R> {
    file: R,
    failed: Arc<AtomicBool>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
                read => return read,
            }
        }
    }
}

struct Unpacked<'a> {
    decoder: Box<dyn Read + Send + 'a>,
    failed: Arc<AtomicBool>,
    limit: u64,
    left: u64,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buf).map_err(|error| {
            if self.failed.load(Ordering::Relaxed) {
                return io::Error::other(format!("a packed message cannot be read: {error}"));
            }
            broken(format!("the packed message cannot be unpacked: {error}"))
        })?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                return Err(broken(format!(
                    "the packed message holds more than {} octets, which is the most that is unpacked",
                    self.limit
                )));
            }
        }
        Ok(read)
    }
}

/// The frames of a zstd file, one after the other.
struct Frames<R> {
    source: BufReader<R>,
    decoder: FrameDecoder,
    /// Within a frame.
    begun: bool,
}

impl<R: Read> Frames<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW);
        Self {
            source: BufReader::new(source),
            decoder,
            begun: false,
        }
    }

    /// Goes to the next frame that holds something. False at the end of the file.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => {
                    self.begun = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.source.by_ref().take(length.into());
                    if io::copy(&mut skipped, &mut io::sink())? < length.into() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(FrameDecoderError::DictNotProvided { dict_id }) => {
                    return Err(io::Error::other(format!(
                        "it needs the zstd dictionary {dict_id}, and dictionaries cannot be read here"
                    )));
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    /// A frame is over: its checksum may follow.
    fn end(&mut self) -> io::Result<()> {
        self.begun = false;
        let told = self.decoder.get_checksum_from_data();
        match (told, self.decoder.get_calculated_checksum()) {
            (Some(told), Some(found)) if told != found => {
                Err(io::Error::other("the checksum does not match"))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.begun && !self.begin()? {
                return Ok(0);
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(buf);
            }
            if self.decoder.is_finished() {
                self.end()?;
                continue;
            }
            self.decoder
                .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(io::Error::other)?;
        }
    }
}

fn broken(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Write as _;

    use super::*;
    use crate::text::tests::{Broken, Stutters};

    #[test]
    fn an_interrupted_read_is_no_damage_and_a_failed_one_ends() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(b"Subject: x\n").unwrap();
        let packed = Stutters::new(&packed.finish().unwrap());
        let mail = io::read_to_string(unpack(Packing::Gzip, packed, 100));
        assert_eq!(mail.unwrap(), "Subject: x\n");
        assert!(unpack(Packing::Gzip, Broken, 100).read(&mut [0]).is_err());
    }
}
