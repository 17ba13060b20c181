//! How long the next login has to wait: longer with every failure of the same subject.
//!
//! Owns the rules ([`Delay`]) and bounded tables of what failed lately. A subject is an address, a wider IPv6
//! network, or a name. Never refuses anything, never reads a clock, and does not know which logins wait:
//! [`throttle`](crate::throttle) does.
//!
//! Failures are of two kinds. A *wrong* one is a refused password; it is remembered for [`Delay::memory`],
//! and each one doubles the wait. A *doubtful* one is a login that failed without a refusal, as all logins
//! do while an upstream is out of order: it counts for [`Delay::doubt`] only, and at most [`DOUBTS`] of them
//! count, so that no user is punished when an outage ends.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use pop3_proto::time::Time;

/// How many doubtful failures count at most: 2 s, 4 s, 8 s with the usual rules.
pub const DOUBTS: u32 = 3;

/// How many logins of a subject may be abandoned while they are looked at before that counts as wrong: a
/// line may break, and its user tries again at once.
pub const BROKEN_OFF: u32 = 3;

/// How the wait grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delay {
    /// After the first failure; doubles with each further one.
    pub first: Duration,
    /// The longest; zero means that no login waits.
    pub most: Duration,
    /// How long a wrong password is remembered.
    pub memory: Duration,
    /// How long a failure is remembered that may be the upstream's fault.
    pub doubt: Duration,
    /// How many addresses are remembered, and how many names; at least one of each. The ones that failed
    /// longest ago make room.
    pub addresses: usize,
}

impl Default for Delay {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            most: Duration::from_secs(30),
            memory: Duration::from_secs(15 * 60),
            doubt: Duration::from_secs(60),
            addresses: 10_000,
        }
    }
}

impl Delay {
    /// The wait after this many failures.
    pub fn after(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.most)
    }
}

/// What a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The credentials were refused.
    Wrong,
    /// The login failed in another way, after the credentials had gone out.
    Doubtful,
    /// The client left while the credentials were looked at: wrong, after the first [`BROKEN_OFF`].
    Left,
    /// The client left before the credentials were looked at, while the login waited.
    Unseen,
}

/// When the failures of a subject matter, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// How many sources they have to come from.
    pub(crate) sources: usize,
    /// How many count at most.
    pub(crate) most: u32,
}

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
        if self.sources(rules, now) < scope.sources {
            return 0;
        }
        let (wrong, doubtful) = (self.wrong_now(rules, now), self.doubtful_now(rules, now));
        // the failures that it took to reach that many sources are not held against the subject
        let passed = u32::try_from(scope.sources)
            .unwrap_or(u32::MAX)
            .saturating_sub(1);
        let counted = doubtful.saturating_sub(passed.saturating_sub(wrong));
        wrong
            .saturating_sub(passed)
            .saturating_add(counted.min(DOUBTS))
            .min(scope.most)
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

    fn sources(&self, rules: &Delay, now: Time) -> usize {
        let fresh = |(_, at): &&(u64, Time)| now.since(*at) < rules.memory;
        self.sources.iter().filter(fresh).count()
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
        if self.sources.len() >= scope.sources {
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
pub(crate) struct Failures<K>(HashMap<K, Failed>);

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Failures<K> {
    pub(crate) fn get(&self, subject: &K) -> Option<&Failed> {
        self.0.get(subject)
    }

    pub(crate) fn get_mut(&mut self, subject: &K) -> Option<&mut Failed> {
        self.0.get_mut(subject)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
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
        if !self.0.contains_key(&subject) {
            self.make_room(rules, now);
        }
        let failed = self.0.entry(subject).or_default();
        failed.note(rules, scope, source, fault, now);
    }

    /// Forgets what is too old; if nothing is, the oldest tenth, so that a flood of new subjects does not
    /// walk through the whole table each time. Only age decides. If subjects with few failures went first,
    /// two new addresses in turn could push each other out, and neither would ever have a history.
    fn make_room(&mut self, rules: &Delay, now: Time) {
        let most = rules.addresses.max(1);
        if self.0.len() < most {
            return;
        }
        let memory = rules.memory.max(rules.doubt);
        self.0.retain(|_, failed| now.since(failed.last()) < memory);
        if self.0.len() < most {
            return;
        }
        let mut moments: Vec<Time> = self.0.values().map(Failed::last).collect();
        let place = moments.len() / 10;
        let (_, oldest, _) = moments.select_nth_unstable(place);
        let oldest = *oldest;
        self.0.retain(|_, failed| failed.last() > oldest);
    }
}
