//! `[[store]]`: a mailbox that is kept here, in files, in a list or in a database.
//!
//! Whether a folder is there and a database answers is for others to find out. The accounts of a store are
//! a file of their own, so that tools can change them.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::sql::SqlStore;
use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem};
use crate::setting::names::read_rewrite;
use crate::setting::value::{BadValue, Date, Value, Word};
use pop3_server::name::Rewrite;

/// One `[[store]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Its name, for routes, tools and logs.
    pub name: String,
    /// The passwd-file of its accounts. Only a database has accounts without one.
    pub accounts: Option<PathBuf>,
    /// How its users' names are written.
    pub rewrite: Rewrite,
    /// What it is, and where.
    pub kind: StoreKind,
}

/// What a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Message files in folders.
    Files(FileStore),
    /// The same messages for every account; deletions last as long as the process.
    List(Vec<ListedMessage>),
    /// Tables of a database.
    Sql(Box<SqlStore>),
}

/// A Maildir, or a plain directory of message files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStore {
    /// Whether it is a plain directory, and no Maildir.
    pub plain: bool,
    /// The folder, or the one in which every account has its own.
    pub path: PathBuf,
    /// Whether every account has a folder of its own.
    pub each: bool,
    /// Where below the path that folder is, with fields in braces; `None` for a folder of the account's name.
    pub template: Option<String>,
    /// Where in the account's folder its messages lie.
    pub subfolder: Option<PathBuf>,
    /// What becomes of deleted messages.
    pub delete: FileDeletion,
    /// Whether an account without a folder has an empty maildrop, and no error.
    pub missing_is_empty: bool,
    /// Whether messages that were read are marked as seen at QUIT. Maildir only.
    pub mark_seen: bool,
    /// Whether folders may be symbolic links.
    pub follow_links: bool,
    /// Whether sessions lock the folder against other processes.
    pub lock: bool,
    /// How the names of messages end, in capitals or small letters; in any way if there is none. Plain
    /// directories only.
    pub suffixes: Vec<String>,
    /// How the names of texts end, which are wrapped into mails. Plain directories only.
    pub texts: Vec<String>,
    /// The most octets that a packed message may hold. Maildir only.
    pub max_unpacked: u64,
    /// How long a file must have been left alone. Plain directories only.
    pub settle: Duration,
}

/// What becomes of the message files that a client deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FileDeletion {
    /// They are removed.
    #[default]
    Remove,
    /// They are moved to this folder.
    Move(String),
    /// They stay.
    Keep,
}

/// A message of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedMessage {
    /// A message, headers and all.
    File(PathBuf),
    /// A text that is made into a message.
    Text {
        /// Its subject.
        subject: String,
        /// Its text.
        text: String,
        /// Its date, in seconds since 1970.
        date: i64,
    },
}

/// The words for [`StoreKind`].
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Maildir,
    Directory,
    List,
    Sql,
}

impl Word for Kind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("maildir", Self::Maildir),
        ("directory", Self::Directory),
        ("list", Self::List),
        ("sql", Self::Sql),
    ];
}

/// The words for [`FileStore::each`].
#[derive(Clone, Copy, PartialEq)]
struct Each(bool);

impl Word for Each {
    const WORDS: &'static [(&'static str, Self)] = &[("one", Self(false)), ("each", Self(true))];
}

/// The words for [`FileStore::missing_is_empty`].
#[derive(Clone, Copy, PartialEq)]
struct Empty(bool);

impl Word for Empty {
    const WORDS: &'static [(&'static str, Self)] = &[("error", Self(false)), ("empty", Self(true))];
}

impl FileDeletion {
    /// Reads the words of a configuration.
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => match text {
                "remove" => Some(Self::Remove),
                "keep" => Some(Self::Keep),
                _ => None,
            },
            Some(("move", folder)) => Some(Self::Move(folder.into())),
            Some(_) => None,
        }
    }
}

impl std::fmt::Display for FileDeletion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Remove => f.write_str("remove"),
            Self::Move(folder) => write!(f, "move:{folder}"),
            Self::Keep => f.write_str("keep"),
        }
    }
}

impl Value for FileDeletion {
    fn read(value: &toml::de::DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        Self::parse(&text).ok_or_else(|| {
            BadValue::new(
                format!("{text:?} says not what becomes of deleted messages"),
                "write \"remove\", \"move:FOLDER\" or \"keep\"",
            )
        })
    }

    fn show(&self) -> Json {
        json!(self.to_string())
    }
}

impl Store {
    pub(super) fn read(table: &mut Table<'_>) -> Result<Self, Fault> {
        let name: String = table.get("name")?.unwrap_or_default();
        let accounts = table.get("accounts")?;
        let rewrite = read_rewrite(table)?.unwrap_or_default();
        let kind = table.get("kind")?;
        table.so_far()?;
        let Some(kind) = kind else {
            let remedy = "write kind = \"maildir\", \"directory\", \"list\" or \"sql\"";
            return Err(table.fault(Problem::new("kind", "the kind is missing", remedy)));
        };
        let kind = match kind {
            Kind::Maildir => StoreKind::Files(FileStore::read(table, false)?),
            Kind::Directory => StoreKind::Files(FileStore::read(table, true)?),
            Kind::List => StoreKind::List(read_messages(table)?),
            Kind::Sql => StoreKind::Sql(Box::new(SqlStore::read(table, accounts.is_some())?)),
        };
        table.finish()?;
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            let remedy = "write name = \"...\", one printable line of at most 64 octets";
            return Err(table.fault(Problem::new("name", "a store needs a name", remedy)));
        }
        if accounts.is_none() && !matches!(kind, StoreKind::Sql(_)) {
            let remedy = "write accounts = \"FILE\" and make it with \"pop3-gateway account add\"";
            let problem = Problem::new("accounts", "no login is possible", remedy);
            return Err(table.fault(problem));
        }
        Ok(Self {
            name,
            accounts,
            rewrite,
            kind,
        })
    }
}

