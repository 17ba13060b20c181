use std::path::Path;

use super::super::file;
use super::*;

/// A later version, and one that does not come about.
const LATER: [Step; 4] = [
    STEPS[0],
    STEPS[1],
    STEPS[2],
    &["CREATE TABLE gateway_later (name TEXT NOT NULL)"],
];
const BROKEN: [Step; 5] = [
    LATER[0],
    LATER[1],
    LATER[2],
    LATER[3],
    &["CREATE TABLE gateway_half (name TEXT)", "CREATE NONSENSE"],
];

async fn pool(path: &Path, stamp: &Stamp) -> Result<Arc<Pool>, StateError> {
    let options = Options::file(path);
    if let Options::Sqlite(options) = &options {
        file::make_if_missing(options, stamp).await?;
    }
    let pool = Arc::new(Pool::new(options, "a test".into()));
    open(&pool, stamp).await.map(|_| pool)
}

async fn tables(pool: &Arc<Pool>) -> Result<Vec<String>, StateError> {
    let mut work = Work::look(pool).await?;
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND \
        name IN ('gateway_later', 'gateway_half')";
    work.rows(names, &[], |row| row.text()).await
}

fn stamp() -> Stamp {
    Stamp {
        id: "a state".into(),
        sealed: vec![1, 2, 3],
    }
}

#[test]
fn versions_go_forward_whole_or_not_at_all_and_never_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let stamp = stamp();
    smol::block_on(async {
        let first = pool(&path, &stamp).await.unwrap();
        migrate(&first, &STEPS).await.unwrap();
        migrate(&first, &BROKEN).await.unwrap_err();
        assert_eq!(tables(&first).await.unwrap(), [""; 0]);
        migrate(&first, &LATER).await.unwrap();
        migrate(&first, &LATER).await.unwrap();
        assert_eq!(tables(&first).await.unwrap(), ["gateway_later"]);
        // a program of before
        for refused in [
            migrate(&first, &STEPS).await.err(),
            pool(&path, &stamp).await.err(),
        ] {
            let refused = refused.unwrap();
            assert!(
                matches!(
                    refused,
                    StateError::Newer {
                        found: 4,
                        known: 3,
                        ..
                    }
                ),
                "{refused}"
            );
        }
        first.close().await;
    });
}

/// What a transaction that writes waits for before it is committed.
async fn setting(pool: &Arc<Pool>, question: &'static str) -> String {
    let mut work = Work::write(pool).await.unwrap();
    let answer = work.rows(question, &[], |row| row.text()).await;
    work.end().await.unwrap();
    answer.unwrap().remove(0)
}

#[test]
fn sqlite_waits_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let stamp = stamp();
    smol::block_on(async {
        let pool = pool(&path, &stamp).await.unwrap();
        assert_eq!(setting(&pool, "PRAGMA journal_mode").await, "wal");
        let level = "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous";
        assert_eq!(setting(&pool, level).await, "2");
        pool.close().await;
    });
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_waits_for_the_disk_whatever_the_server_is_set_to() {
    use testkit_databases::{Kind, Server};

    let server = Server::start(Kind::Postgres);
    let lax = "ALTER DATABASE test SET synchronous_commit TO off; \
        ALTER DATABASE test SET default_transaction_isolation TO serializable";
    server.sql("test", lax).unwrap();
    let url: crate::StateUrl = server.url().parse().unwrap();
    let crate::url::Place::Server { options, .. } = url.place() else {
        panic!("{url}");
    };
    smol::block_on(async {
        let pool = Arc::new(Pool::new(Options::server(options), url.to_string()));
        assert_eq!(setting(&pool, "SHOW synchronous_commit").await, "on");
        let isolation = setting(&pool, "SHOW transaction_isolation").await;
        assert_eq!(isolation, "read committed");
        pool.close().await;
    });
}
