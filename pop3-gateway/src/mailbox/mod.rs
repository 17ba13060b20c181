//! Kinds of mailboxes: one file a kind, and the table of them.
//!
//! A kind says how it is configured, looked at, opened for logins, and managed. A new one is a file here and a line
//! in `KINDS`; nothing else names it.

#[cfg(feature = "maildir")]
pub mod files;
pub mod imap;
pub mod kind;
pub mod list;
pub(crate) mod local;
#[cfg(feature = "sql")]
pub mod sql;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use kind::{Kind, Mailboxes, Problem, Store};
use pop3_server::name::Rewrite;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem as Mistake};
use crate::setting::reference::Section;
use crate::setting::rows;
use crate::setting::value::{BadValue, Value, not_known};

/// Reads the keys of a kind; the last says whether there are accounts in a file.
type Configure = fn(&mut Table<'_>, bool) -> Result<Arc<dyn Kind>, Fault>;

/// What is known of a kind before it is configured.
enum Known {
    /// How it is configured, with its accounts in a file.
    WithFile(Configure),
    /// How it is configured; its accounts may be elsewhere.
    #[cfg(feature = "sql")]
    WithOrWithoutFile(Configure),
    /// It was left out of this build: what is missing, and the feature that brings it.
    #[cfg(not(all(feature = "maildir", feature = "sql")))]
    LeftOut(&'static str, &'static str),
}

#[cfg(not(feature = "maildir"))]
const NO_FILES: Known = Known::LeftOut("stores of files", "maildir");

/// Every kind of store, by its word.
static KINDS: [(&str, Known); 4] = [
    #[cfg(feature = "maildir")]
    ("maildir", Known::WithFile(files::maildir)),
    #[cfg(not(feature = "maildir"))]
    ("maildir", NO_FILES),
    #[cfg(feature = "maildir")]
    ("directory", Known::WithFile(files::directory)),
    #[cfg(not(feature = "maildir"))]
    ("directory", NO_FILES),
    ("list", Known::WithFile(list::configure)),
    #[cfg(feature = "sql")]
    ("sql", Known::WithOrWithoutFile(sql::configure)),
    #[cfg(not(feature = "sql"))]
    ("sql", Known::LeftOut("databases", "sql")),
];

/// A kind that the operator named.
struct Chosen(&'static (&'static str, Known));

impl Value for Chosen {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        let found = KINDS.iter().find(|(word, _)| *word == text);
        found
            .map(Self)
            .ok_or_else(|| not_known(&text, KINDS.iter().map(|(word, _)| *word)))
    }

    fn show(&self) -> Json {
        json!(self.0.0)
    }
}

/// What every store has, while it is read.
#[derive(Default)]
struct Common {
    name: String,
    kind: Option<Chosen>,
    accounts: Option<PathBuf>,
    rewrite: Rewrite,
}

rows! {
    /// `[[store]]`, whatever its kind
    ROWS: Common = Common::default();

    /// The name, for routes, tools and logs. No upstream has the same.
    own "name" r#""local""# => (name),
    /// "maildir", "directory", "list" or "sql".
    own "kind" r#""maildir""# => (kind),
    /// The accounts: a line "name:credential" for each, as in Dovecot's passwd-files. A line that is wrong costs its
    /// own account.
    own "accounts" r#""users""# => (accounts),
    /// How the names of users are written here, as user_domain and user_separator of an upstream.
    "user_domain" r#""keep""# => (rewrite.domain),
    own "user_separator" r#""@""# => (rewrite.separator),
}

/// What the reference says of stores.
pub(crate) fn sections() -> Vec<Section> {
    let heading = "[[store]]";
    let about =
        "A mailbox that is kept here. These keys are those of every kind; each kind has more.";
    let mut all = vec![Section::new(heading, about).with(ROWS)];
    #[cfg(feature = "maildir")]
    all.extend(files::sections());
    all.push(list::section());
    #[cfg(feature = "sql")]
    all.extend(sql::sections());
    all
}

impl Store {
    pub(crate) fn read(table: &mut Table<'_>) -> Result<Self, Fault> {
        let mut common = Common::default();
        table.rows(ROWS, &mut common);
        table.so_far()?;
        let Common {
            name,
            kind,
            accounts,
            rewrite,
        } = common;
        let Some(Chosen((_, known))) = kind else {
            let remedy = "write kind = \"maildir\", \"directory\", \"list\" or \"sql\"";
            return Err(table.fault(Mistake::new("kind", "the kind is missing", remedy)));
        };
        let (configure, needs_accounts) = match known {
            Known::WithFile(configure) => (configure, true),
            #[cfg(feature = "sql")]
            Known::WithOrWithoutFile(configure) => (configure, false),
            #[cfg(not(all(feature = "maildir", feature = "sql")))]
            Known::LeftOut(what, feature) => {
                let what = format!("this pop3-gateway was built without {what}");
                let remedy = format!("build it with --features {feature}");
                return Err(table.fault(Mistake::new("kind", what, remedy)));
            }
        };
        let kind = configure(table, accounts.is_some())?;
        table.finish()?;
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            let remedy = "write name = \"...\", one printable line of at most 64 octets";
            return Err(table.fault(Mistake::new("name", "a store needs a name", remedy)));
        }
        if accounts.is_none() && needs_accounts {
            let remedy = "write accounts = \"FILE\" and make it with \"pop3-gateway account add\"";
            let problem = Mistake::new("accounts", "no login is possible", remedy);
            return Err(table.fault(problem));
        }
        Ok(Self {
            name,
            accounts,
            rewrite,
            kind,
        })
    }

    /// What `check` says of it, a word for each line, and the line.
    pub(crate) fn told(&self) -> Vec<(&'static str, String)> {
        let accounts = match &self.accounts {
            Some(file) => format!("accounts in {}", file.display()),
            None => "accounts in the database".into(),
        };
        let name = &self.name;
        let ids = self.kind.unique_ids();
        let ids = ids.map(|told| ("unique-ids", format!("of {name}: {told}")));
        let kind = ("store", format!("{name}: {}", self.kind.told(&accounts)));
        [kind].into_iter().chain(ids).collect()
    }

    /// The same for programs.
    pub(crate) fn told_json(&self) -> Json {
        json!({
            "name": self.name,
            "kind": self.kind.word(),
            "path": self.kind.path(),
            "accounts": self.accounts,
            "unique_ids": self.kind.unique_ids(),
        })
    }
}
