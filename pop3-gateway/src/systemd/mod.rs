//! The service manager that started this process, if there is one: what it hears, and what it gives.
//!
//! Owns the words of sd_notify(3) and the sockets of sd_listen_fds(3). Without a manager it says nothing and has
//! nothing. Everything comes from the environment (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `LISTEN_FDS`, `JOURNAL_STREAM`,
//! `CREDENTIALS_DIRECTORY`), so it is the same with another manager that speaks this.

mod early;
mod journal;
mod manager;
mod passed;

pub(crate) use early::hold;
pub(crate) use journal::{Prioritised, is_journal, prioritised};
pub(crate) use manager::{Manager, reloading};
pub(crate) use passed::passed;

use std::path::{Path, PathBuf};

/// The file of a credential (`LoadCredential=`); why there is none.
pub(crate) fn credential(name: &str) -> Result<PathBuf, &'static str> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
    let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains('/');
    match folder {
        _ if !is_name => Err("this is not the name of a credential"),
        None => Err("the service manager has given no credentials to this process"),
        Some(folder) => Ok(Path::new(&folder).join(name)),
    }
}
