//! `kind = "maildir"` and `kind = "directory"`: message files in folders.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use maildir_backend::{Config, Deletion, Layout, MaildirStore, Missing, Template, Users};
use pop3_proto::backend::store::{Accounts, StoreError};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::kind::{self, Kind, Listed, Octets, Passwords, Problem, Store, Tools};
use super::local::{Local, Nobody};
use crate::Failure;
use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem as Mistake};
use crate::setting::reference::Section;
use crate::setting::rows;
use crate::setting::value::{BadValue, Value, Word};

/// Message files in folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Where they are, and what becomes of them.
    pub config: Config,
    /// The path as it was written, below the folder that it is relative to.
    shown: PathBuf,
}

/// Where the files are, as it is written.
#[derive(Default)]
struct Where {
    path: Option<Fielded>,
    users: Option<Each>,
    subfolder: Option<String>,
}

rows! {
    /// Where they are, for both kinds.
    WHERE: Where = Where::default();

    /// The folder; with users = "each" the one in which every account has a folder of its name. Or a path with
    /// fields of the account's name, {user}, {local} and {domain}: "/var/mail/{domain}/{local}/Maildir".
    own "path" r#""/var/mail/vhosts""# => (path),
    /// "one": the folder itself, for every account; "each": a folder for each account. Left out: one, or each
    /// if the path has fields. Capitals do not count: the account "tim" has the folder "Tim" if that is there.
    own "users" r#""each""# => (users),
    /// Where in the account's folder the Maildir is.
    own "subfolder" r#""Maildir""# => (subfolder),
}

rows! {
    /// The keys of both kinds.
    ROWS: Files = Files::new();

    /// What becomes of messages that a client deleted, once it said QUIT: "remove", "keep" (they
    /// stay, and QUIT says so), or "move:.Trash" for a folder of the Maildir.
    "delete" r#""remove""# => (config.deletion),
    /// What an account without a folder gets: "error", or "empty" for an empty maildrop.
    "missing" r#""error""# => (config.missing),
    /// Whether folders may be symbolic links.
    "follow_links" "false" => (config.follow_links),
    /// Whether sessions lock the folder against other processes.
    "lock" "true" => (config.lock),
}

rows! {
    /// The keys of a Maildir.
    MAILDIR: Files = Files::new();

    /// Whether messages that a client retrieved are marked as seen, once it said QUIT.
    "mark_seen" "false" => (config.mark_seen),
    /// Messages that Dovecot packed (gzip, bzip2, zstd) are unpacked, if they hold no more than this.
    "max_unpacked" r#""256 MiB""# => (config.max_unpacked),
}

rows! {
    /// The keys of a plain directory.
    DIRECTORY: Files = Files::new();

    /// Only files whose names end like one of these, in capitals or small letters. Left out: all but hidden and
    /// unfinished ones.
    own "suffix" r#"[".eml", ".txt"]"# => (config.suffixes),
    /// Files whose names end like one of these are texts without a header: each is wrapped into a mail when it is
    /// read. For none: [].
    "text" r#"[".txt"]"# => (config.texts),
    /// A file that was changed less than this ago is still being written.
    "settle" r#""2s""# => (config.settle),
}

/// What the reference says of both kinds.
pub(super) fn sections() -> [Section; 3] {
    [
        Section::new(
            "[[store]], kind = \"maildir\" or \"directory\"",
            "Message files in folders: the keys of both kinds.",
        )
        .with(WHERE)
        .with(ROWS),
        Section::new("[[store]], kind = \"maildir\"", "Besides, for a Maildir.").with(MAILDIR),
        Section::new(
            "[[store]], kind = \"directory\"",
            "Besides, for a directory in which every file is a message.",
        )
        .with(DIRECTORY),
    ]
}

impl Word for Missing {
    const WORDS: &'static [(&'static str, Self)] =
        &[("error", Self::Error), ("empty", Self::Empty)];
}

/// The words of `users`: whether every account has a folder of its own.
#[derive(Clone, Copy, PartialEq)]
struct Each(bool);

impl Word for Each {
    const WORDS: &'static [(&'static str, Self)] = &[("one", Self(false)), ("each", Self(true))];
}

/// A path that may have fields in braces.
struct Fielded {
    /// The folder that is the same for all.
    root: PathBuf,
    /// What comes below it, if it has fields.
    template: Option<String>,
}

impl Fielded {
    fn shown(&self) -> PathBuf {
        match &self.template {
            Some(template) => self.root.join(template),
            None => self.root.clone(),
        }
    }
}

