//! A client, the session that it talks to, and the store's jobs, moved by hand.

use pop3_proto::backend::{Backend, Effect, Job, Outcome, Reply, Request};
use pop3_proto::server::{Event, Policy, ReadOnly, Reason, Session};
use pop3_proto::time::Time;

use super::{PASSWORD, Subject, USER};
use crate::model;

/// The most that may wait in a session for its client: its output, and a chunk of the store.
const MOST_WAITING: usize = 3 * 64 * 1024;

/// One connection.
pub struct Client<'a, S: Subject> {
    subject: &'a S,
    session: Session,
    backend: S::Backend,
    job: Option<Job<<S::Backend as Backend>::Done>>,
    heard: Vec<u8>,
    /// Octets are counted instead of kept.
    counted: Option<u64>,
    /// Octets taken at once.
    window: usize,
    closed: Option<Reason>,
}

impl<'a, S: Subject> Client<'a, S> {
    /// Connects and reads the greeting.
    pub fn connect(subject: &'a S) -> Self {
        let policy = Policy::default()
            .clear_login(true)
            .read_only(ReadOnly::OnRequest);
        let mut client = Self {
            subject,
            session: Session::new(policy.into(), "", Time::ZERO),
            backend: subject.backend(),
            job: None,
            heard: Vec::new(),
            counted: None,
            window: usize::MAX,
            closed: None,
        };
        client.settle();
        client.heard.clear();
        client
    }

    /// Connects and logs in.
    pub fn log_in(subject: &'a S) -> Self {
        let mut client = Self::connect(subject);
        let heard = client.say(&format!("USER {USER}\r\nPASS {PASSWORD}\r\n"));
        assert!(
            heard.starts_with(b"+OK") && !heard.windows(4).any(|w| w == b"-ERR"),
            "login: {}",
            heard.escape_ascii()
        );
        client
    }

    /// Takes this many octets at once from now on.
    #[must_use]
    pub fn slow(mut self, window: usize) -> Self {
        self.window = window.max(1);
        self
    }

    /// Sends it and returns everything that comes.
    pub fn say(&mut self, text: &str) -> Vec<u8> {
        self.say_octets(text.as_bytes());
        std::mem::take(&mut self.heard)
    }

    /// Sends it, keeps nothing of what comes, and returns how many octets that were.
    pub fn count(&mut self, text: &str) -> u64 {
        self.counted = Some(0);
        self.say_octets(text.as_bytes());
        self.counted.take().unwrap_or_default()
    }

    /// Sends a command of the TRANSACTION state and compares what comes with what must come.
    pub fn expect(&mut self, command: &[u8], reply: &model::Reply) {
        self.say_octets(&[command, b"\r\n"].concat());
        let heard = std::mem::take(&mut self.heard);
        let command = command.escape_ascii();
        match reply.check(&heard) {
            Ok(Some(n)) => assert_eq!(n, heard.len(), "more than a reply to {command}"),
            Ok(None) => panic!("half a reply to {command}: {}", heard.escape_ascii()),
            Err(why) => panic!("{command}: {why}"),
        }
    }

    /// The lines of a listing, without numbers.
    pub fn listing(&mut self, command: &str) -> Vec<String> {
        let heard = String::from_utf8_lossy(&self.say(&format!("{command}\r\n"))).into_owned();
        let mut lines: Vec<&str> = heard.split_terminator("\r\n").collect();
        assert!(
            lines.len() >= 2 && lines[0].starts_with("+OK") && lines.pop() == Some("."),
            "{command}: {heard}"
        );
        let entries = (1..).zip(&lines[1..]).map(|(number, line)| {
            let entry = line.strip_prefix(&format!("{number} "));
            assert!(entry.is_some(), "{command}: line {number} is {line}");
            entry.unwrap_or_default().to_owned()
        });
        entries.collect()
    }

    /// Sends QUIT; returns whether all went well.
    pub fn quit(mut self) -> bool {
        let heard = self.say("QUIT\r\n");
        assert!(
            matches!(self.closed, Some(Reason::Quit | Reason::UpdateFailed)),
            "QUIT: {} {:?}",
            heard.escape_ascii(),
            self.closed
        );
        heard.starts_with(b"+OK")
    }

    /// Goes away without QUIT.
    pub fn vanish(mut self) {
        self.session.handle_reset(Time::ZERO);
        self.settle();
    }

    /// How the connection ended.
    pub fn closed(&self) -> Option<Reason> {
        self.closed
    }

    fn say_octets(&mut self, mut rest: &[u8]) {
        while !rest.is_empty() && self.closed.is_none() {
            let n = rest.len().min(self.session.input_room());
            let taken = self.session.handle_input(Time::ZERO, &rest[..n]);
            rest = &rest[taken..];
            self.settle();
        }
    }

    /// Until nothing moves.
    fn settle(&mut self) {
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        if let Some(event) = self.session.poll_event() {
            self.handle(event);
            return true;
        }
        let room = self.session.body_room();
        if let Some(reply) = self.backend.poll_reply(Time::ZERO, room) {
            if let Reply::Body { bytes, .. } = &reply {
                assert!((1..=room).contains(&bytes.len()));
            }
            self.session.handle_reply(Time::ZERO, reply);
            return true;
        }
        if let Some(effect) = self.backend.poll_effect() {
            match effect {
                Effect::Run(job) => {
                    assert!(self.job.replace(job).is_none(), "two jobs at a time");
                }
                other @ (Effect::Connect(_)
                | Effect::Resume(_)
                | Effect::Park(_)
                | Effect::StartTls { .. }
                | Effect::Disconnect) => {
                    panic!("a store has no upstream: {other:?}")
                }
            }
            return true;
        }
        let waiting = self.session.transmit();
        assert!(waiting.len() <= MOST_WAITING, "{} waiting", waiting.len());
        let n = waiting.len().min(self.window);
        match &mut self.counted {
            Some(counted) => *counted += n as u64,
            None => self.heard.extend_from_slice(&waiting[..n]),
        }
        self.session.transmitted(Time::ZERO, n);
        n > 0 || self.run_job()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Request(request) => {
                if matches!(request, Request::Open(_)) {
                    self.backend = self.subject.backend();
                }
                self.backend.handle_request(Time::ZERO, request);
            }
            Event::StartTls => panic!("there is no TLS here"),
            Event::Close(reason) => self.closed = Some(reason),
        }
    }

    fn run_job(&mut self) -> bool {
        let Some(job) = self.job.take() else {
            return false;
        };
        let done = match job {
            Job::Block(job) => job(),
            Job::Await(future) => self.subject.wait(future),
        };
        self.backend.handle_outcome(Time::ZERO, Outcome::Done(done));
        true
    }
}
