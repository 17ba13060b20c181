//! The world: some nodes, one engine, and what sessions were told. After each event it is looked at whether what was
//! promised still holds.

use std::collections::BTreeMap;
use std::time::Duration;

use pop3_proto::time::Time;

use super::super::*;
use crate::engine::Trouble;
use crate::ledger::{Ledger, Terms};

/// What happens to what a node sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    Up,
    /// Nothing comes to the engine.
    Cut,
    /// The engine's answers are lost.
    Mute,
    /// What is sent comes to the engine some time later, and nobody hears of it.
    Late,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A session of this node wants this maildrop.
    Take(usize, usize),
    /// The oldest session of this node removes something, and ends.
    Quit(usize),
    /// The oldest session of this node ends.
    Drop(usize),
    Network(usize, Network),
    /// The node stands still.
    Pause(usize),
    Resume(usize),
    /// The node is gone, and starts anew.
    Crash(usize),
    /// The node gives back its lease.
    Leave(usize),
    /// What was late comes to the engine now.
    Arrive,
    /// The engine loses all.
    Flush,
    /// Time passes.
    Wait(u64),
}

#[derive(Clone, Debug)]
struct Session {
    id: u64,
    maildrop: usize,
    told: Option<Outcome>,
    quits: bool,
}

#[derive(Clone)]
struct Host {
    machine: Machine,
    network: Network,
    paused: bool,
    /// How fast its clock goes, in hundredths.
    rate: u64,
    /// When what it waits for was sent.
    sent: Option<Time>,
    sessions: Vec<Session>,
}

/// All of it.
#[derive(Clone)]
pub(super) struct World {
    now: u64,
    timing: Timing,
    open: bool,
    ledger: Ledger,
    hosts: Vec<Host>,
    late: Vec<Vec<Ask>>,
    boots: u64,
    ids: u64,
    /// Which session was the last to be told that it has the maildrop.
    last: BTreeMap<usize, u64>,
    /// To which session the engine granted it last.
    granted: BTreeMap<Digest, u64>,
    flushed: bool,
    /// How many removals were acknowledged.
    pub(super) removals: u64,
    pub(super) refused: u64,
}

impl World {
    pub(super) fn new(nodes: usize, timing: Timing, open: bool) -> Self {
        let mut world = Self {
            now: 1_000_000,
            timing,
            open,
            ledger: Ledger::default(),
            hosts: Vec::new(),
            late: Vec::new(),
            boots: 0,
            ids: 0,
            last: BTreeMap::new(),
            granted: BTreeMap::new(),
            flushed: false,
            removals: 0,
            refused: 0,
        };
        for number in 0..nodes {
            let host = world.host([100, 105, 95][number % 3]);
            world.hosts.push(host);
        }
        // the engine has been there for a while
        world.run_all();
        world.wait(40_000);
        world
    }

    fn host(&mut self, rate: u64) -> Host {
        self.boots += 1;
        let name = format!("node-{}", self.boots);
        Host {
            machine: Machine::new(self.timing, self.open, name, self.boots),
            network: Network::Up,
            paused: false,
            rate,
            sent: None,
            sessions: Vec::new(),
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Take(node, maildrop) => self.take(node, maildrop),
            Action::Quit(node) => self.end(node, true),
            Action::Drop(node) => self.end(node, false),
            Action::Network(node, network) => self.hosts[node].network = network,
            Action::Pause(node) => self.hosts[node].paused = true,
            Action::Resume(node) => {
                self.hosts[node].paused = false;
                self.run(node);
            }
            Action::Crash(node) => {
                let rate = self.hosts[node].rate;
                self.hosts[node] = self.host(rate);
                self.run(node);
            }
            Action::Leave(node) => {
                let now = self.time(node);
                self.hosts[node].machine.leave(now);
                self.run(node);
            }
            Action::Arrive => {
                for asks in std::mem::take(&mut self.late) {
                    self.execute(&asks);
                }
            }
            Action::Flush => {
                self.ledger = Ledger::default();
                self.flushed = true;
            }
            Action::Wait(time) => self.wait(time),
        }
        self.check();
    }

    fn take(&mut self, node: usize, maildrop: usize) {
        if self.hosts[node].paused {
            return;
        }
        self.ids += 1;
        let (id, now) = (self.ids, self.time(node));
        let session = Session {
            id,
            maildrop,
            told: None,
            quits: false,
        };
        self.hosts[node].sessions.push(session);
        self.hosts[node].machine.take(id, name(maildrop), now);
        self.run(node);
    }

    /// A session ends as the program would end it.
    fn end(&mut self, node: usize, removes: bool) {
        let now = self.time(node);
        let host = &mut self.hosts[node];
        if host.paused || host.sessions.is_empty() {
            return;
        }
        let session = host.sessions[0].clone();
        host.machine.tick(now);
        let stand = host.machine.stand(session.id);
        match stand {
            Some(Stand::Held | Stand::Local) if removes => {
                self.removed(&session);
                self.forget(node, session.id);
            }
            Some(Stand::Lost) if removes => {
                host.sessions[0].quits = true;
                host.machine.take_again(session.id, now);
            }
            _ => self.forget(node, session.id),
        }
        self.run(node);
    }

    fn forget(&mut self, node: usize, id: u64) {
        let host = &mut self.hosts[node];
        host.sessions.retain(|session| session.id != id);
        host.machine.release(id);
    }

    /// A removal is acknowledged: nobody else may have had the maildrop since this session got it.
    fn removed(&mut self, session: &Session) {
        self.removals += 1;
        if !self.open {
            let last = self.last.get(&session.maildrop);
            assert_eq!(last, Some(&session.id), "another had it meanwhile");
        }
    }

