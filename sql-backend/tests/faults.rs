//! Whatever dies, and whenever: a message that was reported deleted is gone, and one that was not is there,
//! or was deleted as all others of that session. Nothing is left open.
#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
mod common;

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::admin::Admin;
use common::{
    Runtime, add_accounts, count, fill, listed, own_store, read, renew_accounts, two_at_a_time,
};
use pop3_proto::backend::Index;
use pop3_proto::backend::awaiting::AsyncMailbox;
use pop3_proto::backend::store::StoreError;
use sql_backend::{DatabaseUrl, SqlStore};
use testkit::stores::USER;
use testkit_databases::{Kind, Server};

/// All but every third.
fn marked(messages: usize) -> Vec<Index> {
    let places = 0..messages as u32;
    places.filter(|place| place % 3 != 0).map(Index).collect()
}

/// Polls so often, then drops. `Some` if it was done by then.
fn polled<T>(runtime: &Runtime, future: impl Future<Output = T>, times: usize) -> Option<T> {
    runtime.run(async {
        let mut future = pin!(future);
        for _ in 0..times {
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
            // the workers for it get their turn
            thread::sleep(Duration::from_millis(1));
            for _ in 0..4 {
                smol::future::yield_now().await;
            }
        }
        None
    })
}

/// A session whose future is dropped within its update, at each point.
fn dropped_within_the_update(admin: &Admin) {
    const MESSAGES: usize = 250;
    let left = MESSAGES - marked(MESSAGES).len();
    Runtime::each(|runtime| {
        let store = runtime.run(own_store(&admin.url()));
        runtime.run(async {
            renew_accounts(&store).await;
        });
        let refill = || {
            if runtime.run(count(&store)) != MESSAGES {
                runtime.run(async {
                    for stored in store.list_messages(USER).await.unwrap() {
                        store.remove_message(USER, &stored.unique_id).await.unwrap();
                    }
                    fill(&store, MESSAGES).await;
                });
            }
            runtime.run(listed(&store)).0
        };
        // How far it is after so many polls is for the machine to say: a quick database ends it within one.
        let mut done = 0;
        // The last ones are polled to their end.
        for times in (0..=400).chain([usize::MAX; 3]) {
            let mut mailbox = refill();
            let removed = polled(runtime, mailbox.remove(&marked(MESSAGES)), times);
            drop(mailbox);
            // a transaction that was begun is taken back when its connection is gone
            let now = runtime.run(count(&store));
            match removed {
                Some(result) => {
                    result.unwrap();
                    assert_eq!(now, left);
                    done += 1;
                }
                None => assert!(now == MESSAGES || now == left, "{now} after {times} polls"),
            }
            if done == 3 {
                break;
            }
        }
        assert_eq!(done, 3);
        // A lock on a message that is to be deleted stops it there, when the earlier ones are deleted already.
        let marked = marked(MESSAGES);
        for at in [0, marked.len() / 2, marked.len() - 1] {
            let place = marked[at].0;
            let mut mailbox = refill();
            let id = admin.number(&format!(
                "SELECT CAST(id AS {}) FROM pop3_messages WHERE account = '{USER}'
                 ORDER BY id LIMIT 1 OFFSET {place}",
                admin.integer()
            ));
            let release = admin.hold(&match admin.kind() {
                None => "BEGIN IMMEDIATE".to_owned(),
                Some(_) => {
                    format!("BEGIN; SELECT id FROM pop3_messages WHERE id = {id} FOR UPDATE")
                }
            });
            let removed = polled(runtime, mailbox.remove(&marked), 40);
            assert!(removed.is_none(), "held at {place}: {removed:?}");
            drop(mailbox);
            release();
            assert_eq!(runtime.run(count(&store)), MESSAGES, "held at {place}");
        }
        runtime.run(store.close());
    });
}

each_database!(
    tables,
    dropped_within_the_update,
    sqlite_dropped_within_the_update,
    mariadb_dropped_within_the_update,
    postgres_dropped_within_the_update
);