impl FileStore {
    /// The path as it was written, but for the folder that it is relative to.
    pub fn shown_path(&self) -> PathBuf {
        match &self.template {
            Some(template) => self.path.join(template),
            None => self.path.clone(),
        }
    }

    fn read(table: &mut Table<'_>, plain: bool) -> Result<Self, Fault> {
        let path = table.get_template("path")?;
        let mut store = Self {
            plain,
            path: PathBuf::new(),
            each: false,
            template: None,
            subfolder: None,
            delete: FileDeletion::Remove,
            missing_is_empty: false,
            mark_seen: false,
            follow_links: false,
            lock: true,
            suffixes: Vec::new(),
            texts: vec![".txt".to_owned()],
            max_unpacked: 256 * 1024 * 1024,
            settle: Duration::from_secs(2),
        };
        let users: Option<Each> = table.get("users")?;
        store.each = users.is_some_and(|Each(each)| each);
        store.subfolder = table.get("subfolder")?.map(|text: String| text.into());
        table.set("delete", &mut store.delete)?;
        store.missing_is_empty = table.get("missing")?.is_some_and(|Empty(empty)| empty);
        table.set("follow_links", &mut store.follow_links)?;
        table.set("lock", &mut store.lock)?;
        if plain {
            table.set("suffix", &mut store.suffixes)?;
            table.set("text", &mut store.texts)?;
            table.set("settle", &mut store.settle)?;
        } else {
            table.set("mark_seen", &mut store.mark_seen)?;
            table.set("max_unpacked", &mut store.max_unpacked)?;
        }
        // unknown keys first: one of them may be the path
        table.finish()?;
        let Some((path, template)) = path else {
            let remedy = "write path = \"FOLDER\"";
            return Err(table.fault(Problem::new("path", "the folder is missing", remedy)));
        };
        store.path = path;
        store.template = template;
        if store.template.is_some() {
            if matches!(users, Some(Each(false))) {
                let what = "there is one folder for all, and fields of an account in its path";
                let remedy = "write users = \"each\", or a path without braces";
                return Err(table.fault(Problem::new("users", what, remedy)));
            }
            if store.subfolder.is_some() {
                let what = "the path says where the messages of an account are";
                let problem = Problem::new("subfolder", what, "put it at the end of path");
                return Err(table.fault(problem));
            }
            store.each = true;
        }
        store.check().map_err(|problem| table.fault(problem))?;
        Ok(store)
    }

    fn check(&self) -> Result<(), Problem> {
        if let Some(subfolder) = &self.subfolder {
            if !self.each {
                let remedy = "write users = \"each\", or put it into path";
                let what = "there is one folder for all, and no folder of an account";
                return Err(Problem::new("subfolder", what, remedy));
            }
            let plain = |part| matches!(part, Component::Normal(_));
            if !subfolder.components().all(plain) || subfolder.as_os_str().is_empty() {
                let what = "this leads out of the account's folder";
                let remedy = "write a name, such as \"Maildir\"";
                return Err(Problem::new("subfolder", what, remedy));
            }
        }
        if let FileDeletion::Move(folder) = &self.delete {
            let plain = !folder.is_empty()
                && folder.len() <= 255
                && !folder.contains(['/', '\0'])
                && folder != "."
                && folder != "..";
            if !plain || (!self.plain && !folder.starts_with('.')) {
                let remedy = match self.plain {
                    true => "write a name without slashes, such as \"move:deleted\"",
                    false => "write a folder of the Maildir, such as \"move:.Trash\"",
                };
                let what = format!("{folder:?} is not a folder for deleted messages");
                return Err(Problem::new("delete", what, remedy));
            }
        }
        let odd = |end: &String| end.is_empty() || end.contains(['/', '\0']) || end.len() > 64;
        for (key, ends) in [("suffix", &self.suffixes), ("text", &self.texts)] {
            if ends.iter().any(odd) {
                let remedy =
                    "write the end of a name, such as \".eml\", or several: [\".eml\", \".txt\"]";
                return Err(Problem::new(key, "no name ends like this", remedy));
            }
        }
        Ok(())
    }
}

fn read_messages(table: &mut Table<'_>) -> Result<Vec<ListedMessage>, Fault> {
    let mut messages = Vec::new();
    for mut message in table.tables("message")? {
        let file = message.get("file")?;
        let (subject, text): (Option<String>, Option<String>) =
            (message.get("subject")?, message.get("text")?);
        let date: Option<Date> = message.get("date")?;
        message.finish()?;
        let listed = match (file, subject, text, date) {
            (Some(file), None, None, None) => ListedMessage::File(file),
            (None, Some(subject), Some(text), Some(Date(date))) => ListedMessage::Text {
                subject,
                text,
                date,
            },
            (None, Some(_), Some(_), None) => {
                let what =
                    "the date is missing; without one clients would see another message each time";
                let problem = Problem::new("date", what, "write for example date = 2026-11-20");
                return Err(message.fault(problem));
            }
            _ => {
                let what = "a message is a file, or a subject with a text and a date";
                let remedy = "write file = \"FILE\", or subject, text and date";
                return Err(message.fault(Problem::new("file", what, remedy)));
            }
        };
        if let ListedMessage::Text { subject, .. } = &listed
            && subject.chars().any(char::is_control)
        {
            let problem = Problem::new("subject", "this is not one line", "write one line");
            return Err(message.fault(problem));
        }
        messages.push(listed);
    }
    Ok(messages)
}
