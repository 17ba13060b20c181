//! Messages as they come: each is kept once it is whole *and* the server's next answer shows that both
//! sides are still in step, and only if it was not fetched before.
//!
//! A message that is followed by something that nothing asked for, or that has another length than the server
//! announced, may be cut or hold parts of another one. It is neither kept nor removed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use pop3_proto::client::Close;
use pop3_proto::command::{Command, MessageNumber};

use super::error::DownloadError;
use super::journal::Plan;
use super::listed::{Listed, Mailbox, digest_identity};
use super::means::Means;
use super::witness::{Reading, Witness};
use pop3_client_io::blocking::Session;
use pop3_client_io::{Error, Part};

/// Messages go to their place in groups of at most this many …
const GROUP: usize = 50;

/// … or as soon as they have this many octets: the most that a break-off costs.
const GROUP_OCTETS: u64 = 8 * 1024 * 1024;

/// Texts with which a server's answers begin, and no message.
const ANSWERS: [&[u8]; 2] = [b"+OK", b"-ERR"];

pub(super) struct Fetch<'f, 'p> {
    means: &'f mut Means<'p>,
    mailbox: &'f mut Mailbox,
    wanted: &'f [&'f Listed],
    reading: Reading,
    announced: Option<u64>,
    /// The first octets of a message, until they show that they are not an answer of the server.
    opening: Option<Vec<u8>>,
    /// The length that was announced for the message that is coming.
    next_announced: Option<u64>,
    /// The message is whole, but the server's next answer has not come.
    pending: Option<(&'f Listed, Reading)>,
    group: Group,
    /// What is at its place, by number, with its name in the state file.
    safe: BTreeMap<u32, String>,
    /// Names of messages without a unique-id that are taken.
    names: BTreeSet<String>,
}

/// Messages that are whole but not at their place.
#[derive(Default)]
struct Group {
    messages: Vec<(u32, String, Witness)>,
    octets: u64,
}

