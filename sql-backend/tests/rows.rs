//! What is odd about single rows costs those rows: whole mails beside texts, values that cannot be read, names
//! that come twice, texts in other encodings.
#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
mod common;

use common::admin::Admin;
use common::{Runtime, listed, read};
use pop3_proto::backend::Index;
use pop3_proto::backend::awaiting::AsyncMailbox;
use pop3_proto::backend::store::{StoreError, message_size};
use sql_backend::{Config, DatabaseUrl, Logins, Maildrops, Queries, SqlStore, Template};
use testkit::stores::{PASSWORD, USER};
use testkit_databases::{Kind, Server};

fn octets(admin: &Admin) -> &'static str {
    match admin.kind() {
        None => "BLOB",
        Some(Kind::MariaDb) => "LONGBLOB",
        Some(Kind::Postgres) => "BYTEA",
    }
}

/// NULL for an id, NULL for a mail, one that is too large, one id twice, one unique-id for two.
fn bad_rows(admin: &Admin) {
    admin.create();
    let blob = octets(admin);
    for whole_list in [false, true] {
        Runtime::each(|runtime| {
            admin.sql(&format!(
                "DROP TABLE IF EXISTS odd; CREATE TABLE odd (place INT, id VARCHAR(20), name VARCHAR(20), mail {blob});
                 INSERT INTO odd VALUES
                    (1, 'a', 'one', 'Subject: a'), (2, 'b', 'two', NULL), (3, NULL, NULL, 'Subject: nameless'),
                    (4, NULL, NULL, 'Subject: nameless'), (5, 'c', 'three', 'Subject: {}'),
                    (6, 'd', 'same', 'Subject: d'), (7, 'e', 'same', 'Subject: e'), (8, 'f', 'f', 'Subject: f'),
                    (9, 'f', 'f', 'Subject: f')",
                "x".repeat(200)
            ));
            let mail = if whole_list { ", mail as body" } else { "" };
            let queries = Queries::default()
                .list(format!(
                    "select id, name as unique_id{mail} from odd order by place"
                ))
                .body("select mail as body from odd where id = :id")
                .delete("delete from odd where id = :id");
            let mut config = admin.config(queries);
            config.max_message = 100;
            let store = SqlStore::connect(config).unwrap();
            runtime.run(async {
                store.check().await.unwrap();
                let (mut mailbox, entries) = listed(&store).await;
                // a row that a join gave twice is one message
                assert_eq!(entries.len(), 8);
                let mut names: Vec<_> = entries.iter().map(|entry| &entry.unique_id).collect();
                assert_eq!([names[0], names[1]], ["one", "two"]);
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), 8);
                let mut problems = Vec::new();
                for (place, entry) in (0..).zip(&entries) {
                    match read(&mut mailbox, place).await {
                        Ok(mail) => assert_eq!(entry.size, message_size(&mail[..]).unwrap()),
                        Err(StoreError::Temporary(why)) => problems.push((place, why)),
                        Err(StoreError::Permanent(why)) => problems.push((place, why)),
                        Err(other) => panic!("{place}: {other:?}"),
                    }
                }
                let parts = [(1, "NULL"), (2, "`id`"), (3, "`id`"), (4, "max_message")];
                assert_eq!(problems.len(), parts.len(), "{problems:?}");
                for ((place, why), (at, part)) in problems.iter().zip(parts) {
                    assert!(*place == at && why.contains(part), "{problems:?}");
                }
                // all but the nameless go, the one without a mail and the large one too
                let all: Vec<Index> = (0..8).map(Index).collect();
                let refused = mailbox.remove(&all).await;
                assert!(
                    matches!(refused, Err(StoreError::Permanent(_))),
                    "{refused:?}"
                );
                assert_eq!(admin.number("select count(*) from odd"), 2);
                store.close().await;
            });
        });
    }
}

each_database!(
    tables,
    bad_rows,
    sqlite_w064_one_bad_row_costs_that_row,
    mariadb_w064_one_bad_row_costs_that_row,
    postgres_w064_one_bad_row_costs_that_row
);

