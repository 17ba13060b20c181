//! The administrator's own tables: logs as mails, mistakes in queries, and hostile values.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::admin::Admin;
use common::{Runtime, listed, read};
use pop3_proto::backend::awaiting::{AsyncMailbox, AsyncStore};
use pop3_proto::backend::store::{StoreError, message_size};
use pop3_proto::backend::{Access, Index};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sql_backend::{DatabaseUrl, Logins, Maildrops, Queries, SqlError, SqlStore};
use testkit::stores::{PASSWORD, USER};
use testkit_databases::{Kind, Server};

/// A log table, as programs write it.
fn create_log(admin: &Admin) {
    let (text, time) = match admin.kind() {
        None => ("TEXT", "TEXT"),
        Some(Kind::MariaDb) => ("VARCHAR(500)", "DATETIME"),
        Some(Kind::Postgres) => ("TEXT", "TIMESTAMP"),
    };
    admin.sql(&format!(
        "CREATE TABLE log (id BIGINT NOT NULL PRIMARY KEY, logged {time}, program {text}, level {text},
            title {text}, line {text});
         INSERT INTO log VALUES
            (1, '2026-11-20 08:30:00', 'cron', 'info', 'started', 'all is well'),
            (2, '2026-11-20 08:31:00', 'disk', 'warn', 'Größe', 'zu klein: ä'),
            (3, NULL, NULL, NULL, NULL, NULL)"
    ));
}

const ROW: &str = "select id, logged, program, level, title, line as body from log";

fn log_queries(whole_list: bool) -> Queries {
    let columns = if whole_list {
        ROW
    } else {
        "select id from log"
    };
    Queries::default()
        .list(format!("{columns} order by id"))
        .body(format!("{ROW} where id = :id"))
        .template(Admin::template())
}

fn log_as_mailbox(admin: &Admin) {
    admin.create();
    create_log(admin);
    Runtime::each(|runtime| {
        runtime.run(async {
            let mut seen = Vec::new();
            for whole_list in [false, true] {
                let store = SqlStore::connect(admin.config(log_queries(whole_list))).unwrap();
                store.check().await.unwrap();
                for _ in 0..2 {
                    let (mut mailbox, entries) = listed(&store).await;
                    assert_eq!(mailbox.access(), Access::ReadOnly);
                    let refused = mailbox.remove(&[Index(0)]).await.unwrap_err();
                    assert!(matches!(refused, StoreError::Permanent(_)), "{refused:?}");
                    let mut mails = Vec::new();
                    for (index, entry) in (0..).zip(&entries) {
                        let mail = read(&mut mailbox, index).await.unwrap();
                        assert_eq!(entry.size, message_size(&mail[..]).unwrap());
                        mails.push((entry.clone(), String::from_utf8(mail).unwrap()));
                    }
                    seen.push(mails);
                }
                store.close().await;
            }
            assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
            let mails = &seen[0];
            assert_eq!(mails.len(), 3);
            assert_eq!(mails[0].0.unique_id, "1");
            assert!(
                mails[0].1.starts_with(
                    "From: cron\r\n <cron@example.org>\r\nSubject: [info] cron: started\r\n\
                 Date: Fri, 20 Nov 2026 08:30:00 +0000\r\nMessage-ID: <1@localhost>\r\n"
                ),
                "{}",
                mails[0].1
            );
            assert!(mails[1].1.contains("Subject: =?utf-8?B?"));
            assert!(mails[1].1.ends_with("\r\n\r\nzu klein: ä\r\n"));
            assert!(
                mails[2]
                    .1
                    .contains("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n")
            );
        });
    });
}

