//! Where mail goes: read from the user's words, checked before anything is fetched, and opened.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::target::{Target, without_port};
use super::{files, maildir, mbox};

/// Where mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A Maildir; line ends become LF.
    Maildir(PathBuf),
    /// An mbox file (mboxrd); line ends become LF.
    Mbox(PathBuf),
    /// A folder with a file for each message, octet for octet.
    Files(PathBuf),
}

impl Destination {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Maildir(path) | Self::Mbox(path) | Self::Files(path) => path,
        }
    }

    /// Creates missing folders, and checks that mail can be put there, before anything is fetched.
    pub(super) fn prepare(&self) -> io::Result<()> {
        match self {
            Self::Maildir(path) => ["tmp", "new", "cur"]
                .iter()
                .try_for_each(|part| create(&path.join(part))),
            Self::Files(path) => create(path),
            Self::Mbox(path) => {
                match path.parent() {
                    Some(folder) if !folder.as_os_str().is_empty() => create(folder)?,
                    Some(_) | None => writable(Path::new("."), true)?,
                }
                if path.is_dir() {
                    return Err(at(path, &io::ErrorKind::IsADirectory.into()));
                }
                if path.try_exists()? {
                    return writable(path, false);
                }
                Ok(())
            }
        }
    }

    pub(super) fn default_state(&self, account: &str) -> PathBuf {
        let account = crate::mail::file_name(without_port(account));
        match self {
            Self::Maildir(path) | Self::Files(path) => path.join(format!(".pop3-client.{account}")),
            Self::Mbox(path) => {
                let mut name = path.as_os_str().to_owned();
                name.push(format!(".pop3-client.{account}"));
                name.into()
            }
        }
    }

    pub(super) fn open(&self, mark: &str) -> io::Result<Box<dyn Target>> {
        Ok(match self {
            Self::Maildir(path) => Box::new(maildir::Maildir::new(path, mark)),
            Self::Mbox(path) => Box::new(mbox::Mbox::new(path, mark)),
            Self::Files(path) => Box::new(files::Files::new(path, mark)),
        })
    }
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((kind, path)) if !path.is_empty() => {
                let path = crate::account::home(Path::new(path));
                match kind {
                    "maildir" => Ok(Self::Maildir(path)),
                    "mbox" => Ok(Self::Mbox(path)),
                    "files" => Ok(Self::Files(path)),
                    _ => Err(format!("'{kind}' is not maildir, mbox or files")),
                }
            }
            Some(_) | None => Err("a destination is maildir:PATH, mbox:PATH or files:PATH".into()),
        }
    }
}

fn create(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(|error| at(folder, &error))?;
    writable(folder, true)
}

/// Whether this process may write there.
fn writable(path: &Path, is_folder: bool) -> io::Result<()> {
    use rustix::fs::{Access, access};
    let wanted = if is_folder {
        Access::WRITE_OK | Access::EXEC_OK
    } else {
        Access::READ_OK | Access::WRITE_OK
    };
    access(path, wanted).map_err(|error| at(path, &error.into()))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
