//! Failed logins, by subject. The formula is that of a single process, on the engine's clock.

use std::time::Duration;

use pop3_proto::failed_login::{BROKEN_OFF, Delay, Fault, TURN};

use super::{Book, fail_row, millis, number};
use crate::ask::{Answer, Turn};
use crate::digest::Digest;
use crate::lease::Foreign;
use crate::subject::Subject;

/// The failures of one subject. Moments are the engine's, in milliseconds.
#[derive(Default)]
struct Failed {
    wrong: u64,
    wrong_at: u64,
    doubtful: u64,
    doubtful_at: u64,
    left: u64,
    left_at: u64,
    /// When the next login may be looked at.
    next: u64,
    turn: Option<(Turn, u64)>,
    /// Where they came from, the newest at the end.
    sources: Vec<(String, u64)>,
}

impl Failed {
    fn read(value: &str) -> Result<Self, Foreign> {
        let mut words = value.split(' ');
        let mut next = || number(&mut words);
        let mut failed = Self {
            wrong: next()?,
            wrong_at: next()?,
            doubtful: next()?,
            doubtful_at: next()?,
            left: next()?,
            left_at: next()?,
            next: next()?,
            turn: None,
            sources: Vec::new(),
        };
        let turn_until = next()?;
        let turn = words.next().ok_or(Foreign)?;
        if turn != "-" {
            let (boot, number) = turn.split_once('.').ok_or(Foreign)?;
            let boot = u64::from_str_radix(boot, 16).map_err(|_| Foreign)?;
            let number = number.parse().map_err(|_| Foreign)?;
            failed.turn = Some((Turn { boot, number }, turn_until));
        }
        for word in words {
            let (source, at) = word.split_once('@').ok_or(Foreign)?;
            failed
                .sources
                .push((source.into(), at.parse().map_err(|_| Foreign)?));
        }
        Ok(failed)
    }

    fn write(&self) -> String {
        let (turn, until) = self.turn.map_or_else(
            || ("-".to_owned(), 0),
            |(turn, until)| (format!("{:016x}.{}", turn.boot, turn.number), until),
        );
        let mut value = format!(
            "{} {} {} {} {} {} {} {until} {turn}",
            self.wrong,
            self.wrong_at,
            self.doubtful,
            self.doubtful_at,
            self.left,
            self.left_at,
            self.next
        );
        for (source, at) in &self.sources {
            value.push_str(&format!(" {source}@{at}"));
        }
        value
    }

    /// How many failures count now.
    fn weight(&self, rules: &Delay, subject: &Subject, now: u64) -> u32 {
        let memory = millis(rules.memory);
        let fresh = |(_, at): &&(String, u64)| now.saturating_sub(*at) < memory;
        let sources = self.sources.iter().filter(fresh).count();
        let wrong = recent(self.wrong, self.wrong_at, rules.memory, now);
        let doubtful = recent(self.doubtful, self.doubtful_at, rules.doubt, now);
        subject.scope.weight(
            u32::try_from(wrong).unwrap_or(u32::MAX),
            u32::try_from(doubtful).unwrap_or(u32::MAX),
            u32::try_from(sources).unwrap_or(u32::MAX),
        )
    }

    /// When a login may be looked at; `None`: at once, without taking a turn.
    fn free_at(&self, rules: &Delay, subject: &Subject, now: u64) -> Option<u64> {
        if self.weight(rules, subject, now) == 0 {
            return None;
        }
        Some(self.next.max(self.turn.map_or(0, |(_, until)| until)))
    }

    fn note(&mut self, rules: &Delay, subject: &Subject, source: &str, fault: Fault, now: u64) {
        if fault == Fault::Left {
            let before = recent(self.left, self.left_at, rules.memory, now);
            self.left = before.saturating_add(1);
            self.left_at = now;
            if before < u64::from(BROKEN_OFF) {
                return;
            }
        }
        self.sources.retain(|(known, _)| known != source);
        if self.sources.len() >= subject.scope.sources as usize {
            self.sources.remove(0);
        }
        self.sources.push((source.to_owned(), now));
        match fault {
            Fault::Wrong | Fault::Left | Fault::Unseen => {
                let wrong = recent(self.wrong, self.wrong_at, rules.memory, now);
                self.wrong = wrong.saturating_add(1);
                self.wrong_at = now;
            }
            Fault::Doubtful => {
                let doubtful = recent(self.doubtful, self.doubtful_at, rules.doubt, now);
                self.doubtful = doubtful.saturating_add(1);
                self.doubtful_at = now;
            }
        }
        if fault != Fault::Unseen {
            let weight = self.weight(rules, subject, now);
            let wait = rules.after(weight);
            self.next = self.next.max(now.saturating_add(millis(wait)));
        }
    }
}

/// A count, unless it is too old.
fn recent(count: u64, at: u64, memory: Duration, now: u64) -> u64 {
    match now.saturating_sub(at) < millis(memory) {
        true => count,
        false => 0,
    }
}

impl Book<'_, '_> {
    pub(super) fn look(
        &mut self,
        subjects: &[Subject],
        turn: Turn,
        rules: &Delay,
    ) -> Result<Answer, Foreign> {
        if rules.most.is_zero() {
            return Ok(Answer::Wait(Duration::ZERO));
        }
        let now = self.terms.now;
        let mut failed = self.failures(subjects)?;
        let weighs = |(failed, subject): &(Failed, &Subject)| failed.free_at(rules, subject, now);
        let free_at = failed.iter().filter_map(weighs).max();
        let wait = free_at.unwrap_or(now).saturating_sub(now);
        if wait > 0 {
            return Ok(Answer::Wait(Duration::from_millis(wait)));
        }
        let until = now.saturating_add(millis(TURN));
        failed.retain(|entry| weighs(entry).is_some());
        for (mut failed, subject) in failed {
            failed.turn = Some((turn, until));
            self.put_failed(subject.digest, &failed, rules);
        }
        Ok(Answer::Wait(Duration::ZERO))
    }

    pub(super) fn note(
        &mut self,
        subjects: &[Subject],
        source: Digest,
        fault: Fault,
        rules: &Delay,
    ) -> Result<Answer, Foreign> {
        let now = self.terms.now;
        let source = source.to_string();
        for (mut failed, subject) in self.failures(subjects)? {
            failed.note(rules, subject, &source[..16], fault, now);
            self.put_failed(subject.digest, &failed, rules);
        }
        Ok(Answer::Done)
    }

    pub(super) fn spare(&mut self, subjects: &[Subject], turn: Turn) -> Result<Answer, Foreign> {
        for (mut failed, subject) in self.failures(subjects)? {
            if failed.turn.is_some_and(|(holder, _)| holder == turn) {
                failed.turn = None;
                let row = fail_row(subject.digest);
                let left = self.left(&row);
                self.set(&row, failed.write(), Some(left));
            }
        }
        Ok(Answer::Done)
    }

    fn failures<'s>(&self, subjects: &'s [Subject]) -> Result<Vec<(Failed, &'s Subject)>, Foreign> {
        let failed = |subject: &'s Subject| {
            let value = self.get(&fail_row(subject.digest));
            let failed = value.map_or_else(|| Ok(Failed::default()), Failed::read)?;
            Ok((failed, subject))
        };
        subjects.iter().map(failed).collect()
    }

    /// Forgotten when the last failure does not count any more, so what there is stays bounded.
    fn put_failed(&mut self, subject: Digest, failed: &Failed, rules: &Delay) {
        let span = rules.memory.max(rules.doubt).max(TURN);
        self.set(&fail_row(subject), failed.write(), Some(span));
    }
}
