//! `kind = "sql"`: tables of a database.
//!
//! Its URL may hold a password, so it never appears in an error or in the log.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::erased::Erased;
use pop3_proto::backend::store::Accounts;
use pop3_proto::secret::Secret as Password;
use serde_json::{Value as Json, json};
use sql_backend::{
    Config, DatabaseUrl, Logins, Maildrops, Messages, Queries, SqlError, SqlStore, StoredSecrets,
    Template,
};
use toml::de::DeValue;

use super::kind::{
    AccountTools, Kind, Listed, Mailboxes, Octets, Passwords, Problem, Secret, Store, Tools,
};
use super::local::{self, Local, Nobody, Secrets};
use crate::Failure;
use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem as Mistake};
use crate::setting::reference::Section;
use crate::setting::rows;
use crate::setting::value::{BadValue, Value};

/// Tables of a database.
#[derive(Clone, Debug)]
pub struct Sql {
    /// Where they are, and what is asked of them. Who logs in is decided when it is opened.
    pub config: Config,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// Whether the password is in the URL.
    password_here: bool,
}

rows! {
    /// Where the database is.
    URL: Option<String> = None;

    /// "sqlite:///FILE", "mysql://user@host/database" or "postgres://user@host/database".
    /// Behind PgBouncer it works in every pool_mode but "statement"; for another pooler that shares connections by
    /// transaction add "?statement-cache-capacity=0".
    own "url" r#""postgres://pop3@db.example.org/app""# => (itself),
}

rows! {
    /// The keys beside the URL.
    ROWS: Sql = Sql::new("");

    /// The password, so that it need not stand in the URL.
    own "password_file" r#""db.password""# => (password_file),
    /// How many connections at once.
    "connections" "10" => (config.pool.max_connections),
    /// How long a session waits for a connection, and how long the database may take for one answer.
    "acquire_timeout" r#""5s""# => (config.pool.acquire_timeout),
    "statement_timeout" r#""1m""# => (config.pool.statement_timeout),
    /// The largest message that is read in one piece.
    "max_message" r#""64 MiB""# => (config.max_message),
}

rows! {
    /// `[store.queries]`
    QUERIES: Queries = Queries::default();

    /// The messages of :user, oldest first: an "id" for each. Where an id may come again once its row is gone
    /// ("check" says where), also a column "unique_id" whose values never do; and "size" where it is known: octets
    /// with CRLF line ends.
    own "list" r#""select id, logged, level from log where owner = :user order by id""# => (list),
    /// One message, its "body". It may return "is_plaintext": whether this row is a text, or a whole mail that is sent
    /// as it is.
    own "body" r#""select text as body, logged, level from log where owner = :user and id = :id""# => (body),
    /// A part of a large one: at most :for octets or characters of its "body", from the :fromth on.
    own "body_piece" r#""select substring(text from :from for :for) as body from log where id = :id""# => (body_piece),
    /// What deletes a message, one query or several. Left out: no message can be deleted.
    own "delete" r#"["delete from log where owner = :user and id = :id"]"# => (delete),
}

rows! {
    /// `[store.queries]`: who may log in
    ACCOUNT: Sql = Sql::new("");

    /// The credential of :user, a column "password". Left out: accounts = "FILE" says who may log in.
    own "account" r#""select password from people where login = :user""# => (with set_account, show_account),
    /// Whether that is a {PLAIN} secret for every account: only then apop and CRAM-MD5 are offered.
    "stored_secrets" "false" => (with set_stored_secrets, show_stored_secrets),
}

rows! {
    /// `[store.template]`
    TEMPLATE: Template = Template::default();

    /// The addresses and the subject of the message.
    own "from" r#""log@example.org""# => (from),
    own "to" r#""admin@example.org""# => (to),
    own "subject" r#""[{level}] entry {id}""# => (subject),
    /// A column with a timestamp, a text, or a number: seconds, milliseconds, microseconds or nanoseconds.
    own "date" r#""logged""# => (date),
    /// What stands after the "@" in the Message-ID.
    own "message_id_domain" r#""example.org""# => (message_id_domain),
    /// What the text is.
    own "content_type" r#""text/plain""# => (content_type),
}

fn set_account(sql: &mut Sql, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    sql.config.logins = Logins::Query(Value::read(value, base)?);
    Ok(())
}

fn show_account(sql: &Sql) -> Json {
    match &sql.config.logins {
        Logins::Query(query) => json!(query),
        Logins::Own | Logins::Accounts(_) => Json::Null,
    }
}

