//! Databases and runtimes for the tests, and a store in them as the shared suite's subject.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    dead_code,
    unreachable_pub,
    unused_macros,
    reason = "each test binary uses its part"
)]

pub mod admin;

use std::sync::Arc;
use std::time::Duration;

use pop3_proto::backend::awaiting::{AsyncMailbox, AsyncMessage, AsyncStore, Awaiting};
use pop3_proto::backend::store::{Entry, StoreError};
use pop3_proto::backend::{Backend, Index, Login, Open};
use pop3_proto::secret::Secret;
use sql_backend::{Config, DatabaseUrl, SqlMailbox, SqlStore};
use testkit::Content;
use testkit::stores::{self, Subject, Waiting};
pub use testkit_databases::Runtime;

/// A test on each database: on the administrator's tables there, on an address, or on a server that can be ended.
macro_rules! each_database {
    (tables, $test:ident, $sqlite:ident, $mariadb:ident, $postgres:ident $(,)?) => {
        #[test]
        fn $sqlite() {
            $test(&crate::common::admin::Admin::sqlite());
        }
        each_database!(
            servers,
            |kind| $test(&crate::common::admin::Admin::server(kind)),
            $mariadb,
            $postgres,
        );
    };
    (urls, $test:ident, $sqlite:ident, $mariadb:ident, $postgres:ident $(,)?) => {
        #[test]
        fn $sqlite() {
            let (_folder, url) = crate::common::sqlite();
            $test(&url);
        }
        each_database!(
            servers,
            |kind| {
                let server = testkit_databases::Server::start(kind);
                $test(&sql_backend::DatabaseUrl::new(&server.url()));
            },
            $mariadb,
            $postgres,
        );
    };
    (servers, $test:expr, $mariadb:ident, $postgres:ident $(,)?) => {
        #[test]
        #[ignore = "needs mariadb-server: run .ci/run sql"]
        fn $mariadb() {
            let test: fn(testkit_databases::Kind) = $test;
            test(testkit_databases::Kind::MariaDb);
        }

        #[test]
        #[ignore = "needs postgresql: run .ci/run sql"]
        fn $postgres() {
            let test: fn(testkit_databases::Kind) = $test;
            test(testkit_databases::Kind::Postgres);
        }
    };
}

/// A new SQLite database, in memory where possible: each commit waits for the disk otherwise.
pub fn sqlite() -> (tempfile::TempDir, DatabaseUrl) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.unwrap();
    let url = format!("sqlite://{}/mail.db", folder.path().display());
    (folder, DatabaseUrl::new(&url))
}

/// A store with its own tables there.
pub async fn own_store(url: &DatabaseUrl) -> SqlStore {
    store(Config::new(url.clone())).await
}

pub async fn store(config: Config) -> SqlStore {
    let store = SqlStore::connect(config).unwrap();
    store.migrate().await.unwrap();
    store
}

pub fn password(user: &str, password: &str) -> Open {
    Open::new(Login::Password {
        user: user.into(),
        password: Secret::from(password.as_bytes()),
    })
}

pub async fn open(store: &SqlStore) -> Result<SqlMailbox, StoreError> {
    store.open(&password(stores::USER, stores::PASSWORD)).await
}

pub async fn listed(store: &SqlStore) -> (SqlMailbox, Vec<Entry>) {
    let mut mailbox = open(store).await.unwrap();
    let entries = mailbox.list().await.unwrap();
    (mailbox, entries)
}

/// All of a message.
pub async fn read(mailbox: &mut SqlMailbox, index: u32) -> Result<Vec<u8>, StoreError> {
    let mut message = mailbox.message(Index(index)).await?;
    let mut all = Vec::new();
    while let Some(chunk) = message.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// The accounts without a message, whatever there was.
pub async fn renew_accounts(store: &SqlStore) {
    for account in store.list_accounts().await.unwrap() {
        let messages = sql_backend::Messages::Delete;
        store.remove_account(&account.name, messages).await.unwrap();
    }
    add_accounts(store).await;
}

pub async fn add_accounts(store: &SqlStore) {
    let plain = |password: &str| format!("{{PLAIN}}{password}");
    for (user, password) in [
        (stores::USER, stores::PASSWORD),
        (stores::OTHER, stores::OTHER_PASSWORD),
    ] {
        store.add_account(user, &plain(password)).await.unwrap();
    }
}

/// Adds small messages.
pub async fn fill(store: &SqlStore, messages: usize) {
    for number in 0..messages {
        let mail = format!("Subject: {number}\r\n\r\ntext\r\n");
        store
            .add_message(stores::USER, std::io::Cursor::new(mail))
            .await
            .unwrap();
    }
}

/// How many messages there are.
pub async fn count(store: &SqlStore) -> usize {
    store.list_messages(stores::USER).await.unwrap().len()
}

/// Few connections. A server that was killed refuses them at once, a busy one is waited for.
pub fn two_at_a_time(url: &DatabaseUrl) -> Config {
    let mut config = Config::new(url.clone());
    config.pool.max_connections = 2;
    config.pool.acquire_timeout = Duration::from_secs(20);
    config
}

/// A store in the tool's own tables, as the suite wants it. Made anew, the tables are emptied.
pub struct OwnTables<'a> {
    pub runtime: &'a Runtime,
    pub store: SqlStore,
}

impl<'a> OwnTables<'a> {
    pub fn fill(runtime: &'a Runtime, store: &SqlStore, mails: &[Content]) -> Self {
        runtime.run(async {
            renew_accounts(store).await;
            for mail in mails {
                let mail = std::io::Cursor::new(mail.to_vec());
                store.add_message(stores::USER, mail).await.unwrap();
            }
        });
        Self {
            runtime,
            store: store.clone(),
        }
    }
}

impl Subject for OwnTables<'_> {
    type Backend = Awaiting<SqlStore>;

    fn backend(&self) -> Self::Backend {
        Awaiting::new(Arc::new(self.store.clone()))
    }

    fn stored(&self) -> Vec<Vec<u8>> {
        self.runtime.run(async {
            let stored = self.store.list_messages(stores::USER).await.unwrap();
            let (mut mailbox, entries) = listed(&self.store).await;
            assert_eq!(stored.len(), entries.len());
            let mut all = Vec::new();
            for index in 0..entries.len() {
                all.push(read(&mut mailbox, index as u32).await.unwrap());
            }
            all
        })
    }

    fn take_away(&self, place: usize) -> bool {
        self.runtime.run(async {
            let stored = self.store.list_messages(stores::USER).await.unwrap();
            let unique_id = &stored[place].unique_id;
            self.store
                .remove_message(stores::USER, unique_id)
                .await
                .unwrap()
        })
    }

    fn wait(&self, future: Waiting<Self::Backend>) -> <Self::Backend as Backend>::Done {
        self.runtime.run(future)
    }
}
