//! The administrator's own tables: logs as mails, and mistakes in queries.
#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
mod common;

use common::admin::Admin;
use common::{Runtime, listed, read};
use pop3_proto::backend::awaiting::{AsyncMailbox, AsyncStore};
use pop3_proto::backend::store::{StoreError, message_size};
use pop3_proto::backend::{Access, Index};
use sql_backend::{Logins, Maildrops, Queries, SqlError, SqlStore};
use testkit::stores::{PASSWORD, USER};
use testkit_databases::Kind;

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

each_database!(
    tables,
    log_as_mailbox,
    sqlite_log_as_mailbox,
    mariadb_log_as_mailbox,
    postgres_log_as_mailbox
);

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

each_database!(
    tables,
    w061_columns_that_limit_an_account,
    sqlite_w061_columns_that_limit_an_account,
    mariadb_w061_columns_that_limit_an_account,
    postgres_w061_columns_that_limit_an_account
);

each_database!(
    tables,
    mistakes,
    sqlite_mistakes,
    mariadb_mistakes,
    postgres_mistakes
);

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
