//! Messages: in folders, or in the tool's own tables of a database.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::{FileStore, Store, StoreKind};
use local_accounts::PasswdFile;
use serde_json::{Value, json};

use super::accounts::{self, Place};
use crate::compose::Mail;
use crate::{Failure, print};

/// Enough to tell a message from a text.
const LOOK: u64 = 1024;

/// A message on its way in.
pub(super) type Octets = Box<dyn Read + Send>;

/// The account that the command line names: one that there is, under its own name.
pub(super) fn user(store: &Store, named: Option<String>) -> Result<String, Failure> {
    if let StoreKind::Files(files) = &store.kind
        && !files.each
    {
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
    let Place::File(path) = accounts::place(store)? else {
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

/// Adds a message, and tells its unique-id.
pub(super) fn add(store: &Store, user: &str, message: Octets) -> Result<String, Failure> {
    match &store.kind {
        StoreKind::Files(files) => files::add(files, user, message),
        StoreKind::Sql(sql) => database::add(store, sql, user, message),
        StoreKind::List(_) => Err(listed()),
    }
}

pub(super) fn list(store: &Store, user: &str, as_json: bool) -> Result<(), Failure> {
    let rows = match &store.kind {
        StoreKind::Files(files) => files::list(files, user)?,
        StoreKind::Sql(sql) => database::list(store, sql, user)?,
        StoreKind::List(_) => return Err(listed()),
    };
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
    match &store.kind {
        StoreKind::Files(files) => files::remove(files, user, unique_id),
        StoreKind::Sql(sql) => database::remove(store, sql, user, unique_id),
        StoreKind::List(_) => Err(listed()),
    }
}

/// Makes the folder of a new account.
pub(super) fn make(files: &FileStore, user: &str) -> Result<(), Failure> {
    files::make(files, user).map_err(|failure| Failure {
        message: format!(
            "the account is not made, because its folder cannot be: {}",
            failure.message
        ),
        ..failure
    })
}

/// A message as it is listed.
struct Row {
    unique_id: String,
    octets: u64,
    /// Seconds since 1970.
    date: u64,
    file: Option<String>,
}

fn listed() -> Failure {
    Failure::configuration("the messages of this store are in the configuration")
}

#[cfg(any(feature = "maildir", feature = "sql"))]
fn gone(unique_id: &str) -> Failure {
    Failure::presence(format!("there is no message {unique_id:?}"))
}

#[cfg(feature = "maildir")]
mod files {
    use std::sync::Arc;
    use std::time::UNIX_EPOCH;

    use crate::config::FileStore;
    use maildir_backend::MaildirStore;
    use pop3_proto::backend::store::StoreError;

    use super::{Octets, Row, gone};
    use crate::Failure;
    use crate::stores::{Nobody, files};

    pub(super) fn add(own: &FileStore, user: &str, message: Octets) -> Result<String, Failure> {
        open(own)?.deliver(user, message).map_err(Failure::running)
    }

    pub(super) fn make(own: &FileStore, user: &str) -> Result<(), Failure> {
        let store = open(own)?;
        store.check_user(user).map_err(Failure::configuration)?;
        store.make(user).map_err(Failure::running)
    }

    pub(super) fn list(own: &FileStore, user: &str) -> Result<Vec<Row>, Failure> {
        let listed = open(own)?.list(user).map_err(Failure::running)?;
        let row = |listed: maildir_backend::Listed| Row {
            unique_id: listed.unique_id,
            octets: listed.size,
            date: listed
                .changed
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            file: Some(listed.path.display().to_string()),
        };
        Ok(listed.into_iter().map(row).collect())
    }

    pub(super) fn remove(own: &FileStore, user: &str, unique_id: &str) -> Result<(), Failure> {
        match open(own)?.remove(user, unique_id) {
            Err(StoreError::Missing) => Err(gone(unique_id)),
            other => other.map_err(Failure::running),
        }
    }

    fn open(own: &FileStore) -> Result<MaildirStore, Failure> {
        files::store(own, Arc::new(Nobody)).map_err(Failure::configuration)
    }
}

#[cfg(not(feature = "maildir"))]
mod files {
    use crate::config::FileStore;

    use super::{Octets, Row};
    use crate::Failure;

    pub(super) fn add(_: &FileStore, _: &str, _: Octets) -> Result<String, Failure> {
        Err(missing())
    }

    pub(super) fn make(_: &FileStore, _: &str) -> Result<(), Failure> {
        Err(missing())
    }

    pub(super) fn list(_: &FileStore, _: &str) -> Result<Vec<Row>, Failure> {
        Err(missing())
    }

    pub(super) fn remove(_: &FileStore, _: &str, _: &str) -> Result<(), Failure> {
        Err(missing())
    }

    fn missing() -> Failure {
        Failure::configuration(
            "this pop3-gateway was built without stores of files; build it with --features maildir",
        )
    }
}

#[cfg(feature = "sql")]
mod database {
    use crate::config::{SqlStore, Store};
    use sql_backend::{SqlStore as Database, Stored};

    use super::{Octets, Row, gone};
    use crate::Failure;
    use crate::tools::sql::ask;

    pub(super) fn add(
        own: &Store,
        sql: &SqlStore,
        user: &str,
        message: Octets,
    ) -> Result<String, Failure> {
        let stored = ask(own, sql, async |store: &Database| {
            store.add_message(user, message).await
        })?;
        Ok(stored.unique_id)
    }

    pub(super) fn list(own: &Store, sql: &SqlStore, user: &str) -> Result<Vec<Row>, Failure> {
        let stored = ask(own, sql, async |store: &Database| {
            store.list_messages(user).await
        })?;
        let row = |stored: Stored| Row {
            unique_id: stored.unique_id,
            octets: stored.size,
            date: stored.received,
            file: None,
        };
        Ok(stored.into_iter().map(row).collect())
    }

    pub(super) fn remove(
        own: &Store,
        sql: &SqlStore,
        user: &str,
        unique_id: &str,
    ) -> Result<(), Failure> {
        let removed = ask(own, sql, async |store: &Database| {
            store.remove_message(user, unique_id).await
        })?;
        match removed {
            true => Ok(()),
            false => Err(gone(unique_id)),
        }
    }
}

#[cfg(not(feature = "sql"))]
mod database {
    use crate::config::{SqlStore, Store};

    use super::{Octets, Row};
    use crate::Failure;
    use crate::tools::sql::missing;

    pub(super) fn add(_: &Store, _: &SqlStore, _: &str, _: Octets) -> Result<String, Failure> {
        Err(missing())
    }

    pub(super) fn list(_: &Store, _: &SqlStore, _: &str) -> Result<Vec<Row>, Failure> {
        Err(missing())
    }

    pub(super) fn remove(_: &Store, _: &SqlStore, _: &str, _: &str) -> Result<(), Failure> {
        Err(missing())
    }
}
