//! The monitoring account: one fresh message at each login, made here.
//!
//! Those who watch the gateway can log in, list, read and delete without a mailbox anywhere. It says nothing
//! about upstreams and stores, and nothing that it deletes was ever there.

use std::fmt;
use std::fs;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use local_accounts::private_file;
use pop3_proto::backend::blocking::{Blocking, Mailbox, Store};
use pop3_proto::backend::erased::{AnyBackend, Erased};
use pop3_proto::backend::store::{Entry, StoreError, message_size};
use pop3_proto::backend::{Index, Open};
use pop3_proto::secret::Secret;

use crate::mail::Mail;

/// 32 letters and digits that cannot be mistaken for each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The account.
pub struct Monitor(Arc<Probe>);

impl Monitor {
    /// An account with this name and this secret.
    pub fn new(user: String, secret: Secret) -> Self {
        Self(Arc::new(Probe {
            user,
            secret,
            logins: AtomicU64::new(0),
            started: seconds(),
        }))
    }

    /// Whether this is its name. Case does not count.
    pub fn is(&self, user: &str) -> bool {
        self.0.is(user)
    }

    /// A session with it.
    pub fn backend(&self) -> AnyBackend {
        Erased::boxed(Blocking::new(Arc::clone(&self.0)))
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Monitor").field(&self.0.user).finish()
    }
}

/// The secret in a file. One that is not there is made, for its owner alone.
pub fn secret_file(path: &Path) -> io::Result<Secret> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let line = text.lines().next().unwrap_or_default();
            if line.len() < 12 {
                let what = "it has no secret of 12 characters or more in its first line";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            Ok(Secret::from(line.as_bytes()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut octets = [0; 26];
            getrandom::fill(&mut octets).map_err(io::Error::other)?;
            // 26 times 5 bits
            let mut secret = octets
                .map(|octet| ALPHABET[usize::from(octet % 32)])
                .to_vec();
            secret.push(b'\n');
            private_file::create(path, &secret)?;
            secret.pop();
            Ok(Secret::new(secret))
        }
        Err(error) => Err(error),
    }
}

struct Probe {
    user: String,
    secret: Secret,
    logins: AtomicU64,
    started: u64,
}

impl Probe {
    fn is(&self, user: &str) -> bool {
        user.to_lowercase() == self.user.to_lowercase()
    }
}

impl Store for Probe {
    type Mailbox = Fresh;

    fn open(&self, open: &Open) -> Result<Fresh, StoreError> {
        let known = open.login.user().is_some_and(|user| self.is(user));
        if !open.login.proves(&self.secret) || !known {
            return Err(StoreError::Credentials);
        }
        let number = self.logins.fetch_add(1, Ordering::Relaxed) + 1;
        let unique_id = format!("monitor-{}-{number}", self.started);
        let version = env!("CARGO_PKG_VERSION");
        let mail = Mail {
            from: "pop3-gateway <pop3-gateway@localhost>".into(),
            to: None,
            subject: format!("pop3-gateway {version} is there: login {number}"),
            date: i64::try_from(seconds()).unwrap_or_default(),
            message_id: format!("{unique_id}@localhost"),
            text: format!(
                "This message was made for this login and is kept nowhere.\r\n\r\n\
                 version: {version}\r\nlogin: {number}\r\nrunning since: {}\r\n",
                crate::mail::date(i64::try_from(self.started).unwrap_or_default()),
            ),
        };
        Ok(Fresh {
            unique_id,
            message: mail.octets(),
        })
    }
}

/// The maildrop of one login.
struct Fresh {
    unique_id: String,
    message: Vec<u8>,
}

impl Mailbox for Fresh {
    fn list(&mut self) -> Result<Vec<Entry>, StoreError> {
        Ok(vec![Entry {
            size: message_size(&self.message[..])?,
            unique_id: self.unique_id.clone(),
        }])
    }

    fn message(&mut self, _: Index) -> Result<Box<dyn Read + Send>, StoreError> {
        Ok(Box::new(Cursor::new(self.message.clone())))
    }

    fn remove(&mut self, _: &[Index]) -> Result<(), StoreError> {
        Ok(())
    }
}

fn seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
