//! One session of a download: list, fetch what is new, mark what may be removed, QUIT.

use std::collections::BTreeMap;

use pop3_proto::command::{Command, MessageNumber};

use super::error::DownloadError;
use super::fetch::Fetch;
use super::journal;
use super::listed::{Listed, Mailbox, State};
use super::means::Means;
use super::order::Removal;
use super::witness::MAX_HEAD;
use pop3_client_io::blocking::Session;
use pop3_client_io::{Error, Part};

/// Larger messages are recognised by their header.
const SMALL: u64 = 16 * 1024;

pub(super) struct Pass<'a>(Means<'a>);

impl<'a> Pass<'a> {
    pub(super) const fn with(means: Means<'a>) -> Self {
        Self(means)
    }

    pub(super) fn run(&mut self, mut session: Session) -> Result<(), DownloadError> {
        let mut mailbox = Mailbox::ask(&mut session, self.0.journal, self.0.order, self.0.report)?;
        let listed = mailbox.messages.clone();
        let (known, wanted): (Vec<&Listed>, Vec<&Listed>) = listed
            .iter()
            .filter(|message| !self.0.doubtful.contains(&message.identity))
            .partition(|message| matches!(message.state, State::Known { .. }));
        if self.0.report.fetched == 0 {
            self.0.report.known = known.len() as u64;
        }
        // messages that are there now, by number, and proven to be the ones that the state file knows under this name
        let mut sure = self.fetch(&mut session, &mut mailbox, &wanted)?;
        if !mailbox.has_ids && sure.len() == listed.len() {
            let there = sure.values().map(String::as_str).collect();
            self.0.journal.keep_only(&there)?;
        }
        let due: Vec<&Listed> = known
            .into_iter()
            .filter(|message| self.is_due(&message.identity))
            // an id that several messages have proves nothing about an earlier session's
            .filter(|message| message.state == State::Known { alone: true })
            .collect();
        self.look_again(&mut session, &mut mailbox, &due, &mut sure)?;
        sure.retain(|_, identity| self.is_due(identity));
        let marked = self.mark(&mut session, &sure)?;
        match session.quit() {
            Ok(_) => {
                self.0.report.removed += marked.len() as u64;
                if !mailbox.has_ids {
                    self.0.journal.forget(marked)?;
                }
                Ok(())
            }
            Err(Error::Refused { refusal, .. }) => {
                let warning = format!("the server did not remove all of the mail: {refusal}");
                self.0.report.warnings.insert(warning);
                Ok(())
            }
            // nothing depends on it then
            Err(_) if sure.is_empty() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn fetch(
        &mut self,
        session: &mut Session,
        mailbox: &mut Mailbox,
        wanted: &[&Listed],
    ) -> Result<BTreeMap<u32, String>, DownloadError> {
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let octets = wanted.iter().map(|message| message.size).sum();
        self.0.watch.start(wanted.len() as u64, octets);
        Fetch::new(&mut self.0, mailbox, wanted).run(session)
    }

    /// Checks whether these messages are the ones that were fetched in an earlier session: another program
    /// may have removed one, and the server may have given its unique-id to another message. One that is
    /// not the same is new, and is fetched.
    fn look_again(
        &mut self,
        session: &mut Session,
        mailbox: &mut Mailbox,
        due: &[&Listed],
        sure: &mut BTreeMap<u32, String>,
    ) -> Result<(), DownloadError> {
        let (large, mut unsure): (Vec<&Listed>, Vec<&Listed>) =
            due.iter().partition(|message| message.size > SMALL);
        let mut head = Vec::new();
        let commands = large
            .iter()
            .map(|message| Command::Top(MessageNumber(message.number), 0));
        session.run_all(commands, &mut |position, part| {
            let Some(message) = large.get(position) else {
                return Ok(());
            };
            match part {
                Part::Start(_) => head.clear(),
                Part::Octets(octets) => {
                    let room = MAX_HEAD.saturating_sub(head.len());
                    head.extend_from_slice(&octets[..octets.len().min(room)]);
                }
                Part::Whole => {
                    let entry = self.0.journal.fetched(&message.identity);
                    let witness = entry.and_then(|entry| entry.witness.as_ref());
                    if witness.is_some_and(|witness| witness.has_head(&head)) {
                        sure.insert(message.number, message.identity.clone());
                    } else {
                        unsure.push(message);
                    }
                }
                Part::Refused(_) => unsure.push(message),
            }
            Ok(())
        })?;
        // they were counted as known, and will be so again if they are the same
        if !unsure.is_empty() {
            self.0.report.known = self.0.report.known.saturating_sub(unsure.len() as u64);
        }
        sure.extend(self.fetch(session, mailbox, &unsure)?);
        Ok(())
    }

    /// Whether the server need not keep it any longer.
    fn is_due(&self, identity: &str) -> bool {
        let before = match self.0.order.removal {
            Removal::Never => return false,
            Removal::AfterDownload => u64::MAX,
            Removal::AfterDays(days) => journal::now().saturating_sub(u64::from(days) * 86_400),
        };
        let entry = self.0.journal.fetched(identity);
        entry.is_some_and(|entry| entry.at <= before)
    }

    /// Marks messages; returns those that the server accepted.
    fn mark(
        &mut self,
        session: &mut Session,
        doomed: &BTreeMap<u32, String>,
    ) -> Result<Vec<String>, DownloadError> {
        // some servers remove without a QUIT
        self.0.journal.leave(doomed.values().cloned().collect())?;
        let numbers: Vec<u32> = doomed.keys().copied().collect();
        let refused = session.delete(&numbers)?;
        if let Some((number, why)) = refused.first_key_value() {
            let warning = format!("the server does not delete message {number}: {why}");
            self.0.report.warnings.insert(warning);
        }
        let marked = doomed
            .iter()
            .filter(|(number, _)| !refused.contains_key(number));
        Ok(marked.map(|(_, identity)| identity.clone()).collect())
    }
}
