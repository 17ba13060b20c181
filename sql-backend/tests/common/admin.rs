//! An administrator's own tables, filled by other means than the store.

use std::sync::Arc;

use pop3_proto::backend::Backend;
use pop3_proto::backend::awaiting::Awaiting;
use pop3_proto::backend::store::message_size;
use sql_backend::{Config, DatabaseUrl, Logins, Maildrops, Queries, SqlStore, Template};
use sqlx::Connection;
use testkit::Content;
use testkit::stores::{self, Subject, Waiting};

use super::Runtime;
use testkit_databases::{Kind, Server};

/// A database that somebody else filled.
pub enum Admin {
    Sqlite(tempfile::TempDir),
    Server(Server),
}

impl Admin {
    pub fn sqlite() -> Self {
        let (folder, _) = super::sqlite();
        std::fs::File::create(folder.path().join("mail.db")).unwrap();
        Self::Sqlite(folder)
    }

    pub fn server(kind: Kind) -> Self {
        Self::Server(Server::start(kind))
    }

    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Sqlite(_) => None,
            Self::Server(server) => Some(server.kind),
        }
    }

    pub fn url(&self) -> DatabaseUrl {
        match self {
            Self::Sqlite(folder) => {
                DatabaseUrl::new(&format!("sqlite://{}/mail.db", folder.path().display()))
            }
            Self::Server(server) => DatabaseUrl::new(&server.url()),
        }
    }

    pub fn sql(&self, sql: &str) {
        match self {
            Self::Sqlite(_) => smol::block_on(async {
                let mut connection = self.sqlite_connection().await;
                let sql = sqlx::AssertSqlSafe(sql.to_owned());
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }),
            Self::Server(server) => server.sql("test", sql).unwrap(),
        }
    }

    /// A value's first column, as a number.
    pub fn number(&self, sql: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        smol::block_on(async {
            match self {
                Self::Sqlite(_) => {
                    let mut connection = self.sqlite_connection().await;
                    let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
                    connection.close().await.unwrap();
                    number.unwrap()
                }
                Self::Server(server) => match server.kind {
                    Kind::MariaDb => {
                        let mut connection = server.mysql("test").await.unwrap();
                        sqlx::query_scalar(sql)
                            .fetch_one(&mut connection)
                            .await
                            .unwrap()
                    }
                    Kind::Postgres => {
                        let mut connection = server.postgres("test").await.unwrap();
                        sqlx::query_scalar(sql)
                            .fetch_one(&mut connection)
                            .await
                            .unwrap()
                    }
                },
            }
        })
    }

    /// What a number is cast to for [`number`](Self::number).
    pub fn integer(&self) -> &'static str {
        match self.kind() {
            Some(Kind::MariaDb) => "SIGNED",
            _ => "BIGINT",
        }
    }

    /// Runs statements in a transaction that stays open, with what it locks, until the answer is called.
    pub fn hold(&self, sql: &str) -> Box<dyn FnOnce()> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        macro_rules! held {
            ($connection:expr) => {{
                let mut connection = $connection;
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                Box::new(|| smol::block_on(connection.close()).unwrap()) as Box<dyn FnOnce()>
            }};
        }
        smol::block_on(async {
            match self {
                Self::Sqlite(_) => held!(self.sqlite_connection().await),
                Self::Server(server) => match server.kind {
                    Kind::MariaDb => held!(server.mysql("test").await.unwrap()),
                    Kind::Postgres => held!(server.postgres("test").await.unwrap()),
                },
            }
        })
    }

    async fn sqlite_connection(&self) -> sqlx::SqliteConnection {
        let Self::Sqlite(folder) = self else {
            panic!("this is a server");
        };
        let file = folder.path().join("mail.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap()
    }

    /// The tables that [`queries`](Self::queries) asks.
    pub fn create(&self) {
        let (blob, name) = match self.kind() {
            None => ("BLOB", "TEXT"),
            Some(Kind::MariaDb) => ("LONGBLOB", "VARCHAR(80)"),
            Some(Kind::Postgres) => ("BYTEA", "TEXT"),
        };
        self.sql(&format!(
            "CREATE TABLE mails (id INTEGER NOT NULL, name {name} NOT NULL, login {name} NOT NULL,
                size BIGINT NOT NULL, mail {blob});
             CREATE TABLE logins (login {name} NOT NULL, secret {name} NOT NULL);
             INSERT INTO logins VALUES ('{}', '{{PLAIN}}{}'), ('{}', '{{PLAIN}}{}')",
            stores::USER,
            stores::PASSWORD,
            stores::OTHER,
            stores::OTHER_PASSWORD
        ));
    }

    /// Puts these mails in the place of those that were there.
    pub fn fill(&self, mails: &[Content]) {
        const INSERT: [&str; 2] = [
            "INSERT INTO mails (id, name, login, size, mail) VALUES (?, ?, ?, ?, ?)",
            "INSERT INTO mails (id, name, login, size, mail) VALUES ($1, $2, $3, $4, $5)",
        ];
        macro_rules! insert {
            ($connection:expr, $sql:expr) => {{
                let mut connection = $connection;
                for (id, mail) in (1_i32..).zip(mails) {
                    let mail = mail.to_vec();
                    let size = message_size(&mail[..]).unwrap() as i64;
                    let query = sqlx::query($sql).bind(id).bind(format!("mail {id}"));
                    let query = query.bind(stores::USER).bind(size).bind(mail);
                    query.execute(&mut connection).await.unwrap();
                }
                connection.close().await.unwrap();
            }};
        }
        self.sql("DELETE FROM mails");
        smol::block_on(async {
            match self {
                Self::Sqlite(_) => insert!(self.sqlite_connection().await, INSERT[0]),
                Self::Server(server) => match server.kind {
                    Kind::MariaDb => insert!(server.mysql("test").await.unwrap(), INSERT[0]),
                    Kind::Postgres => insert!(server.postgres("test").await.unwrap(), INSERT[1]),
                },
            }
        });
    }

    /// Ids are numbers, sizes are not known, a mail is read as a whole.
    pub fn plain_queries(&self) -> Queries {
        Queries::default()
            .list("select id from mails where login = :user order by id")
            .body("select mail as body from mails where login = :user and id = :id")
            .delete("delete from mails where login = :user and id = :id")
    }

    /// Ids are names, sizes are known, a mail is read in parts.
    pub fn piece_queries(&self) -> Queries {
        let (part, unique_id) = match self.kind() {
            None => ("substr(mail, :from, :for)", "id || '.x'"),
            Some(_) => ("substring(mail from :from for :for)", "concat(id, '.x')"),
        };
        Queries::default()
            .list(format!(
                "select name as id, Size, {unique_id} as UNIQUE_ID
                   from mails where login = :user order by mails.id"
            ))
            .body_piece(format!("select {part} as body from mails where name = :id"))
            .delete("update mails set size = 0 where name = :id -- :nobody")
            .delete("delete from mails where login = :user and name = :id;")
    }

    pub fn config(&self, queries: Queries) -> Config {
        let mut config = Config::new(self.url());
        config.maildrops = Maildrops::Queries(Box::new(queries));
        config.logins =
            Logins::Query("select secret as password from logins where login = :user".into());
        config
    }

    pub fn template() -> Template {
        Template::default()
            .from("{program} <{program}@example.org>")
            .subject("[{level}] {program}: {title}")
            .date("logged")
    }
}