impl Value for Fielded {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let path = PathBuf::read(value, base)?;
        // the folder of the configuration may have braces in its own name
        let written = String::read(value, base)?;
        let Some(brace) = written.find(['{', '}']) else {
            return Ok(Self {
                root: path,
                template: None,
            });
        };
        let start = written[..brace].rfind('/').map_or(0, |slash| slash + 1);
        let (root, below) = written.split_at(start);
        Ok(Self {
            root: base.join(root),
            template: Some(below.to_owned()),
        })
    }

    fn show(&self) -> Json {
        json!(self.shown())
    }
}

impl Value for Deletion {
    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let text = String::read(value, base)?;
        match text.split_once(':') {
            None if text == "remove" => Ok(Self::Remove),
            None if text == "keep" => Ok(Self::Keep),
            Some(("move", folder)) => Ok(Self::Move(folder.into())),
            None | Some(_) => Err(BadValue::new(
                format!("{text:?} does not say what becomes of deleted messages"),
                "write \"remove\", \"move:FOLDER\" or \"keep\"",
            )),
        }
    }

    fn show(&self) -> Json {
        json!(written(self))
    }
}

fn written(deletion: &Deletion) -> String {
    match deletion {
        Deletion::Remove => "remove".into(),
        Deletion::Move(folder) => format!("move:{folder}"),
        Deletion::Keep => "keep".into(),
    }
}

/// Reads the keys of a Maildir.
pub(crate) fn maildir(table: &mut Table<'_>, _: bool) -> Result<Arc<dyn Kind>, Fault> {
    Ok(Arc::new(Files::read(table, Layout::Maildir)?))
}

/// Reads the keys of a plain directory.
pub(crate) fn directory(table: &mut Table<'_>, _: bool) -> Result<Arc<dyn Kind>, Fault> {
    Ok(Arc::new(Files::read(table, Layout::Directory)?))
}

impl Files {
    /// Without a path yet; everything else as by default.
    pub(crate) fn new() -> Self {
        Self {
            config: Config::new(""),
            shown: PathBuf::new(),
        }
    }

    fn read(table: &mut Table<'_>, layout: Layout) -> Result<Self, Fault> {
        let mut place = Where::default();
        table.rows(WHERE, &mut place);
        let mut files = Self::new();
        files.config.layout = layout;
        table.rows(ROWS, &mut files);
        table.rows(
            match layout {
                Layout::Maildir => MAILDIR,
                Layout::Directory => DIRECTORY,
            },
            &mut files,
        );
        // unknown keys first: one of them may be the path
        table.finish()?;
        let Some(path) = place.path else {
            let remedy = "write path = \"FOLDER\"";
            return Err(table.fault(Mistake::new("path", "the folder is missing", remedy)));
        };
        files.shown = path.shown();
        files.config.root = path.root;
        let subfolder = place.subfolder.map(PathBuf::from);
        files.config.users = whose(place.users, path.template.as_deref(), subfolder)
            .and_then(|users| check(&files.config, &users).map(|()| users))
            .map_err(|problem| table.fault(problem))?;
        Ok(files)
    }

    fn store(&self, accounts: Arc<dyn Accounts>) -> Result<MaildirStore, Problem> {
        Ok(MaildirStore::new(self.config.clone(), accounts)?)
    }

    fn managed(&self) -> Result<MaildirStore, Failure> {
        self.store(Arc::new(Nobody)).map_err(Failure::configuration)
    }
}

/// Whose folders they are.
fn whose(
    users: Option<Each>,
    template: Option<&str>,
    subfolder: Option<PathBuf>,
) -> Result<Users, Mistake> {
    if let Some(template) = template {
        if users == Some(Each(false)) {
            let what = "there is one folder for all, and fields of an account in its path";
            let remedy = "write users = \"each\", or a path without braces";
            return Err(Mistake::new("users", what, remedy));
        }
        if subfolder.is_some() {
            let what = "the path says where the messages of an account are";
            return Err(Mistake::new("subfolder", what, "put it at the end of path"));
        }
        return Template::parse(template)
            .map(Users::Template)
            .map_err(|error| Mistake::new("path", error.to_string(), ""));
    }
    match (users, subfolder) {
        (Some(Each(true)), subfolder) => Ok(Users::Each { subfolder }),
        (Some(Each(false)) | None, None) => Ok(Users::One),
        (Some(Each(false)) | None, Some(_)) => {
            let remedy = "write users = \"each\", or put it into path";
            let what = "there is one folder for all, and no folder of an account";
            Err(Mistake::new("subfolder", what, remedy))
        }
    }
}

