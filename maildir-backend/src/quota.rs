//! The file `maildirsize` of Maildir++: additions and removals are noted in it, if it exists.
//!
//! Owns the line. Never makes the file and never counts a folder: the program that keeps quotas does.

use std::io::Write;

use crate::disk::Dir;

/// Notes a change. The program that keeps quotas counts again now and then, so a line that cannot be
/// written is no failure.
pub(crate) fn note(home: &Dir, octets: i64, messages: i64) {
    if messages == 0 {
        return;
    }
    if let Ok(mut file) = home.append(b"maildirsize") {
        // in one write, so that lines of others stay whole
        let _ = file.write_all(format!("{octets} {messages}\n").as_bytes());
    }
}

/// Whether messages in a folder of this name are not counted.
pub(crate) fn is_free(folder: &str) -> bool {
    folder == ".Trash"
}
