//! From octets to commands: lines and literals.
//!
//! Owns what was received and not yet understood, with bounds. Never knows a command.

use memchr::memchr;

use super::word::{Word, WordReader};

/// The longest line, and the longest literal.
const LIMIT: usize = 64 * 1024;

/// What was received and not yet understood.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    searched: usize,
    parts: Vec<Part>,
    literal: Option<Literal>,
}

/// A piece of a command.
#[derive(Debug)]
enum Part {
    Text(Vec<u8>),
    Literal { bytes: Vec<u8>, synchronising: bool },
}

#[derive(Clone, Copy, Debug)]
struct Literal {
    len: usize,
    synchronising: bool,
}

/// What the input holds next.
#[derive(Debug)]
pub(super) enum Next {
    /// Not enough yet.
    Nothing,
    /// A synchronising literal waits for its `+`. The first line of the command.
    Continue(Vec<u8>),
    /// A command.
    Command(Vec<Word>),
    /// A line that is not a command; its tag if it has one, and what is wrong.
    Malformed(Vec<u8>, &'static str),
    /// Longer than allowed, or a literal that the server does not take: the connection is to be closed.
    TooLong,
}

/// Which non-synchronising literals the server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Literals {
    /// None.
    Synchronising,
    /// LITERAL-: up to 4096 octets.
    Minus,
    /// LITERAL+: any.
    Plus,
}

impl Input {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// How much waits.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives up the command whose literal was refused.
    pub(super) fn refuse_literal(&mut self) {
        self.parts.clear();
        self.literal = None;
    }

    /// The next line as it is, without its end: an answer to a SASL challenge.
    pub(super) fn next_line(&mut self) -> Option<Vec<u8>> {
        let line = self.take_line()?;
        Some(without_end(&line).to_vec())
    }

