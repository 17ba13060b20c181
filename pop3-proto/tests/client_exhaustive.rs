//! Small scope, all of it, for the client: every order of commands that are sent and lines that the
//! server says, up to a length, the connection's end among them.
//!
//! Every command ends once and in turn; a message is whole only with its last line; what nothing asked
//! for ends the session.
//!
//! ```text
//! cargo test -p pop3-proto --test client_exhaustive -- --nocapture
//! ```
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::collections::VecDeque;

use pop3_proto::client::{Client, Close, Config, Event, SendError, Tag};
use pop3_proto::command::{Command, MessageNumber};
use pop3_proto::time::Time;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Send(Kind),
    Hear(&'static str),
    /// The connection ends.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Stat,
    List,
    Retr,
    Dele,
    Quit,
}

use Act::{End, Hear, Send};

const ACTS: [Act; 14] = [
    Send(Kind::Stat),
    Send(Kind::List),
    Send(Kind::Retr),
    Send(Kind::Dele),
    Send(Kind::Quit),
    Hear("+OK 1 5\r\n"),
    Hear("-ERR no\r\n"),
    Hear("1 5\r\n"),
    Hear(".\r\n"),
    Hear("..\r\n"),
    Hear("+OK\r\n.\r\n"),
    Hear("junk\r\n"),
    End,
    // only where commands are pipelined: what is not sent yet cannot be answered
    Hear("+OK 2 9\r\n-ERR no\r\n"),
];

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Refused,
    Lost,
}

/// G06, V28: see above.
#[test]
fn g06_v28_every_order_of_commands_and_lines() {
    visit(&ACTS[..13], false, 5);
}

/// X014: the same where several commands are on their way at once.
#[test]
fn x014_every_order_of_pipelined_commands() {
    visit(&ACTS, true, 4);
}

fn visit(acts: &[Act], pipelining: bool, length: usize) {
    let mut sequences = 0_u64;
    let mut digits = vec![0; length];
    loop {
        let sequence: Vec<Act> = digits.iter().map(|&digit| acts[digit]).collect();
        for octetwise in [false, true] {
            let outcome = play(&sequence, pipelining, octetwise);
            assert_eq!(outcome, Ok(()), "{sequence:?}");
        }
        sequences += 1;
        let Some(place) = digits.iter().rposition(|&digit| digit + 1 < acts.len()) else {
            break;
        };
        digits[place] += 1;
        digits[place + 1..].fill(0);
    }
    println!("{sequences} sequences of {length} acts");
}

fn play(acts: &[Act], pipelining: bool, octetwise: bool) -> Result<(), String> {
    let mut client = Client::new(Config::default(), Time::ZERO);
    client.handle_input(Time::ZERO, b"+OK ready\r\n");
    let mut seen = Seen::default();
    seen.drain(&mut client)?;
    if pipelining {
        client.send(Time::ZERO, &Command::Capa).unwrap();
        client.handle_input(Time::ZERO, b"+OK\r\nPIPELINING\r\n.\r\n");
        while client.poll_event().is_some() {}
        let sent = client.transmit().len();
        client.transmitted(Time::ZERO, sent);
    }
    let mut reference = Reference::default();
    for act in acts {
        match act {
            Send(kind) => {
                let sent = client.send(Time::ZERO, &kind.command());
                match (sent, reference.send(*kind)) {
                    (Ok(tag), true) => seen.tags.push(tag),
                    (Err(SendError::Over), false) => {}
                    (sent, may) => return Err(format!("{sent:?}, {may}")),
                }
            }
            Hear(text) => {
                reference.hear(text);
                let piece = if octetwise { 1 } else { text.len() };
                for piece in text.as_bytes().chunks(piece) {
                    client.handle_input(Time::ZERO, piece);
                    seen.drain(&mut client)?;
                }
            }
            End => {
                reference.end();
                client.handle_eof(Time::ZERO);
            }
        }
        seen.drain(&mut client)?;
        if seen.outcomes != reference.outcomes {
            return Err(format!("{:?}, not {:?}", seen.outcomes, reference.outcomes));
        }
        if seen.body != reference.body {
            return Err(format!("a body {:?}, not {:?}", seen.body, reference.body));
        }
        if seen.closed.is_some() != reference.over {
            return Err(format!("closed: {:?}", seen.closed));
        }
        let waits = !reference.over && !reference.running.is_empty();
        if waits != client.poll_timeout().is_some() {
            return Err(format!("the deadline: {:?}", client.poll_timeout()));
        }
    }
    Ok(())
}

