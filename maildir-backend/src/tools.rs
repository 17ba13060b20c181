//! What command-line tools do to a folder: deliver, list, remove. No login is asked for.
//!
//! Owns delivery by the Maildir rules: a message is complete and on the disk before anybody can see it.
//! Never waits for sessions: they cope with others that work on the folder.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use pop3_proto::backend::store::StoreError;
use pop3_proto::stuffing::Stuffer;

use crate::config::{Config, Deletion, Layout, Users};
use crate::disk::Dir;
use crate::folder::{Folder, failed};
use crate::listing::{self, Files};
use crate::measure::Counting;
use crate::message::Told;
use crate::{identity, name, quota, removal, user};

/// A message in [`MaildirStore::list`](crate::MaildirStore::list).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The unique-id, as in UIDL.
    pub unique_id: String,
    /// Octets with CRLF line ends, as in LIST.
    pub size: u64,
    /// The file.
    pub path: PathBuf,
    /// When the file was last changed.
    pub changed: SystemTime,
}

impl crate::MaildirStore {
    /// Puts a message into a user's folder, which is made if there is none. The user is an account's name;
    /// it means nothing if there is only one folder. Returns the unique-id.
    ///
    /// # Errors
    ///
    /// If it cannot be read or written; then nothing of it is left.
    pub fn deliver(&self, user: &str, mut message: impl Read) -> Result<String, StoreError> {
        let config = &self.shared.config;
        let folder = Folder::open_or_make(config, user)?;
        let (tmp, target) = match folder.layout {
            Layout::Maildir => (
                folder.home.enter("tmp".as_ref(), config.follow_links),
                folder.home.enter("new".as_ref(), config.follow_links),
            ),
            Layout::Directory => (
                folder.home.enter(".".as_ref(), false),
                folder.home.enter(".".as_ref(), false),
            ),
        };
        let (tmp, target) = (tmp.map_err(failed)?, target.map_err(failed)?);
        let suffix = mail_suffix(config)?;
        let unique = name::unique();
        let draft = match folder.layout {
            Layout::Maildir => unique.clone(),
            Layout::Directory => format!(".{unique}.tmp"),
        };
        let delivered = write(&tmp, draft.as_bytes(), &mut message).and_then(|counted| {
            let name = match folder.layout {
                Layout::Maildir => unique + &counted.fields(),
                Layout::Directory => unique + suffix,
            };
            tmp.rename(draft.as_bytes(), &target, name.as_bytes())?;
            target.sync()?;
            let unique_id = match folder.layout {
                Layout::Maildir => name::unique_id(name.as_bytes()),
                Layout::Directory => {
                    let (file, stamp) = target.read(name.as_bytes())?;
                    let digest = identity::digest(&file)?;
                    identity::unique_id(name.as_bytes(), stamp, Some(&digest))
                }
            };
            Ok((unique_id, counted.size))
        });
        match delivered {
            Ok((unique_id, size)) => {
                if folder.layout == Layout::Maildir {
                    quota::note(&folder.home, i64::try_from(size).unwrap_or(i64::MAX), 1);
                }
                Ok(unique_id)
            }
            Err(error) => {
                // not there if it was renamed
                let _ = tmp.unlink(draft.as_bytes());
                Err(failed(error))
            }
        }
    }

    /// Whether a user of this name can have a folder.
    ///
    /// # Errors
    ///
    /// If the name cannot be one of a folder.
    pub fn check_user(&self, user: &str) -> Result<(), StoreError> {
        match &self.config().users {
            Users::One => Ok(()),
            Users::Each { .. } => user::check(user),
            Users::Template(template) => template.fill(user).map(drop),
        }
    }

    /// Makes a user's folder if there is none, so that a new account has an empty maildrop,
    /// whatever [`Missing`](crate::Missing) says.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or the user's name cannot be one of a folder.
    pub fn make(&self, user: &str) -> Result<(), StoreError> {
        Folder::open_or_make(&self.shared.config, user).map(drop)
    }