fn set_stored_secrets(sql: &mut Sql, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    sql.config.stored_secrets = match Value::read(value, base)? {
        true => StoredSecrets::All,
        false => StoredSecrets::NotAll,
    };
    Ok(())
}

fn show_stored_secrets(sql: &Sql) -> Json {
    json!(sql.config.stored_secrets == StoredSecrets::All)
}

/// What the reference says of it.
pub(super) fn sections() -> [Section; 3] {
    [
        Section::new("[[store]], kind = \"sql\"", "Tables of a database.")
            .with(URL)
            .with(ROWS),
        Section::new(
            "[store.queries]",
            "What to ask of tables of yours. Left out: the tool's own tables, which \"pop3-gateway store migrate\" \
             makes. :user, :id, :from and :for are bound as parameters, and columns are found by their names.",
        )
        .with(QUERIES)
        .with(ACCOUNT),
        Section::new(
            "[store.template]",
            "Makes a message of a plain text. Names in braces are columns of the queries. [store.template.headers] \
             has more header fields, each a key: \"X-Level\" = \"{level}\".",
        )
        .with(TEMPLATE),
    ]
}

/// Reads the keys of this kind.
pub(crate) fn configure(table: &mut Table<'_>, has_accounts: bool) -> Result<Arc<dyn Kind>, Fault> {
    let mut url = None;
    table.rows(URL, &mut url);
    let mut sql = Sql::new(url.as_deref().unwrap_or_default());
    table.rows(ROWS, &mut sql);
    if let Some(queries) = table.table("queries") {
        sql.read_queries(queries)?;
    }
    let template = table.table("template").map(read_template).transpose()?;
    table.finish()?;
    if url.is_none() {
        let remedy = "write for example url = \"sqlite:///var/lib/mail/mail.db\"";
        return Err(table.fault(Mistake::new("url", "the database is missing", remedy)));
    }
    if sql.config.pool.max_connections == 0 {
        let problem = Mistake::new(
            "connections",
            "no session could be served",
            "write at least 1",
        );
        return Err(table.fault(problem));
    }
    match (&mut sql.config.maildrops, template) {
        (Maildrops::Queries(queries), template) => queries.template = template,
        (Maildrops::Own, None) => {}
        (Maildrops::Own, Some(_)) => {
            let what = "the tool's own tables hold messages, not texts";
            let problem = Mistake::new("template", what, "add [store.queries], or leave it out");
            return Err(table.fault(problem));
        }
    }
    let asks = matches!(sql.config.logins, Logins::Query(_));
    match (sql.is_own(), asks, has_accounts) {
        (false, true, true) => {
            let what = "there are accounts in a file and in the database";
            let problem = Mistake::new("accounts", what, "keep accounts or queries.account");
            Err(table.fault(problem))
        }
        (false, false, false) => {
            let remedy = "write accounts = \"FILE\", or queries.account = \"select ...\"";
            Err(table.fault(Mistake::new("queries", "no login is possible", remedy)))
        }
        (true, _, _) | (false, true, false) | (false, false, true) => Ok(Arc::new(sql)),
    }
}

impl Sql {
    /// A database at this URL, everything else as by default.
    pub(crate) fn new(url: &str) -> Self {
        Self {
            config: Config::new(DatabaseUrl::new(url)),
            password_file: None,
            password_here: has_password(url),
        }
    }

    /// Whether the tables are the tool's own.
    fn is_own(&self) -> bool {
        matches!(self.config.maildrops, Maildrops::Own)
    }

    fn read_queries(&mut self, mut table: Table<'_>) -> Result<(), Fault> {
        let mut queries = Queries::default();
        table.rows(QUERIES, &mut queries);
        table.rows(ACCOUNT, self);
        table.finish()?;
        let asks = matches!(self.config.logins, Logins::Query(_));
        if self.config.stored_secrets == StoredSecrets::All && !asks {
            let what =
                "it is about the secrets that queries.account gives, and there is no such query";
            let remedy = "leave it out; for a file of accounts the gateway sees it by itself";
            return Err(table.fault(Mistake::new("stored_secrets", what, remedy)));
        }
        for (key, missing, example) in [
            (
                "list",
                queries.list.trim().is_empty(),
                "select id, octet_length(mail) as size from mails where login = :user order by id",
            ),
            (
                "body",
                queries.body.trim().is_empty() && queries.body_piece.is_none(),
                "select mail as body from mails where login = :user and id = :id",
            ),
        ] {
            if missing {
                let remedy = format!("write for example {key} = {example:?}");
                return Err(table.fault(Mistake::new(key, "the query is missing", remedy)));
            }
        }
        self.config.maildrops = Maildrops::Queries(Box::new(queries));
        Ok(())
    }

