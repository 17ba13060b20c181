//! Sessions beside each other: slow ones, many at once, and others in the way. What is shared is the pool of
//! connections and the tables.
#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
mod common;

use std::pin::pin;
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    Runtime, add_accounts, count, fill, listed, own_store, read, renew_accounts, two_at_a_time,
};
use pop3_proto::backend::Index;
use pop3_proto::backend::awaiting::{AsyncMailbox, AsyncMessage};
use pop3_proto::backend::store::StoreError;
use sql_backend::{DatabaseUrl, SqlStore};
use testkit::stores::USER;
use testkit_databases::{Kind, Server};

/// A slow client holds no connection, one that goes away leaks none, and with none left it is `[SYS/TEMP]`.
fn connections(url: &DatabaseUrl) {
    const LENGTH: usize = 300_000;
    Runtime::each(|runtime| {
        runtime.run(async {
            let mut config = two_at_a_time(url);
            config.pool.max_connections = 1;
            // what a connection may take to be made, and one that is not there to be missed
            config.pool.acquire_timeout = Duration::from_secs(8);
            let store = SqlStore::connect(config).unwrap();
            store.migrate().await.unwrap();
            renew_accounts(&store).await;
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
            let (has_begun, begun) = smol::channel::bounded::<()>(1);
            let (was_refused, end) = channel::<()>();
            let feeding = thread::spawn(move || {
                use std::io::Write;
                let mut writer = writer;
                // more than is read ahead
                writer.write_all(&vec![b'b'; 2 << 20]).unwrap();
                drop(has_begun);
                let _ = end.recv();
            });
            let adding = store.add_message(USER, reader);
            let reading = async {
                let _ = begun.recv().await;
                let outcome = read(&mut mailbox, 0).await;
                drop(was_refused);
                outcome
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

each_database!(
    urls,
    connections,
    sqlite_connections,
    mariadb_connections,
    postgres_connections
);

/// Many sessions of one user and a delivery at the same time, with few connections: nothing is lost, nothing
/// comes back, no update fails.
fn sessions_at_once(url: &DatabaseUrl) {
    const EACH: usize = 12;
    const SESSIONS: usize = 6;
    Runtime::each(|runtime| {
        let store = runtime.run(async {
            let store = SqlStore::connect(two_at_a_time(url)).unwrap();
            store.migrate().await.unwrap();
            renew_accounts(&store).await;
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

each_database!(
    urls,
    sessions_at_once,
    sqlite_sessions_at_once,
    mariadb_sessions_at_once,
    postgres_sessions_at_once
);

/// Somebody else's transaction and ours wait for each other, and ours is taken back: it is tried again.
fn deadlocks_are_tried_again(kind: Kind) {
    use sqlx::{Executor, Row};
    let server = Server::start(kind);
    if kind == Kind::Postgres {
        // who began to wait first looks first, and only once: not before the other waits too
        let slower = "ALTER DATABASE test SET deadlock_timeout = '5s'";
        server.sql("test", slower).unwrap();
    }
    let runtime = Runtime::Smol;
    let store = runtime.run(own_store(&DatabaseUrl::new(&server.url())));
    let (mut mailbox, entries) = runtime.run(async {
        add_accounts(&store).await;
        fill(&store, 50).await;
        listed(&store).await
    });
    assert_eq!(entries.len(), 50);
    macro_rules! in_the_way {
        ($connection:expr, $begin:expr, $waiting:expr, $held:expr) => {{
            let (mut connection, mut looking) = ($connection, $connection);
            let mut say = async |sql: &'static str| connection.execute(sql).await.map(drop);
            say($begin).await.unwrap();
            // the one with less behind it has to give way
            say("UPDATE pop3_messages SET received = 1 WHERE id > 1")
                .await
                .unwrap();
            $held.close();
            let begun = Instant::now();
            loop {
                let row = looking.fetch_one($waiting).await.unwrap();
                if row.get::<i64, _>(0) > 0 {
                    break;
                }
                assert!(begun.elapsed() < Duration::from_secs(60), "nobody waits");
                // MariaDB looks again only for who has not asked for a tenth of a second
                smol::Timer::after(Duration::from_millis(200)).await;
            }
            say("UPDATE pop3_messages SET received = 1 WHERE id = 1")
                .await
                .unwrap();
            smol::Timer::after(Duration::from_millis(300)).await;
            say("COMMIT").await.unwrap();
        }};
    }
    runtime.run(async {
        let (held, is_held) = smol::channel::bounded::<()>(1);
        let other = async {
            match kind {
                Kind::MariaDb => in_the_way!(
                    server.mysql("test").await.unwrap(),
                    "BEGIN",
                    "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
                    held
                ),
                Kind::Postgres => in_the_way!(
                    server.postgres("test").await.unwrap(),
                    "SET deadlock_timeout = '60s'; BEGIN",
                    "SELECT COUNT(*) FROM pg_locks WHERE NOT granted",
                    held
                ),
            }
        };
        let ours = async {
            let _ = is_held.recv().await;
            mailbox.remove(&[Index(0), Index(5)]).await
        };
        let ((), removed) = smol::future::zip(other, ours).await;
        removed.unwrap();
        assert_eq!(count(&store).await, 48);
    });
}

each_database!(
    servers,
    deadlocks_are_tried_again,
    mariadb_deadlocks_are_tried_again,
    postgres_deadlocks_are_tried_again
);
