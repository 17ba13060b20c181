//! From the configuration of a store to what serves it.
//!
//! Reads accounts and messages of lists; looks at no folder and connects to no database, unless it is asked
//! to [`verify`].

#[cfg(feature = "maildir")]
pub(crate) mod files;
#[cfg(not(feature = "maildir"))]
#[path = "no_files.rs"]
mod files;
#[cfg(not(feature = "sql"))]
#[path = "no_sql.rs"]
mod sql;
#[cfg(feature = "sql")]
pub(crate) mod sql;

use std::sync::Arc;

use local_accounts::{FileAccounts, PasswdError, Verifier};
use pop3_proto::backend::blocking::{self, Blocking};
use pop3_proto::backend::store::Accounts;
#[cfg(any(feature = "maildir", feature = "sql"))]
use pop3_proto::backend::{Caller, Login, store::StoreError};
use pop3_server::config::{self, ListedMessage, StoreKind};

use crate::compose::Mail;
use crate::listed::Listed;
use crate::served::Served;
use crate::service::Store;

/// Why a store cannot be used: what to tell the operator.
pub type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Makes a store ready.
pub fn store(config: &config::Store, verifier: &Arc<Verifier>) -> Result<Store, Problem> {
    let accounts = accounts(config, verifier)?;
    let backend: Box<dyn Fn() -> Served + Send + Sync> = match &config.kind {
        StoreKind::Files(files) => {
            let accounts = named(&accounts)?;
            blocking(files::store(files, accounts)?)
        }
        StoreKind::List(messages) => {
            let messages = messages.iter().enumerate();
            let messages: Result<_, _> = messages
                .map(|(number, message)| listed(&config.name, number, message))
                .collect();
            blocking(Listed::new(messages?, named(&accounts)?))
        }
        StoreKind::Sql(sql) => {
            let accounts = accounts
                .clone()
                .map(|accounts| accounts as Arc<dyn Accounts>);
            sql::backend(&config.name, sql, accounts)?
        }
    };
    let shared = match &config.kind {
        StoreKind::Files(files) => !files.each,
        StoreKind::List(_) => false,
        StoreKind::Sql(sql) => {
            let queries = sql.queries.as_ref();
            queries.is_some_and(|queries| !queries.list.contains(":user"))
        }
    };
    Ok(Store {
        name: config.name.clone(),
        shared,
        accounts,
        backend,
    })
}

/// Looks whether the folder is there and the database answers. Gives back what the operator should know of a
/// store that can be used.
pub fn verify(config: &config::Store) -> Result<Vec<String>, Problem> {
    match &config.kind {
        StoreKind::Files(files) => files::verify(files).map(|()| Vec::new()),
        StoreKind::List(_) => Ok(Vec::new()),
        StoreKind::Sql(sql) => sql::verify(config, sql),
    }
}

/// Where the unique-ids of a store come from, whether one may come again, and what becomes of a message that
/// changes. Of a database the database itself tells, when it is looked at.
pub fn unique_ids(config: &config::Store) -> Option<&'static str> {
    match &config.kind {
        StoreKind::Files(files) if files.plain => Some(
            "made of name, file, time and content; none comes again, though names may. A file that changed since \
             it was listed is neither sent nor removed",
        ),
        StoreKind::Files(_) => Some(
            "the names of the files; a delivery agent must never use a name again, as the Maildir rules say. A \
             file that changed since it was read is not removed",
        ),
        StoreKind::List(_) => Some(
            "digests of the messages; one that is changed is another message. After a restart or SIGHUP all are \
             there again, with the ids that they had",
        ),
        StoreKind::Sql(_) => None,
    }
}

