//! What failed lately, and how long the next login has to wait because of it.
//!
//! Owns bounded tables of failures, by subject. The rule is [`pop3_proto::failed_login`]'s. Never refuses anything, never
//! reads a clock, and does not know which logins wait: [`throttle`](crate::throttle) does.

use std::collections::HashMap;
use std::hash::Hash;

use pop3_proto::failed_login::Scope;
pub use pop3_proto::failed_login::{BROKEN_OFF, DOUBTS, Delay, Fault};
use pop3_proto::time::Time;

/// How many addresses are remembered, and how many names.
const ADDRESSES: usize = 10_000;

/// The failures of one subject.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failed {
    wrong: u32,
    wrong_at: Time,
    doubtful: u32,
    doubtful_at: Time,
    left: u32,
    left_at: Time,
    /// Where they came from, as far as that matters; the newest at the end.
    sources: Vec<(u64, Time)>,
    /// When the next login may be looked at.
    next: Time,
    /// Which login has the turn, and until when it is kept for it.
    turn: Option<(u64, Time)>,
}

impl Failed {
    /// How many failures count now.
    pub(crate) fn weight(&self, rules: &Delay, scope: Scope, now: Time) -> u32 {
        let (wrong, doubtful) = (self.wrong_now(rules, now), self.doubtful_now(rules, now));
        scope.weight(wrong, doubtful, self.sources(rules, now))
    }

    fn wrong_now(&self, rules: &Delay, now: Time) -> u32 {
        if now.since(self.wrong_at) < rules.memory {
            self.wrong
        } else {
            0
        }
    }

    fn doubtful_now(&self, rules: &Delay, now: Time) -> u32 {
        if now.since(self.doubtful_at) < rules.doubt {
            self.doubtful
        } else {
            0
        }
    }

    fn sources(&self, rules: &Delay, now: Time) -> u32 {
        let fresh = |(_, at): &&(u64, Time)| now.since(*at) < rules.memory;
        u32::try_from(self.sources.iter().filter(fresh).count()).unwrap_or(u32::MAX)
    }

    /// When a login may be looked at; `None`: at once, without taking a turn.
    pub(crate) fn free_at(&self, rules: &Delay, scope: Scope, now: Time) -> Option<Time> {
        if self.weight(rules, scope, now) == 0 {
            return None;
        }
        let turn = self.turn.map_or(Time::ZERO, |(_, until)| until);
        Some(self.next.max(turn))
    }

    pub(crate) fn take_turn(&mut self, turn: (u64, Time)) {
        self.turn = Some(turn);
    }

    pub(crate) fn leave_turn(&mut self, id: u64) {
        self.turn = self.turn.filter(|(holder, _)| *holder != id);
    }

    fn note(&mut self, rules: &Delay, scope: Scope, source: u64, fault: Fault, now: Time) {
        if fault == Fault::Left {
            let before = if now.since(self.left_at) < rules.memory {
                self.left
            } else {
                0
            };
            self.left = before.saturating_add(1);
            self.left_at = now;
            if before < BROKEN_OFF {
                return;
            }
        }
        self.sources.retain(|(known, _)| *known != source);
        if self.sources.len() >= scope.sources as usize {
            self.sources.remove(0);
        }
        self.sources.push((source, now));
        match fault {
            Fault::Wrong | Fault::Left | Fault::Unseen => {
                self.wrong = self.wrong_now(rules, now).saturating_add(1);
                self.wrong_at = now;
            }
            Fault::Doubtful => {
                self.doubtful = self.doubtful_now(rules, now).saturating_add(1);
                self.doubtful_at = now;
            }
        }
        // A login that was not looked at delays nothing: otherwise a client that connects and leaves again
        // and again would keep all others at its address from their turn.
        if fault != Fault::Unseen {
            let wait = rules.after(self.weight(rules, scope, now));
            self.next = self.next.max(now + wait);
        }
    }

    fn last(&self) -> Time {
        self.wrong_at.max(self.doubtful_at).max(self.left_at)
    }
}

/// What failed lately, by subject.
#[derive(Debug)]
pub(crate) struct Failures<K> {
    failed: HashMap<K, Failed>,
    /// How many subjects are remembered, at least one; the ones that failed longest ago make room.
    most: usize,
}

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self {
            failed: HashMap::new(),
            most: ADDRESSES,
        }
    }
}

impl<K: Eq + Hash> Failures<K> {
    pub(crate) fn allow(&mut self, most: usize) {
        self.most = most.max(1);
    }

    pub(crate) fn get(&self, subject: &K) -> Option<&Failed> {
        self.failed.get(subject)
    }

    pub(crate) fn get_mut(&mut self, subject: &K) -> Option<&mut Failed> {
        self.failed.get_mut(subject)
    }

    pub(crate) fn len(&self) -> usize {
        self.failed.len()
    }

    /// Notes a failure of this subject.
    pub(crate) fn note(
        &mut self,
        rules: &Delay,
        (subject, scope): (K, Scope),
        source: u64,
        fault: Fault,
        now: Time,
    ) {
        if !self.failed.contains_key(&subject) {
            self.make_room(rules, now);
        }
        let failed = self.failed.entry(subject).or_default();
        failed.note(rules, scope, source, fault, now);
    }

    /// Forgets what is too old; if nothing is, the oldest tenth, so that a flood of new subjects does not
    /// walk through the whole table each time. Only age decides. If subjects with few failures went first,
    /// two new addresses in turn could push each other out, and neither would ever have a history.
    fn make_room(&mut self, rules: &Delay, now: Time) {
        if self.failed.len() < self.most {
            return;
        }
        let memory = rules.memory.max(rules.doubt);
        self.failed
            .retain(|_, failed| now.since(failed.last()) < memory);
        if self.failed.len() < self.most {
            return;
        }
        let mut moments: Vec<Time> = self.failed.values().map(Failed::last).collect();
        let place = moments.len() / 10;
        let (_, oldest, _) = moments.select_nth_unstable(place);
        let oldest = *oldest;
        self.failed.retain(|_, failed| failed.last() > oldest);
    }
}
