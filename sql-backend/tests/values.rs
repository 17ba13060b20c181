//! Names and ids in the administrator's own tables: of all types, hostile ones, and those that may come again.
#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
mod common;

use common::admin::Admin;
use common::{Runtime, listed, read};
use pop3_proto::backend::Index;
use pop3_proto::backend::awaiting::{AsyncMailbox, AsyncStore};
use pop3_proto::backend::store::{StoreError, message_size};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sql_backend::{Logins, Queries, SqlStore};
use testkit_databases::Kind;

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

each_database!(
    tables,
    values_stay_values,
    v15_sqlite_values_stay_values,
    mariadb_values_stay_values_v15,
    postgres_values_stay_values_v15
);

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

each_database!(
    tables,
    ids_and_texts,
    sqlite_ids_and_texts,
    mariadb_ids_and_texts,
    postgres_ids_and_texts
);

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

each_database!(
    tables,
    ids_that_may_come_again,
    sqlite_w003_check_tells_of_ids_that_may_come_again,
    mariadb_w003_check_tells_of_ids_that_may_come_again,
    postgres_w003_check_tells_of_ids_that_may_come_again
);