#[test]
fn sqlite_log_as_mailbox() {
    log_as_mailbox(&Admin::sqlite());
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_log_as_mailbox() {
    log_as_mailbox(&Admin::server(Kind::MariaDb));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_log_as_mailbox() {
    log_as_mailbox(&Admin::server(Kind::Postgres));
}

/// What the operator reads when a query is not right, and which setting it names.
fn mistakes(admin: &Admin) {
    admin.create();
    create_log(admin);
    let runtime = Runtime::Smol;
    let problem = |change: &dyn Fn(&mut Queries)| {
        let mut queries = admin.plain_queries();
        change(&mut queries);
        let error = SqlStore::connect(admin.config(queries))
            .and_then(|store| runtime.run(store.check()))
            .unwrap_err();
        assert!(matches!(error, SqlError::Config { .. }), "{error:?}");
        error.to_string()
    };
    let has = |text: String, parts: &[&str]| {
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    has(
        problem(&|q| q.list = "select id from nowhere".into()),
        &["queries.list", "nowhere"],
    );
    has(problem(&|q| q.list = "selct".into()), &["queries.list"]);
    has(
        problem(&|q| q.list = "select name from mails".into()),
        &["queries.list", "`id`", "`name`"],
    );
    has(
        problem(&|q| q.list = "select id from mails where login = :id".into()),
        &[":id", ":user"],
    );
    has(
        problem(&|q| q.body = "select mail from mails where id = :id".into()),
        &["as body"],
    );
    has(
        problem(&|q| q.body = "select mail as body from mails".into()),
        &["queries.body", ":id"],
    );
    has(problem(&|q| q.body = String::new()), &["queries.body"]);
    has(
        problem(&|q| q.delete = vec!["delete from mails".into()]),
        &["queries.delete", ":id"],
    );
    has(
        problem(&|q| q.delete = vec!["delete from mail where id = :id".into()]),
        &["queries.delete"],
    );
    has(
        problem(&|q| q.body_piece = Some("select mail as body from mails where id = :id".into())),
        &["queries.body_piece", ":from"],
    );
    has(
        problem(&|q| q.template = Some(Admin::template())),
        &["queries.body", "`level`", "as level"],
    );
    if admin.kind() == Some(Kind::Postgres) {
        has(
            problem(&|q| q.list = "select id::numeric as id from mails".into()),
            &["queries.list", "NUMERIC", "cast"],
        );
    }

    let mut config = admin.config(admin.plain_queries());
    config.logins = Logins::Query("select secret from logins where login = :user".into());
    let error = runtime
        .run(SqlStore::connect(config).unwrap().check())
        .unwrap_err();
    has(error.to_string(), &["queries.account", "as password"]);

    let mut config = admin.config(admin.plain_queries());
    config.maildrops = Maildrops::Own;
    let store = SqlStore::connect(config).unwrap();
    let error = runtime.run(store.check()).unwrap_err();
    has(error.to_string(), &["migrate"]);
    let error = runtime.run(async { common::open(&store).await.unwrap().list().await });
    assert!(matches!(error, Err(StoreError::Permanent(_))), "{error:?}");
}

/// Columns that limit an account in Dovecot are honoured or refused, never passed over.
fn w061_columns_that_limit_an_account(admin: &Admin) {
    admin.create();
    let runtime = Runtime::Smol;
    let log_in = |column: &str| {
        let mut config = admin.config(admin.plain_queries());
        config.logins = Logins::Query(format!(
            "select secret as password, {column} from logins where login = :user"
        ));
        let store = SqlStore::connect(config).unwrap();
        runtime.run(async {
            let checked = store.check().await.err().map(|error| error.to_string());
            let opened = store.open(&common::password(USER, PASSWORD)).await.err();
            (checked, opened)
        })
    };
    for open in ["null", "0", "''", "'no'"] {
        assert_eq!(
            log_in(&format!("{open} as nologin")),
            (None, None),
            "{open}"
        );
    }
    for closed in ["1", "'Y'", "'yes'", "'later'"] {
        let refused = (None, Some(StoreError::Credentials));
        assert_eq!(log_in(&format!("{closed} as nologin")), refused, "{closed}");
    }
    for limit in ["allow_nets", "fail"] {
        let (checked, opened) = log_in(&format!("'192.0.2.1' as {limit}"));
        let checked = checked.unwrap();
        assert!(
            checked.contains("queries.account") && checked.contains(limit),
            "{checked}"
        );
        match opened {
            Some(StoreError::Permanent(text)) => assert!(text.contains(limit), "{text}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(log_in(&format!("null as {limit}")).1, None);
    }
}

#[test]
fn sqlite_w061_columns_that_limit_an_account() {
    w061_columns_that_limit_an_account(&Admin::sqlite());
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_w061_columns_that_limit_an_account() {
    w061_columns_that_limit_an_account(&Admin::server(Kind::MariaDb));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_w061_columns_that_limit_an_account() {
    w061_columns_that_limit_an_account(&Admin::server(Kind::Postgres));
}

#[test]
fn sqlite_mistakes() {
    mistakes(&Admin::sqlite());
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_mistakes() {
    mistakes(&Admin::server(Kind::MariaDb));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_mistakes() {
    mistakes(&Admin::server(Kind::Postgres));
}

/// Names and ids that would like to be SQL: each is only itself (V15).
fn values_stay_values(admin: &Admin) {
    admin.create();
    let name = match admin.kind() {
        Some(Kind::MariaDb) => "VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        None | Some(Kind::Postgres) => "TEXT",
    };
    admin.sql(&format!(
        "CREATE TABLE notes (id {name}, login {name}, mail {name})"
    ));
    let runtime = Runtime::Smol;
    let queries = Queries::default()
        .list("select id from notes where login = :user")
        .body("select mail as body from notes where id = :id and login = :user")
        .delete("delete from notes where id = :id");
    let mut config = admin.config(queries);
    config.logins = Logins::Accounts(std::sync::Arc::new(Anybody));
    let store = SqlStore::connect(config).unwrap();
    runtime.run(store.check()).unwrap();
    let nasty = prop_oneof![
        "['\";:$?%_\\\\\\-/*(){} a=1é]{1,30}",
        Just("' OR '1'='1".to_owned()),
        Just("'; DROP TABLE notes; --".to_owned()),
        Just("\\' OR 1=1 #".to_owned()),
        Just(":id".to_owned()),
        Just("{user}".to_owned()),
        Just("$1".to_owned()),
        Just("%".to_owned()),
    ];
    let mut cases = TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = cases.run(&(nasty.clone(), nasty), |(user, id)| {
        let literal = |text: &str| match admin.kind() {
            Some(Kind::MariaDb) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
            None | Some(Kind::Postgres) => format!("'{}'", text.replace('\'', "''")),
        };
        // an end that MySQL does not see would be another user's to it
        let (user, id) = (user.trim_end().to_owned() + ".", id + ".");
        admin.sql(&format!(
            "DELETE FROM notes;
             INSERT INTO notes VALUES ({}, {}, 'mine'), ('other', 'other', 'theirs')",
            literal(&id),
            literal(&user)
        ));
        runtime.run(async {
            let mut mailbox = store.open(&common::password(&user, "")).await.unwrap();
            let entries = mailbox.list().await.unwrap();
            assert_eq!(entries.len(), 1, "{user}");
            assert_eq!(read(&mut mailbox, 0).await.unwrap(), b"mine");
            mailbox.remove(&[Index(0)]).await.unwrap();
            let mut nobody = store
                .open(&common::password(&format!("{user}x"), ""))
                .await
                .unwrap();
            assert!(nobody.list().await.unwrap().is_empty());
        });
        assert_eq!(admin.number("select count(*) from notes"), 1);
        Ok(())
    });
    result.unwrap();
}

/// Lets everybody in under the name that he gives.
struct Anybody;

impl pop3_proto::backend::store::Accounts for Anybody {
    fn check(
        &self,
        login: &pop3_proto::backend::Login,
        _: &pop3_proto::backend::Caller,
    ) -> Result<String, StoreError> {
        Ok(login.user().unwrap_or_default().to_owned())
    }
}

/// V15.
#[test]
fn v15_sqlite_values_stay_values() {
    values_stay_values(&Admin::sqlite());
}

/// V15.
#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_values_stay_values_v15() {
    values_stay_values(&Admin::server(Kind::MariaDb));
}

/// V15.
#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_values_stay_values_v15() {
    values_stay_values(&Admin::server(Kind::Postgres));
}

/// One that is too large to be read as a whole is refused, and the way out is named.
#[test]
fn a_message_over_the_limit_is_refused() {
    let admin = Admin::sqlite();
    admin.create();
    admin.fill(&[testkit::Content::from("Subject: x\r\n\r\n0123456789\r\n")]);
    let mut config = admin.config(admin.plain_queries());
    config.max_message = 20;
    Runtime::Smol.run(async {
        let store = SqlStore::connect(config).unwrap();
        let (mut mailbox, _) = listed(&store).await;
        let error = read(&mut mailbox, 0).await.unwrap_err();
        assert!(error.to_string().contains("queries.body_piece"), "{error}");
    });
}

/// Whatever is wrong, user, password and what stands after the question mark are not told.
#[test]
fn passwords_stay_secret() {
    for url in [
        "postgres://tim:hunter2@localhost:1/test",
        "mysql://tim:hunter2@127.0.0.1:1/test",
        "postgres://tim:hunter2@[::1]:1/test?sslmode=disable",
        "mysql://tim:hunter2@localhost:99999/test",
        "postgres://tim:hunter2@local host/test",
        "oracle://tim:hunter2@localhost/test",
        "postgres://tim@localhost/test?password=hunter2",
        "postgres://tim@localhost/test?pasword=hunter2",
        "tim:hunter2@localhost",
        "postgres://tim:hun?hunter2@localhost/test",
        "postgres://tim:hunter2?@localhost/test",
        "postgres://tim:hunter2#@localhost/test",
        "postgres://tim:hunter2",
        "mysql://tim:@hunter2@localhost/test",
        "mysql://hunter2:hunter2@localhost:1/test?socket=/nowhere",
        "sqlite:///nowhere/at/all.db?mode=ro&password=hunter2",
    ] {
        let url = DatabaseUrl::new(url);
        let mut config = sql_backend::Config::new(url.clone());
        config.pool.acquire_timeout = std::time::Duration::from_millis(200);
        let told = format!("{url} {url:?} {config:?}");
        let told = match SqlStore::connect(config) {
            Err(error) => format!("{told} {error} {error:?}"),
            Ok(store) => Runtime::Smol.run(async {
                let open = store.open(&common::password(USER, PASSWORD)).await;
                let error = store.check().await.unwrap_err();
                format!("{told} {store:?} {open:?} {error} {error:?}")
            }),
        };
        assert!(!told.contains("hunter2"), "{told}");
    }
}

/// TLS is what the URL says: with the right authority it works, with the system's own it does not.
fn over_tls(kind: Kind) {
    let mut server = Server::start(kind);
    let (port, authority) = server.listen_with_tls();
    let authority = authority.display();
    let url = |rest: &str| {
        let start = match kind {
            Kind::Postgres => "postgres://test",
            Kind::MariaDb => "mysql://root",
        };
        DatabaseUrl::new(&format!("{start}@localhost:{port}/test{rest}"))
    };
    let (verify, own) = match kind {
        Kind::Postgres => ("?sslmode=verify-full", format!("&sslrootcert={authority}")),
        Kind::MariaDb => ("?ssl-mode=VERIFY_IDENTITY", format!("&ssl-ca={authority}")),
    };
    Runtime::each(|runtime| {
        runtime.run(async {
            let store = common::own_store(&url(&format!("{verify}{own}"))).await;
            store.check().await.unwrap();
            store.close().await;
            let store = SqlStore::connect(sql_backend::Config::new(url(verify))).unwrap();
            let error = store.check().await.unwrap_err();
            assert!(error.to_string().contains("TLS"), "{error}");
            // on this machine it may do without
            let store = SqlStore::connect(sql_backend::Config::new(url(""))).unwrap();
            store.check().await.unwrap();
            store.close().await;
        });
    });
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_over_tls() {
    over_tls(Kind::MariaDb);
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_over_tls() {
    over_tls(Kind::Postgres);
}

/// Ids of the types that people use, and a text column that is read in parts: characters are never cut.
fn ids_and_texts(admin: &Admin) {
    admin.create();
    let runtime = Runtime::Smol;
    let (kinds, text) = match admin.kind() {
        None => (
            &[
                ("INTEGER", "7", ":id"),
                ("TEXT", "'a/b c'", ":id"),
                ("BLOB", "X'00FF'", ":id"),
            ][..],
            "TEXT",
        ),
        Some(Kind::MariaDb) => (
            &[
                ("BIGINT UNSIGNED", "9223372036854775807", ":id"),
                ("VARCHAR(20)", "'a/b c'", ":id"),
                ("BINARY(4)", "X'00FF0A0D'", ":id"),
                ("CHAR(36)", "UUID()", ":id"),
            ][..],
            "LONGTEXT CHARACTER SET utf8mb4",
        ),
        Some(Kind::Postgres) => (
            &[
                ("SMALLINT", "7", ":id"),
                ("VARCHAR(20)", "'a/b c'", ":id"),
                ("BYTEA", "'\\x00ff0a0d'", ":id"),
                ("UUID", "gen_random_uuid()", ":id::uuid"),
                ("NUMERIC", "12345678901234567890", ":id::numeric"),
            ][..],
            "TEXT",
        ),
    };
    let body: String = "Subject: x\r\n\r\näöü€𝄞\n"
        .chars()
        .chain("ä€x𝄞".chars().cycle().take(200_001))
        .collect();
    for (id_type, value, compared) in kinds {
        admin.sql(&format!(
            "DROP TABLE IF EXISTS texts; CREATE TABLE texts (id {id_type}, mail {text});
             INSERT INTO texts VALUES ({value}, '{body}')"
        ));
        let part = match admin.kind() {
            None => "substr(mail, :from, :for)",
            Some(_) => "substring(mail from :from for :for)",
        };
        let id = if *id_type == "NUMERIC" {
            "id::text as id"
        } else {
            "id"
        };
        let queries = Queries::default()
            .list(format!("select {id} from texts"))
            .body_piece(format!(
                "select {part} as body from texts where id = {compared}"
            ))
            .delete(format!("delete from texts where id = {compared}"));
        let store = SqlStore::connect(admin.config(queries)).unwrap();
        runtime.run(async {
            store.check().await.unwrap();
            let (mut mailbox, entries) = listed(&store).await;
            assert_eq!(
                entries[0].size,
                message_size(body.as_bytes()).unwrap(),
                "{id_type}"
            );
            assert!(pop3_proto::unique_id::is_valid(
                entries[0].unique_id.as_bytes()
            ));
            assert!(
                read(&mut mailbox, 0).await.unwrap() == body.as_bytes(),
                "{id_type}"
            );
            mailbox.remove(&[Index(0)]).await.unwrap();
            store.close().await;
        });
        assert_eq!(admin.number("select count(*) from texts"), 0, "{id_type}");
    }
}

#[test]
fn sqlite_ids_and_texts() {
    ids_and_texts(&Admin::sqlite());
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_ids_and_texts() {
    ids_and_texts(&Admin::server(Kind::MariaDb));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_ids_and_texts() {
    ids_and_texts(&Admin::server(Kind::Postgres));
}

/// What `check` says of tables whose ids may come again: for each way in which a database makes them.
fn ids_that_may_come_again(admin: &Admin) {
    admin.create();
    // the column, what is said, and what is not
    let cases: &[(&str, &[&str])] = match admin.kind() {
        None => &[
            (
                "id INTEGER PRIMARY KEY",
                &["`id`", "autoincrement", "unique_id"],
            ),
            ("id INTEGER PRIMARY KEY AUTOINCREMENT", &[]),
            ("id TEXT PRIMARY KEY", &["chosen by the program"]),
            ("id TEXT UNIQUE", &["chosen by the program"]),
            ("id TEXT", &["nothing in the database keeps `id`"]),
            ("id INT PRIMARY KEY", &["chosen by the program"]),
        ],
        Some(Kind::MariaDb) => &[
            (
                "id INT AUTO_INCREMENT PRIMARY KEY",
                &["TRUNCATE TABLE", "unique_id"],
            ),
            ("id CHAR(36) PRIMARY KEY", &["chosen by the program"]),
            ("id INT", &["nothing in the database keeps `id`"]),
        ],
        Some(Kind::Postgres) => &[
            (
                "id SERIAL PRIMARY KEY",
                &["RESTART IDENTITY", "setval", "unique_id"],
            ),
            (
                "id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
                &["RESTART IDENTITY"],
            ),
            (
                "id INT GENERATED ALWAYS AS IDENTITY (CYCLE) PRIMARY KEY",
                &["CYCLE"],
            ),
            ("id UUID PRIMARY KEY", &[]),
            ("id TEXT PRIMARY KEY", &["chosen by the program"]),
            ("id TEXT", &["nothing in the database keeps `id`"]),
        ],
    };
    let runtime = Runtime::Smol;
    let advice = |list: &str| {
        let compared = match admin.kind() {
            Some(Kind::Postgres) => "cast(id as text) = cast(:id as text)",
            None | Some(Kind::MariaDb) => "id = :id",
        };
        let queries = Queries::default()
            .list(list)
            .body(format!("select mail as body from keyed where {compared}"))
            .delete(format!("delete from keyed where {compared}"));
        let store = SqlStore::connect(admin.config(queries)).unwrap();
        runtime.run(async {
            let advice = store.check().await.unwrap();
            store.close().await;
            advice.join("\n")
        })
    };
    let blob = match admin.kind() {
        None => "BLOB",
        Some(Kind::MariaDb) => "LONGBLOB",
        Some(Kind::Postgres) => "BYTEA",
    };
    let token = "token VARCHAR(40) UNIQUE";
    for (column, parts) in cases {
        admin.sql(&format!(
            "DROP TABLE IF EXISTS keyed; CREATE TABLE keyed ({column}, mail {blob}, {token})"
        ));
        let told = advice("select id from keyed");
        assert_eq!(told.is_empty(), parts.is_empty(), "{column}: {told}");
        for part in *parts {
            assert!(told.contains(part), "{column}: {told} lacks {part}");
        }
        // a column that is named for it, and an expression
        assert_eq!(
            advice("select id, token as unique_id from keyed"),
            "",
            "{column}"
        );
        let told = advice("select id, id as unique_id from keyed");
        assert_eq!(
            told.contains("`unique_id`"),
            !matches!(*parts, [] | ["chosen by the program"]),
            "{told}"
        );
    }
    let told = advice("select max(id) as id from keyed");
    assert!(told.contains("cannot be seen"), "{told}");
    if admin.kind() == Some(Kind::MariaDb) {
        admin.sql("DROP TABLE keyed; CREATE TABLE keyed (id INT AUTO_INCREMENT PRIMARY KEY, mail LONGBLOB) ENGINE = MyISAM");
        let told = advice("select id from keyed");
        assert!(told.contains("MyISAM") && told.contains("InnoDB"), "{told}");
        admin.sql("ALTER TABLE keyed DROP COLUMN mail; ALTER TABLE keyed ADD mail INT; ALTER TABLE keyed ENGINE = MEMORY");
        assert!(advice("select id from keyed").contains("restart"));
    }
}

#[test]
fn sqlite_w003_check_tells_of_ids_that_may_come_again() {
    ids_that_may_come_again(&Admin::sqlite());
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_w003_check_tells_of_ids_that_may_come_again() {
    ids_that_may_come_again(&Admin::server(Kind::MariaDb));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_w003_check_tells_of_ids_that_may_come_again() {
    ids_that_may_come_again(&Admin::server(Kind::Postgres));
}