/// What the client reports.
#[derive(Default)]
struct Seen {
    tags: Vec<Tag>,
    outcomes: Vec<Outcome>,
    body: Vec<u8>,
    closed: Option<Close>,
}

impl Seen {
    /// Takes all events and what is to be sent.
    fn drain(&mut self, client: &mut Client) -> Result<(), String> {
        while let Some(event) = client.poll_event() {
            if let Some(closed) = &self.closed {
                return Err(format!("{event:?} after {closed:?}"));
            }
            let ended = match event {
                Event::Done { tag, .. } => Some((tag, Outcome::Done)),
                Event::Refused { tag, .. } => Some((tag, Outcome::Refused)),
                Event::Lost { tag } => Some((tag, Outcome::Lost)),
                Event::Closed(close) => {
                    self.closed = Some(close);
                    None
                }
                Event::Body { bytes, .. } => {
                    self.body.extend_from_slice(bytes);
                    None
                }
                _ => None,
            };
            if let Some((tag, outcome)) = ended {
                if self.tags.get(self.outcomes.len()) != Some(&tag) {
                    return Err(format!("{tag:?} is not the next one"));
                }
                self.outcomes.push(outcome);
            }
        }
        let sent = client.transmit().len();
        client.transmitted(Time::ZERO, sent);
        Ok(())
    }
}

impl Kind {
    fn command(self) -> Command {
        match self {
            Self::Stat => Command::Stat,
            Self::List => Command::List(None),
            Self::Retr => Command::Retr(MessageNumber(1)),
            Self::Dele => Command::Dele(MessageNumber(1)),
            Self::Quit => Command::Quit,
        }
    }
}

/// One command after the other, in the most obvious way.
#[derive(Default)]
struct Reference {
    running: VecDeque<Kind>,
    /// The first of them has its `+OK`, and lines follow.
    within: bool,
    quitting: bool,
    over: bool,
    outcomes: Vec<Outcome>,
    body: Vec<u8>,
}

impl Reference {
    fn send(&mut self, kind: Kind) -> bool {
        if self.over || self.quitting {
            return false;
        }
        self.quitting = kind == Kind::Quit;
        self.running.push_back(kind);
        true
    }

    fn hear(&mut self, text: &str) {
        let mut lines = text.lines();
        while let Some(line) = lines.next().filter(|_| !self.over) {
            let Some(kind) = self.running.front().copied() else {
                return self.end();
            };
            let multi_line = matches!(kind, Kind::List | Kind::Retr);
            match line {
                "." if self.within => self.finish(Outcome::Done),
                _ if self.within => {
                    if kind == Kind::Retr {
                        let line = line.strip_prefix('.').unwrap_or(line);
                        self.body.extend_from_slice(line.as_bytes());
                        self.body.extend_from_slice(b"\r\n");
                    }
                }
                _ if line.starts_with("+OK") && multi_line => self.within = true,
                _ if line.starts_with("+OK") => self.finish(Outcome::Done),
                _ if line.starts_with("-ERR") => self.finish(Outcome::Refused),
                _ => self.end(),
            }
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        let ended = self.running.pop_front();
        self.within = false;
        self.outcomes.push(outcome);
        self.over = ended == Some(Kind::Quit);
    }

    fn end(&mut self) {
        if !self.over {
            self.over = true;
            self.outcomes
                .extend(self.running.drain(..).map(|_| Outcome::Lost));
        }
    }
}
