//! Small scope, all of it, where each side is slow: every interleaving up to a length of what the client
//! says, what the store answers and what the client reads, with ends of every kind in between.
//!
//! What is heard is always the beginning of what a session would say in which everything is answered at
//! once; and an update is what the commands up to QUIT ask for, or there is none.
//!
//! ```text
//! cargo test -p pop3-proto --test interleavings -- --nocapture
//! cargo test --release -p pop3-proto --test interleavings -- --nocapture --ignored     longer
//! ```
#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, reason = "each test file uses its part")]
mod reference;

use pop3_proto::backend::{Index, Request};
use reference::{Answer, Reference};
use testkit::model::Reply;
use testkit::talk::{Talk, clear, seconds};

const MAILS: [&[u8]; 1] = [b"A: 1\r\n\r\n.1\r\n2\r\n"];

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Say(&'static str),
    /// The store gives one answer, if it has one.
    Answer,
    /// The store gives all it has.
    Answers,
    /// The client reads one octet.
    Octet,
    /// The client reads what there is.
    Read,
    /// The client ends its half.
    Leave,
    /// The connection breaks.
    Break,
    /// Nothing happens for longer than it may.
    Sleep,
    /// The server is asked to shut down.
    Stop,
}

use Act::{Answer as StoreAnswers, Answers, Break, Leave, Octet, Read, Say, Sleep, Stop};

const ACTS: [Act; 13] = [
    Say("RETR 1"),
    Say("TOP 1 1"),
    Say("DELE 1"),
    Say("STAT"),
    Say("QUIT"),
    StoreAnswers,
    Answers,
    Octet,
    Read,
    Leave,
    Break,
    Sleep,
    Stop,
];

/// P037, P038, P066, G15, G19, X014, X016.
#[test]
fn g15_g19_p037_p038_p066_x014_x016_every_interleaving() {
    visit(4);
}

#[test]
#[ignore = "long"]
fn every_longer_interleaving() {
    visit(5);
}

fn visit(length: usize) {
    let (mut sequences, mut acts) = (0_u64, 0_u64);
    for start in starts() {
        let mut digits = vec![0; length];
        loop {
            let sequence: Vec<Act> = digits.iter().map(|&digit| ACTS[digit]).collect();
            let all: Vec<Act> = start.iter().chain(&sequence).copied().collect();
            let outcome = play(&all);
            assert_eq!(outcome, Ok(()), "{all:?}");
            sequences += 1;
            acts += all.len() as u64;
            let Some(place) = digits.iter().rposition(|&digit| digit + 1 < ACTS.len()) else {
                break;
            };
            digits[place] += 1;
            digits[place + 1..].fill(0);
        }
    }
    println!("{sequences} interleavings of {length} acts, {acts} acts");
}

/// The login is not answered yet; it is; a message is on its way; the update is.
fn starts() -> [&'static [Act]; 4] {
    [
        &[],
        &[Answers, Read],
        &[Answers, Read, Say("RETR 1"), StoreAnswers, StoreAnswers],
        &[Answers, Read, Say("DELE 1"), Say("QUIT")],
    ]
}

/// A session, and what it ought to have said.
struct Play {
    talk: Talk,
    reference: Reference,
    /// What was said and counts.
    expected: Vec<Reply>,
    /// Lines may still be said.
    open: bool,
    /// The session may end early, with words of its own.
    disturbed: bool,
    /// The client left without QUIT: what it asked for last may stay unanswered.
    left: bool,
    /// What had been heard when the connection broke: nothing is said after it.
    broken: Option<usize>,
}

fn play(acts: &[Act]) -> Result<(), String> {
    let mut talk = Talk::new(clear(), &MAILS);
    talk.store.piece = 6;
    (talk.answers, talk.window) = (Some(0), Some(0));
    let mut play = Play {
        talk,
        reference: Reference::new(&clear(), &MAILS),
        expected: Vec::new(),
        open: true,
        disturbed: false,
        left: false,
        broken: None,
    };
    play.say("USER u");
    play.say("PASS p w");
    for act in acts {
        play.act(*act);
        play.check(false)?;
    }
    // whatever waits may go on
    (play.talk.answers, play.talk.window) = (None, None);
    play.talk.settle();
    play.check(true)
}

