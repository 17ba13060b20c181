//! Where things lie: the account, a file for each certificate, and what is remembered of tries.
//!
//! Owns the names of the files and their modes. A certificate and its key are one file, so that they are replaced
//! together.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use local_accounts::private_file;
use pop3_server::tls::Identity;
use serde_json::{Value as Json, json};

use crate::self_signed;

/// The files of one certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    folder: PathBuf,
    name: String,
}

/// What is remembered of the tries to get a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// How many have failed since the last certificate.
    pub failures: u32,
    /// Before this moment there is no other, in seconds since 1970.
    pub next: i64,
}

impl Place {
    /// In this folder, for a certificate with these names.
    pub fn new(folder: &Path, names: &[String]) -> Self {
        Self {
            folder: folder.to_owned(),
            name: names.first().cloned().unwrap_or_default(),
        }
    }

    /// The certificate with its key.
    pub fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.pem", self.name))
    }

    /// The certificate of the CA, if there is one.
    pub fn identity(&self) -> Option<Identity> {
        let file = self.file();
        file.exists().then(|| Identity::new(&file, &file))
    }

    /// Whether there is something to show.
    pub fn is_there(&self) -> bool {
        self.file().exists() || self_signed::is_there(&self.stopgap())
    }

    /// The folder of the certificate that is shown until the first one comes.
    pub fn stopgap(&self) -> PathBuf {
        self.folder.join(format!("{}.until-then", self.name))
    }

    /// What is remembered of tries.
    pub fn tries_file(&self) -> PathBuf {
        self.folder.join(format!("{}.tries", self.name))
    }

    /// Makes the folder, for the gateway alone.
    pub(super) fn prepare(&self) -> io::Result<()> {
        made(&self.folder)
    }

    /// Puts a certificate and its key in the place of what was there.
    pub(super) fn replace(&self, pem: &str) -> io::Result<()> {
        made(&self.folder)?;
        private_file::replace(&self.file(), pem.as_bytes())
    }

    /// The tries for a certificate with these names.
    pub(super) fn tries(&self, names: &[String]) -> Tries {
        let read = || -> Option<Tries> {
            let told: Json = serde_json::from_slice(&fs::read(self.tries_file()).ok()?).ok()?;
            let failures = told["failures"].as_u64()?;
            (told["names"] == json!(names)).then_some(Tries {
                failures: u32::try_from(failures).unwrap_or(u32::MAX),
                next: told["next"].as_i64()?,
            })
        };
        read().unwrap_or_default()
    }

    pub(super) fn remember(&self, names: &[String], tries: Tries) -> io::Result<()> {
        made(&self.folder)?;
        let Tries { failures, next } = tries;
        let told = json!({ "names": names, "failures": failures, "next": next });
        private_file::replace(&self.tries_file(), told.to_string().as_bytes())
    }
}

/// Where the account is.
pub fn account(folder: &Path) -> PathBuf {
    folder.join("account.json")
}

/// Keeps an account, whose key is in it.
pub(super) fn keep_account(folder: &Path, account: &[u8]) -> io::Result<()> {
    made(folder)?;
    private_file::replace(&self::account(folder), account)
}

fn made(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
