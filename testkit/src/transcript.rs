//! Dialogues as text files, and their replay.
//!
//! Owns the notation and the comparison. The other side is any [`Dialogue`].
//!
//! | step | meaning |
//! |---|---|
//! | `C: text` | send the line, with CRLF |
//! | `C~: text` | send the text without a line end: the line goes on in the next `C` |
//! | `C&: text` | send the line together with the next `C`, in one piece |
//! | `C!` | the sending side closes its half |
//! | `S: text` | the next line received is this; `*` stands for any octets |
//! | `S...` | lines up to and including a lone dot |
//! | `S-` | nothing more has been received |
//! | `S!` | nothing more has been received, and the connection is closed |
//! | `T: +9m59s` | time passes (`h`, `m`, `s`, `ms`) |
//! | `# text` | a remark; so are empty lines |
//!
//! In texts, `\r`, `\n`, `\t`, `\0`, `\\`, `\*` and `\xNN` stand for single octets. One space after the
//! colon belongs to the notation. At the end of the file nothing may be left over.
//!
//! ```
//! use std::time::Duration;
//! use testkit::transcript::{Dialogue, Transcript};
//!
//! /// Answers each line with `+OK` and the line itself.
//! struct Echo(Vec<u8>);
//!
//! impl Dialogue for Echo {
//!     fn send(&mut self, octets: &[u8]) {
//!         self.0.extend_from_slice(b"+OK ");
//!         self.0.extend_from_slice(octets);
//!     }
//!     fn advance(&mut self, _: Duration) {}
//!     fn take_output(&mut self) -> Vec<u8> {
//!         std::mem::take(&mut self.0)
//!     }
//!     fn is_closed(&self) -> bool {
//!         false
//!     }
//! }
//!
//! let transcript = Transcript::parse("echo", "C: NOOP\nS: +OK*\n")?;
//! transcript.run(&mut Echo(Vec::new()))?;
//!
//! let transcript = Transcript::parse("echo", "# wrong\nC: NOOP\nS: -ERR*\n")?;
//! let mismatch = transcript.run(&mut Echo(Vec::new())).unwrap_err();
//! assert!(mismatch.to_string().starts_with("echo:3: expected `-ERR*`, got `+OK NOOP`"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod notation;

use std::fmt;
use std::time::Duration;

pub use notation::octets;
use notation::{Step, matches_glob, read_step};

/// The side that a transcript talks to.
pub trait Dialogue {
    /// Octets arrive there.
    fn send(&mut self, octets: &[u8]);

    /// Time passes there.
    fn advance(&mut self, span: Duration);

    /// What it has sent since the last call.
    fn take_output(&mut self) -> Vec<u8>;

    /// Whether it has closed the connection.
    fn is_closed(&self) -> bool;

    /// No more octets will arrive there.
    fn hang_up(&mut self) {}
}

/// A dialogue that was read.
#[derive(Clone, Debug)]
pub struct Transcript {
    name: String,
    steps: Vec<(usize, Step)>,
}

/// A line of a transcript that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    name: String,
    line: usize,
    reason: &'static str,
}

/// The received text differs from the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    name: String,
    line: usize,
    expected: String,
    got: String,
}

impl Transcript {
    /// Reads a transcript; the name, usually that of its file, appears in failures.
    pub fn parse(name: &str, text: &str) -> Result<Self, Malformed> {
        let mut steps = Vec::new();
        let mut held: Option<(usize, Vec<u8>)> = None;
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim_start();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let malformed = |reason| Malformed {
                name: name.to_owned(),
                line,
                reason,
            };
            let (step, more) = read_step(text).map_err(malformed)?;
            match (held.take(), step) {
                (None, Step::Send(octets)) if more => held = Some((line, octets)),
                (Some((first, mut octets)), Step::Send(rest)) => {
                    octets.extend(rest);
                    if more {
                        held = Some((first, octets));
                    } else {
                        steps.push((first, Step::Send(octets)));
                    }
                }
                (Some(_), _) => return Err(malformed("`C&:` wants a `C` after it")),
                (None, step) => steps.push((line, step)),
            }
        }
        match held {
            Some((line, _)) => Err(Malformed {
                name: name.to_owned(),
                line,
                reason: "`C&:` wants a `C` after it",
            }),
            None => Ok(Self {
                name: name.to_owned(),
                steps,
            }),
        }
    }

    /// Plays it against the other side.
    pub fn run(&self, side: &mut impl Dialogue) -> Result<(), Mismatch> {
        let mut play = Play {
            side,
            received: Vec::new(),
        };
        for (line, step) in &self.steps {
            play.step(step)
                .map_err(|difference| self.mismatch(*line, difference))?;
        }
        let last = self.steps.last().map_or(1, |(line, _)| *line);
        play.step(&Step::Silence)
            .map_err(|difference| self.mismatch(last, difference))
    }

    fn mismatch(&self, line: usize, (expected, got): Difference) -> Mismatch {
        Mismatch {
            name: self.name.clone(),
            line,
            expected,
            got,
        }
    }
}

/// What was expected, and what came.
type Difference = (String, String);

struct Play<'a, D> {
    side: &'a mut D,
    received: Vec<u8>,
}