/// One table with whole mails and with texts, and a column that says which is which, in the types that tables
/// have for it.
fn mails_and_texts(admin: &Admin) {
    admin.create();
    let blob = octets(admin);
    let types: &[(&str, &str, &str)] = match admin.kind() {
        None => &[
            ("BOOL", "1", "0"),
            ("TEXT", "'true'", "'false'"),
            ("BLOB", "x'01'", "x'00'"),
        ],
        Some(Kind::MariaDb) => &[
            ("BOOL", "1", "0"),
            ("BIT(1)", "b'1'", "b'0'"),
            ("CHAR(1)", "'Y'", "'N'"),
            ("ENUM('no', 'yes')", "'yes'", "'no'"),
        ],
        Some(Kind::Postgres) => &[
            ("BOOLEAN", "true", "false"),
            ("SMALLINT", "1", "0"),
            ("CHAR(1)", "'t'", "'f'"),
        ],
    };
    let template = Template::default().subject("Plaintext database entry {id}");
    for (kind, yes, no) in types {
        admin.sql(&format!(
            "DROP TABLE IF EXISTS both_kinds; CREATE TABLE both_kinds (id INT, mail {blob}, plain {kind});
             INSERT INTO both_kinds VALUES (1, 'Subject: a mail', {no}), (2, 'a text', {yes}), (3, 'unknown', NULL)"
        ));
        for (whole_list, template) in [
            (false, Some(&template)),
            (true, Some(&template)),
            (false, None),
        ] {
            let row = "id, mail as body, plain as IS_PLAINTEXT";
            let listed_columns = if whole_list { row } else { "id" };
            let queries = Queries::default()
                .list(format!(
                    "select {listed_columns} from both_kinds order by id"
                ))
                .body(format!("select {row} from both_kinds where id = :id"))
                .template(template.cloned());
            let store = SqlStore::connect(admin.config(queries)).unwrap();
            Runtime::Smol.run(async {
                store.check().await.unwrap();
                let (mut mailbox, entries) = listed(&store).await;
                let mut mails = Vec::new();
                for (place, entry) in (0..).zip(&entries) {
                    let mail = read(&mut mailbox, place).await.unwrap();
                    assert_eq!(entry.size, message_size(&mail[..]).unwrap(), "{kind}");
                    mails.push(String::from_utf8(mail).unwrap());
                }
                assert_eq!(mails[0], "Subject: a mail", "{kind}");
                assert!(
                    mails[1].ends_with("\r\n\r\na text\r\n"),
                    "{kind}: {}",
                    mails[1]
                );
                let subject = template.map_or("Message 2", |_| "Plaintext database entry 2");
                assert!(
                    mails[1].contains(&format!("Subject: {subject}\r\n")),
                    "{}",
                    mails[1]
                );
                // what does not say what it is, is what the store is
                assert_eq!(mails[2] == "unknown", template.is_none(), "{}", mails[2]);
                store.close().await;
            });
        }
        // the size of a text is not that of its message
        let queries = Queries::default()
            .list("select id, 5 as size from both_kinds order by id")
            .body("select id, mail as body, plain as is_plaintext from both_kinds where id = :id");
        let store = SqlStore::connect(admin.config(queries));
        let problem = Runtime::Smol.run(store.unwrap().check()).unwrap_err();
        assert!(problem.to_string().contains("is_plaintext"), "{problem}");
    }
}

each_database!(
    tables,
    mails_and_texts,
    sqlite_w064_mails_and_texts_in_one_table,
    mariadb_w064_mails_and_texts_in_one_table,
    postgres_w064_mails_and_texts_in_one_table
);

/// Two stores with the same rows, and two users, make messages with other Message-IDs.
#[test]
fn sqlite_w064_message_ids_of_two_stores_differ() {
    let admin = Admin::sqlite();
    admin.create();
    admin.fill(&["a text".into()]);
    let message_id = |name: &str, list: &str| {
        let queries = admin.plain_queries().list(list);
        let mut config = admin.config(queries.template(Template::default()));
        config.name = name.into();
        let store = SqlStore::connect(config).unwrap();
        Runtime::Smol.run(async {
            let (mut mailbox, _) = listed(&store).await;
            let mail = String::from_utf8(read(&mut mailbox, 0).await.unwrap()).unwrap();
            let line = mail.lines().find(|line| line.starts_with("Message-ID:"));
            line.unwrap().to_owned()
        })
    };
    let mine = "select id from mails where login = :user";
    let all = "select id from mails";
    assert_eq!(
        message_id("log", mine),
        format!("Message-ID: <1.{USER}.log@localhost>")
    );
    assert_eq!(message_id("log", all), "Message-ID: <1.log@localhost>");
    assert_ne!(message_id("log", mine), message_id("log-2", mine));
}

