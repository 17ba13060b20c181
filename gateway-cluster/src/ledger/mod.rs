//! What an engine keeps and what each question does to it: the meaning of [`Ask`], as a pure function.
//!
//! Owns rows of text under names, each with the moment when it ends. Never reads a clock, knows no connection. The engine
//! in memory is one of these; PostgreSQL's loads the rows that a batch is about, lets it take place here and writes what
//! changed; Redis has the same in a script, and the tests ask all three the same questions.
//!
//! | row | holds | ends after |
//! |---|---|---|
//! | `born` | version, the secret's check, since when the engine knows something, which server | never |
//! | `lease:LEASE` | holds, degraded, name of the node | the lease's time |
//! | `nodes` | the leases that were opened | never |
//! | `name:NAME` | the lease of the oldest node with this name | the lease's time |
//! | `fence` | the last one given | never |
//! | `hold:DIGEST` | lease, session, fence | a day |
//! | `places:DIGEST` | for each lease how many connections | a day |
//! | `board` | what all nodes are to hear of: kind, account, until when | the last of these |
//! | `refresh:DIGEST` | lease, turn | the span |
//! | `fail:DIGEST` | the failures of a subject | their memory |
//!
//! A hold whose lease has ended is free. A lease that has ended never comes back. A hold goes over to a newer lease of its
//! process only if its row is as it was: a row that is gone may have been another's meanwhile.

mod board;
mod failures;
mod holds;
mod nodes;
mod places;

pub(crate) use nodes::read_node;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ask::{Answer, Ask};
use crate::digest::Digest;
use crate::lease::{Foreign, Lease};
use crate::timing::Timing;

/// What is written in front of `born`.
pub(crate) const VERSION: &str = "1";

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) value: String,
    /// In milliseconds of the engine's clock.
    pub(crate) until: Option<u64>,
}

/// All rows, or those that a batch is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    rows: BTreeMap<String, Row>,
    changed: BTreeSet<String>,
}

/// What is the same for all questions of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) timing: Timing,
    /// Tells whether the nodes have one secret.
    pub(crate) check: Digest,
    /// Which server this is; empty if that cannot change without all being lost.
    pub(crate) server: &'a str,
    /// The engine's clock, in milliseconds.
    pub(crate) now: u64,
}

impl Ledger {
    /// With these rows.
    pub(crate) fn load(rows: impl IntoIterator<Item = (String, Row)>) -> Self {
        Self {
            rows: rows.into_iter().collect(),
            changed: BTreeSet::new(),
        }
    }

    /// What has been changed since the last call; `None` is gone.
    pub(crate) fn take_changes(&mut self) -> Vec<(String, Option<Row>)> {
        let changed = std::mem::take(&mut self.changed);
        let rows = changed.into_iter();
        rows.map(|name| {
            let row = self.rows.get(&name).cloned();
            (name, row)
        })
        .collect()
    }

    /// Answers one question.
    pub(crate) fn answer(&mut self, terms: Terms<'_>, ask: &Ask) -> Answer {
        // nothing is written before all that is read has been understood
        self.try_answer(terms, ask).unwrap_or(Answer::Foreign)
    }

    fn try_answer(&mut self, terms: Terms<'_>, ask: &Ask) -> Result<Answer, Foreign> {
        let mut book = Book {
            ledger: self,
            terms,
        };
        match ask {
            Ask::Open { lease, node } => book.open(*lease, node),
            Ask::Renew { lease, node } => book.renew(*lease, node),
            Ask::Close { lease } => book.close(*lease),
            Ask::Acquire {
                lease,
                maildrop,
                session,
            } => book.acquire(*lease, *maildrop, *session),
            Ask::Keep {
                lease,
                maildrop,
                session,
                fence,
                sure,
            } => book.keep(*lease, *maildrop, (*session, *fence), *sure),
            Ask::Release { maildrop, proof } => book.release(*maildrop, *proof),
            Ask::Enter {
                lease,
                account,
                cap,
            } => book.enter(*lease, *account, *cap),
            Ask::Count {
                lease,
                account,
                count,
            } => book.count(*lease, *account, *count),
            Ask::Post {
                post,
                account,
                span,
            } => book.post(*post, *account, *span),
            Ask::Refresh {
                lease,
                grant,
                turn,
                span,
            } => book.refresh(*lease, *grant, *turn, *span),
            Ask::Refreshed { lease, grant, turn } => book.refreshed(*lease, *grant, *turn),
            Ask::Look {
                subjects,
                turn,
                rules,
            } => book.look(subjects, *turn, rules),
            Ask::Note {
                subjects,
                source,
                fault,
                rules,
            } => book.note(subjects, *source, *fault, rules),
            Ask::Spare { subjects, turn } => book.spare(subjects, *turn),
            Ask::Survey => book.survey(),
        }
    }

