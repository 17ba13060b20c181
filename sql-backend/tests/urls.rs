//! What a database's URL says: its secrets are not shown, and TLS is as it is asked for.
#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
mod common;

use common::Runtime;
use pop3_proto::backend::awaiting::AsyncStore;
use sql_backend::{DatabaseUrl, SqlStore};
use testkit::stores::{PASSWORD, USER};
use testkit_databases::{Kind, Server};

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

each_database!(servers, over_tls, mariadb_over_tls, postgres_over_tls);
