//! The reference maildrop: what RFC 1939 says, done in the most obvious way.
//!
//! Owns the expectations of a session that is logged in: it takes command lines and returns what the
//! reply must be. It is written to be right by inspection, not for speed, and shares no code with what
//! it judges. Never judges free texts or capabilities.

use crate::content::Content;

/// A maildrop as a client sees it after login.
#[derive(Clone, Debug)]
pub struct Maildrop {
    messages: Vec<Message>,
    read_only: bool,
    longest_line: usize,
}

/// A message in a [`Maildrop`].
#[derive(Clone, Debug)]
pub struct Message {
    /// Its unique-id, for UIDL.
    pub unique_id: String,
    /// Its size, for LIST.
    pub size: u64,
    /// The octets as they are in the store.
    pub content: Content,
    /// Whether it was removed from the store after the login.
    pub vanished: bool,
    deleted: bool,
    retrieved: bool,
}

/// What the reply to a command must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `-ERR`, one line.
    Err,
    /// `+OK`, one line.
    Ok,
    /// `+OK`, one line with exactly this after it.
    Status(String),
    /// `+OK`, then these lines and a lone dot.
    Listing(Vec<String>),
    /// `+OK`, then exactly these octets, which include stuffing and the final line.
    Body(Vec<u8>),
    /// One line, or a listing after `+OK`: outside of the model.
    Anything {
        /// Whether lines and a lone dot follow a `+OK`.
        multi_line: bool,
    },
    /// `+OK`, one line; the session is over and marked messages are removed.
    Quit,
}

impl Message {
    /// A message whose size is given as it is.
    pub fn new(unique_id: impl Into<String>, content: impl Into<Content>) -> Self {
        let content = content.into();
        Self {
            unique_id: unique_id.into(),
            size: content.len(),
            content,
            vanished: false,
            deleted: false,
            retrieved: false,
        }
    }
}