impl<'f, 'p> Fetch<'f, 'p> {
    pub(super) fn new(
        means: &'f mut Means<'p>,
        mailbox: &'f mut Mailbox,
        wanted: &'f [&'f Listed],
    ) -> Self {
        Self {
            means,
            mailbox,
            wanted,
            reading: Reading::default(),
            announced: None,
            opening: None,
            next_announced: None,
            pending: None,
            group: Group::default(),
            safe: BTreeMap::new(),
            names: BTreeSet::new(),
        }
    }

    /// Fetches the messages; returns those that are safe.
    pub(super) fn run(
        mut self,
        session: &mut Session,
    ) -> Result<BTreeMap<u32, String>, DownloadError> {
        let commands = self
            .wanted
            .iter()
            .map(|message| Command::Retr(MessageNumber(message.number)));
        let mut failure = None;
        let mut outcome = session.run_all(commands, &mut |position, part| {
            self.take(position, part).map_err(|error| {
                failure = Some(error);
                io::Error::other("stopped")
            })
        });
        match failure {
            Some(DownloadError::Session(error)) => outcome = Err(error),
            Some(failure) => return Err(failure),
            None => {}
        }
        if outcome.is_ok() {
            // an answer to the next command shows that the last message is complete
            outcome = match session.stat() {
                Ok(_) | Err(Error::Refused { .. }) => Ok(()),
                Err(error) => Err(error),
            };
        }
        match &outcome {
            Ok(()) => self.confirm()?,
            Err(error) => self.stop(error)?,
        }
        self.settle()?;
        outcome?;
        Ok(self.safe)
    }

    fn take(&mut self, position: usize, part: Part<'_>) -> Result<(), DownloadError> {
        let Some(&message) = self.wanted.get(position) else {
            return Ok(());
        };
        match part {
            Part::Start(announced) => {
                self.next_announced = announced;
                self.opening = Some(Vec::new());
                Ok(())
            }
            Part::Octets(octets) => {
                self.means.watch.octets(octets.len() as u64);
                match &mut self.opening {
                    Some(opening) => {
                        opening.extend_from_slice(octets);
                        if opening.len() < ANSWERS[1].len() {
                            return Ok(());
                        }
                        self.open(message)
                    }
                    None => self.write(octets),
                }
            }
            Part::Whole => {
                self.open(message)?;
                self.means.watch.message();
                self.pending = Some((message, std::mem::take(&mut self.reading)));
                Ok(())
            }
            Part::Refused(refusal) => {
                self.confirm()?;
                self.refuse(message, refusal.to_string());
                Ok(())
            }
        }
    }

    /// Begins to keep a message, unless it begins like an answer of the server: then one answer too many
    /// followed the message before it.
    fn open(&mut self, message: &Listed) -> Result<(), DownloadError> {
        let Some(opening) = self.opening.take() else {
            return Ok(());
        };
        if ANSWERS.iter().any(|answer| opening.starts_with(answer)) {
            return Err(Error::Nonsense {
                what: format!("RETR {}", message.number),
                line: "it contains an answer to another command".into(),
            }
            .into());
        }
        self.confirm()?;
        self.announced = self.next_announced.take();
        self.reading = Reading::default();
        self.place(|target| target.begin(&message.id))?;
        self.write(&opening)
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), DownloadError> {
        self.reading.take(octets);
        self.place(|target| target.write(octets))
    }

    /// The server's next answer came: the message before it is whole.
    fn confirm(&mut self) -> Result<(), DownloadError> {
        let Some((message, reading)) = self.pending.take() else {
            return Ok(());
        };
        let octets = reading.octets();
        if let Some(announced) = self.announced
            && !reading.is_what_was_announced(announced)
        {
            let why = format!(
                "the server announced {announced} octets and sent {octets}: it may be cut, so it is not kept, \
                 and stays on the server"
            );
            self.refuse(message, why);
            return self.place(|target| target.discard());
        }
        let witness = reading.finish();
        let identity = self.identity(message, &witness);
        // an earlier session of this run failed at it
        self.means.report.refused.remove(&identity);
        if let Some(at) = self.fetched_before(message, &identity, &witness) {
            self.means.journal.is_the_same(&identity, witness, at)?;
            self.means.report.known += 1;
            self.safe.insert(message.number, identity);
            return self.place(|target| target.discard());
        }
        self.place(|target| target.end())?;
        self.group.octets += octets;
        let kept = (message.number, identity, witness);
        self.group.messages.push(kept);
        if self.group.messages.len() >= GROUP || self.group.octets >= GROUP_OCTETS {
            self.settle()?;
        }
        Ok(())
    }

    fn identity(&mut self, message: &Listed, witness: &Witness) -> String {
        if self.mailbox.has_ids {
            return message.identity.clone();
        }
        let identity = digest_identity(witness, &self.names);
        self.names.insert(identity.clone());
        identity
    }

    fn fetched_before(
        &mut self,
        message: &Listed,
        identity: &str,
        witness: &Witness,
    ) -> Option<u64> {
        if self.mailbox.has_ids {
            return self.mailbox.seen(&message.id, witness);
        }
        self.means.journal.fetched(identity).map(|entry| entry.at)
    }

    /// The session ended. A whole message stays whole, unless the end makes it doubtful.
    fn stop(&mut self, error: &Error) -> Result<(), DownloadError> {
        let doubtful = error.is_out_of_step();
        let timeout = matches!(error, Error::Closed(Close::Timeout(_)));
        let told = self.announced.is_some();
        match self.pending.take() {
            Some((message, _)) if doubtful => {
                let why =
                    format!("{error}; so it may be cut: it is not kept, and stays on the server");
                self.refuse(message, why);
                if self.mailbox.has_ids {
                    self.means.doubtful.insert(message.identity.clone());
                }
                self.place(|target| target.discard())
            }
            // the next answer may be inside it
            Some(_) if timeout && !told => self.place(|target| target.discard()),
            Some(pending) => {
                self.pending = Some(pending);
                self.confirm()
            }
            None => self.place(|target| target.discard()),
        }
    }

    fn refuse(&mut self, message: &Listed, why: String) {
        let name = match message.identity.as_str() {
            "" => format!("message {}", message.number),
            identity => identity.into(),
        };
        self.means.report.refused.insert(name, why);
    }

    /// Moves the messages of a group to their place for good.
    fn settle(&mut self) -> Result<(), DownloadError> {
        let mut sealed = None;
        self.place(|target| {
            sealed = target.seal()?;
            Ok(())
        })?;
        let Group { messages, octets } = std::mem::take(&mut self.group);
        let Some(work) = sealed else {
            return Ok(());
        };
        let count = messages.len() as u64;
        let mut plan = Plan {
            ids: Vec::new(),
            mails: Vec::new(),
            work,
        };
        for (number, identity, witness) in messages {
            self.safe.insert(number, identity.clone());
            plan.ids.push(identity);
            plan.mails.push(witness);
        }
        self.means.journal.promise(&plan)?;
        self.place(|target| target.carry_out(&plan.work))?;
        self.means.journal.finish(&plan)?;
        self.means.report.fetched += count;
        self.means.report.octets += octets;
        Ok(())
    }

    fn place(
        &mut self,
        act: impl FnOnce(&mut dyn super::target::Target) -> io::Result<()>,
    ) -> Result<(), DownloadError> {
        act(self.means.target).map_err(|cause| DownloadError::Place {
            place: self.means.order.to.path().into(),
            cause,
        })
    }
}
