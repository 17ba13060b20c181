//! Whatever dies, and whenever: a message that was reported deleted is gone, and one that was not is there,
//! or was deleted as all others of that session. Nothing is left open.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::server::{Kind, Server};
use common::{Runtime, add_accounts, listed, own_store, read};
use pop3_proto::backend::Index;
use pop3_proto::backend::awaiting::{AsyncMailbox, AsyncMessage};
use pop3_proto::backend::store::StoreError;
use sql_backend::{Config, DatabaseUrl, PoolLimits, SqlStore};
use testkit::stores::USER;

async fn fill(store: &SqlStore, messages: usize) {
    for number in 0..messages {
        let mail = format!("Subject: {number}\r\n\r\ntext\r\n");
        store
            .add_message(USER, std::io::Cursor::new(mail))
            .await
            .unwrap();
    }
}

async fn count(store: &SqlStore) -> usize {
    store.list_messages(USER).await.unwrap().len()
}

/// All but every third.
fn marked(messages: usize) -> Vec<Index> {
    let places = 0..messages as u32;
    places.filter(|place| place % 3 != 0).map(Index).collect()
}

fn impatient(url: &DatabaseUrl) -> Config {
    let pool = PoolLimits {
        max_connections: 2,
        acquire_timeout: Duration::from_millis(400),
        ..PoolLimits::default()
    };
    Config {
        pool,
        ..Config::new(url.clone())
    }
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
            // whoever works for it gets his turn
            thread::sleep(Duration::from_millis(1));
            for _ in 0..4 {
                smol::future::yield_now().await;
            }
        }
        None
    })
}

/// A session whose future is dropped within its update, at each point.
fn dropped_within_the_update(url: &DatabaseUrl) {
    const MESSAGES: usize = 250;
    Runtime::each(|runtime| {
        let store = runtime.run(own_store(url));
        runtime.run(async {
            let _ = store
                .remove_account(USER, sql_backend::Messages::Delete)
                .await;
            let _ = store
                .remove_account(testkit::stores::OTHER, sql_backend::Messages::Keep)
                .await;
            add_accounts(&store).await;
        });
        let left = MESSAGES - marked(MESSAGES).len();
        let (mut untouched, mut done) = (0, 0);
        for times in (0..).step_by(1) {
            let there = runtime.run(count(&store));
            if there != MESSAGES {
                runtime.run(async {
                    for stored in store.list_messages(USER).await.unwrap() {
                        store.remove_message(USER, &stored.unique_id).await.unwrap();
                    }
                    fill(&store, MESSAGES).await;
                });
            }
            let (mut mailbox, _) = runtime.run(listed(&store));
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
                None => {
                    assert!(now == MESSAGES || now == left, "{now} after {times} polls");
                    untouched += usize::from(now == MESSAGES);
                }
            }
            if done == 3 || times > 400 {
                break;
            }
        }
        assert!(
            done == 3 && untouched > 1,
            "{done} done, {untouched} untouched"
        );
        runtime.run(store.close());
    });
}