/// The server is killed while a session deletes, at a later point each time.
fn server_killed_within_the_update(kind: Kind) {
    const MESSAGES: usize = 600;
    let mut server = Server::start(kind);
    let runtime = Runtime::tokio();
    let store = runtime.run(async {
        let store = SqlStore::connect(two_at_a_time(&DatabaseUrl::new(&server.url()))).unwrap();
        store.migrate().await.unwrap();
        add_accounts(&store).await;
        store
    });
    let left = MESSAGES - marked(MESSAGES).len();
    let (mut reported, mut failed) = (0, 0);
    for delay in 0..10 {
        server.restart();
        let (mut mailbox, _) = runtime.run(async {
            until_answers(&store).await;
            let there = count(&store).await;
            if there != MESSAGES {
                for stored in store.list_messages(USER).await.unwrap() {
                    store.remove_message(USER, &stored.unique_id).await.unwrap();
                }
                fill(&store, MESSAGES).await;
            }
            listed(&store).await
        });
        let indexes = marked(MESSAGES);
        let removal = thread::scope(|scope| {
            let remove = mailbox.remove(&indexes);
            let removing = scope.spawn(|| runtime.run(remove));
            thread::sleep(Duration::from_millis(delay * 3));
            server.kill();
            removing.join().unwrap()
        });
        server.restart();
        let now = runtime.run(async {
            until_answers(&store).await;
            count(&store).await
        });
        match removal {
            Ok(()) => {
                assert_eq!(now, left, "reported deleted");
                reported += 1;
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Temporary(_)), "{error:?}");
                assert!(now == MESSAGES || now == left, "{now} of {MESSAGES}");
                failed += 1;
            }
        }
    }
    println!("{kind:?}: {reported} reported deleted, {failed} failed");
}

async fn until_answers(store: &SqlStore) {
    let begun = Instant::now();
    while let Err(error) = store.list_messages(USER).await {
        assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
    }
}

each_database!(
    servers,
    server_killed_within_the_update,
    mariadb_killed_within_the_update,
    postgres_killed_within_the_update
);

/// The database goes and comes back between the commands of a session: what is asked meanwhile fails for
/// now, what is asked later works.
fn server_lost_and_back(kind: Kind) {
    let mut server = Server::start(kind);
    Runtime::each(|runtime| {
        server.restart();
        let store = runtime.run(async {
            let store = SqlStore::connect(two_at_a_time(&DatabaseUrl::new(&server.url()))).unwrap();
            store.migrate().await.unwrap();
            renew_accounts(&store).await;
            fill(&store, 3).await;
            store
        });
        let (mut mailbox, _) = runtime.run(listed(&store));
        server.kill();
        runtime.run(async {
            for _ in 0..2 {
                let error = read(&mut mailbox, 0).await.unwrap_err();
                assert!(matches!(error, StoreError::Temporary(_)), "{error:?}");
                let error = common::open(&store).await.unwrap_err();
                assert!(matches!(error, StoreError::Temporary(_)), "{error:?}");
                let error = mailbox.remove(&[Index(0)]).await.unwrap_err();
                assert!(matches!(error, StoreError::Temporary(_)), "{error:?}");
            }
        });
        server.restart();
        runtime.run(async {
            assert_eq!(
                read(&mut mailbox, 1).await.unwrap(),
                b"Subject: 1\r\n\r\ntext\r\n"
            );
            mailbox.remove(&[Index(1)]).await.unwrap();
            assert_eq!(count(&store).await, 2);
        });
        // and so quickly that only one who asks just then notices
        let (mut other, _) = runtime.run(listed(&store));
        server.kill();
        server.restart();
        runtime.run(async {
            let _ = read(&mut mailbox, 0).await;
            assert!(read(&mut mailbox, 0).await.is_ok());
            assert!(read(&mut other, 0).await.is_ok());
            store.close().await;
        });
    });
}

each_database!(
    servers,
    server_lost_and_back,
    mariadb_lost_and_back,
    postgres_lost_and_back
);

const CHILD: &str = "SQL_BACKEND_TEST_CHILD";

/// Not a test of its own: deletes in the database that the parent named, and says when it is done.
#[test]
fn child_that_deletes() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    let runtime = Runtime::tokio();
    runtime.run(async {
        let store = own_store(&DatabaseUrl::new(&url)).await;
        let (mut mailbox, entries) = listed(&store).await;
        println!("begin");
        let result = mailbox.remove(&marked(entries.len())).await;
        println!("{}", if result.is_ok() { "deleted" } else { "failed" });
    });
}

/// Our own process is killed while it deletes.
#[test]
fn sqlite_process_killed_within_the_update() {
    const MESSAGES: usize = 400;
    let (folder, url) = common::sqlite();
    let runtime = Runtime::tokio();
    let store = runtime.run(own_store(&url));
    runtime.run(add_accounts(&store));
    let left = MESSAGES - marked(MESSAGES).len();
    for delay in 0..12 {
        runtime.run(async {
            for stored in store.list_messages(USER).await.unwrap() {
                store.remove_message(USER, &stored.unique_id).await.unwrap();
            }
            fill(&store, MESSAGES).await;
        });
        let file = folder.path().join("mail.db");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_deletes", "--nocapture"])
            .env(CHILD, format!("sqlite://{}", file.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().unwrap().unwrap().ends_with("begin") {}
        thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let deleted = lines
            .map_while(Result::ok)
            .any(|line| line.ends_with("deleted"));
        let now = runtime.run(count(&store));
        assert!(
            now == left || (!deleted && now == MESSAGES),
            "{now}, deleted: {deleted}"
        );
    }
}
