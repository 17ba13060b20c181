//! A Maildir, or a directory of message files: from the configuration to the store.

use std::sync::Arc;

use crate::config::{FileDeletion, FileStore};
use maildir_backend::{Config, Deletion, Layout, MaildirStore, Missing, Template, Users};
use pop3_proto::backend::store::Accounts;

use super::{Nobody, Problem, told};

pub(crate) fn store(
    files: &FileStore,
    accounts: Arc<dyn Accounts>,
) -> Result<MaildirStore, Problem> {
    let mut config = Config::new(&files.path);
    config.layout = match files.plain {
        true => Layout::Directory,
        false => Layout::Maildir,
    };
    config.users = match (&files.template, files.each) {
        (Some(template), _) => {
            Users::Template(Template::parse(template).map_err(|error| format!("path: {error}"))?)
        }
        (None, true) => Users::Each {
            subfolder: files.subfolder.clone(),
        },
        (None, false) => Users::One,
    };
    config.deletion = match &files.delete {
        FileDeletion::Remove => Deletion::Remove,
        FileDeletion::Move(folder) => Deletion::Move(folder.clone()),
        FileDeletion::Keep => Deletion::Keep,
    };
    config.missing = match files.missing_is_empty {
        true => Missing::Empty,
        false => Missing::Error,
    };
    config.mark_seen = files.mark_seen;
    config.follow_links = files.follow_links;
    config.lock = files.lock;
    config.suffixes = files.suffixes.clone();
    config.texts = files.texts.clone();
    config.max_unpacked = files.max_unpacked;
    config.settle = files.settle;
    Ok(MaildirStore::new(config, accounts)?)
}

pub(crate) fn verify(files: &FileStore) -> Result<(), Problem> {
    store(files, Arc::new(Nobody))?
        .check_root()
        .map_err(told)
        .map_err(|error| format!("{}: {error}", files.path.display()).into())
}