    fn wait(&mut self, time: u64) {
        let end = self.now + time;
        loop {
            let next = (0..self.hosts.len())
                .filter_map(|node| self.deadline(node))
                .min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.run_all();
            self.check();
        }
        self.now = end;
        self.run_all();
    }

    /// In the world's time; never now, so that something happens.
    fn deadline(&self, node: usize) -> Option<u64> {
        let host = &self.hosts[node];
        if host.paused {
            return None;
        }
        let late = host.sent.map(|sent| sent + self.timing.answer);
        let rest = host.machine.rest(self.time(node));
        let moments = [host.machine.deadline(), late, rest];
        let deadline = moments.into_iter().flatten().min()?;
        let at = deadline.since_start().as_micros() as u64 * 100 / host.rate;
        Some(at.div_ceil(1000).max(self.now + 1))
    }

    fn time(&self, node: usize) -> Time {
        let micros = self.now * 1000 * self.hosts[node].rate / 100;
        Time::from_start(Duration::from_micros(micros))
    }

    fn run_all(&mut self) {
        for node in 0..self.hosts.len() {
            self.run(node);
        }
    }

    /// What the agent of a node does.
    fn run(&mut self, node: usize) {
        let now = self.time(node);
        if self.hosts[node].paused {
            return;
        }
        let late = |sent: Time| now.since(sent) >= self.timing.answer;
        if self.hosts[node].sent.is_some_and(late) {
            let host = &mut self.hosts[node];
            host.sent = None;
            host.machine.answered(Err(Trouble::new("late")), now);
        }
        self.hosts[node].machine.tick(now);
        for _ in 0..100 {
            self.hear(node);
            let Some(asks) = self.hosts[node].machine.batch(now) else {
                return;
            };
            match self.hosts[node].network {
                Network::Up => {
                    let answers = self.execute(&asks);
                    self.hosts[node].machine.answered(Ok(answers), now);
                    continue;
                }
                Network::Cut => {}
                Network::Mute => drop(self.execute(&asks)),
                Network::Late => self.late.push(asks),
            }
            self.hosts[node].sent = Some(now);
        }
        panic!("it asks without end");
    }

    fn hear(&mut self, node: usize) {
        for report in self.hosts[node].machine.reports() {
            let Report::Outcome(id, outcome) = report else {
                assert_ne!(report, Report::Namesake);
                continue;
            };
            let host = &mut self.hosts[node];
            let Some(session) = host.sessions.iter_mut().find(|session| session.id == id) else {
                continue;
            };
            let first = session.told.is_none();
            session.told = Some(outcome);
            let session = session.clone();
            match outcome {
                Outcome::Held if first => {
                    self.last.insert(session.maildrop, id);
                }
                Outcome::Held if session.quits => {
                    self.removed(&session);
                    self.forget(node, id);
                }
                Outcome::Held => {}
                Outcome::Busy | Outcome::Lost if first || session.quits => {
                    self.refused += 1;
                    self.forget(node, id);
                }
                Outcome::Busy => {
                    let last = self.granted.get(&name(session.maildrop));
                    assert!(self.flushed || last != Some(&id), "nobody else had it");
                }
                Outcome::Lost => {}
            }
        }
    }

    fn execute(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let terms = Terms {
            timing: self.timing,
            check: name(0),
            server: "",
            now: self.now,
        };
        let mut answers = Vec::new();
        for ask in asks {
            let answer = self.ledger.answer(terms, ask);
            if let Ask::Acquire {
                maildrop, session, ..
            } = ask
                && matches!(answer, Answer::Granted { .. })
            {
                self.granted.insert(*maildrop, *session);
            }
            answers.push(answer);
        }
        let _ = self.ledger.take_changes();
        answers
    }

    /// At most one session believes that a maildrop is its own.
    fn check(&self) {
        if self.open {
            return;
        }
        for maildrop in 0..2 {
            let mut believers = Vec::new();
            for (node, host) in self.hosts.iter().enumerate() {
                let now = self.time(node);
                let own = host.sessions.iter().filter(|own| own.maildrop == maildrop);
                let own = own.filter(|own| host.machine.believes(own.id, now));
                believers.extend(own.map(|own| (node, own.id)));
            }
            assert!(believers.len() <= 1, "{maildrop}: {believers:?}");
        }
    }

    /// When all is well again and all sessions have ended, every maildrop is free within the time of a lease and a second.
    pub(super) fn ends_well(&mut self) {
        for node in 0..self.hosts.len() {
            self.hosts[node].paused = false;
            self.hosts[node].network = Network::Up;
            self.run(node);
            while !self.hosts[node].sessions.is_empty() {
                let id = self.hosts[node].sessions[0].id;
                self.forget(node, id);
            }
            self.run(node);
        }
        let lost = self.timing.grace + self.timing.renew;
        self.wait(self.timing.lease.max(lost).as_millis() as u64 + 1000);
        for maildrop in 0..2 {
            self.take(0, maildrop);
            let host = &self.hosts[0];
            let told = host.sessions.last().and_then(|session| session.told);
            assert_eq!(told, Some(Outcome::Held), "{maildrop} is not free");
        }
    }

    pub(super) fn told(&self, node: usize) -> Option<Outcome> {
        self.hosts[node]
            .sessions
            .first()
            .and_then(|session| session.told)
    }

    pub(super) fn stand(&self, node: usize) -> Option<Stand> {
        let session = self.hosts[node].sessions.first()?;
        self.hosts[node].machine.stand(session.id)
    }

    pub(super) fn figures(&self, node: usize) -> Figures {
        self.hosts[node].machine.figures(self.time(node))
    }
}

fn name(maildrop: usize) -> Digest {
    Digest([maildrop as u8; 16])
}
