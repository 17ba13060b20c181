//! What the server has, compared with the state file: which messages are new, which are known, and which
//! have to be looked at again because their unique-id alone proves nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use pop3_proto::capability::Capability;

use super::error::DownloadError;
use super::journal::Journal;
use super::order::{Order, Removal, Report};
use super::witness::Witness;
use crate::text;
use pop3_client_io::Error;
use pop3_client_io::blocking::Session;

/// The mailbox as it is listed.
pub(super) struct Mailbox {
    pub(super) messages: Vec<Listed>,
    /// What was fetched under each unique-id, to compare with.
    pub(super) before: HashMap<String, Vec<Seen>>,
    /// The server has unique-ids. If not, only a message's octets identify it.
    pub(super) has_ids: bool,
}

/// A message that was fetched.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) witness: Witness,
    pub(super) at: u64,
}

/// A message as the server lists it.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) number: u32,
    /// Its unique-id; empty without unique-ids.
    pub(super) id: String,
    /// The same, with a count for the second of two with the same id.
    pub(super) identity: String,
    pub(super) size: u64,
    pub(super) state: State,
}

/// What the state file says about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It was not fetched.
    New,
    /// It was fetched, or another one with its id was.
    Doubtful,
    /// It was fetched.
    Known {
        /// No other message has its id now.
        alone: bool,
    },
}

impl Mailbox {
    /// Asks the server, and lets the state file forget what is gone.
    pub(super) fn ask(
        session: &mut Session,
        journal: &mut Journal,
        order: &Order,
        report: &mut Report,
    ) -> Result<Self, DownloadError> {
        let ids = match session.unique_ids() {
            Ok(ids) => ids,
            // some servers refuse to list nothing
            Err(Error::Refused { .. }) if is_empty(session)? => BTreeMap::new(),
            Err(Error::Refused { refusal, .. }) if refusal.is_passing() => {
                let what = "UIDL".into();
                return Err(Error::Refused { what, refusal }.into());
            }
            Err(Error::Refused { refusal, .. }) => {
                let had_ids =
                    session.can(&Capability::Uidl) || journal.all().any(|(id, _)| !is_digest(id));
                if had_ids {
                    let what = "UIDL, although it has unique-ids".into();
                    return Err(Error::Refused { what, refusal }.into());
                }
                if order.removal != Removal::AfterDownload {
                    return Err(DownloadError::NoUniqueIds(refusal.to_string()));
                }
                return Self::without_ids(session);
            }
            Err(error) => return Err(error.into()),
        };
        let sizes = match session.sizes() {
            Ok(sizes) => sizes,
            Err(Error::Refused { .. }) => BTreeMap::new(),
            Err(error) => return Err(error.into()),
        };
        let without = sizes.keys().filter(|number| !ids.contains_key(number));
        let without = without.count();
        if without > 0 {
            let count = text::count(without as u64, "message");
            let warning = format!("{count} left alone: their unique-ids are ambiguous");
            report.warnings.insert(warning);
        }
        let mut mailbox = Self {
            messages: count_up(&ids, &sizes),
            before: HashMap::new(),
            has_ids: true,
        };
        mailbox.compare(journal, report);
        if without == 0 {
            let listed: HashSet<&str> = mailbox
                .messages
                .iter()
                .map(|message| message.identity.as_str())
                .collect();
            journal.keep_only(&listed)?;
        }
        Ok(mailbox)
    }

    /// Everything is fetched each time.
    fn without_ids(session: &mut Session) -> Result<Self, DownloadError> {
        let sizes = session.sizes()?;
        let listed = sizes.into_iter().map(|(number, size)| Listed {
            number,
            id: String::new(),
            identity: String::new(),
            size,
            state: State::New,
        });
        Ok(Self {
            messages: listed.collect(),
            before: HashMap::new(),
            has_ids: false,
        })
    }

    fn compare(&mut self, journal: &Journal, report: &mut Report) {
        let mut known: HashMap<&str, usize> = HashMap::new();
        for (identity, entry) in journal.all() {
            let id = base(identity);
            *known.entry(id).or_insert(0) += 1;
            if let Some(witness) = entry.witness.clone() {
                let seen = Seen {
                    witness,
                    at: entry.at,
                };
                self.before.entry(id.into()).or_default().push(seen);
            }
        }
        let mut listed: HashMap<String, usize> = HashMap::new();
        for message in &self.messages {
            *listed.entry(message.id.clone()).or_insert(0) += 1;
        }
        for message in &mut self.messages {
            let there = listed.get(&message.id).copied().unwrap_or(0);
            let were = known.get(message.id.as_str()).copied().unwrap_or(0);
            let leaving = journal
                .fetched(&message.identity)
                .is_some_and(|entry| entry.leaving);
            message.state = match were {
                0 => State::New,
                // which of them are those that were fetched?
                were if were != there || leaving => State::Doubtful,
                _ => State::Known { alone: there == 1 },
            };
        }
        if listed.values().any(|there| *there > 1) {
            let warning = "the server gives one unique-id to several messages";
            report.warnings.insert(warning.into());
        }
        self.before.retain(|id, _| listed.contains_key(id));
    }

    /// Whether a message that was fetched under this id has these octets, and when it was fetched. Each
    /// counts once: two messages with the same octets are two.
    pub(super) fn seen(&mut self, id: &str, witness: &Witness) -> Option<u64> {
        let seen = self.before.get_mut(id)?;
        let place = seen.iter().position(|seen| seen.witness == *witness)?;
        Some(seen.swap_remove(place).at)
    }
}

fn is_empty(session: &mut Session) -> Result<bool, DownloadError> {
    match session.stat() {
        Ok((messages, _)) => Ok(messages == 0),
        Err(Error::Refused { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn count_up(ids: &BTreeMap<u32, String>, sizes: &BTreeMap<u32, u64>) -> Vec<Listed> {
    let mut times: HashMap<&str, u32> = HashMap::new();
    let listed = ids.iter().map(|(&number, id)| {
        let times = times.entry(id).or_insert(0);
        *times += 1;
        Listed {
            number,
            id: id.clone(),
            identity: numbered(id, *times),
            size: sizes.get(&number).copied().unwrap_or(0),
            state: State::New,
        }
    });
    listed.collect()
}

/// The name in the state file of the second, third and so on message with the same id: no id contains a space.
fn numbered(id: &str, times: u32) -> String {
    if times < 2 {
        return id.into();
    }
    format!("{id} {times}")
}

fn base(identity: &str) -> &str {
    match identity.rsplit_once(' ') {
        Some((id, _)) if !id.is_empty() => id,
        Some(_) | None => identity,
    }
}

/// The name of a message without a unique-id in the state file. It begins with a space, as no id does.
pub(super) fn digest_identity(witness: &Witness, taken: &BTreeSet<String>) -> String {
    let id = format!(" {}", witness.whole());
    let mut times = 1;
    loop {
        let identity = numbered(&id, times);
        if !taken.contains(&identity) {
            return identity;
        }
        times += 1;
    }
}

fn is_digest(identity: &str) -> bool {
    identity.starts_with(' ')
}
