//! Accounts: in a passwd-file, or in the tool's own tables of a database.

use std::path::Path;

use crate::mailbox::Store;
use crate::mailbox::kind::AccountTools;
use local_accounts::{PasswdEntry, PasswdError, PasswdFile};
use serde_json::{Value, json};

use crate::{Failure, print};

/// Where the accounts of a store are.
pub(super) enum Accounts<'s> {
    File(&'s Path),
    Database(&'s dyn AccountTools),
}

impl<'s> Accounts<'s> {
    pub(super) fn of(store: &'s Store) -> Result<Self, Failure> {
        match (&store.accounts, store.kind.tools().accounts()) {
            (Some(path), _) => Ok(Self::File(path)),
            (None, Some(tools)) => Ok(Self::Database(tools)),
            (None, None) => {
                let name = &store.name;
                let what = format!(
                    "the accounts of store {name:?} are in tables of your own: use the program that fills them"
                );
                Err(Failure::configuration(what))
            }
        }
    }
}

pub(super) fn add(store: &Store, user: &str, credential: &str) -> Result<(), Failure> {
    match Accounts::of(store)? {
        Accounts::File(path) => PasswdFile::edit(path, |file| {
            file.add(user, credential)?;
            store.kind.tools().welcome(user)
        }),
        Accounts::Database(tools) => tools.add(store, user, credential),
    }
}

pub(super) fn set(store: &Store, user: &str, credential: &str) -> Result<(), Failure> {
    match Accounts::of(store)? {
        Accounts::File(path) => edit(path, |file| file.set_credential(user, credential)),
        Accounts::Database(tools) => tools.set(store, user, credential),
    }
}

pub(super) fn remove(store: &Store, user: &str, with_messages: bool) -> Result<(), Failure> {
    match Accounts::of(store)? {
        Accounts::File(_) if with_messages => {
            let what = "--with-messages is for accounts in a database; remove the account's folder by hand";
            Err(Failure::configuration(what))
        }
        Accounts::File(path) => edit(path, |file| file.remove(user)),
        Accounts::Database(tools) => tools.remove(store, user, with_messages),
    }
}

pub(super) fn list(store: &Store, as_json: bool) -> Result<(), Failure> {
    let rows = match Accounts::of(store)? {
        Accounts::File(path) => {
            let file = PasswdFile::read(path)?;
            let off = file.faults().into_iter().filter_map(off_row);
            file.entries().map(row).chain(off).collect()
        }
        Accounts::Database(tools) => tools.list(store)?,
    };
    if as_json {
        return print(format!("{:#}\n", Value::Array(rows)).as_bytes());
    }
    let mut text = String::new();
    for row in &rows {
        let cells = row.as_object().into_iter().flat_map(|row| row.iter());
        let cells = cells.map(|(name, value)| match (name.as_str(), value) {
            ("account", Value::String(name)) => name.clone(),
            ("account", _) => String::new(),
            (_, Value::String(text)) => format!("{name} {text}"),
            (_, value) => format!("{name} {value}"),
        });
        let cells: Vec<_> = cells.collect();
        text += &(cells.join("\t") + "\n");
    }
    print(text.as_bytes())
}

fn row(entry: &PasswdEntry) -> Value {
    json!({
        "account": entry.name(),
        "credential": entry.credential().scheme(),
        "maildrop": entry.maildrop(),
    })
}

/// An account without a login, because something is wrong with its line.
fn off_row((name, fault): (Option<String>, PasswdError)) -> Option<Value> {
    Some(json!({ "account": name?, "credential": "off", "fault": fault.to_string() }))
}

fn edit(
    path: &Path,
    change: impl FnOnce(&mut PasswdFile) -> Result<(), PasswdError>,
) -> Result<(), Failure> {
    Ok(PasswdFile::edit(path, change)?)
}

impl From<PasswdError> for Failure {
    fn from(error: PasswdError) -> Self {
        match error {
            PasswdError::Exists(_) | PasswdError::Unknown(_) => Self::presence(error),
            PasswdError::Malformed { .. }
            | PasswdError::BadName(..)
            | PasswdError::BadCredential(_) => Self::configuration(error),
            PasswdError::Io { .. } | PasswdError::More { .. } | _ => Self::running(error),
        }
    }
}
