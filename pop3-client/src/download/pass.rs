//! One session of a download: list, fetch what is new, mark what may go, QUIT.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use pop3_proto::command::{Command, MessageNumber};

use super::journal::{self, Journal, Plan};
use super::target::Target;
use super::{DownloadError, Order, Removal, Report, Watch};
use crate::session::{Error, Part, Session};

/// Messages go to their place together in groups of at most so many …
const GROUP: usize = 50;

/// … or as soon as they have so many octets: what a cut costs, at most.
const GROUP_OCTETS: u64 = 8 * 1024 * 1024;

pub(super) struct Pass<'a> {
    pub(super) order: &'a Order,
    pub(super) journal: &'a mut Journal,
    pub(super) target: &'a mut dyn Target,
    pub(super) report: &'a mut Report,
    pub(super) watch: &'a mut dyn Watch,
}

/// A message as the server lists it.
struct Listed {
    number: u32,
    /// Its unique-id, and for the second of two with the same id a count.
    identity: String,
    unique: bool,
    size: u64,
}

impl Pass<'_> {
    pub(super) fn run(&mut self, mut session: Session) -> Result<(), DownloadError> {
        let listed = self.list(&mut session)?;
        let new: Vec<&Listed> = listed
            .iter()
            .filter(|message| self.journal.fetched(&message.identity).is_none())
            .collect();
        if self.report.fetched == 0 {
            self.report.known = (listed.len() - new.len()) as u64;
        }
        let fetched = self.fetch(&mut session, &new)?;
        let doomed = self.doomed(&listed, &fetched);
        let marked = self.mark(&mut session, &doomed)?;
        match session.quit() {
            Ok(_) => {
                self.report.removed += marked;
                Ok(())
            }
            Err(Error::Refused { refusal, .. }) => {
                let warning = format!("the server did not remove all of the mail: {refusal}");
                self.report.warnings.insert(warning);
                Ok(())
            }
            // nothing depends on it then
            Err(_) if doomed.is_empty() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn list(&mut self, session: &mut Session) -> Result<Vec<Listed>, DownloadError> {
        let ids = match session.unique_ids() {
            Ok(ids) => ids,
            Err(Error::Refused { refusal, .. }) => {
                return Err(DownloadError::NoUniqueIds(refusal.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        let sizes = match session.sizes() {
            Ok(sizes) => sizes,
            Err(Error::Refused { .. }) => BTreeMap::new(),
            Err(error) => return Err(error.into()),
        };
        let missing = sizes
            .keys()
            .filter(|number| !ids.contains_key(number))
            .count();
        if missing > 0 {
            let count = crate::text::count(missing as u64, "message");
            let warning = format!("{count} left alone: no unique-id tells which");
            self.report.warnings.insert(warning);
        }
        let mut seen: HashMap<&str, u32> = HashMap::new();
        let mut listed = Vec::with_capacity(ids.len());
        for (&number, id) in &ids {
            let times = seen.entry(id).or_insert(0);
            *times += 1;
            listed.push(Listed {
                number,
                // a space stands in no id
                identity: if *times == 1 {
                    id.clone()
                } else {
                    format!("{id} {times}")
                },
                unique: true,
                size: sizes.get(&number).copied().unwrap_or(0),
            });
        }
        for message in &mut listed {
            let id = message.identity.split(' ').next().unwrap_or_default();
            message.unique = seen.get(id) == Some(&1);
        }
        if listed.iter().any(|message| !message.unique) {
            self.report
                .warnings
                .insert("the server gives one unique-id to several messages".into());
        }
        Ok(listed)
    }

    /// Fetches these and says which of them are safe.
    fn fetch(
        &mut self,
        session: &mut Session,
        new: &[&Listed],
    ) -> Result<BTreeSet<u32>, DownloadError> {
        if new.is_empty() {
            return Ok(BTreeSet::new());
        }
        let octets = new.iter().map(|message| message.size).sum();
        self.watch.start(new.len() as u64, octets);
        let commands = new
            .iter()
            .map(|message| Command::Retr(MessageNumber(message.number)));
        let mut group = Group::default();
        let mut safe = BTreeSet::new();
        let mut failure = None;
        let outcome = session.run_all(commands, &mut |position, part| {
            let Some(message) = new.get(position) else {
                return Ok(());
            };
            let taken = self.take(message, part, &mut group, &mut safe);
            taken.map_err(|error| {
                failure = Some(error);
                io::Error::other("stopped")
            })
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        if outcome.is_err() {
            self.target.discard();
        }
        // what is whole is whole, even if the connection broke behind it
        self.settle(&mut group, &mut safe)?;
        outcome?;
        Ok(safe)
    }

    fn take(
        &mut self,
        message: &Listed,
        part: Part<'_>,
        group: &mut Group,
        safe: &mut BTreeSet<u32>,
    ) -> Result<(), DownloadError> {
        match part {
            Part::Start(_) => {
                group.octets = 0;
                self.target
                    .begin(&message.identity)
                    .map_err(|cause| self.place_failed(cause))
            }
            Part::Octets(octets) => {
                group.octets += octets.len() as u64;
                self.watch.octets(octets.len() as u64);
                self.target
                    .write(octets)
                    .map_err(|cause| self.place_failed(cause))
            }
            Part::Whole => {
                self.target
                    .end()
                    .map_err(|cause| self.place_failed(cause))?;
                self.watch.message();
                group
                    .messages
                    .push((message.number, message.identity.clone()));
                group.total += group.octets;
                if group.messages.len() >= GROUP || group.total >= GROUP_OCTETS {
                    self.settle(group, safe)?;
                }
                Ok(())
            }
            Part::Refused(refusal) => {
                let identity = message.identity.clone();
                self.report.refused.insert(identity, refusal.to_string());
                Ok(())
            }
        }
    }

    /// Brings the messages of a group to their place, for good.
    fn settle(&mut self, group: &mut Group, safe: &mut BTreeSet<u32>) -> Result<(), DownloadError> {
        let sealed = self
            .target
            .seal()
            .map_err(|cause| self.place_failed(cause))?;
        let Group {
            messages, total, ..
        } = std::mem::take(group);
        let Some(work) = sealed else {
            return Ok(());
        };
        let (numbers, ids): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let plan = Plan { ids, work };
        self.journal.promise(&plan)?;
        self.target
            .carry_out(&plan.work)
            .map_err(|cause| self.place_failed(cause))?;
        self.journal.finish(&plan)?;
        self.report.fetched += numbers.len() as u64;
        self.report.octets += total;
        safe.extend(numbers);
        Ok(())
    }

    /// Which messages are removed from the server.
    fn doomed(&self, listed: &[Listed], fetched: &BTreeSet<u32>) -> Vec<u32> {
        let before = match self.order.removal {
            Removal::Never => return Vec::new(),
            Removal::AfterDownload => u64::MAX,
            Removal::AfterDays(days) => journal::now().saturating_sub(u64::from(days) * 86_400),
        };
        listed
            .iter()
            // an id that several messages have proves nothing about an earlier session's
            .filter(|message| message.unique || fetched.contains(&message.number))
            .filter(|message| {
                self.journal
                    .fetched(&message.identity)
                    .is_some_and(|at| at <= before)
            })
            .map(|message| message.number)
            .collect()
    }

    fn mark(&mut self, session: &mut Session, doomed: &[u32]) -> Result<u64, DownloadError> {
        let refused = session.delete(doomed)?;
        if let Some((number, why)) = refused.first_key_value() {
            let warning = format!("the server does not delete message {number}: {why}");
            self.report.warnings.insert(warning);
        }
        Ok((doomed.len() - refused.len()) as u64)
    }

    fn place_failed(&self, cause: io::Error) -> DownloadError {
        DownloadError::Place {
            place: self.order.to.path().into(),
            cause,
        }
    }
}

/// Messages that are whole but not at their place.
#[derive(Default)]
struct Group {
    messages: Vec<(u32, String)>,
    /// Their octets.
    total: u64,
    /// Those of the message that is coming.
    octets: u64,
}
