//! The operator's settings: where the database is, what is read from it, who may log in.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use local_accounts::VerifierConfig;
use pop3_proto::backend::store::Accounts;
use pop3_proto::secret::Secret;

use crate::template::Template;

/// A store in a database.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where the database is.
    pub database: DatabaseUrl,
    /// How many connections, and how long anything may take.
    pub pool: PoolLimits,
    /// The store's name. It is a part of the Message-IDs that a template makes, so that two stores never
    /// make the same one; an empty name is left out.
    pub name: String,
    /// Where the messages are.
    pub maildrops: Maildrops,
    /// Who may log in.
    pub logins: Logins,
    /// Whether the database has the secrets of all accounts as they are. [`NotAll`](StoredSecrets::NotAll) by default.
    pub stored_secrets: StoredSecrets,
    /// How passwords are checked, if the database holds them.
    pub verifier: VerifierConfig,
    /// The most octets of a message that is read in one piece: one of [`Queries`] without
    /// [`body_piece`](Queries::body_piece). A larger one is refused. 64 MiB.
    pub max_message: u64,
    /// The most sizes of messages that are remembered, for [`Queries::list`] without a size: 16 to 32
    /// octets each. 262,144.
    pub cached_sizes: usize,
}

impl Config {
    /// A store in the tool's own tables, with the accounts there, and everything else at its default.
    #[must_use]
    pub fn new(database: DatabaseUrl) -> Self {
        Self {
            database,
            pool: PoolLimits::default(),
            name: String::new(),
            maildrops: Maildrops::Own,
            logins: Logins::Own,
            stored_secrets: StoredSecrets::NotAll,
            verifier: VerifierConfig::default(),
            max_message: 64 << 20,
            cached_sizes: 1 << 18,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("database", &self.database)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// The address of a database.
///
/// * `sqlite:///var/lib/mail/mail.db`
/// * `mysql://user:password@host:3306/database`, or with `mariadb:`; `?socket=/run/mysqld/mysqld.sock`
/// * `postgres://user:password@host:5432/database`; `?host=/run/postgresql`
///
/// A connection to another machine wants TLS and a certificate that proves the host, unless the URL says
/// `sslmode=` (PostgreSQL) or `ssl-mode=` (MySQL) something else; `sslrootcert=` or `ssl-ca=` name an
/// authority of your own. MySQL's `caching_sha2_password` works over TLS and over a Unix socket only.
///
/// Behind PgBouncer, which is noticed, each statement has a transaction of its own, and nothing is prepared or
/// set for longer; `statement-cache-capacity=0` does the same for a pooler that is not noticed.
///
/// Printed, it shows neither user nor password.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: Secret,
    password: Option<Secret>,
}

impl DatabaseUrl {
    /// A URL, which may hold the password.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: Secret::from(url.as_bytes()),
            password: None,
        }
    }

    /// The password from elsewhere, a file for example. It takes precedence over one in the URL.
    #[must_use]
    pub fn with_password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    pub(crate) fn expose(&self) -> &str {
        // made of a &str
        std::str::from_utf8(self.url.expose()).unwrap_or_default()
    }

    pub(crate) const fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&database_link::shown(self.expose()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The limits of the connections to the database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolLimits {
    /// The most connections at a time. A session holds one only while the database answers. 10.
    pub max_connections: u32,
    /// How long a session waits for a connection, new or used. 5 s.
    pub acquire_timeout: Duration,
    /// An unused connection is closed when the database is next used after this time. 10 min.
    pub idle_timeout: Duration,
    /// A connection of this age is closed in any case. 30 min.
    pub max_lifetime: Duration,
    /// How long the database may take for one answer. 60 s.
    pub statement_timeout: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(1800),
            statement_timeout: Duration::from_secs(60),
        }
    }
}

/// Where the messages are.
#[derive(Clone, Debug)]
pub enum Maildrops {
    /// In the tool's own tables, which [`migrate`](crate::SqlStore::migrate) makes.
    Own,
    /// In the administrator's own tables.
    Queries(Box<Queries>),
}