impl Maildrop {
    /// A maildrop with these messages, numbered from 1.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        Self {
            messages: messages.into_iter().collect(),
            read_only: false,
            longest_line: 1024,
        }
    }

    /// DELE is refused.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// The messages in order of their numbers.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Removes the message of this number, counted from 1, from the store.
    pub fn vanish(&mut self, number: usize) {
        if let Some(message) = number
            .checked_sub(1)
            .and_then(|at| self.messages.get_mut(at))
        {
            message.vanished = true;
        }
    }

    /// The numbers that are marked as deleted, ascending.
    pub fn deleted(&self) -> Vec<usize> {
        self.numbers(|message| message.deleted)
    }

    /// The numbers of messages that were sent whole with RETR, ascending.
    pub fn retrieved(&self) -> Vec<usize> {
        self.numbers(|message| message.retrieved)
    }

    /// Carries out a command, given without its line end.
    pub fn execute(&mut self, line: &[u8]) -> Reply {
        let Some((verb, arguments)) = self.words(line) else {
            return Reply::Err;
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match (verb.as_str(), arguments.as_slice()) {
            ("STAT", []) => {
                let octets: u64 = self.present().map(|(_, message)| message.size).sum();
                Reply::Status(format!("{} {octets}", self.present().count()))
            }
            ("LIST", []) => self.listing(|number, message| format!("{number} {}", message.size)),
            ("UIDL", []) => {
                self.listing(|number, message| format!("{number} {}", message.unique_id))
            }
            ("LIST", [number]) => self.status(number, |number, message| {
                format!("{number} {}", message.size)
            }),
            ("UIDL", [number]) => self.status(number, |number, message| {
                format!("{number} {}", message.unique_id)
            }),
            ("RETR", [number]) => match self.find(number) {
                Some(message) if !message.vanished => {
                    message.retrieved = true;
                    Reply::Body(stuffed(&lines(&message.content)))
                }
                Some(_) | None => Reply::Err,
            },
            ("TOP", [number, count]) => {
                match (self.find(number), digits(count, 20).map(str::parse::<u64>)) {
                    (Some(message), Some(Ok(count))) if !message.vanished => {
                        Reply::Body(stuffed(top(&lines(&message.content), count)))
                    }
                    (Some(_) | None, Some(Ok(_) | Err(_)) | None) => Reply::Err,
                }
            }
            ("DELE", [number]) if !self.read_only => match self.find(number) {
                Some(message) => {
                    message.deleted = true;
                    Reply::Ok
                }
                None => Reply::Err,
            },
            ("NOOP", []) => Reply::Ok,
            ("RSET", []) => {
                for message in &mut self.messages {
                    message.deleted = false;
                }
                Reply::Ok
            }
            ("QUIT", []) => Reply::Quit,
            ("CAPA", []) => Reply::Anything { multi_line: true },
            ("LANG", []) => Reply::Anything { multi_line: true },
            ("LANG", [_]) => Reply::Anything { multi_line: false },
            _ => Reply::Err,
        }
    }

    /// The verb in upper case and its arguments; `None` if it is no command line at all.
    fn words(&self, line: &[u8]) -> Option<(String, Vec<String>)> {
        let line = std::str::from_utf8(line)
            .ok()
            .filter(|_| line.len() <= self.longest_line)?;
        if line.starts_with([' ', '\t'])
            || line.contains(|c: char| c.is_ascii_control() && c != '\t')
        {
            return None;
        }
        let mut words = line
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .map(str::to_owned);
        Some((words.next()?.to_ascii_uppercase(), words.collect()))
    }

    fn present(&self) -> impl Iterator<Item = (usize, &Message)> {
        (1..)
            .zip(&self.messages)
            .filter(|(_, message)| !message.deleted)
    }

    fn listing(&self, line: impl Fn(usize, &Message) -> String) -> Reply {
        Reply::Listing(
            self.present()
                .map(|(number, message)| line(number, message))
                .collect(),
        )
    }

    fn status(&mut self, number: &str, line: impl Fn(usize, &Message) -> String) -> Reply {
        match (number.parse(), self.find(number)) {
            (Ok(number), Some(message)) => Reply::Status(line(number, message)),
            (Ok(_) | Err(_), _) => Reply::Err,
        }
    }

    fn find(&mut self, number: &str) -> Option<&mut Message> {
        let number: usize = digits(number, 10)?.parse().ok()?;
        self.messages
            .get_mut(number.checked_sub(1)?)
            .filter(|message| !message.deleted)
    }

    fn numbers(&self, wanted: impl Fn(&Message) -> bool) -> Vec<usize> {
        let all = (1..).zip(&self.messages);
        all.filter(|(_, message)| wanted(message))
            .map(|(number, _)| number)
            .collect()
    }
}

impl Reply {
    /// Compares with a server's output; returns how many octets belong to this reply. `output` may go
    /// on after it; `Ok(None)` if it is good as far as it goes, but not complete.
    pub fn check(&self, output: &[u8]) -> Result<Option<usize>, String> {
        let Some(end) = find(output, b"\r\n") else {
            return Ok(None);
        };
        let (first, rest) = (&output[..end], &output[end + 2..]);
        let differs = || {
            Err(format!(
                "expected {}, got `{}`",
                self.show(),
                first.escape_ascii()
            ))
        };
        if end + 2 > 512 {
            return Err(format!("a first line of {} octets", end + 2));
        }
        let good = first == b"+OK" || first.starts_with(b"+OK ");
        let bad = first == b"-ERR" || first.starts_with(b"-ERR ");
        let expected = match self {
            Self::Err if bad => return Ok(Some(end + 2)),
            Self::Ok | Self::Quit if good => return Ok(Some(end + 2)),
            Self::Status(text) if first == format!("+OK {text}").as_bytes() => {
                return Ok(Some(end + 2));
            }
            Self::Anything { multi_line: false } if good || bad => return Ok(Some(end + 2)),
            Self::Anything { multi_line: true } if bad => return Ok(Some(end + 2)),
            Self::Anything { multi_line: true } if good => {
                return Ok(find(output, b"\r\n.\r\n").map(|dot| dot + 5));
            }
            Self::Listing(lines) if good => {
                let lines: Vec<_> = lines.iter().map(|line| line.clone().into_bytes()).collect();
                stuffed(&lines)
            }
            Self::Body(octets) if good => octets.clone(),
            Self::Err | Self::Ok | Self::Quit | Self::Status(_) => return differs(),
            Self::Anything { .. } | Self::Listing(_) | Self::Body(_) => return differs(),
        };
        let same = expected
            .iter()
            .zip(rest)
            .take_while(|(left, right)| left == right)
            .count();
        match same {
            _ if same == expected.len() => Ok(Some(end + 2 + same)),
            _ if same == rest.len() => Ok(None),
            _ => Err(format!(
                "octet {same} after the first line: expected `{}`, got `{}`",
                near(&expected, same),
                near(rest, same)
            )),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Err => "`-ERR`".to_owned(),
            Self::Ok | Self::Listing(_) | Self::Body(_) | Self::Quit => "`+OK`".to_owned(),
            Self::Status(text) => format!("`+OK {text}`"),
            Self::Anything { .. } => "any reply".to_owned(),
        }
    }
}