    /// It knows all that there is from now on.
    pub(crate) fn begin(&mut self, terms: Terms<'_>) {
        let (check, now, server) = (terms.check, terms.now, terms.server);
        let value = format!("{VERSION} {check} {now} {server}");
        let mut book = Book {
            ledger: self,
            terms,
        };
        book.set(BORN, value, None);
    }

    /// Forgets what has ended.
    pub(crate) fn sweep(&mut self, now: u64) {
        self.rows
            .retain(|_, row| row.until.is_none_or(|until| until > now));
    }
}

/// A ledger at one moment.
struct Book<'a, 'b> {
    ledger: &'a mut Ledger,
    terms: Terms<'b>,
}

impl Book<'_, '_> {
    fn get(&self, name: &str) -> Option<&str> {
        let row = self.ledger.rows.get(name)?;
        let lives = row.until.is_none_or(|until| until > self.terms.now);
        lives.then_some(row.value.as_str())
    }

    /// How long a row lives; zero if it is not there.
    fn left(&self, name: &str) -> Duration {
        let until = self.ledger.rows.get(name).and_then(|row| row.until);
        let left = until.map_or(0, |until| until.saturating_sub(self.terms.now));
        Duration::from_millis(left)
    }

    fn set(&mut self, name: &str, value: String, span: Option<Duration>) {
        let until = span.map(|span| self.terms.now.saturating_add(millis(span)));
        self.ledger.changed.insert(name.to_owned());
        self.ledger
            .rows
            .insert(name.to_owned(), Row { value, until });
    }

    fn delete(&mut self, name: &str) {
        if self.ledger.rows.remove(name).is_some() {
            self.ledger.changed.insert(name.to_owned());
        }
    }

    fn lives(&self, lease: Lease) -> bool {
        self.get(&lease_row(lease)).is_some()
    }
}

/// The rows that a question is about, the leases apart.
pub(crate) fn rows_of(ask: &Ask) -> Vec<String> {
    let subjects = |subjects: &[crate::subject::Subject]| {
        let rows = subjects.iter().map(|subject| fail_row(subject.digest));
        rows.collect()
    };
    match ask {
        Ask::Open { node, .. } | Ask::Renew { node, .. } => {
            vec![name_row(&node.name), BOARD.into()]
        }
        Ask::Close { .. } | Ask::Survey => Vec::new(),
        Ask::Acquire { maildrop, .. }
        | Ask::Keep { maildrop, .. }
        | Ask::Release { maildrop, .. } => vec![hold_row(*maildrop)],
        Ask::Enter { account, .. } | Ask::Count { account, .. } => vec![places_row(*account)],
        Ask::Post { .. } => vec![BOARD.into()],
        Ask::Refresh { grant, .. } | Ask::Refreshed { grant, .. } => vec![refresh_row(*grant)],
        Ask::Look { subjects: all, .. }
        | Ask::Note { subjects: all, .. }
        | Ask::Spare { subjects: all, .. } => subjects(all),
    }
}

pub(crate) const BORN: &str = "born";
pub(crate) const NODES: &str = "nodes";
pub(crate) const FENCE: &str = "fence";
pub(crate) const BOARD: &str = "board";
pub(crate) const LEASES: &str = "lease:";

fn lease_row(lease: Lease) -> String {
    format!("{LEASES}{lease}")
}

fn name_row(name: &str) -> String {
    format!("name:{name}")
}

fn hold_row(maildrop: Digest) -> String {
    format!("hold:{maildrop}")
}

fn places_row(account: Digest) -> String {
    format!("places:{account}")
}

fn refresh_row(grant: Digest) -> String {
    format!("refresh:{grant}")
}

fn fail_row(subject: Digest) -> String {
    format!("fail:{subject}")
}

/// In milliseconds.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The next word of a row, as a number.
fn number<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<u64, Foreign> {
    let word = words.next().ok_or(Foreign)?;
    word.parse().map_err(|_| Foreign)
}

#[cfg(test)]
mod tests;
