//! What a test says and expects: commands, replies and notes by their text.

use imap_codec::CommandCodec;
use imap_codec::decode::{CommandDecodeError, Decoder};
use pop3_proto::backend::Backend;

use super::World;

impl World {
    /// What was sent since the last time.
    pub(crate) fn take_sent(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.sent)).into_owned()
    }

    /// Expects the next command, without its tag, and returns the tag.
    pub(crate) fn expect(&mut self, command: &str) -> String {
        let end = self.sent.windows(2).position(|pair| pair == b"\r\n");
        let end = end.unwrap_or_else(|| panic!("nothing was sent instead of {command}"));
        let line: Vec<u8> = self.sent.drain(..end + 2).take(end).collect();
        let line = String::from_utf8_lossy(&line).into_owned();
        let (tag, rest) = line.split_once(' ').unwrap_or((&line, ""));
        assert_eq!(rest, command);
        tag.to_owned()
    }

    /// Expects one of two commands: the first gives itself and the tag, the second the tag.
    pub(crate) fn expect_either(&mut self, first: &str, second: &str) -> String {
        let sent = String::from_utf8_lossy(&self.sent).into_owned();
        if sent.contains(&format!(" {first}\r\n")) {
            format!("{first} {}", self.expect(first))
        } else {
            self.expect(second)
        }
    }

    pub(crate) fn expect_nothing(&mut self) {
        assert_eq!(self.take_sent(), "");
    }

    /// Expects a command and says OK to it, after what it removes.
    pub(crate) fn expect_ok(&mut self, command: &str) {
        let removes = ["UID EXPUNGE ", "UID MOVE "].iter();
        let set = removes.filter_map(|verb| command.strip_prefix(verb)).next();
        let set = set.map_or("", |set| set.split(' ').next().unwrap_or_default());
        self.expect_ok_gone(command, set);
    }

    /// Expects a command, tells the messages of this set to be gone, and says OK.
    pub(crate) fn expect_ok_gone(&mut self, command: &str, set: &str) {
        let tag = self.expect(command);
        let gone = self.expunged(set);
        self.serve(&format!("{gone}{tag} OK done\r\n"));
    }

    /// The lines that tell the messages of this set to be gone, which are there until then.
    pub(crate) fn expunged(&mut self, set: &str) -> String {
        let mut lines = String::new();
        for uid in uids(set) {
            let place = self.there.iter().position(|&there| there == uid);
            let place = place.unwrap_or_else(|| panic!("{uid} is not there"));
            self.there.remove(place);
            lines.push_str(&format!("* {} EXPUNGE\r\n", place + 1));
        }
        lines
    }

    pub(crate) fn expect_no(&mut self, command: &str) {
        let tag = self.expect(command);
        self.serve(&format!("{tag} NO cannot\r\n"));
    }

    pub(crate) fn take_replies_said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.replies)
    }

    pub(crate) fn expect_replies(&mut self, expected: &[&str]) {
        assert_eq!(self.take_replies_said(), expected);
    }

    /// Expects one reply that begins like this.
    pub(crate) fn expect_reply(&mut self, start: &str) {
        let replies = self.take_replies_said();
        assert_eq!(replies.len(), 1, "{replies:?}");
        assert!(
            replies[0].starts_with(start),
            "{replies:?} instead of {start}"
        );
    }

    /// Nothing will happen any more.
    pub(crate) fn backend_is_quiet(&mut self) -> bool {
        self.backend.poll_timeout().is_none() && self.backend.recv_buf().is_empty()
    }

    /// The notes to the operator since the last time.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.backend.poll_note())
            .map(|note| format!("{:?} {}", note.weight, note.text))
            .collect()
    }

    pub(crate) fn trace(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.backend.poll_trace())
            .map(|line| line.text)
            .collect()
    }

    /// Everything that was ever sent, as text.
    pub(crate) fn everything_sent(&self) -> String {
        String::from_utf8_lossy(&self.all_sent).into_owned()
    }
}

/// Every command that was sent is one for an independent decoder, too.
pub(crate) fn check_commands(mut sent: &[u8]) {
    let is_tag = |line: &[u8]| line.len() > 1 && line[0] == b'A' && line[1].is_ascii_digit();
    while !sent.is_empty() {
        let line_end = sent
            .windows(2)
            .position(|pair| pair == b"\r\n")
            .map_or(sent.len(), |n| n + 2);
        // the answer to a challenge, or a special use that the decoder does not know
        let line = String::from_utf8_lossy(&sent[..line_end]).into_owned();
        // a number of more than 32 bits, and a literal that the server may have refused
        let numbers = line.split(|c: char| !c.is_ascii_digit());
        let unknown = numbers
            .filter_map(|number| number.parse::<u64>().ok())
            .any(|number| number > u32::MAX.into())
            || line.contains("(SPECIAL-USE)")
            || line.contains(" XCLIENT ")
            || line.ends_with("}\r\n") && !line.contains('+');
        if !is_tag(sent) || unknown {
            sent = &sent[line_end..];
            continue;
        }
        sent = match CommandCodec::default().decode(sent) {
            Ok((rest, _)) => rest,
            Err(CommandDecodeError::Incomplete | CommandDecodeError::LiteralFound { .. }) => return,
            Err(CommandDecodeError::Failed) => {
                panic!(
                    "not a command: {}",
                    String::from_utf8_lossy(&sent[..line_end])
                )
            }
        };
    }
}

/// The tags of the commands in a text.
pub(crate) fn tags(sent: &str) -> Vec<String> {
    let tag = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    sent.lines()
        .filter(|line| line.starts_with('A'))
        .map(tag)
        .collect()
}

/// The UIDs that a set names; none if it is empty.
pub(crate) fn uids(set: &str) -> Vec<u32> {
    let number = |text: &str| text.parse::<u32>().unwrap();
    let ranges = set.split(',').filter(|range| !range.is_empty());
    ranges
        .flat_map(|range| {
            let (first, last) = range.split_once(':').unwrap_or((range, range));
            number(first)..=number(last)
        })
        .collect()
}

/// How many octets of [`BEGUN`] are handed out: the last 32 KiB wait for the line after them.
pub(crate) const LENT: usize = 100_000 - 32 * 1024;

/// A FETCH response whose body of 100,000 octets has begun: the octets so far, of which some are handed
/// out. `what` stands before the announcement of the literal.
pub(crate) fn begun(what: &str) -> String {
    format!("* 1 FETCH ({what} {{100000}}\r\n{}", "x".repeat(LENT + 100))
}

/// A FETCH response with a body literal.
pub(crate) fn body(number: u32, uid: u32, body: &str) -> String {
    format!(
        "* {number} FETCH (UID {uid} BODY[] {{{}}}\r\n{body})\r\n",
        body.len()
    )
}