    /// The messages of a user in the order of their numbers, those that are still being written too.
    ///
    /// # Errors
    ///
    /// Those of a login.
    pub fn list(&self, user: &str) -> Result<Vec<Listed>, StoreError> {
        let Some(folder) = Folder::open(&self.shared.config, user)? else {
            return Ok(Vec::new());
        };
        let told = self.told(&folder)?;
        let listed = told.into_iter().map(|told| {
            let found = &told.message.found;
            let dir = folder.place(found.place).path();
            let (seconds, nanos) = told.message.stamp.changed;
            let since = Duration::new(u64::try_from(seconds).unwrap_or_default(), nanos);
            Listed {
                unique_id: told.unique_id,
                size: told.octets,
                path: dir.join(name::display(&found.name)),
                changed: UNIX_EPOCH + since,
            }
        });
        Ok(listed.collect())
    }

    /// Removes a message of a user for good, whatever [`Deletion`] says.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`] if there is none of this unique-id.
    pub fn remove(&self, user: &str, unique_id: &str) -> Result<(), StoreError> {
        let folder = Folder::open(&self.shared.config, user)?.ok_or(StoreError::Missing)?;
        let told = self.told(&folder)?;
        let wanted = told.iter().find(|told| told.unique_id == unique_id);
        let message = &wanted.ok_or(StoreError::Missing)?.message;
        removal::remove(&folder, &Deletion::Remove, std::iter::once(message))
    }

    /// All messages, however long it takes to count them.
    fn told(&self, folder: &Folder) -> Result<Vec<Told>, StoreError> {
        let shared = &*self.shared;
        // these counts are written only while no session writes them
        let lock = folder.home.lock();
        let counting = Counting {
            saves: matches!(lock, Ok(Some(_))),
            within: Duration::MAX,
        };
        listing::list(folder, &shared.config, &shared.memory, Files::All, counting)
    }
}

/// How the name of a mail ends in a plain directory: not like that of a text.
fn mail_suffix(config: &Config) -> Result<&str, StoreError> {
    let is_mail = |suffix: &&str| !name::ends_with_any(suffix.as_bytes(), &config.texts);
    let mut suffixes = config.suffixes.iter().map(String::as_str);
    match config.suffixes.as_slice() {
        [] => Some(".eml").filter(is_mail).or(Some("")),
        _ => suffixes.find(is_mail),
    }
    .ok_or_else(|| {
        StoreError::Permanent(
            "only texts are messages of this directory, and they would be wrapped: add a suffix for mails"
                .to_owned(),
        )
    })
}

/// What was written.
struct Counted {
    size: u64,
    octets: u64,
    /// LF without a CR before it.
    bare_lf: u64,
    last: u8,
}

impl Counted {
    /// The sizes for the name. Other programs count one line end for each LF and nothing else, so `W=` is
    /// written only if both counts agree.
    fn fields(&self) -> String {
        let Self {
            size,
            octets,
            bare_lf,
            ..
        } = self;
        if size + bare_lf == *octets {
            format!(",S={size},W={octets}")
        } else {
            format!(",S={size}")
        }
    }
}

/// Writes a message to a new file, to the disk.
fn write(dir: &Dir, name: &[u8], message: &mut impl Read) -> io::Result<Counted> {
    let mut file = dir.create(name)?;
    dir.give_file(&file)?;
    let counted = copy(message, &mut file)?;
    file.sync_all()?;
    Ok(counted)
}

fn copy(message: &mut impl Read, file: &mut File) -> io::Result<Counted> {
    let mut counted = Counted {
        size: 0,
        octets: 0,
        bare_lf: 0,
        last: 0,
    };
    let mut stuffer = Stuffer::whole();
    let mut sent = BytesMut::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let n = match message.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = &piece[..n];
        file.write_all(piece)?;
        counted.size += n as u64;
        for byte in piece {
            counted.bare_lf += u64::from(*byte == b'\n' && counted.last != b'\r');
            counted.last = *byte;
        }
        stuffer.stuff(piece, &mut sent);
        sent.clear();
    }
    stuffer.finish(&mut sent);
    counted.octets = stuffer.octets();
    Ok(counted)
}