impl Play {
    fn say(&mut self, line: &str) {
        if !self.open {
            return;
        }
        // what comes after QUIT is not looked at
        if !self.reference.is_over() {
            match self.reference.execute(line) {
                Answer::Reply(reply) => self.expected.push(reply),
                Answer::Challenge(_) => unreachable!("no mechanism is used"),
            }
        }
        self.talk.feed(format!("{line}\r\n").as_bytes());
    }

    fn act(&mut self, act: Act) {
        match act {
            Say(line) => self.say(line),
            StoreAnswers => {
                self.talk.answers = Some(1);
                self.talk.settle();
                self.talk.answers = Some(0);
            }
            Answers => {
                self.talk.answers = None;
                self.talk.settle();
                self.talk.answers = Some(0);
            }
            Octet | Read => {
                self.talk.window = (act == Octet).then_some(1);
                self.talk.settle();
                self.talk.window = Some(0);
            }
            Leave => {
                self.left |= !self.reference.is_over();
                self.open = false;
                self.talk.session.handle_eof(self.talk.now);
                self.talk.settle();
            }
            Break => {
                (self.open, self.disturbed) = (false, true);
                self.broken.get_or_insert(self.talk.out.len());
                self.talk.session.handle_reset(self.talk.now);
                self.talk.settle();
            }
            Sleep => {
                (self.open, self.disturbed) = (false, true);
                self.talk.wait(seconds(601));
            }
            Stop => {
                // the next command is refused, and it is the last
                self.disturbed = true;
                self.talk.session.shut_down(self.talk.now);
                self.talk.settle();
            }
        }
    }

    fn check(&self, at_end: bool) -> Result<(), String> {
        let mut rest = self.talk.out.as_slice();
        let mut complete = 0;
        for reply in &self.expected {
            match reply.check(rest) {
                Ok(Some(length)) => rest = &rest[length..],
                // a beginning
                Ok(None) => {
                    rest = &[];
                    break;
                }
                // an end that was not asked for
                Err(_) if self.disturbed => break,
                Err(difference) => return Err(difference),
            }
            complete += 1;
        }
        // one line, or the beginning of it
        let last_words = rest.iter().zip(b"-ERR [SYS/TEMP] ").all(|(l, r)| l == r)
            && rest.iter().rev().skip(1).all(|octet| *octet != b'\n');
        let forgiven = rest.is_empty() || (self.disturbed && last_words);
        if !forgiven {
            return Err(format!("too much: {}", rest.escape_ascii()));
        }
        if self
            .broken
            .is_some_and(|heard| heard != self.talk.out.len())
        {
            return Err("words for a client that is gone".into());
        }
        let cut = self.disturbed || self.left;
        if at_end && !cut && complete < self.expected.len() {
            return Err(format!("{complete} replies of {}", self.expected.len()));
        }
        let closed = self.talk.closed.is_some();
        if at_end && !self.disturbed && closed != (self.reference.is_over() || !self.open) {
            return Err(format!("closed: {:?}", self.talk.closed));
        }
        if !closed && self.talk.session.poll_timeout().is_none() {
            return Err("no deadline".into());
        }
        self.updates()
    }

    /// There is at most one update, and it is the one that was asked for.
    fn updates(&self) -> Result<(), String> {
        let asked = self
            .talk
            .store
            .requests
            .iter()
            .filter_map(|request| match request {
                Request::Update { deleted, .. } => Some(deleted.as_slice()),
                Request::Open(_)
                | Request::Answer(_)
                | Request::Retrieve { .. }
                | Request::Cancel(_)
                | Request::Abandon => None,
            });
        let asked: Vec<&[Index]> = asked.collect();
        let meant = self.reference.updated().map(|(deleted, _)| deleted.len());
        match (asked.as_slice(), meant) {
            ([], _) => Ok(()),
            ([deleted], Some(meant)) if deleted.len() == meant => Ok(()),
            _ => Err(format!("asked to remove {asked:?}, not {meant:?}")),
        }
    }
}
