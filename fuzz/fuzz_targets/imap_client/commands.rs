//! The backend's commands: none of them changes a message that QUIT did not name.

use pop3_proto::backend::Backend;

use crate::{BOUND, Link, Rig};

impl Rig {
    /// Takes the backend's output and looks at every line of it.
    pub(crate) fn transmit(&mut self) -> bool {
        let out = self.backend.transmit().to_vec();
        assert!(out.len() <= BOUND, "{} octets to send", out.len());
        if out.is_empty() {
            return false;
        }
        assert!(
            matches!(self.link, Link::Up | Link::Down),
            "{:?}",
            self.link
        );
        self.backend.transmitted(self.now, out.len());
        for byte in out {
            self.line.push(byte);
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.heard(&line);
            }
        }
        true
    }

    fn heard(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line).trim_end().to_string();
        let Some((tag, command)) = line.split_once(' ') else {
            return;
        };
        let numbered = tag
            .strip_prefix('A')
            .is_some_and(|tag| tag.bytes().all(|b| b.is_ascii_digit()));
        if !numbered {
            return;
        }
        self.tags.push_back(tag.into());
        let words: Vec<&str> = command.split(' ').collect();
        let changes = match words.as_slice() {
            ["CLOSE" | "DELETE" | "RENAME" | "APPEND", ..] => panic!("never: {command}"),
            [
                "UID",
                "STORE",
                set,
                "+FLAGS.SILENT" | "+FLAGS" | "-FLAGS.SILENT" | "-FLAGS",
                flag,
            ] => {
                let seen = *flag == "(\\Seen)";
                self.only_marked(set, seen, command);
                (!seen || self.seen_counts) && !command.contains("-FLAGS")
            }
            ["UID", "EXPUNGE" | "MOVE" | "COPY", set, ..] => {
                self.only_marked(set, false, command);
                true
            }
            ["EXPUNGE"] => {
                assert!(self.update.is_some());
                // instead of a UID EXPUNGE that was refused
                self.changes.clear();
                true
            }
            ["CREATE", ..] => {
                assert!(self.update.is_some());
                false
            }
            ["UID", "STORE", ..] | ["STORE" | "COPY" | "MOVE", ..] => panic!("what is {command}"),
            ["UID", "FETCH", ..] => {
                assert!(!command.contains("BODY["), "without PEEK: {command}");
                self.header = command.contains("[HEADER]");
                false
            }
            _ => false,
        };
        if changes {
            self.changes.push(tag.into());
        }
    }

    fn only_marked(&self, set: &str, seen: bool, command: &str) {
        let Some((deleted, retrieved)) = &self.update else {
            panic!("without QUIT: {command}");
        };
        for range in set.split(',') {
            let (from, to) = range.split_once(':').unwrap_or((range, range));
            let (from, to): (u64, u64) = (from.parse().expect("a UID"), to.parse().expect("a UID"));
            for uid in from..=to {
                let marked = deleted.contains(&uid) || (seen && retrieved.contains(&uid));
                assert!(marked, "{uid} is not marked: {command}");
            }
        }
    }
}
