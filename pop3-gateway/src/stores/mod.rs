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

use crate::config::{self, ListedMessage, StoreKind};
use local_accounts::{FileAccounts, PasswdError, Verifier};
use pop3_proto::backend::blocking::{self, Blocking};
use pop3_proto::backend::store::Accounts;
#[cfg(any(feature = "maildir", feature = "sql"))]
use pop3_proto::backend::{Caller, Login, store::StoreError};

use crate::compose::Mail;
use crate::listed::Listed;
use crate::served::Served;
use crate::service::{MakeBackend, Store};

/// Why a store cannot be used: what to tell the operator.
pub type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Makes a store ready. `digests` says whether APOP or CRAM-MD5 are wanted, for which a database is asked whether
/// all accounts can do them.
pub fn store(
    config: &config::Store,
    verifier: &Arc<Verifier>,
    digests: bool,
) -> Result<Store, Problem> {
    let accounts = accounts(config, verifier)?;
    let mut secrets = accounts
        .as_ref()
        .map(|accounts| Secrets::File(Arc::clone(accounts)));
    let backend: MakeBackend = match &config.kind {
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
            let accounts = accounts.map(|accounts| accounts as Arc<dyn Accounts>);
            let (backend, in_database) = sql::backend(config, sql, accounts, digests)?;
            secrets.get_or_insert(in_database);
            backend
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
        secrets: secrets.unwrap_or(Secrets::Nowhere),
        backend,
    })
}

/// Who knows whether the secrets of all accounts of a store are stored as they are.
pub enum Secrets {
    /// A file of accounts.
    File(Arc<FileAccounts>),
    /// The database of a store, in the tool's own tables.
    #[cfg(feature = "sql")]
    Own(sql_backend::SqlStore),
    /// The database of a store, in the administrator's tables.
    #[cfg(feature = "sql")]
    Queried(sql_backend::SqlStore),
    /// There are no accounts.
    Nowhere,
}

impl Secrets {
    /// As far as is known. Asks nothing and waits for nothing.
    pub(crate) fn all_stored(&self) -> bool {
        match self {
            Self::File(accounts) => accounts.all_secrets_stored(),
            #[cfg(feature = "sql")]
            Self::Own(store) | Self::Queried(store) => store.all_secrets_stored(),
            Self::Nowhere => true,
        }
    }

    /// What is in the way, and what to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::File(_) | Self::Nowhere => {
                "not all of the file are; give those with hashes new ones with \"pop3-gateway account passwd \
                 --stored-secret\""
            }
            #[cfg(feature = "sql")]
            Self::Own(_) => {
                "not all in the database are, or it does not answer; give those with hashes new ones with \
                 \"pop3-gateway account passwd --stored-secret\""
            }
            #[cfg(feature = "sql")]
            Self::Queried(_) => {
                "queries.account may give others; if it gives {PLAIN} secrets alone, write stored_secrets = true \
                 in [store.queries]"
            }
        }
    }
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
                tracing::error!(store, %error, "accounts cannot be read; no login to them succeeds until they can");
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
                "anybody who knows the name can log in to accounts with nopassword, with any password"
            ),
            kind => tracing::warn!(
                store,
                accounts,
                kind,
                "passwords are kept in a form in which millions a second can be tried by anybody who gets hold of \
                 the file; give the accounts new ones with \"pop3-gateway account passwd\""
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

fn blocking<S: blocking::Store>(store: S) -> MakeBackend {
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

/// The accounts of a store that is looked at and managed, without logins.
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
