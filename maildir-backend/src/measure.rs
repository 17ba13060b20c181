//! Sizes and unique-ids of messages, and in a plain directory the proof of which message a file is.
//!
//! Owns the one reading of a message before it is asked for: to count its octets. Never changes a file
//! except the one with the counts.

use std::io;
use std::time::{Duration, Instant};

use pop3_proto::backend::store::message_size;

use crate::config::{Config, Layout};
use crate::folder::Folder;
use crate::form::{self, Form};
use crate::identity::{self, Proof};
use crate::message::{Message, Told};
use crate::name;
use crate::sizes::{Count, Memory, Sizes};
use crate::snapshot::Snapshot;

/// How messages are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting {
    /// The counts may be saved in the folder.
    pub(crate) saves: bool,
    /// Messages that are not counted after this time are left to the next session.
    pub(crate) within: Duration,
}

impl Counting {
    /// For a session. Clients wait for a minute or so.
    pub(crate) fn for_session(saves: bool) -> Self {
        Self {
            saves,
            within: Duration::from_secs(20),
        }
    }
}

/// Adds sizes and unique-ids, and saves what had to be counted. Messages of a plain directory for which
/// there was no time are left to the next session: without their content they have no unique-id.
pub(crate) fn all(
    folder: &Folder,
    config: &Config,
    messages: Vec<Message>,
    known: &Sizes,
    memory: &Memory,
    counting: Counting,
) -> Vec<Told> {
    let counts = known.counts();
    let mut lines: Vec<(String, Count)> = Vec::new();
    let mut told = Vec::with_capacity(messages.len());
    let mut news = counting.saves && known.is_unsaved();
    let start = Instant::now();
    for mut message in messages {
        let base = folder.base(&message.found.name);
        let key = name::unique_id(base);
        let declared = match folder.layout {
            Layout::Maildir => name::declared_octets(base, message.stamp.size),
            Layout::Directory => None,
        };
        let before = counts.get(key.as_str()).copied();
        let before = before.filter(|count| {
            count.fits(folder.layout, message.stamp)
                && form::may_be(folder.layout, config, &message.found.name, count.form)
        });
        let count = match (declared, before) {
            (Some(_), _) => None,
            (None, Some(count)) => Some(count),
            (None, None) if start.elapsed() < counting.within => {
                match count(folder, config, &mut message) {
                    Ok(count) => {
                        news |= count.is_lasting();
                        Some(count)
                    }
                    // another program was faster; in a Maildir it may have been renamed
                    Err(error)
                        if error.kind() == io::ErrorKind::NotFound
                            && folder.layout == Layout::Directory =>
                    {
                        continue;
                    }
                    // a message that cannot be read must not keep its owner from all the others
                    Err(_) => None,
                }
            }
            (None, None) if folder.layout == Layout::Directory => continue,
            (None, None) => None,
        };
        if let Some(count) = count {
            message.form = Some(count.form);
            message.proof = count.proof().map(Box::new);
        }
        let unique_id = match folder.layout {
            Layout::Maildir => key.clone(),
            Layout::Directory => identity::unique_id(
                &message.found.name,
                message.stamp,
                message.proof.as_deref().map(|proof| &proof.digest),
            ),
        };
        if let Some(count) = count.filter(Count::is_lasting) {
            lines.push((key, count));
        }
        let hint = || match folder.layout {
            Layout::Maildir => name::hinted_octets(folder.base(&message.found.name)),
            Layout::Directory => None,
        };
        let octets = declared.or_else(|| count.map(Count::octets));
        told.push(Told {
            unique_id,
            // for a message that could not be read the client gets what is known
            octets: octets.or_else(hint).unwrap_or(message.stamp.size),
            message,
        });
    }
    if news || counts.len() > 2 * lines.len() + 100 {
        let lines = lines.iter().map(|(key, count)| (key.as_str(), *count));
        Sizes::store(folder.layout, &folder.home, memory, counting.saves, lines);
    }
    told
}

/// Reads a message to its end, as it would be sent. Its stamp becomes that of the file that was read.
fn count(folder: &Folder, config: &Config, message: &mut Message) -> io::Result<Count> {
    let found = &message.found;
    let (file, stamp) = folder.place(found.place).read(&found.name)?;
    let plan = form::plan(folder.layout, config, &found.name, &file);
    let mut snapshot = Snapshot::new((file, stamp));
    message.stamp = stamp;
    match folder.layout {
        Layout::Maildir => match plan.and_then(|plan| octets(&plan, message, &mut snapshot)) {
            Ok((form, octets)) => Ok(Count::new(stamp, octets, form)),
            // trying again would not help
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let base = folder.base(&message.found.name);
                let octets = name::hinted_octets(base).unwrap_or(stamp.size);
                Ok(Count::new(stamp, octets, Form::Broken))
            }
            Err(error) => Err(error),
        },
        Layout::Directory => {
            snapshot.digest();
            let (form, octets) = octets(&plan?, message, &mut snapshot)?;
            let settled = identity::is_settled(stamp);
            let digest = snapshot.digested()?;
            Ok(Count::new(stamp, octets, form).with(stamp, Proof { digest, settled }))
        }
    }
}

fn octets(
    plan: &form::Plan,
    message: &Message,
    snapshot: &mut Snapshot,
) -> io::Result<(Form, u64)> {
    // all marks are of one length
    let reader = plan.reader(snapshot, message.stamp, &"0".repeat(32));
    Ok((plan.form(), message_size(reader)?))
}