#[test]
fn sqlite_dropped_within_the_update() {
    let (_folder, url) = common::sqlite();
    dropped_within_the_update(&url);
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_dropped_within_the_update() {
    dropped_within_the_update(&Server::start(Kind::MariaDb).url());
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_dropped_within_the_update() {
    dropped_within_the_update(&Server::start(Kind::Postgres).url());
}

/// The server is killed while a session deletes, at a later point each time.
fn server_killed_within_the_update(kind: Kind) {
    const MESSAGES: usize = 600;
    let mut server = Server::start(kind);
    let runtime = Runtime::tokio();
    let store = runtime.run(async {
        let store = SqlStore::connect(impatient(&server.url())).unwrap();
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

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_killed_within_the_update() {
    server_killed_within_the_update(Kind::MariaDb);
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_killed_within_the_update() {
    server_killed_within_the_update(Kind::Postgres);
}

/// The database goes and comes back between the commands of a session: what is asked meanwhile fails for
/// now, what is asked later works.
fn server_lost_and_back(kind: Kind) {
    let mut server = Server::start(kind);
    Runtime::each(|runtime| {
        server.restart();
        let store = runtime.run(async {
            let store = SqlStore::connect(impatient(&server.url())).unwrap();
            store.migrate().await.unwrap();
            let _ = store
                .remove_account(USER, sql_backend::Messages::Delete)
                .await;
            let _ = store
                .remove_account(testkit::stores::OTHER, sql_backend::Messages::Keep)
                .await;
            add_accounts(&store).await;
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

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_lost_and_back() {
    server_lost_and_back(Kind::MariaDb);
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_lost_and_back() {
    server_lost_and_back(Kind::Postgres);
}

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

/// A slow client holds no connection, one that goes away leaks none, and with none left it is `[SYS/TEMP]`.
fn connections(url: &DatabaseUrl) {
    const LENGTH: usize = 300_000;
    Runtime::each(|runtime| {
        runtime.run(async {
            let mut config = impatient(url);
            config.pool.max_connections = 1;
            let store = SqlStore::connect(config).unwrap();
            store.migrate().await.unwrap();
            let _ = store
                .remove_account(USER, sql_backend::Messages::Delete)
                .await;
            let _ = store
                .remove_account(testkit::stores::OTHER, sql_backend::Messages::Keep)
                .await;
            add_accounts(&store).await;
            let mail = std::io::Cursor::new(vec![b'a'; LENGTH]);
            store.add_message(USER, mail).await.unwrap();

            let mut slow = Vec::new();
            for _ in 0..20 {
                let (mut mailbox, _) = listed(&store).await;
                let mut message = mailbox.message(Index(0)).await.unwrap();
                let first = message.chunk().await.unwrap().unwrap();
                slow.push((mailbox, message, first.len()));
            }
            for (_, message, length) in &mut slow {
                while let Some(chunk) = message.chunk().await.unwrap() {
                    *length += chunk.len();
                }
                assert_eq!(*length, LENGTH);
            }

            // given up at any point
            for times in 0..60 {
                let (mut mailbox, _) = listed(&store).await;
                let mut future = pin!(read(&mut mailbox, 0));
                for _ in 0..times {
                    let mut context = Context::from_waker(Waker::noop());
                    if future.as_mut().poll(&mut context).is_ready() {
                        break;
                    }
                    smol::future::yield_now().await;
                }
            }
            let (mut mailbox, _) = listed(&store).await;
            assert_eq!(read(&mut mailbox, 0).await.unwrap().len(), LENGTH);

            // an upload that waits has the only connection
            let (reader, writer) = std::io::pipe().unwrap();
            let feeding = thread::spawn(move || {
                use std::io::Write;
                let mut writer = writer;
                // more than is read ahead
                writer.write_all(&vec![b'b'; 2 << 20]).unwrap();
                thread::sleep(Duration::from_millis(1500));
            });
            let adding = store.add_message(USER, reader);
            let reading = async {
                smol::Timer::after(Duration::from_millis(500)).await;
                read(&mut mailbox, 0).await
            };
            let (added, refused) = smol::future::zip(adding, reading).await;
            let refused = refused.unwrap_err();
            assert!(
                matches!(&refused, StoreError::Temporary(text) if text.contains("max_connections")),
                "{refused:?}"
            );
            assert_eq!(added.unwrap().size, (2 << 20) + 2);
            feeding.join().unwrap();
            assert_eq!(read(&mut mailbox, 0).await.unwrap().len(), LENGTH);
            store.close().await;
        });
    });
}

#[test]
fn sqlite_connections() {
    let (_folder, url) = common::sqlite();
    connections(&url);
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_connections() {
    connections(&Server::start(Kind::MariaDb).url());
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_connections() {
    connections(&Server::start(Kind::Postgres).url());
}

/// Many sessions of one user and a delivery at the same time, with few connections: nothing is lost, nothing
/// comes back, no update fails.
fn sessions_at_once(url: &DatabaseUrl) {
    const EACH: usize = 12;
    const SESSIONS: usize = 6;
    Runtime::each(|runtime| {
        let store = runtime.run(async {
            let mut config = impatient(url);
            config.pool.acquire_timeout = Duration::from_secs(20);
            let store = SqlStore::connect(config).unwrap();
            store.migrate().await.unwrap();
            let _ = store
                .remove_account(USER, sql_backend::Messages::Delete)
                .await;
            let _ = store
                .remove_account(testkit::stores::OTHER, sql_backend::Messages::Keep)
                .await;
            add_accounts(&store).await;
            fill(&store, EACH * SESSIONS).await;
            store
        });
        thread::scope(|scope| {
            for session in 0..SESSIONS {
                let store = &store;
                scope.spawn(move || {
                    runtime.run(async {
                        let (mut mailbox, entries) = listed(store).await;
                        assert!(entries.len() >= EACH);
                        // neighbours mark some of the same messages
                        let first = (session * EACH).min(entries.len() - EACH);
                        for index in first..first + EACH {
                            match read(&mut mailbox, index as u32).await {
                                Ok(mail) => assert!(mail.ends_with(b"text\r\n")),
                                Err(error) => assert_eq!(error, StoreError::Missing),
                            }
                        }
                        let marked: Vec<Index> = (first..first + EACH)
                            .map(|index| Index(index as u32))
                            .collect();
                        mailbox.remove(&marked).await.unwrap();
                    });
                });
            }
            scope.spawn(|| runtime.run(fill(&store, 10)));
        });
        let left = runtime.run(count(&store));
        assert!((10..=10 + EACH * (SESSIONS - 1)).contains(&left), "{left}");
        runtime.run(store.close());
    });
}

#[test]
fn sqlite_sessions_at_once() {
    let (_folder, url) = common::sqlite();
    sessions_at_once(&url);
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_sessions_at_once() {
    sessions_at_once(&Server::start(Kind::MariaDb).url());
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_sessions_at_once() {
    sessions_at_once(&Server::start(Kind::Postgres).url());
}

/// Somebody else's transaction and ours wait for each other, and ours is taken back: it is tried again.
fn deadlocks_are_tried_again(kind: Kind) {
    use sqlx::Executor;
    let server = Server::start(kind);
    let runtime = Runtime::Smol;
    let store = runtime.run(own_store(&server.url()));
    let (mut mailbox, entries) = runtime.run(async {
        add_accounts(&store).await;
        fill(&store, 50).await;
        listed(&store).await
    });
    assert_eq!(entries.len(), 50);
    macro_rules! in_the_way {
        ($connection:expr) => {{
            let mut connection = $connection;
            let mut say = async |sql: &'static str| connection.execute(sql).await.map(drop);
            say("BEGIN").await.unwrap();
            // the one with less behind it has to give way
            say("UPDATE pop3_messages SET received = 1 WHERE id > 1")
                .await
                .unwrap();
            smol::Timer::after(Duration::from_millis(700)).await;
            say("UPDATE pop3_messages SET received = 1 WHERE id = 1")
                .await
                .unwrap();
            smol::Timer::after(Duration::from_millis(300)).await;
            say("COMMIT").await.unwrap();
        }};
    }
    runtime.run(async {
        let other = async {
            match kind {
                Kind::MariaDb => in_the_way!(server.mysql("test").await.unwrap()),
                Kind::Postgres => in_the_way!(server.postgres("test").await.unwrap()),
            }
        };
        let ours = async {
            smol::Timer::after(Duration::from_millis(300)).await;
            mailbox.remove(&[Index(0), Index(5)]).await
        };
        let ((), removed) = smol::future::zip(other, ours).await;
        removed.unwrap();
        assert_eq!(count(&store).await, 48);
    });
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_deadlocks_are_tried_again() {
    deadlocks_are_tried_again(Kind::MariaDb);
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_deadlocks_are_tried_again() {
    deadlocks_are_tried_again(Kind::Postgres);
}