    fn store(
        &self,
        name: &str,
        accounts: Option<Arc<dyn Accounts>>,
        stored_secrets: StoredSecrets,
    ) -> Result<SqlStore, Problem> {
        let mut config = self.config.clone();
        if let Some(file) = &self.password_file {
            let text =
                fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let line = text.lines().next().unwrap_or_default();
            config.database = config
                .database
                .with_password(Password::from(line.as_bytes()));
        }
        name.clone_into(&mut config.name);
        config.stored_secrets = stored_secrets;
        if let Some(accounts) = accounts {
            config.logins = Logins::Accounts(accounts);
        }
        Ok(SqlStore::connect(config)?)
    }

    /// Asks the database something while no server runs. `Err` is a fault of the configuration, `Ok(Err)`
    /// one of the database.
    fn ask<T>(
        &self,
        own: &Store,
        question: impl AsyncFnOnce(&SqlStore) -> Result<T, SqlError>,
    ) -> Result<Result<T, SqlError>, Problem> {
        let elsewhere = own.accounts.as_ref();
        let accounts = elsewhere.map(|_| Arc::new(Nobody) as Arc<dyn Accounts>);
        let store = self.store(&own.name, accounts, StoredSecrets::NotAll)?;
        block_on(async {
            let answer = question(&store).await;
            store.close().await;
            Ok(answer)
        })
    }

    /// Asks the database for a tool, and tells failures apart by their exit codes.
    fn manage<T>(
        &self,
        own: &Store,
        question: impl AsyncFnOnce(&SqlStore) -> Result<T, SqlError>,
    ) -> Result<T, Failure> {
        let answer = self.ask(own, question).map_err(Failure::configuration)?;
        answer.map_err(|error| match error {
            SqlError::AccountExists(_) | SqlError::NoAccount(_) => Failure::presence(error),
            SqlError::Url(_)
            | SqlError::Config { .. }
            | SqlError::BadName(_)
            | SqlError::NotOwnTables => Failure::configuration(error),
            SqlError::Schema(_)
            | SqlError::Unavailable(_)
            | SqlError::Refused(_)
            | SqlError::Credential(_)
            | SqlError::Input(_)
            | _ => Failure::running(error),
        })
    }

    /// Whether all secrets are stored as they are. The tool's own tables are asked, if it matters, in a thread of
    /// its own; a database that does not answer is asked again at a login.
    fn stored_secrets(&self, own: &Store, digests: bool) -> Result<StoredSecrets, Problem> {
        if !self.is_own() || !digests || own.accounts.is_some() {
            return Ok(self.config.stored_secrets);
        }
        let asked = std::thread::scope(|scope| {
            let question = async |store: &SqlStore| store.ask_stored_secrets().await;
            scope.spawn(move || self.ask(own, question)).join()
        });
        match asked {
            Ok(answer) => Ok(answer?.unwrap_or(StoredSecrets::Unknown)),
            Err(_) => Ok(StoredSecrets::Unknown),
        }
    }
}

fn read_template(mut table: Table<'_>) -> Result<Template, Fault> {
    let mut template = Template::default();
    table.rows(TEMPLATE, &mut template);
    for entry in table.entries("headers") {
        template.headers.push((entry.name.into(), entry.get()?));
    }
    table.finish()?;
    Ok(template)
}

/// `scheme://user:password@host`
fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || url.contains("password=")
}