/// What would make these files useless or unsafe.
fn check(config: &Config, users: &Users) -> Result<(), Mistake> {
    if let Users::Each {
        subfolder: Some(subfolder),
    } = users
    {
        let plain = |part| matches!(part, Component::Normal(_));
        if !subfolder.components().all(plain) || subfolder.as_os_str().is_empty() {
            let what = "this leads out of the account's folder";
            let remedy = "write a name, such as \"Maildir\"";
            return Err(Mistake::new("subfolder", what, remedy));
        }
    }
    if let Deletion::Move(folder) = &config.deletion {
        let plain = !folder.is_empty()
            && folder.len() <= 255
            && !folder.contains(['/', '\0'])
            && folder != "."
            && folder != "..";
        let (own, remedy) = match config.layout {
            Layout::Directory => (
                true,
                "write a name without slashes, such as \"move:deleted\"",
            ),
            Layout::Maildir => (
                folder.starts_with('.'),
                "write a folder of the Maildir, such as \"move:.Trash\"",
            ),
        };
        if !plain || !own {
            let what = format!("{folder:?} is not a folder for deleted messages");
            return Err(Mistake::new("delete", what, remedy));
        }
    }
    let odd = |end: &String| end.is_empty() || end.contains(['/', '\0']) || end.len() > 64;
    for (key, ends) in [("suffix", &config.suffixes), ("text", &config.texts)] {
        if ends.iter().any(odd) {
            let remedy =
                "write the end of a name, such as \".eml\", or several: [\".eml\", \".txt\"]";
            return Err(Mistake::new(key, "no name ends like this", remedy));
        }
    }
    Ok(())
}

impl Kind for Files {
    fn word(&self) -> &'static str {
        match self.config.layout {
            Layout::Maildir => "maildir",
            Layout::Directory => "directory",
        }
    }

    fn told(&self, accounts: &str) -> String {
        let kind = match self.config.layout {
            Layout::Maildir => "Maildir",
            Layout::Directory => "directory",
        };
        let each = match self.is_shared() {
            true => "",
            false => " for each account in",
        };
        let (path, delete) = (self.shown.display(), written(&self.config.deletion));
        format!("{kind}{each} {path}, {accounts}, delete = {delete}")
    }

    fn path(&self) -> Option<PathBuf> {
        Some(self.shown.clone())
    }

    fn unique_ids(&self) -> Option<&'static str> {
        Some(match self.config.layout {
            Layout::Directory => {
                "made of name, file, time and content; none comes again, though names may. A file that changed since \
                 it was listed is neither sent nor removed"
            }
            Layout::Maildir => {
                "the names of the files; a delivery agent must never use a name again, as the Maildir rules say. A \
                 file that changed since it was read is not removed"
            }
        })
    }

    fn is_shared(&self) -> bool {
        self.config.users == Users::One
    }

    fn check(&self, _: &Store) -> Result<Vec<String>, Problem> {
        let root = self.config.root.display();
        self.store(Arc::new(Nobody))?
            .check_root()
            .map_err(|error| format!("{root}: {error}"))?;
        Ok(Vec::new())
    }

    fn open(
        &self,
        store: &Store,
        passwords: &Passwords,
        _: bool,
    ) -> Result<Arc<dyn kind::Mailboxes>, Problem> {
        Local::with_file(store, passwords, |accounts| self.store(accounts))
    }

    fn tools(&self) -> &dyn Tools {
        self
    }
}

impl Tools for Files {
    fn needs_user(&self) -> bool {
        !self.is_shared()
    }

    fn add(&self, _: &Store, user: &str, message: Octets) -> Result<String, Failure> {
        self.managed()?
            .deliver(user, message)
            .map_err(Failure::running)
    }

    fn list(&self, _: &Store, user: &str) -> Result<Vec<Listed>, Failure> {
        let listed = self.managed()?.list(user).map_err(Failure::running)?;
        let row = |listed: maildir_backend::Listed| Listed {
            unique_id: listed.unique_id,
            octets: listed.size,
            date: listed
                .changed
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            file: Some(listed.path.display().to_string()),
        };
        Ok(listed.into_iter().map(row).collect())
    }

    fn remove(&self, _: &Store, user: &str, unique_id: &str) -> Result<bool, Failure> {
        match self.managed()?.remove(user, unique_id) {
            Err(StoreError::Missing) => Ok(false),
            other => other.map(|()| true).map_err(Failure::running),
        }
    }

    /// Makes the folder of a new account.
    fn welcome(&self, user: &str) -> Result<(), Failure> {
        if self.is_shared() {
            return Ok(());
        }
        let made = self.managed().and_then(|store| {
            store.check_user(user).map_err(Failure::configuration)?;
            store.make(user).map_err(Failure::running)
        });
        made.map_err(|failure| Failure {
            message: format!(
                "the account is not made, because its folder cannot be: {}",
                failure.message
            ),
            ..failure
        })
    }
}