/// A message as a client gets it, without stuffing and final line: CRLF for every bare LF, and one at
/// the end.
pub fn normalised(content: &Content) -> Vec<u8> {
    lines(content)
        .iter()
        .flat_map(|line| [line.as_slice(), b"\r\n"].concat())
        .collect()
}

/// CRLF and a bare LF end a line; a bare CR is a part of it.
fn lines(content: &Content) -> Vec<Vec<u8>> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    for &byte in content.chunks().flatten() {
        if byte == b'\n' {
            line.pop_if(|last| *last == b'\r');
            lines.push(std::mem::take(&mut line));
        } else {
            line.push(byte);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The header, the empty line, and this many lines of the body.
fn top(lines: &[Vec<u8>], count: u64) -> &[Vec<u8>] {
    let body = lines
        .iter()
        .position(Vec::is_empty)
        .map_or(lines.len(), |blank| blank + 1);
    let end = (body as u64).saturating_add(count).min(lines.len() as u64);
    &lines[..end as usize]
}

fn stuffed(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

fn digits(text: &str, most: usize) -> Option<&str> {
    let only_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (only_digits && text.len() <= most).then_some(text)
}

fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(octets, wanted)
}

fn near(octets: &[u8], at: usize) -> String {
    octets[at.saturating_sub(20)..octets.len().min(at + 20)]
        .escape_ascii()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maildrop() -> Maildrop {
        let mails = ["A: 1\r\n\r\n.one\r\n.\r\nthree", "A: 2\n\n\r.x\r\n", ""];
        Maildrop::new(
            (1..)
                .zip(mails)
                .map(|(n, mail)| Message::new(format!("1.{n}"), mail)),
        )
    }

    fn status(text: &str) -> Reply {
        Reply::Status(text.to_owned())
    }

    #[test]
    fn numbers_sizes_and_marks() {
        let mut maildrop = maildrop();
        assert_eq!(maildrop.execute(b"STAT"), status("3 33"));
        assert_eq!(maildrop.execute(b"list 2"), status("2 11"));
        assert_eq!(maildrop.execute(b"DELE 1"), Reply::Ok);
        assert_eq!(maildrop.execute(b"DELE 1"), Reply::Err);
        assert_eq!(maildrop.execute(b"STAT"), status("2 11"));
        assert_eq!(
            maildrop.execute(b"LIST"),
            Reply::Listing(vec!["2 11".to_owned(), "3 0".to_owned()])
        );
        assert_eq!(maildrop.execute(b"UIDL  3 "), status("3 1.3"));
        assert_eq!(maildrop.deleted(), [1]);
        assert_eq!(maildrop.execute(b"RSET"), Reply::Ok);
        assert_eq!(maildrop.deleted(), [0; 0]);
        assert_eq!(maildrop.execute(b"QUIT"), Reply::Quit);
    }

    #[test]
    fn bodies_are_normalised_stuffed_and_cut_to_the_top() {
        let mut maildrop = maildrop();
        let body = |text: &str| Reply::Body(text.as_bytes().to_vec());
        assert_eq!(
            maildrop.execute(b"RETR 1"),
            body("A: 1\r\n\r\n..one\r\n..\r\nthree\r\n.\r\n")
        );
        assert_eq!(
            maildrop.execute(b"RETR 2"),
            body("A: 2\r\n\r\n\r.x\r\n.\r\n")
        );
        assert_eq!(maildrop.execute(b"RETR 3"), body(".\r\n"));
        assert_eq!(maildrop.execute(b"TOP 1 0"), body("A: 1\r\n\r\n.\r\n"));
        assert_eq!(
            maildrop.execute(b"TOP 1 1"),
            body("A: 1\r\n\r\n..one\r\n.\r\n")
        );
        assert_eq!(
            maildrop.execute(b"TOP 2 18446744073709551615"),
            maildrop.execute(b"RETR 2")
        );
        maildrop.vanish(1);
        assert_eq!(maildrop.execute(b"RETR 1"), Reply::Err);
        assert_eq!(maildrop.execute(b"DELE 1"), Reply::Ok);
        assert_eq!(maildrop.retrieved(), [1, 2, 3]);
        let content = Content::from("A: 2\n\n\r.x");
        assert_eq!(normalised(&content), b"A: 2\r\n\r\n\r.x\r\n");
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in [
            "",
            " STAT",
            "STAT 1",
            "LIST 0",
            "LIST 4",
            "LIST -1",
            "LIST +1",
            "LIST 1x",
            "LIST 1 2",
            "RETR",
            "TOP 1",
            "TOP 1 -1",
            "TOP 1 18446744073709551616",
            "LIST 00000000001",
            "USER x",
            "STLS",
            "XYZZY",
            "STAT\0",
            "DELE ١",
        ] {
            assert_eq!(maildrop().execute(line.as_bytes()), Reply::Err, "{line}");
        }
        assert_eq!(maildrop().execute(b"LIST 01"), status("1 22"));
        assert_eq!(maildrop().execute(b"STAT\xff"), Reply::Err);
        assert_eq!(maildrop().read_only().execute(b"DELE 1"), Reply::Err);
        assert_eq!(maildrop().execute(&[b' '; 1025]), Reply::Err);
    }

    #[test]
    fn replies_are_compared_octet_for_octet() {
        let listing = Reply::Listing(vec!["1 5".to_owned()]);
        assert_eq!(
            listing.check(b"+OK 1 message\r\n1 5\r\n.\r\n+OK"),
            Ok(Some(23))
        );
        assert_eq!(listing.check(b"+OK 1 message\r\n1 5\r\n."), Ok(None));
        assert!(listing.check(b"+OK\r\n1 5 \r\n.\r\n").is_err());
        assert!(listing.check(b"-ERR\r\n").is_err());
        assert_eq!(status("1 5").check(b"+OK 1 5\r\n"), Ok(Some(9)));
        assert!(status("1 5").check(b"+OK 1 5 octets\r\n").is_err());
        assert_eq!(Reply::Err.check(b"-ERR [SYS/TEMP] x\r\n"), Ok(Some(19)));
        assert!(Reply::Err.check(b"-ERROR\r\n").is_err());
        assert!(
            Reply::Ok
                .check(&[b"+OK ".as_slice(), &[b'x'; 600], b"\r\n"].concat())
                .is_err()
        );
        let anything = Reply::Anything { multi_line: true };
        assert_eq!(anything.check(b"+OK\r\nTOP\r\n.\r\nrest"), Ok(Some(13)));
        assert_eq!(anything.check(b"-ERR no\r\nrest"), Ok(Some(9)));
        assert_eq!(
            Reply::Body(b"x\r\n.\r\n".to_vec()).check(b"+OK\r\nx\r\n.\r\n"),
            Ok(Some(11))
        );
    }
}