/// The accounts of the file, if there is one.
pub(crate) fn accounts(
    config: &config::Store,
    verifier: &Arc<Verifier>,
) -> Result<Option<Arc<FileAccounts>>, Problem> {
    let Some(path) = &config.accounts else {
        return Ok(None);
    };
    let store = config.name.clone();
    let report = {
        let store = store.clone();
        move |error: &PasswdError| match error {
            PasswdError::Malformed { .. } | PasswdError::More { .. } => {
                tracing::warn!(store, %error, "an account is off until its line is mended; the others work");
            }
            PasswdError::Io { .. } | _ => {
                tracing::error!(store, %error, "accounts cannot be read; nobody logs in to them until they can");
            }
        }
    };
    let found = std::fs::metadata(path);
    if found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Err(format!(
            "{}: there is no such file of accounts; make it with \"pop3-gateway account add --config \
             FILE --store {store} USER\"",
            path.display()
        )
        .into());
    }
    let accounts = FileAccounts::open(path, Arc::clone(verifier))?.on_problem(report);
    for (kind, accounts) in accounts.weaknesses() {
        match kind {
            "nopassword" => tracing::warn!(
                store,
                accounts,
                "whoever knows the name logs in to accounts with nopassword, with any password"
            ),
            kind => tracing::warn!(
                store,
                accounts,
                kind,
                "passwords are kept in a form in which millions a second can be tried out by whoever gets hold of \
                 it; give the accounts new ones with \"pop3-gateway account passwd\""
            ),
        }
    }
    Ok(Some(Arc::new(accounts)))
}

fn named(accounts: &Option<Arc<FileAccounts>>) -> Result<Arc<dyn Accounts>, Problem> {
    match accounts {
        Some(accounts) => Ok(Arc::clone(accounts) as Arc<dyn Accounts>),
        None => Err("the store has no accounts".into()),
    }
}

fn blocking<S: blocking::Store>(store: S) -> Box<dyn Fn() -> Served + Send + Sync> {
    let store = Arc::new(store);
    Box::new(move || Served::new(Blocking::new(Arc::clone(&store))))
}

/// A store's name as a part of a Message-ID: another one's is another part.
fn in_message_id(store: &str) -> String {
    let mut part = String::with_capacity(store.len());
    for octet in store.bytes() {
        if octet.is_ascii_alphanumeric() {
            part.push(char::from(octet));
        } else {
            part.push_str(&format!("={octet:02X}"));
        }
    }
    part
}

fn listed(store: &str, number: usize, message: &ListedMessage) -> Result<Vec<u8>, Problem> {
    match message {
        ListedMessage::File(path) => {
            std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
        }
        ListedMessage::Text {
            subject,
            text,
            date,
        } => {
            let mail = Mail {
                from: "pop3-gateway@localhost".into(),
                to: None,
                subject: subject.clone(),
                date: *date,
                message_id: format!("{}.{number}.{date}@localhost", in_message_id(store)),
                text: text.clone(),
            };
            Ok(mail.octets())
        }
    }
}

/// The operator's words for what a store says.
#[cfg(feature = "maildir")]
pub(crate) fn told(error: StoreError) -> Problem {
    error.to_string().into()
}

/// The accounts of a store that is looked at and managed, where nobody logs in.
#[cfg(any(feature = "maildir", feature = "sql"))]
pub(crate) struct Nobody;

#[cfg(any(feature = "maildir", feature = "sql"))]
impl Accounts for Nobody {
    fn check(&self, _: &Login, _: &Caller) -> Result<String, StoreError> {
        Err(StoreError::Credentials)
    }
}

#[cfg(test)]
mod tests {
    /// Stores whose names differ in a sign alone make messages with other names.
    #[test]
    fn w064_message_ids_of_two_lists_differ() {
        let names = [
            "log1",
            "log-1",
            "log.1",
            "log_1",
            "log=2D1",
            "l\u{f6}g1",
            "lg1",
        ];
        let parts: std::collections::BTreeSet<_> = names.map(super::in_message_id).into();
        assert_eq!(parts.len(), names.len());
        let clean = |c: char| c.is_ascii_alphanumeric() || c == '=';
        assert!(
            parts.iter().all(|part| part.chars().all(clean)),
            "{parts:?}"
        );
    }
}
