//! What the servers are started with: a scratch folder, an account, ports, a certificate, programs.
//!
//! Owns the folder, which goes away when it is dropped. Never touches anything below /etc, and takes no
//! port below 1024.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rcgen::generate_simple_self_signed;
use tempfile::TempDir;

use crate::Outcome;

/// The name in the certificate.
pub(crate) const HOST_NAME: &str = "localhost";

/// Who the mail belongs to, and whom the servers work as.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Its name, if it is not ours to change to another.
    pub(crate) own: Option<(String, String)>,
}

pub(crate) struct Place {
    folder: TempDir,
    pub(crate) account: Account,
    taken: RefCell<BTreeSet<u16>>,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file.
    pub(crate) pem: PathBuf,
    /// For clients that trust it.
    pub(crate) der: Vec<u8>,
}

impl Place {
    pub(crate) fn new() -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("pop3-bench-").tempdir()?;
        // servers that drop their rights walk through it
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let path = |name: &str| folder.path().join(name);
        let made = generate_simple_self_signed([HOST_NAME.to_owned()])?;
        let (certificate, key, pem) = (path("cert.pem"), path("key.pem"), path("both.pem"));
        fs::write(&certificate, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        fs::write(&pem, made.cert.pem() + &made.signing_key.serialize_pem())?;
        Ok(Self {
            account: account()?,
            taken: RefCell::default(),
            certificate,
            key,
            pem,
            der: made.cert.der().to_vec(),
            folder,
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder that the account may write to.
    pub(crate) fn own(&self, path: &Path) -> Outcome {
        fs::create_dir_all(path)?;
        self.give(path)
    }

    /// Makes the account the owner of something.
    pub(crate) fn give(&self, path: &Path) -> Outcome {
        if self.account.own.is_none() {
            chown(path, Some(self.account.uid), Some(self.account.gid))?;
        }
        Ok(())
    }

    /// A loopback port that is free, below the range that the kernel takes clients' ports from.
    pub(crate) fn port(&self) -> Outcome<u16> {
        let first = 12_000 + (std::process::id() % 8_000) as u16;
        let mut taken = self.taken.borrow_mut();
        (first..32_000)
            .find(|port| !taken.contains(port) && TcpListener::bind(("127.0.0.1", *port)).is_ok())
            .inspect(|port| {
                taken.insert(*port);
            })
            .ok_or_else(|| "no free loopback port".into())
    }
}

fn account() -> Outcome<Account> {
    let me = fs::metadata("/proc/self")?;
    let name = |file: &str, id: u32| -> Outcome<String> {
        let text = fs::read_to_string(file)?;
        let mut lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = lines.find(|fields| fields.get(2).is_some_and(|n| **n == *id.to_string()));
        let found = found.and_then(|fields| fields.first().map(|name| (*name).to_owned()));
        found.ok_or_else(|| format!("{id} has no name in {file}").into())
    };
    Ok(if me.uid() == 0 {
        let nobody = 65_534;
        Account {
            uid: nobody,
            gid: nobody,
            own: None,
        }
    } else {
        let own = (
            name("/etc/passwd", me.uid())?,
            name("/etc/group", me.gid())?,
        );
        Account {
            uid: me.uid(),
            gid: me.gid(),
            own: Some(own),
        }
    })
}

/// The path of a program, or what to install.
pub(crate) fn program(name: &str, package: &str) -> Outcome<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| format!("{name} is missing; on Debian: apt-get install {package}").into())
}
