//! Accounts: in a passwd-file, or in the tool's own tables of a database.

use std::path::Path;

use crate::config::{SqlStore, Store, StoreKind};
use local_accounts::{PasswdEntry, PasswdError, PasswdFile};
use serde_json::{Value, json};

use super::messages;
use crate::{Failure, print};

/// Where the accounts of a store are.
pub(super) enum Place<'s> {
    File(&'s Path),
    Database(&'s SqlStore),
}

pub(super) fn place(store: &Store) -> Result<Place<'_>, Failure> {
    match (&store.accounts, &store.kind) {
        (Some(path), _) => Ok(Place::File(path)),
        (None, StoreKind::Sql(sql)) if sql.queries.is_none() => Ok(Place::Database(sql)),
        (None, StoreKind::Sql(_) | StoreKind::Files(_) | StoreKind::List(_)) => {
            let name = &store.name;
            let what = format!(
                "the accounts of store {name:?} are in tables of your own: use the program that fills them"
            );
            Err(Failure::configuration(what))
        }
    }
}

pub(super) fn add(store: &Store, user: &str, credential: &str) -> Result<(), Failure> {
    match place(store)? {
        Place::File(path) => PasswdFile::edit(path, |file| {
            file.add(user, credential)?;
            match &store.kind {
                StoreKind::Files(files) if files.each => messages::make(files, user),
                StoreKind::Files(_) | StoreKind::List(_) | StoreKind::Sql(_) => Ok(()),
            }
        }),
        Place::Database(sql) => database::add(store, sql, user, credential),
    }
}

pub(super) fn set(store: &Store, user: &str, credential: &str) -> Result<(), Failure> {
    match place(store)? {
        Place::File(path) => edit(path, |file| file.set_credential(user, credential)),
        Place::Database(sql) => database::set(store, sql, user, credential),
    }
}

pub(super) fn remove(store: &Store, user: &str, with_messages: bool) -> Result<(), Failure> {
    match place(store)? {
        Place::File(_) if with_messages => {
            let what = "--with-messages is for accounts in a database; remove the account's folder by hand";
            Err(Failure::configuration(what))
        }
        Place::File(path) => edit(path, |file| file.remove(user)),
        Place::Database(sql) => database::remove(store, sql, user, with_messages),
    }
}

pub(super) fn list(store: &Store, as_json: bool) -> Result<(), Failure> {
    let rows = match place(store)? {
        Place::File(path) => {
            let file = PasswdFile::read(path)?;
            let off = file.faults().into_iter().filter_map(off_row);
            file.entries().map(row).chain(off).collect()
        }
        Place::Database(sql) => database::list(store, sql)?,
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

#[cfg(feature = "sql")]
mod database {
    use crate::config::{SqlStore, Store};
    use serde_json::{Value, json};
    use sql_backend::{Messages, SqlStore as Database};

    use crate::Failure;
    use crate::tools::sql::ask;

    pub(super) fn add(
        own: &Store,
        sql: &SqlStore,
        user: &str,
        credential: &str,
    ) -> Result<(), Failure> {
        ask(own, sql, async |store: &Database| {
            store.add_account(user, credential).await
        })
    }

    pub(super) fn set(
        own: &Store,
        sql: &SqlStore,
        user: &str,
        credential: &str,
    ) -> Result<(), Failure> {
        ask(own, sql, async |store: &Database| {
            store.set_password(user, credential).await
        })
    }

    pub(super) fn remove(
        own: &Store,
        sql: &SqlStore,
        user: &str,
        with_messages: bool,
    ) -> Result<(), Failure> {
        let messages = match with_messages {
            true => Messages::Delete,
            false => Messages::Keep,
        };
        ask(own, sql, async |store: &Database| {
            store.remove_account(user, messages).await
        })
    }

    pub(super) fn list(own: &Store, sql: &SqlStore) -> Result<Vec<Value>, Failure> {
        let accounts = ask(own, sql, async |store: &Database| {
            store.list_accounts().await
        })?;
        let row = |account: sql_backend::Account| {
            json!({
                "account": account.name,
                "messages": account.messages,
                "octets": account.octets,
            })
        };
        Ok(accounts.into_iter().map(row).collect())
    }
}

#[cfg(not(feature = "sql"))]
mod database {
    use crate::config::{SqlStore, Store};
    use serde_json::Value;

    use crate::Failure;
    use crate::tools::sql::missing;

    pub(super) fn add(_: &Store, _: &SqlStore, _: &str, _: &str) -> Result<(), Failure> {
        Err(missing())
    }

    pub(super) fn set(_: &Store, _: &SqlStore, _: &str, _: &str) -> Result<(), Failure> {
        Err(missing())
    }

    pub(super) fn remove(_: &Store, _: &SqlStore, _: &str, _: bool) -> Result<(), Failure> {
        Err(missing())
    }

    pub(super) fn list(_: &Store, _: &SqlStore) -> Result<Vec<Value>, Failure> {
        Err(missing())
    }
}