impl Kind for Sql {
    fn word(&self) -> &'static str {
        "sql"
    }

    fn told(&self, accounts: &str) -> String {
        let tables = match self.is_own() {
            false => "tables of your own",
            true => "the tool's own tables",
        };
        format!("database, {tables}, {accounts}")
    }

    fn secret(&self) -> Secret<'_> {
        match (&self.password_file, self.password_here) {
            (Some(file), _) => Secret::File(file),
            (None, true) => Secret::Here,
            (None, false) => Secret::None,
        }
    }

    fn is_shared(&self) -> bool {
        match &self.config.maildrops {
            Maildrops::Own => false,
            Maildrops::Queries(queries) => !queries.list.contains(":user"),
        }
    }

    fn check(&self, store: &Store) -> Result<Vec<String>, Problem> {
        let checked = self.ask(store, async |store: &SqlStore| store.check().await)?;
        checked.map_err(|error| {
            let remedy = if matches!(error, SqlError::Schema(_)) && self.is_own() {
                "; \"pop3-gateway store migrate --config FILE\" makes the tables"
            } else {
                ""
            };
            format!("{error}{remedy}").into()
        })
    }

    fn open(
        &self,
        own: &Store,
        passwords: &Passwords,
        digests: bool,
    ) -> Result<Arc<dyn Mailboxes>, Problem> {
        let accounts = local::accounts(own, passwords)?;
        let stored = self.stored_secrets(own, digests)?;
        let of_file = accounts.as_ref().map(Secrets::of_file);
        let accounts = accounts.map(|accounts| accounts as Arc<dyn Accounts>);
        let store = self.store(&own.name, accounts, stored)?;
        let of_database = || {
            let asked = store.clone();
            Secrets {
                all_stored: Box::new(move || asked.all_secrets_stored()),
                remedy: match self.is_own() {
                    true => {
                        "not all in the database are, or it does not answer; give those with hashes new ones with \
                         \"pop3-gateway account passwd --stored-secret\""
                    }
                    false => {
                        "queries.account may give others; if it gives {PLAIN} secrets alone, write stored_secrets = \
                         true in [store.queries]"
                    }
                },
            }
        };
        let secrets = of_file.unwrap_or_else(of_database);
        let store = Arc::new(store);
        Ok(Arc::new(Local {
            name: own.name.as_str().into(),
            shared: self.is_shared(),
            secrets,
            backend: Box::new(move || Erased::boxed(Awaiting::new(Arc::clone(&store)))),
        }))
    }

    fn tools(&self) -> &dyn Tools {
        self
    }
}

impl Tools for Sql {
    fn add(&self, store: &Store, user: &str, message: Octets) -> Result<String, Failure> {
        let add = async |database: &SqlStore| database.add_message(user, message).await;
        Ok(self.manage(store, add)?.unique_id)
    }

    fn list(&self, store: &Store, user: &str) -> Result<Vec<Listed>, Failure> {
        let list = async |database: &SqlStore| database.list_messages(user).await;
        let row = |stored: sql_backend::Stored| Listed {
            unique_id: stored.unique_id,
            octets: stored.size,
            date: stored.received,
            file: None,
        };
        Ok(self.manage(store, list)?.into_iter().map(row).collect())
    }

    fn remove(&self, store: &Store, user: &str, unique_id: &str) -> Result<bool, Failure> {
        self.manage(store, async |database: &SqlStore| {
            database.remove_message(user, unique_id).await
        })
    }

    fn migrate(&self, store: &Store) -> Result<(), Failure> {
        self.manage(store, async |database: &SqlStore| database.migrate().await)
    }

    fn accounts(&self) -> Option<&dyn AccountTools> {
        self.is_own().then_some(self)
    }
}

impl AccountTools for Sql {
    fn add(&self, store: &Store, user: &str, credential: &str) -> Result<(), Failure> {
        self.manage(store, async |database: &SqlStore| {
            database.add_account(user, credential).await
        })
    }

    fn set(&self, store: &Store, user: &str, credential: &str) -> Result<(), Failure> {
        self.manage(store, async |database: &SqlStore| {
            database.set_password(user, credential).await
        })
    }

    fn remove(&self, store: &Store, user: &str, with_messages: bool) -> Result<(), Failure> {
        let messages = match with_messages {
            true => Messages::Delete,
            false => Messages::Keep,
        };
        self.manage(store, async |database: &SqlStore| {
            database.remove_account(user, messages).await
        })
    }

    fn list(&self, store: &Store) -> Result<Vec<Json>, Failure> {
        let accounts = self.manage(store, async |database: &SqlStore| {
            database.list_accounts().await
        })?;
        let row = |account: sql_backend::Account| {
            json!({
                "account": account.name,
                "messages": account.messages,
                "octets": account.octets,
            })
        };
        Ok(accounts.into_iter().map(row).collect())
    }
}

#[cfg(feature = "tokio")]
fn block_on<T>(future: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(future)
}

#[cfg(not(feature = "tokio"))]
fn block_on<T>(future: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    futures_lite::future::block_on(future)
}
