//! The store: a database, what is read from it, and who may log in.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use local_accounts::{Credential, Verifier, prepared};
use pop3_proto::backend::awaiting::AsyncStore;
use pop3_proto::backend::store::{Accounts, StoreError};
use pop3_proto::backend::{Caller, Login, Open};

use crate::check;
use crate::config::{Config, Logins, Maildrops, StoredSecrets};
use crate::database::{Database, Lease, Options};
use crate::error::SqlError;
use crate::mailbox::SqlMailbox;
use crate::own::Own;
use crate::queries::{self, Custom, LIMITS};
use crate::schema;
use crate::shared::Shared;
use crate::sizes::Sizes;
use crate::statement::Statement;
use crate::value::{Cell, Value};

/// Maildrops in a database. Cheap to clone; all clones share one pool of connections.
#[derive(Clone)]
pub struct SqlStore {
    pub(crate) shared: Arc<Shared>,
    doors: Arc<Doors>,
    /// Never held while anything is waited for.
    stored_secrets: Arc<Mutex<StoredSecrets>>,
}

/// Checks logins.
enum Doors {
    /// A query for the password.
    Query {
        statement: Statement,
        own: bool,
        verifier: Arc<Verifier>,
    },
    Accounts(Arc<dyn Accounts>),
}

impl SqlStore {
    /// A store. Nothing is connected yet, so a server can start while its database is down.
    ///
    /// # Errors
    ///
    /// [`SqlError::Url`] and [`SqlError::Config`], for mistakes that need no database to be seen.
    pub fn connect(config: Config) -> Result<Self, SqlError> {
        let options = Options::parse(&config.database)?;
        let dialect = options.dialect();
        let custom = match &config.maildrops {
            Maildrops::Own => None,
            Maildrops::Queries(queries) => Some(Custom::new(dialect, queries, &config.name)?),
        };
        let own = Own::new(dialect)?;
        let query = match config.logins {
            Logins::Own => Ok((own.password.clone(), true)),
            Logins::Query(text) => Ok((queries::password_query(dialect, &text)?, false)),
            Logins::Accounts(accounts) => Err(accounts),
        };
        let doors = match query {
            Ok((statement, own)) => Doors::Query {
                statement,
                own,
                verifier: Arc::new(
                    Verifier::new(config.verifier)
                        .map_err(|error| SqlError::Credential(error.to_string()))?,
                ),
            },
            Err(accounts) => Doors::Accounts(accounts),
        };
        let shared = Shared {
            database: Database::new(options, config.pool),
            own,
            custom,
            sizes: Mutex::new(Sizes::new(config.cached_sizes)),
            max_message: config.max_message,
            url: config.database,
        };
        Ok(Self {
            shared: Arc::new(shared),
            doors: Arc::new(doors),
            stored_secrets: Arc::new(Mutex::new(config.stored_secrets)),
        })
    }

    /// Whether everything would work: the database answers, the tables are there and of the right version,
    /// the queries are understood and return what they must. Returns warnings to the operator, a sentence or
    /// two each: for instance where ids of their own tables may be reused.
    ///
    /// # Errors
    ///
    /// Whatever is wrong, with the setting and the remedy where there is one.
    pub async fn check(&self) -> Result<Vec<String>, SqlError> {
        let database = &self.shared.database;
        if let Options::Sqlite(options) = database.options() {
            let file = options.get_filename().to_owned();
            blocking::unblock(move || schema::want_file(&file)).await?;
        }
        let advice = match &self.shared.custom {
            Some(custom) => custom.check(database).await?,
            None => Vec::new(),
        };
        let own_accounts = match &*self.doors {
            Doors::Query { own, .. } => *own,
            Doors::Accounts(_) => false,
        };
        if own_accounts || self.shared.custom.is_none() {
            schema::check(&mut database.lease().await?, database.dialect()).await?;
        }
        match &*self.doors {
            Doors::Query {
                statement,
                own: false,
                ..
            } => check::password_query(database, statement).await?,
            Doors::Query { .. } | Doors::Accounts(_) => {}
        }
        Ok(advice)
    }

    /// Creates the tool's own tables, or brings them to this version. What is there stays. A missing
    /// SQLite file is created, readable for its owner only.
    ///
    /// # Errors
    ///
    /// [`SqlError::Schema`] if a newer program made the tables; otherwise what the database says.
    pub async fn migrate(&self) -> Result<(), SqlError> {
        schema::migrate(&self.shared.database).await
    }

    /// Closes the connections. Sessions that are open fail from now on.
    pub async fn close(&self) {
        self.shared.database.close().await;
    }

    /// Whether APOP and CRAM-MD5 work for all accounts in the database, as far as is known. Asks nothing and waits for
    /// nothing.
    pub fn all_secrets_stored(&self) -> bool {
        match &*self.doors {
            Doors::Query { .. } => self.stored_secrets() == StoredSecrets::All,
            Doors::Accounts(_) => false,
        }
    }

