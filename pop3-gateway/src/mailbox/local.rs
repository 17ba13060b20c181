//! Mailboxes that are kept here, ready for logins: their accounts, and where sessions lock them.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use local_accounts::{FileAccounts, PasswdError};
use pop3_proto::backend::blocking::{self, Blocking};
use pop3_proto::backend::erased::{AnyBackend, Erased};
use pop3_proto::backend::store::Accounts;
#[cfg(any(feature = "maildir", feature = "sql"))]
use pop3_proto::backend::{Caller, Login, store::StoreError};
use pop3_server::service::Routed;

use super::kind::{Arrival, Mailboxes, Passwords, Problem, Store};
use crate::layer::{Layers, Lock, Served};

/// Makes the backend of a session.
pub(crate) type MakeBackend = Box<dyn Fn() -> AnyBackend + Send + Sync>;

/// A store, ready for logins.
pub(crate) struct Local {
    pub(crate) name: Arc<str>,
    /// Whether all accounts share one maildrop.
    pub(crate) shared: bool,
    pub(crate) secrets: Secrets,
    pub(crate) backend: MakeBackend,
}

/// Tells whether the secrets of all accounts of a store are stored as they are.
pub(crate) struct Secrets {
    /// Whether they are, as far as is known. Asks nothing and waits for nothing.
    pub(crate) all_stored: Box<dyn Fn() -> bool + Send + Sync>,
    /// What is in the way, and what to do about it.
    pub(crate) remedy: &'static str,
}

impl Secrets {
    /// Those of a file.
    pub(crate) fn of_file(accounts: &Arc<FileAccounts>) -> Self {
        let accounts = Arc::clone(accounts);
        Self {
            all_stored: Box::new(move || accounts.all_secrets_stored()),
            remedy: "not all of the file are; give those with hashes new ones with \"pop3-gateway account passwd \
                     --stored-secret\"",
        }
    }
}

impl Local {
    /// A store with its accounts in a file.
    pub(crate) fn with_file<S: blocking::Store>(
        store: &Store,
        passwords: &Passwords,
        open: impl FnOnce(Arc<dyn Accounts>) -> Result<S, Problem>,
    ) -> Result<Arc<dyn Mailboxes>, Problem> {
        let accounts = accounts(store, passwords)?.ok_or("the store has no accounts")?;
        let secrets = Secrets::of_file(&accounts);
        let opened = Arc::new(open(accounts)?);
        Ok(Arc::new(Self {
            name: store.name.as_str().into(),
            shared: store.kind.is_shared(),
            secrets,
            backend: Box::new(move || Erased::boxed(Blocking::new(Arc::clone(&opened)))),
        }))
    }
}

impl Mailboxes for Local {
    fn name(&self) -> &str {
        &self.name
    }

    /// Maildrops are locked under the store's name, all of them together if all accounts share one. Otherwise the
    /// account's name comes below it, and that is known from the login only.
    fn session(&self, arrival: Arrival<'_>) -> Routed<Served> {
        let place = format!("store\n{}\n", self.name);
        let layers = Layers {
            rename: arrival.rename,
            lock: Some(match self.shared {
                true => Lock::Shared,
                false => Lock::EachIn(place.clone()),
            }),
            ..Layers::default()
        };
        Routed::new(layers.around((self.backend)()), place, self.name.clone())
    }

    fn takes_digests(&self) -> bool {
        (self.secrets.all_stored)()
    }

    fn warn_of_digests(&self, listener: &str, done: &str) {
        let (store, remedy) = (&*self.name, self.secrets.remedy);
        tracing::warn!(
            listener,
            store,
            "{done}: they work only for accounts whose secret is stored as it is, and {remedy}; or leave \
             apop and CRAM-MD5 out, for another way to log in"
        );
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Local").field(&self.name).finish()
    }
}

/// The accounts of a store that is only checked and managed: there are no logins.
#[cfg(any(feature = "maildir", feature = "sql"))]
pub(crate) struct Nobody;

#[cfg(any(feature = "maildir", feature = "sql"))]
impl Accounts for Nobody {
    fn check(&self, _: &Login, _: &Caller) -> Result<String, StoreError> {
        Err(StoreError::Credentials)
    }
}

/// The accounts of the file, if there is one.
pub(crate) fn accounts(
    own: &Store,
    passwords: &Passwords,
) -> Result<Option<Arc<FileAccounts>>, Problem> {
    let Some(path) = &own.accounts else {
        return Ok(None);
    };
    accounts_in(&own.name, path, passwords).map(|accounts| Some(Arc::new(accounts)))
}

/// The accounts of a file; the store or upstream is named in what is said of them.
pub(crate) fn accounts_in(
    store: &str,
    path: &Path,
    passwords: &Passwords,
) -> Result<FileAccounts, Problem> {
    let report = {
        let store = store.to_owned();
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
    if found.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Err(format!(
            "{}: there is no such file of accounts; make it with \"pop3-gateway account add --config \
             FILE --store {store} USER\"",
            path.display()
        )
        .into());
    }
    let accounts = FileAccounts::open(path, passwords.verifier()?)?.on_problem(report);
    for (kind, accounts) in accounts.weaknesses() {
        match kind {
            "nopassword" => tracing::warn!(
                store,
                accounts,
                "accounts with nopassword take any password: anybody who knows the name can log in"
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
    Ok(accounts)
}