impl<D: Dialogue> Play<'_, D> {
    fn step(&mut self, step: &Step) -> Result<(), Difference> {
        match step {
            Step::Send(octets) => self.side.send(octets),
            Step::HangUp => self.side.hang_up(),
            Step::Advance(span) => self.side.advance(*span),
            Step::Line { shown, pattern } => {
                let line = self.line(shown)?;
                if !matches_glob(pattern, &line) {
                    return Err((format!("`{shown}`"), show_line(&line)));
                }
            }
            Step::UntilDot => while self.line("lines up to a lone dot")? != b"." {},
            Step::Silence => self.silence()?,
            Step::Closed => {
                self.silence()?;
                if !self.side.is_closed() {
                    return Err((
                        "the end of the connection".to_owned(),
                        "an open one".to_owned(),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The next line received, without CRLF.
    fn line(&mut self, wanted: &str) -> Result<Vec<u8>, Difference> {
        self.receive();
        match self.received.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => {
                let mut line: Vec<u8> = self.received.drain(..end + 2).collect();
                line.truncate(end);
                Ok(line)
            }
            None if self.received.is_empty() => Err((format!("`{wanted}`"), "nothing".to_owned())),
            None => Err((
                format!("`{wanted}`"),
                format!("half a line {}", show_line(&self.received)),
            )),
        }
    }

    fn silence(&mut self) -> Result<(), Difference> {
        self.receive();
        match self.received.is_empty() {
            true => Ok(()),
            false => Err(("nothing more".to_owned(), show_line(&self.received))),
        }
    }

    fn receive(&mut self) {
        let more = self.side.take_output();
        self.received.extend(more);
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.name, self.line, self.reason)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: expected {}, got {}",
            self.name, self.line, self.expected, self.got
        )
    }
}

impl std::error::Error for Malformed {}
impl std::error::Error for Mismatch {}

fn show_line(octets: &[u8]) -> String {
    let shown = octets.get(..200).unwrap_or(octets);
    let more = if shown.len() < octets.len() {
        "…"
    } else {
        ""
    };
    format!("`{}{more}`", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Answers each line with `+OK` and the line, `raw` with what follows; says so when a minute passed;
    /// closes at `QUIT`.
    #[derive(Default)]
    struct Echo {
        input: Vec<u8>,
        output: Vec<u8>,
        writes: usize,
        closed: bool,
    }

    impl Dialogue for Echo {
        fn send(&mut self, octets: &[u8]) {
            self.writes += 1;
            self.input.extend_from_slice(octets);
            while let Some(end) = self.input.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                match line.strip_prefix(b"raw ") {
                    Some(raw) => self.output.extend_from_slice(raw),
                    None => self.output.extend([b"+OK ", line.as_slice()].concat()),
                }
                self.closed |= line.ends_with(b"QUIT\r\n");
            }
        }

        fn advance(&mut self, span: Duration) {
            if span >= Duration::from_secs(60) {
                self.output.extend_from_slice(b"late\r\n");
            }
        }

        fn take_output(&mut self) -> Vec<u8> {
            std::mem::take(&mut self.output)
        }

        fn is_closed(&self) -> bool {
            self.closed
        }

        fn hang_up(&mut self) {
            self.closed = true;
        }
    }

    fn run(text: &str) -> Result<Echo, String> {
        let transcript = Transcript::parse("t", text).map_err(|fault| fault.to_string())?;
        let mut echo = Echo::default();
        transcript
            .run(&mut echo)
            .map_err(|mismatch| mismatch.to_string())?;
        Ok(echo)
    }

    #[test]
    fn all_kinds_of_steps() {
        let echo = run(r"# a remark

            C: one
            S: +OK one
            S-
            C~: tw
            S-
            C: o
            S: +OK t*
            C&: a
            C&: b
            C: c
            S: *a
            S: +OK b
            S: +OK *c
            T: +59s
            S-
            T: +1m500ms
            S: late
            T: +1h2m
            S: late
            C: \x41\t\*\\
            S: +OK \x41\t\**
            C: first\r\nraw ..\r\nraw .\r\nlast
            S...
            S: +OK last
            C~: left
            C: QUIT
            S: +OK *Q*T
            C!
            S!");
        assert_eq!(echo.unwrap().writes, 8);
    }

    #[test]
    fn differences_are_reported_with_their_place() {
        for (text, told) in [
            ("C: a\n\nS: b*\n", "t:3: expected `b*`, got `+OK a`"),
            ("C: a\nS-", "t:2: expected nothing more, got `+OK a\\r\\n`"),
            ("C: a\n", "t:1: expected nothing more, got `+OK a\\r\\n`"),
            (
                "S!",
                "t:1: expected the end of the connection, got an open one",
            ),
            ("S: x", "t:1: expected `x`, got nothing"),
            ("X: x", "t:1: not a step"),
            ("S", "t:1: not a step"),
            ("C: \\q", "t:1: unknown escape"),
            ("C: \\x4", "t:1: unknown escape"),
            ("T: 9s", "t:1: not a span of time such as `+9m59s`"),
            ("T: +9", "t:1: not a span of time such as `+9m59s`"),
            ("C: x\nC&: a\nS-", "t:3: `C&:` wants a `C` after it"),
            ("C&: a", "t:1: `C&:` wants a `C` after it"),
        ] {
            assert_eq!(run(text).err().as_deref(), Some(told), "{text}");
        }
    }
}