/// Texts that the database converts: a template labels what comes; a mail's octets must be asked for.
fn other_encodings(url: &DatabaseUrl, sql: &dyn Fn(&str), text: &str, octets: &str) {
    sql(&format!(
        "CREATE TABLE logins (login VARCHAR(40), secret VARCHAR(40));
         INSERT INTO logins VALUES ('{USER}', '{{PLAIN}}{PASSWORD}');
         CREATE TABLE texts (id INT, mail {text});
         INSERT INTO texts VALUES (1, 'Subject: x\n\nGr\u{f6}\u{df}e\n'), (2, 'plain')"
    ));
    let store = |body: &str, template: Option<Template>| {
        let mut config = Config::new(url.clone());
        let queries = Queries::default()
            .list("select id from texts order by id")
            .body(format!("select {body} as body from texts where id = :id"))
            .template(template);
        config.maildrops = Maildrops::Queries(Box::new(queries));
        config.logins =
            Logins::Query("select secret as password from logins where login = :user".into());
        SqlStore::connect(config).unwrap()
    };
    Runtime::Smol.run(async {
        let problem = store("mail", None).check().await.unwrap_err().to_string();
        assert!(
            problem.contains("queries.body") && problem.contains("octets"),
            "{problem}"
        );
        let raw = store(octets, None);
        raw.check().await.unwrap();
        let (mut mailbox, entries) = listed(&raw).await;
        let mail = read(&mut mailbox, 0).await.unwrap();
        assert_eq!(mail, b"Subject: x\n\nGr\xf6\xdfe\n");
        assert_eq!(entries[0].size, message_size(&mail[..]).unwrap());
        raw.close().await;
        let wrapped = store("mail", Some(Template::default()));
        wrapped.check().await.unwrap();
        let (mut mailbox, _) = listed(&wrapped).await;
        let mail = String::from_utf8(read(&mut mailbox, 0).await.unwrap()).unwrap();
        assert!(
            mail.contains("charset=utf-8") && mail.contains("Größe"),
            "{mail}"
        );
        wrapped.close().await;
    });
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_w064_texts_in_latin1() {
    let server = Server::start(Kind::MariaDb);
    let sql = |text: &str| server.sql("test", text).unwrap();
    let latin = "LONGTEXT CHARACTER SET latin1";
    other_encodings(
        &DatabaseUrl::new(&server.url()),
        &sql,
        latin,
        "cast(mail as binary)",
    );
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_w064_texts_in_latin1() {
    let server = Server::start(Kind::Postgres);
    let create = "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0";
    server.sql("postgres", create).unwrap();
    let sql = |text: &str| server.sql("latin", text).unwrap();
    let octets = "convert_to(mail, getdatabaseencoding())";
    other_encodings(
        &DatabaseUrl::new(&server.url_of("latin")),
        &sql,
        "TEXT",
        octets,
    );
}

/// A database that takes texts for octets: they come as they are, and no row closes the mailbox.
#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_w064_texts_of_any_octets() {
    let server = Server::start(Kind::Postgres);
    let create = "CREATE DATABASE any_octets ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0";
    server.sql("postgres", create).unwrap();
    let text = format!(
        "CREATE TABLE logins (login TEXT, secret TEXT);
         INSERT INTO logins VALUES ('{USER}', '{{PLAIN}}{PASSWORD}');
         CREATE TABLE texts (id TEXT, mail TEXT);
         INSERT INTO texts VALUES ('a', E'Subject: x\\n\\nGr\\xf6\\xdfe\\n'), (E'\\xf6', E'Subject: \\xf6')"
    );
    server.sql("any_octets", &text).unwrap();
    Runtime::each(|runtime| {
        let mut config = Config::new(DatabaseUrl::new(&server.url_of("any_octets")));
        let queries = Queries::default()
            .list("select id from texts order by id")
            .body("select mail as body from texts where id = :id");
        config.maildrops = Maildrops::Queries(Box::new(queries));
        config.logins =
            Logins::Query("select secret as password from logins where login = :user".into());
        let store = SqlStore::connect(config).unwrap();
        runtime.run(async {
            store.check().await.unwrap();
            let (mut mailbox, entries) = listed(&store).await;
            assert_eq!(entries.len(), 2);
            let mail = read(&mut mailbox, 0).await.unwrap();
            assert_eq!(mail, b"Subject: x\n\nGr\xf6\xdfe\n");
            store.close().await;
        });
    });
}
