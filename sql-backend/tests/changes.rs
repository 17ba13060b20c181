//! Rows that others change while a session is open: what the client never saw is not removed.
#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::admin::Admin;
use common::{Runtime, listed, read};
use pop3_proto::backend::Index;
use pop3_proto::backend::awaiting::AsyncMailbox;
use pop3_proto::backend::store::StoreError;
use sql_backend::{Queries, SqlStore};
use testkit::Content;
use testkit::stores::USER;
use testkit_databases::Kind;

fn mails() -> Vec<Content> {
    let mail = |number: u32| {
        Content::from(format!("Subject: {number}\r\n\r\nthe first text\r\n").into_bytes())
    };
    (1..=4).map(mail).collect()
}

/// Another text of the same length, in the place of the first.
const CHANGE: &str = "update mails set mail = replace(mail, 'first', 'other') where id = 2";

fn change(admin: &Admin) {
    admin.sql(&match admin.kind() {
        Some(Kind::Postgres) => CHANGE.replace(
            "replace(mail, 'first', 'other')",
            "convert_to(replace(convert_from(mail, 'UTF8'), 'first', 'other'), 'UTF8')",
        ),
        Some(Kind::MariaDb) | None => CHANGE.to_owned(),
    });
}

/// Each way of reading, and whether the list says something of a row beside its name.
fn ways(admin: &Admin) -> Vec<Queries> {
    let whole = "select id, mail as body from mails where login = :user order by id";
    vec![
        admin.plain_queries(),
        admin.piece_queries(),
        admin.plain_queries().list(whole),
        admin
            .plain_queries()
            .template(sql_backend::Template::default()),
    ]
}

fn sent_and_changed(admin: &Admin) {
    admin.create();
    for queries in ways(admin) {
        Runtime::each(|runtime| {
            admin.fill(&mails());
            let store = SqlStore::connect(admin.config(queries.clone())).unwrap();
            runtime.run(async {
                let (mut mailbox, _) = listed(&store).await;
                for place in 0..3 {
                    read(&mut mailbox, place).await.unwrap();
                }
                change(admin);
                let refused = mailbox.remove(&[Index(0), Index(1), Index(2)]).await;
                let Err(StoreError::Temporary(why)) = &refused else {
                    panic!("{queries:?}: {refused:?}");
                };
                assert!(why.contains("changed since it was read"), "{why}");
                // the others are gone, and the next session has the changed one
                let (mut mailbox, entries) = listed(&store).await;
                assert_eq!(entries.len(), 2, "{queries:?}");
                let mail = read(&mut mailbox, 0).await.unwrap();
                let mail = String::from_utf8(mail).unwrap();
                assert!(mail.contains("the other text"), "{queries:?}: {mail}");
                mailbox.remove(&[Index(0), Index(1)]).await.unwrap();
                assert!(listed(&store).await.1.is_empty());
                store.close().await;
            });
        });
    }
}

each_database!(
    tables,
    sent_and_changed,
    sqlite_w003_a_row_that_changed_since_it_was_sent_stays,
    mariadb_w003_a_row_that_changed_since_it_was_sent_stays,
    postgres_w003_a_row_that_changed_since_it_was_sent_stays
);

/// Of a row that was not sent the client knows what the list said: that it is there, and its size.
fn listed_and_changed(admin: &Admin) {
    admin.create();
    let longer = match admin.kind() {
        Some(Kind::Postgres) => {
            "update mails set mail = mail || '\\x780a', size = size + 3 where id = 3"
        }
        Some(Kind::MariaDb) => {
            "update mails set mail = concat(mail, 'x\n'), size = size + 3 where id = 3"
        }
        None => {
            "update mails set mail = cast(mail || 'x' || char(10) as blob), size = size + 3 where id = 3"
        }
    };
    for queries in ways(admin) {
        Runtime::each(|runtime| {
            admin.fill(&mails());
            let store = SqlStore::connect(admin.config(queries.clone())).unwrap();
            runtime.run(async {
                let (mut mailbox, _) = listed(&store).await;
                admin.sql(longer);
                let refused = mailbox.remove(&[Index(0), Index(2)]).await;
                assert!(
                    matches!(refused, Err(StoreError::Temporary(_))),
                    "{queries:?}: {refused:?}"
                );
                let (mut mailbox, entries) = listed(&store).await;
                assert_eq!(entries.len(), 3, "{queries:?}");
                // one that another deleted meanwhile is no error, as ever
                admin.sql("delete from mails where id = 4");
                mailbox.remove(&[Index(1), Index(2)]).await.unwrap();
                let (_, entries) = listed(&store).await;
                assert_eq!(entries.len(), 1, "{queries:?}");
                store.close().await;
            });
        });
    }
}