    /// Asks the tool's own tables whether the secrets of all accounts are stored. Nothing can be
    /// known of the administrator's tables.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub async fn ask_stored_secrets(&self) -> Result<StoredSecrets, SqlError> {
        if !self.has_own_accounts() {
            return Ok(StoredSecrets::Unknown);
        }
        let mut lease = self.shared.database.lease().await?;
        self.ask_secrets(&mut lease).await
    }

    async fn ask_secrets(&self, lease: &mut Lease) -> Result<StoredSecrets, SqlError> {
        let hashed = lease.first(&self.shared.own.hashed, &[]).await?;
        let found = match hashed {
            Some(_) => StoredSecrets::NotAll,
            None => StoredSecrets::All,
        };
        self.learn(found);
        Ok(found)
    }

    fn stored_secrets(&self) -> StoredSecrets {
        *self
            .stored_secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, found: StoredSecrets) {
        *self
            .stored_secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = found;
    }

    pub(crate) fn has_own_accounts(&self) -> bool {
        matches!(&*self.doors, Doors::Query { own: true, .. })
    }

    /// The account's name, if the login proves it.
    async fn account(&self, login: &Login, caller: &Caller) -> Result<String, StoreError> {
        let (statement, own, verifier) = match &*self.doors {
            Doors::Accounts(accounts) => {
                let (accounts, login) = (Arc::clone(accounts), login.clone());
                let caller = caller.clone();
                return blocking::unblock(move || accounts.check(&login, &caller)).await;
            }
            Doors::Query {
                statement,
                own,
                verifier,
            } => (statement, *own, Arc::clone(verifier)),
        };
        let user = login.user().ok_or(StoreError::Credentials)?.to_owned();
        // no database has a name with one
        let found = if user.contains('\0') {
            None
        } else {
            let mut lease = self.shared.database.lease().await?;
            let mut found = None;
            for name in forms(&user) {
                let row = lease
                    .first(statement, &[("user", Value::Text(&name))])
                    .await?;
                let row = row.map(|cells| Found::new(cells, &name));
                // a database may find a name in another case, or with spaces after it
                found = row.filter(|row| !own || row.name == name);
                if found.is_some() {
                    break;
                }
            }
            if own && self.stored_secrets() == StoredSecrets::Unknown {
                self.ask_secrets(&mut lease).await?;
            }
            found
        };
        let name = found
            .as_ref()
            .map_or_else(|| user.clone(), |found| found.name.clone());
        if let Some(column) = found.as_ref().and_then(|found| found.limited.as_ref()) {
            return Err(StoreError::Permanent(format!(
                "the account {user:?} in the database is limited by the column `{column}`, which is not supported"
            )));
        }
        let credential = found
            .filter(|found| !found.closed)
            .map(|found| Credential::parse(&found.password))
            .transpose();
        let credential = credential.map_err(|error| {
            StoreError::Permanent(format!(
                "the credential of {user:?} in the database: {error}"
            ))
        })?;
        if credential
            .as_ref()
            .is_some_and(|found| !found.suits_digests())
        {
            self.learn(StoredSecrets::NotAll);
        }
        let (login, caller) = (login.clone(), caller.clone());
        blocking::unblock(move || {
            verifier
                .check(&login, &caller, &name, credential.as_ref())
                .map(|()| name)
        })
        .await
    }
}

/// A name as it is given and, where that is another one, prepared as RFC 4616 wants it: tables may have either.
pub(crate) fn forms(name: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let other = Some(prepared(name)).filter(|other| other != name);
    [Cow::Borrowed(name)].into_iter().chain(other)
}

/// What a query for a password found.
struct Found {
    name: String,
    password: String,
    /// Nobody may log in to it.
    closed: bool,
    /// A column that limits the account by what is not known here.
    limited: Option<String>,
}

impl Found {
    fn new(cells: Vec<(String, Cell)>, user: &str) -> Self {
        let mut found = Self {
            name: user.to_owned(),
            password: String::new(),
            closed: false,
            limited: None,
        };
        for (column, cell) in cells {
            match column.as_str() {
                "nologin" => found.closed = is_set(&cell),
                limit if LIMITS.contains(&limit) && !cell.is_null() => found.limited = Some(column),
                "password" => found.password = cell.into_text(),
                "user" | "name" if !cell.is_null() => found.name = cell.into_text(),
                _ => {}
            }
        }
        found
    }
}

/// Whether a column says yes. In Dovecot whatever is not null does; tables that were not made for it have 0 or false.
fn is_set(cell: &Cell) -> bool {
    let no = |text: &str| {
        let words = ["", "0", "n", "no", "f", "false"];
        words
            .iter()
            .any(|word| text.trim().eq_ignore_ascii_case(word))
    };
    match cell {
        Cell::Null => false,
        Cell::Int(number) => *number != 0,
        Cell::Text(text) => !no(text),
        Cell::Bytes(bytes) => !no(&String::from_utf8_lossy(bytes)),
        Cell::Moment(_) | Cell::Unreadable(_) => true,
    }
}

impl AsyncStore for SqlStore {
    type Mailbox = SqlMailbox;

    async fn open(&self, open: &Open) -> Result<SqlMailbox, StoreError> {
        let user = self.account(&open.login, &open.caller).await?;
        Ok(SqlMailbox::new(Arc::clone(&self.shared), user))
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("database", &self.shared.url)
            .finish_non_exhaustive()
    }
}