/// A store in these tables, as the suite wants it.
pub struct AdminTables<'a> {
    pub runtime: &'a Runtime,
    pub admin: &'a Admin,
    pub store: SqlStore,
}

impl Subject for AdminTables<'_> {
    type Backend = Awaiting<SqlStore>;

    fn backend(&self) -> Self::Backend {
        Awaiting::new(Arc::new(self.store.clone()))
    }

    fn stored(&self) -> Vec<Vec<u8>> {
        let count = self.admin.number("select count(*) from mails");
        self.runtime.run(async {
            let (mut mailbox, entries) = super::listed(&self.store).await;
            assert_eq!(entries.len() as i64, count);
            let mut all = Vec::new();
            for index in 0..entries.len() {
                all.push(super::read(&mut mailbox, index as u32).await.unwrap());
            }
            all
        })
    }

    fn take_away(&self, place: usize) -> bool {
        let id = self.admin.number(&format!(
            "select cast(min(id) as {}) from mails
             where (select count(*) from mails m where m.id < mails.id) = {place}",
            self.admin.integer()
        ));
        self.admin
            .sql(&format!("delete from mails where id = {id}"));
        true
    }

    fn wait(&self, future: Waiting<Self::Backend>) -> <Self::Backend as Backend>::Done {
        self.runtime.run(future)
    }
}