/// What to ask of the administrator's own tables.
///
/// Parameters are written `:user` and `:id` for every database, and are bound: their values never become
/// part of the text. Columns are found by their names, in any case and order; `as` gives one another name.
/// A query may leave out `:user` if all users share one maildrop.
///
/// The query has to do casts. In PostgreSQL a parameter is a `bigint` where the `id` column is a number, and
/// `text` otherwise: an `id` of type `uuid` is listed as it is and compared as `id = :id::uuid`.
///
/// ```
/// use sql_backend::Queries;
///
/// let queries = Queries::default()
///     .list("select id, octet_length(mail) as size from mails where login = :user order by id")
///     .body("select mail as body from mails where login = :user and id = :id")
///     .delete("delete from mails where login = :user and id = :id");
/// # assert!(queries.body_piece.is_none() && queries.delete.len() == 1);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Queries {
    /// The messages of `:user`, oldest first: a column `id` (number, text or octets; never reused for another
    /// message, unless there is a `unique_id`; a row where it is NULL is listed and refused), and, if they are
    /// known,
    ///
    /// * `size`: octets with CRLF line ends. Without it sizes are counted: of `body`, if that is a column of
    ///   this query (read at every login, in one pass), otherwise with [`body`](Self::body), once for each
    ///   message, and remembered. With a template, or a column `is_plaintext`, it is not looked at.
    /// * `unique_id`: for UIDL, never reused for another message. Without it the unique-id is made of `id`.
    /// * for a template, its columns, and `is_plaintext`.
    pub list: String,
    /// The message `:id` (of `:user`): a column `body`, octets or text, and those that a template names. Not
    /// needed, and not used, if there is a [`body_piece`](Self::body_piece). A column `is_plaintext` says
    /// whether a row is a text, which is made a message, or a whole message. Without it, or where it is NULL,
    /// rows are texts if there is a [`template`](Self::template).
    pub body: String,
    /// A part of the message `:id`, for large ones: a column `body` with at most `:for` octets, or
    /// characters of a text, from the `:from`th on, counted from 1. As in
    /// `substring(mail from :from for :for)`.
    pub body_piece: Option<String>,
    /// Deletes the message `:id` (of `:user`). All of them are carried out for each message, in order, and
    /// all messages of a session in one transaction. Within it each message is looked at once more: if it
    /// changed since it was sent (or listed, if it was not sent), it stays, and QUIT reports it. Empty: no
    /// message can be deleted.
    pub delete: Vec<String>,
    /// Makes a message of a plain text.
    pub template: Option<Template>,
}

impl Queries {
    /// Sets [`list`](Self#structfield.list).
    #[must_use]
    pub fn list(mut self, query: impl Into<String>) -> Self {
        self.list = query.into();
        self
    }

    /// Sets [`body`](Self#structfield.body).
    #[must_use]
    pub fn body(mut self, query: impl Into<String>) -> Self {
        self.body = query.into();
        self
    }

    /// Sets [`body_piece`](Self#structfield.body_piece).
    #[must_use]
    pub fn body_piece(mut self, query: impl Into<String>) -> Self {
        self.body_piece = Some(query.into());
        self
    }

    /// Adds a statement to [`delete`](Self#structfield.delete).
    #[must_use]
    pub fn delete(mut self, statement: impl Into<String>) -> Self {
        self.delete.push(statement.into());
        self
    }

    /// Sets [`template`](Self#structfield.template).
    #[must_use]
    pub fn template(mut self, template: impl Into<Option<Template>>) -> Self {
        self.template = template.into();
        self
    }
}

/// Whether a database has the secrets of all its accounts as they are, which APOP and CRAM-MD5 need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredSecrets {
    /// All of them, as far as is known. A login to an account with a hash changes this to
    /// [`NotAll`](Self::NotAll).
    All,
    /// Not all of them, or it does not matter.
    NotAll,
    /// The tool's own tables are asked at the next login. Nothing can be known of the administrator's tables.
    Unknown,
}

/// Who may log in.
#[derive(Clone)]
pub enum Logins {
    /// The accounts in the tool's own tables.
    Own,
    /// Accounts in a table of the administrator's: a query for `:user` with a column `password`, which holds
    /// a hash or `{PLAIN}` and a secret (see [`Credential`](local_accounts::Credential)), and possibly one
    /// `user`, the name of the account that has the messages.
    Query(String),
    /// Accounts elsewhere.
    Accounts(Arc<dyn Accounts>),
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "Own",
            Self::Query(_) => "Query",
            Self::Accounts(_) => "Accounts",
        })
    }
}
