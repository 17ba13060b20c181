//! A bare IMAP client: what the same data costs without anything in between.

use crate::Outcome;
use crate::pop::PASSWORD;
use crate::wire::Wire;

pub(crate) struct Imap {
    pub(crate) wire: Wire,
    tag: u32,
}

impl Imap {
    /// Connects and logs in.
    pub(crate) fn login(port: u16, user: &str) -> Outcome<Self> {
        let mut imap = Self {
            wire: Wire::plain(port)?,
            tag: 0,
        };
        imap.wire.line()?;
        imap.ask(&format!("LOGIN {user} {PASSWORD}"))?;
        Ok(imap)
    }

    /// Connects, logs in, selects, and lists UIDs and sizes: what a POP3 login stands for.
    pub(crate) fn open(port: u16, user: &str) -> Outcome<Self> {
        let mut imap = Self::login(port, user)?;
        imap.ask("SELECT INBOX")?;
        imap.ask("UID FETCH 1:* (UID RFC822.SIZE)")?;
        Ok(imap)
    }

    pub(crate) fn ask(&mut self, command: &str) -> Outcome<u64> {
        self.send(command)?;
        self.done()
    }

    pub(crate) fn send(&mut self, command: &str) -> Outcome {
        self.tag += 1;
        self.wire
            .send(format!("A{} {command}\r\n", self.tag).as_bytes())
    }

    /// Reads the answer to its end; tells how many octets of literals it held.
    pub(crate) fn done(&mut self) -> Outcome<u64> {
        let tag = format!("A{} ", self.tag);
        let mut octets = 0;
        loop {
            let line = self.wire.line()?;
            if let Some(size) = literal(line) {
                octets += size;
                self.wire.skip(size)?;
            } else if let Some(status) = line.strip_prefix(tag.as_bytes()) {
                if status.starts_with(b"OK") {
                    return Ok(octets);
                }
                return Err(format!("the upstream says {}", String::from_utf8_lossy(line)).into());
            }
        }
    }

    pub(crate) fn logout(mut self) -> Outcome {
        self.ask("LOGOUT").map(drop)
    }
}

fn literal(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', line)?;
    str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}