    pub(super) fn next_command(&mut self, literals: Literals) -> Next {
        loop {
            if let Some(literal) = self.literal {
                if self.bytes.len() < literal.len {
                    return Next::Nothing;
                }
                let bytes = self.bytes.drain(..literal.len).collect();
                self.searched = 0;
                self.literal = None;
                self.parts.push(Part::Literal {
                    bytes,
                    synchronising: literal.synchronising,
                });
            }
            let Some(line) = self.take_line() else {
                return if self.bytes.len() > LIMIT {
                    Next::TooLong
                } else {
                    Next::Nothing
                };
            };
            let text = without_end(&line);
            let Some((start, literal)) = announced(text) else {
                self.parts.push(Part::Text(text.to_vec()));
                return finish(std::mem::take(&mut self.parts));
            };
            let total: usize = self.parts.iter().map(Part::len).sum();
            if literal.len > LIMIT || total > LIMIT {
                return Next::TooLong;
            }
            self.parts
                .push(Part::Text(text.get(..start).unwrap_or_default().to_vec()));
            self.literal = Some(literal);
            let taken = match literals {
                Literals::Synchronising => literal.synchronising,
                Literals::Minus => literal.synchronising || literal.len <= 4096,
                Literals::Plus => true,
            };
            if !taken {
                return Next::TooLong;
            }
            if literal.synchronising {
                let first = self.parts.first().map(Part::text).unwrap_or_default();
                return Next::Continue(first.to_vec());
            }
        }
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        match memchr(b'\n', self.bytes.get(self.searched..)?) {
            Some(at) => {
                let end = self.searched + at + 1;
                self.searched = 0;
                Some(self.bytes.drain(..end).collect())
            }
            None => {
                self.searched = self.bytes.len();
                None
            }
        }
    }
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Literal { bytes, .. } => bytes.len(),
        }
    }

    fn text(&self) -> &[u8] {
        match self {
            Self::Text(bytes) => bytes,
            Self::Literal { .. } => &[],
        }
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A literal at the end of a line, and where its announcement begins.
fn announced(line: &[u8]) -> Option<(usize, Literal)> {
    let inner = line.strip_suffix(b"}")?;
    let start = inner.iter().rposition(|&byte| byte == b'{')?;
    let inner = inner.get(start + 1..)?;
    let digits = inner.strip_suffix(b"+").unwrap_or(inner);
    let synchronising = digits.len() == inner.len();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let len = std::str::from_utf8(digits)
        .ok()?
        .parse()
        .unwrap_or(usize::MAX);
    Some((start, Literal { len, synchronising }))
}

fn finish(parts: Vec<Part>) -> Next {
    let mut reader = WordReader::new();
    let fault = parts.into_iter().try_for_each(|part| match part {
        Part::Text(text) => reader.text(&text),
        Part::Literal {
            bytes,
            synchronising,
        } => {
            reader.add(Word::Literal {
                bytes,
                synchronising,
            });
            Ok(())
        }
    });
    let (words, closed) = reader.finish();
    let tag = words.first().and_then(Word::bytes).unwrap_or(b"*").to_vec();
    match fault {
        Err(fault) => Next::Malformed(tag, fault),
        Ok(()) if !closed => Next::Malformed(tag, "unclosed list"),
        Ok(()) if words.len() < 2 => Next::Malformed(tag, "no command"),
        Ok(()) => Next::Command(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(text: &str) -> Word {
        Word::Atom(text.into())
    }

    fn literal(text: &str, synchronising: bool) -> Word {
        Word::Literal {
            bytes: text.into(),
            synchronising,
        }
    }

    /// The words of all commands, and how often a `+` was asked for.
    fn read(chunks: &[&[u8]], literals: Literals) -> (Vec<Vec<Word>>, usize) {
        let (mut input, mut commands, mut continued) = (Input::default(), Vec::new(), 0);
        for chunk in chunks {
            input.push(chunk);
            loop {
                match input.next_command(literals) {
                    Next::Nothing => break,
                    Next::Continue(_) => continued += 1,
                    Next::Command(words) => commands.push(words),
                    Next::Malformed(tag, fault) => {
                        commands.push(vec![Word::Atom(tag), Word::Quoted(fault.into())]);
                    }
                    Next::TooLong => {
                        commands.push(Vec::new());
                        return (commands, continued);
                    }
                }
            }
        }
        (commands, continued)
    }

    #[test]
    fn words_literals_lists_and_chunks() {
        let text = b"a UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (A B)]<0.5>)\r\nb LOGIN {3}\r\nt\"m \"x\\\"y\\\\\"\r\nc X {2+}\r\n\r\n z\r\n";
        let expected = vec![
            vec![
                atom("a"),
                atom("UID"),
                atom("FETCH"),
                atom("1:*"),
                Word::List(vec![
                    atom("UID"),
                    atom("BODY.PEEK[HEADER.FIELDS (A B)]<0.5>"),
                ]),
            ],
            vec![
                atom("b"),
                atom("LOGIN"),
                literal("t\"m", true),
                Word::Quoted(b"x\"y\\".to_vec()),
            ],
            vec![atom("c"), atom("X"), literal("\r\n", false), atom("z")],
        ];
        assert_eq!(read(&[text], Literals::Plus), (expected.clone(), 1));
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(&bytes, Literals::Minus), (expected, 1));
    }

    #[test]
    fn what_is_malformed_or_too_long_is_reported() {
        let malformed = |text: &[u8]| read(&[text], Literals::Plus).0;
        assert_eq!(
            malformed(b"a\r\n"),
            [[atom("a"), Word::Quoted(b"no command".to_vec())]]
        );
        assert_eq!(
            malformed(b"\r\n"),
            [[atom("*"), Word::Quoted(b"no command".to_vec())]]
        );
        assert_eq!(
            malformed(b"a X \"b\r\n"),
            [[atom("a"), Word::Quoted(b"unclosed string".to_vec())]]
        );
        assert_eq!(
            malformed(b"a X (b\r\n"),
            [[atom("a"), Word::Quoted(b"unclosed list".to_vec())]]
        );
        assert_eq!(
            malformed(b"a X b)\r\n"),
            [[atom("a"), Word::Quoted(b"stray parenthesis".to_vec())]]
        );
        let deep = b"a X ((((((((((\r\n";
        assert_eq!(
            malformed(deep),
            [[atom("a"), Word::Quoted(b"lists too deep".to_vec())]]
        );
        assert_eq!(malformed(b"a X {99999999999999999999999}\r\n"), [vec![]]);
        assert_eq!(malformed(&[b'x'; LIMIT + 1]), [vec![]]);
        assert_eq!(
            read(&[b"a X {1+}\r\n"], Literals::Synchronising).0,
            [vec![]]
        );
        assert_eq!(read(&[b"a X {4097+}\r\n"], Literals::Minus).0, [vec![]]);
    }
}