each_database!(
    tables,
    listed_and_changed,
    sqlite_w003_a_row_that_changed_since_it_was_listed_stays,
    mariadb_w003_a_row_that_changed_since_it_was_listed_stays,
    postgres_w003_a_row_that_changed_since_it_was_listed_stays
);

/// The tool's own tables: a number that came again, after a restart of an old MySQL or by hand, is another
/// message's. It is neither sent nor removed as the one that was listed.
#[test]
fn w003_a_number_that_comes_again_is_another_message() {
    let (folder, url) = common::sqlite();
    let runtime = Runtime::Smol;
    runtime.run(async {
        let store = common::own_store(&url).await;
        common::add_accounts(&store).await;
        common::fill(&store, 3).await;
        let (mut mailbox, entries) = listed(&store).await;
        store
            .remove_message(USER, &entries[2].unique_id)
            .await
            .unwrap();
        let admin = Admin::Sqlite(folder);
        admin.sql("update sqlite_sequence set seq = 2 where name = 'pop3_messages'");
        let new = std::io::Cursor::new("Subject: new\r\n\r\n");
        let new = store.add_message(USER, new).await.unwrap();
        assert_eq!(admin.number("select max(id) from pop3_messages"), 3);

        let error = read(&mut mailbox, 2).await.unwrap_err();
        assert_eq!(error, StoreError::Missing);
        mailbox.remove(&[Index(0), Index(2)]).await.unwrap();
        let (_, left) = listed(&store).await;
        let left: Vec<_> = left.iter().map(|entry| &entry.unique_id).collect();
        assert_eq!(left, [&entries[1].unique_id, &new.unique_id]);
        store.close().await;
    });
}

/// A change that is under way when the session removes is waited for, and then the row stays: it is looked at and
/// removed in one.
fn changing_while_removed(admin: &Admin) {
    use sqlx::{Executor, Row};
    admin.create();
    admin.fill(&mails());
    let (begin, change, waiting) = match admin.kind() {
        Some(Kind::Postgres) => (
            "BEGIN",
            "UPDATE mails SET mail = 'Subject: other' WHERE id = 2",
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
        ),
        Some(Kind::MariaDb) | None => (
            "START TRANSACTION",
            "UPDATE mails SET mail = 'Subject: other' WHERE id = 2",
            "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
        ),
    };
    let Admin::Server(server) = admin else {
        unreachable!("SQLite lets nobody else write meanwhile");
    };
    let runtime = Runtime::Smol;
    let store = SqlStore::connect(admin.config(admin.plain_queries())).unwrap();
    let mut mailbox = runtime.run(async {
        let (mut mailbox, _) = listed(&store).await;
        for place in 0..2 {
            read(&mut mailbox, place).await.unwrap();
        }
        mailbox
    });
    macro_rules! in_the_way {
        ($connection:expr) => {{
            let (mut connection, mut looking) =
                runtime.run(async { ($connection.await.unwrap(), $connection.await.unwrap()) });
            runtime.run(async {
                connection.execute(begin).await.unwrap();
                connection.execute(change).await.unwrap();
            });
            thread::scope(|scope| {
                let removing = scope.spawn(|| runtime.run(mailbox.remove(&[Index(0), Index(1)])));
                let begun = Instant::now();
                while runtime
                    .run(looking.fetch_one(waiting))
                    .unwrap()
                    .get::<i64, _>(0)
                    == 0
                {
                    assert!(begun.elapsed() < Duration::from_secs(60), "nobody waits");
                    // MariaDB looks again only for who has not asked for a tenth of a second
                    thread::sleep(Duration::from_millis(200));
                }
                runtime.run(connection.execute("COMMIT")).unwrap();
                removing.join().unwrap()
            })
        }};
    }
    let refused = match server.kind {
        Kind::Postgres => in_the_way!(server.postgres("test")),
        Kind::MariaDb => in_the_way!(server.mysql("test")),
    };
    assert!(
        matches!(&refused, Err(StoreError::Temporary(why)) if why.contains("changed")),
        "{refused:?}"
    );
    assert_eq!(admin.number("select count(*) from mails where id = 1"), 0);
    assert_eq!(admin.number("select count(*) from mails where id = 2"), 1);
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_w003_a_row_that_changes_while_it_is_removed_stays() {
    changing_while_removed(&Admin::server(Kind::MariaDb));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_w003_a_row_that_changes_while_it_is_removed_stays() {
    changing_while_removed(&Admin::server(Kind::Postgres));
}
