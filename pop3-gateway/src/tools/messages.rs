//! Messages: in folders, or in the tool's own tables of a database.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::mailbox::Store;
use crate::mailbox::kind::Octets;
use local_accounts::PasswdFile;
use serde_json::{Value, json};

use super::accounts::Accounts;
use crate::mail::Mail;
use crate::{Failure, print};

/// Enough to tell a message from a text.
const LOOK: u64 = 1024;

/// The account that the command line names. It must exist; the name is the one that its maildrop has.
pub(super) fn user(store: &Store, named: Option<String>) -> Result<String, Failure> {
    if !store.kind.tools().needs_user() {
        return match named {
            None => Ok(String::new()),
            Some(_) => Err(Failure::configuration(
                "all accounts of this store share one maildrop; leave --user out",
            )),
        };
    }
    let Some(named) = named else {
        return Err(Failure::configuration(
            "say whose message it is with --user NAME",
        ));
    };
    let Accounts::File(path) = Accounts::of(store)? else {
        return Ok(named);
    };
    match PasswdFile::read(path)?.find(&named) {
        Some(entry) => Ok(entry.maildrop().to_owned()),
        None => Err(Failure::presence(format!("there is no account {named:?}"))),
    }
}

/// What is to be added, and what it is called in messages.
pub(super) struct Input {
    name: String,
    pub(super) octets: Octets,
}

/// A file, or standard input.
pub(super) fn open(file: Option<&Path>) -> Result<Input, Failure> {
    let Some(file) = file.filter(|file| *file != Path::new("-")) else {
        return Ok(Input {
            name: "standard input".into(),
            octets: Box::new(io::stdin()),
        });
    };
    let name = file.display().to_string();
    match File::open(file) {
        Ok(file) => Ok(Input {
            name,
            octets: Box::new(file),
        }),
        Err(error) => Err(Failure::running(format!("{name}: {error}"))),
    }
}

impl Input {
    /// A message that is made of this text.
    pub(super) fn into_mail(
        mut self,
        subject: String,
        from: String,
        to: Option<String>,
    ) -> Result<Self, Failure> {
        let mut text = String::new();
        let read = self.octets.read_to_string(&mut text);
        read.map_err(|error| self.failed(&error))?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mail = Mail {
            from,
            to,
            subject,
            date: i64::try_from(now.as_secs()).unwrap_or_default(),
            message_id: format!("{}.{}@localhost", now.as_nanos(), std::process::id()),
            text,
        };
        Ok(Self {
            octets: Box::new(Cursor::new(mail.octets())),
            ..self
        })
    }

    /// A message as it is, which has to begin like one.
    pub(super) fn checked(mut self) -> Result<Self, Failure> {
        let mut start = Vec::new();
        let read = self.octets.by_ref().take(LOOK).read_to_end(&mut start);
        read.map_err(|error| self.failed(&error))?;
        if !is_message(&start) {
            return Err(Failure::configuration(format!(
                "{} does not begin like a message, with a header; add a plain text with --subject, or \
                 anything with --unchecked",
                self.name
            )));
        }
        let octets: Octets = Box::new(Cursor::new(start).chain(self.octets));
        Ok(Self { octets, ..self })
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::running(format!("{}: {error}", self.name))
    }
}

/// Whether it begins with a header field: printable characters, a colon.
fn is_message(start: &[u8]) -> bool {
    let name = start.iter().take_while(|octet| **octet != b':');
    let (mut length, mut graphic) = (0, true);
    for octet in name {
        length += 1;
        graphic &= octet.is_ascii_graphic();
    }
    length > 0 && length < start.len() && graphic
}

pub(super) fn list(store: &Store, user: &str, as_json: bool) -> Result<(), Failure> {
    let rows = store.kind.tools().list(store, user)?;
    if as_json {
        let rows = rows.into_iter().map(|row| {
            json!({ "unique_id": row.unique_id, "octets": row.octets, "date": row.date, "file": row.file })
        });
        return print(format!("{:#}\n", Value::Array(rows.collect())).as_bytes());
    }
    let mut text = String::new();
    for row in rows {
        let time = UNIX_EPOCH + std::time::Duration::from_secs(row.date.min(253_402_300_799));
        let date = humantime::format_rfc3339_seconds(time);
        text += &format!("{}\t{}\t{date}\n", row.unique_id, row.octets);
    }
    print(text.as_bytes())
}

pub(super) fn remove(store: &Store, user: &str, unique_id: &str) -> Result<(), Failure> {
    match store.kind.tools().remove(store, user, unique_id)? {
        true => Ok(()),
        false => Err(Failure::presence(format!(
            "there is no message {unique_id:?}"
        ))),
    }
}
