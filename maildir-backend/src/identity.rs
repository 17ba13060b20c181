//! What identifies a message of a plain directory, where names are reused: a scanner counts from one, a
//! program overwrites its report.
//!
//! Owns the parts of a unique-id there: the name, the identity of the file, when it was written, and the
//! content. Two files never have the same id, and neither do two contents of one file. A file that is
//! copied, restored or touched gets another id: fetched twice is better than never. Rights and hard
//! links change nothing. Never opens a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base16ct::lower;
use pop3_proto::unique_id;
use sha2::{Digest as _, Sha256};

use crate::stamp::Stamp;

/// A second content with this much of SHA-256 in common cannot be found.
pub(crate) type Digest = [u8; 16];

/// Clocks of file systems are coarse: two changes within less may have the same time.
const COARSE: Duration = Duration::from_secs(2);

/// What was read of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) digest: Digest,
    /// When it was read, its last change was long enough ago that another one would show in its state.
    pub(crate) settled: bool,
}

/// A digest of content that is being read.
#[derive(Debug, Default)]
pub(crate) struct Reading(Sha256);

impl Reading {
    pub(crate) fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    pub(crate) fn digest(self) -> Digest {
        shortened(self.0)
    }
}

/// The digest of an open file, read from its beginning. The file's read position does not change.
pub(crate) fn digest(file: &File) -> io::Result<Digest> {
    let mut reading = Reading::default();
    let mut piece = vec![0; 64 * 1024];
    let mut at = 0;
    loop {
        match file.read_at(&mut piece, at) {
            Ok(0) => return Ok(reading.digest()),
            Ok(n) => {
                reading.update(&piece[..n]);
                at += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether a change of the file from now on would show in its state.
pub(crate) fn is_settled(stamp: Stamp) -> bool {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    });
    let coarse = i64::try_from(COARSE.as_nanos()).unwrap_or(i64::MAX);
    stamp.status < now.saturating_sub(coarse)
}

/// The unique-id of a file: its name as far as it is short and plain, and a digest of everything that
/// identifies it. If the content cannot be read its digest is left out: then no client has fetched it.
pub(crate) fn unique_id(name: &[u8], stamp: Stamp, content: Option<&Digest>) -> String {
    let mark = mark(name, stamp, content);
    let shown = unique_id::from_name(name);
    // the longest mark and a dot have to fit after it
    let shown = match shown.len() + 1 + mark.len() <= unique_id::MAX_LEN && !shown.starts_with('%')
    {
        true => shown,
        false => "%file".to_owned(),
    };
    format!("{shown}.{mark}")
}

/// The part of the unique-id that no other file has: 32 hexadecimal digits.
pub(crate) fn mark(name: &[u8], stamp: Stamp, content: Option<&Digest>) -> String {
    let mut all = Sha256::new();
    all.update(b"pop3-gateway directory 1");
    all.update((name.len() as u64).to_be_bytes());
    all.update(name);
    all.update(stamp.file.to_be_bytes());
    all.update(stamp.size.to_be_bytes());
    all.update(stamp.changed.0.to_be_bytes());
    all.update(stamp.changed.1.to_be_bytes());
    if let Some(content) = content {
        all.update(content);
    }
    lower::encode_string(&shortened(all))
}

fn shortened(digest: Sha256) -> Digest {
    let whole: [u8; 32] = digest.finalize().into();
    let mut short = Digest::default();
    short.copy_from_slice(&whole[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_settled_when_the_clock_has_moved_on() {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(now.as_nanos()).unwrap_or_default();
        let settled = |status| {
            is_settled(Stamp {
                status,
                ..Stamp::default()
            })
        };
        assert!(settled(now - 3_000_000_000) && !settled(now) && !settled(i64::MAX));
    }

    #[test]
    fn a_name_is_shown_as_far_as_there_is_room() {
        let longest = "n".repeat(unique_id::MAX_LEN - 33);
        for (name, shown) in [
            ("1.eml", "1.eml"),
            (longest.as_str(), longest.as_str()),
            (&format!("{longest}n"), "%file"),
        ] {
            let made = unique_id(name.as_bytes(), Stamp::default(), None);
            let mark = mark(name.as_bytes(), Stamp::default(), None);
            assert_eq!(made, format!("{shown}.{mark}"));
            assert!(made.len() <= unique_id::MAX_LEN);
        }
    }
}
