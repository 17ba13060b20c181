//! PgBouncer in between, which gives each transaction to another connection to the server: nothing that one
//! session prepares or sets is another's, and nothing is lost on its way.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::thread;

use common::admin::Admin;
use common::{OwnTables, Runtime, listed, read};
use pop3_proto::backend::Index;
use pop3_proto::backend::awaiting::AsyncMailbox;
use sql_backend::{Config, DatabaseUrl, SqlStore};
use testkit::stores;
use testkit_databases::{Kind, Pooler};

const MODES: [&str; 4] = [
    // refuses what it does not know when a connection begins
    "default_pool_size = 2\npool_mode = transaction",
    // keeps it to itself
    "default_pool_size = 2\npool_mode = transaction\nignore_startup_parameters = extra_float_digits",
    // as it is run where programs expect it
    "default_pool_size = 2\npool_mode = transaction\nserver_reset_query_always = 1",
    "pool_mode = session\nignore_startup_parameters = extra_float_digits",
];

/// Many sessions at once, with statements of their own, over two connections.
fn crowd(url: &DatabaseUrl, admin: &Admin) {
    Runtime::each(|runtime| {
        let own = runtime.run(async {
            let store = SqlStore::connect(Config::new(url.clone())).unwrap();
            store.migrate().await.unwrap();
            store.check().await.unwrap();
            store
        });
        stores::deletes(&|mails| OwnTables::fill(runtime, &own, mails));
        let mails: Vec<testkit::Content> = (0..40)
            .map(|number| {
                format!("Subject: {number}\r\n\r\ntext\r\n")
                    .into_bytes()
                    .into()
            })
            .collect();
        admin.fill(&mails);
        let stores = [admin.plain_queries(), admin.piece_queries()].map(|queries| {
            let mut config = admin.config(queries);
            config.database = url.clone();
            SqlStore::connect(config).unwrap()
        });
        let session = |number: usize| {
            let store = &stores[number % 2];
            runtime.run(async {
                let (mut mailbox, entries) = listed(store).await;
                assert_eq!(entries.len(), mails.len());
                for (place, mail) in (0..).zip(&mails) {
                    let read = read(&mut mailbox, place).await.unwrap();
                    assert!(read == mail.to_vec(), "{number}: {place}");
                }
                mailbox
            })
        };
        let mut open: Vec<_> = thread::scope(|scope| {
            let sessions: Vec<_> = (0..6)
                .map(|number| scope.spawn(move || session(number)))
                .collect();
            sessions.into_iter().map(|s| s.join().unwrap()).collect()
        });
        runtime.run(async {
            open[0].remove(&[Index(0), Index(3)]).await.unwrap();
            open[1].remove(&[Index(1)]).await.unwrap();
            assert_eq!(listed(&stores[0]).await.1.len(), mails.len() - 3);
            for store in &stores {
                store.check().await.unwrap();
                store.close().await;
            }
            own.close().await;
        });
    });
}

#[test]
#[ignore = "needs postgresql and pgbouncer: run .ci/run sql"]
fn postgres_w064_behind_pgbouncer() {
    let admin = Admin::server(Kind::Postgres);
    admin.create();
    let Admin::Server(server) = &admin else {
        unreachable!("it was just made");
    };
    for mode in MODES {
        let pooler = server.pooled(mode);
        crowd(&DatabaseUrl::new(&pooler.url()), &admin);
        no_trace(&pooler);
    }
}

/// One statement at a time is too little: a removal takes several. The message names the way out.
#[test]
#[ignore = "needs postgresql and pgbouncer: run .ci/run sql"]
fn postgres_w064_behind_pgbouncer_by_statement_is_refused() {
    let admin = Admin::server(Kind::Postgres);
    admin.create();
    let Admin::Server(server) = &admin else {
        unreachable!("it was just made");
    };
    let pooler = server.pooled("pool_mode = statement");
    let mut config = admin.config(admin.plain_queries());
    config.database = DatabaseUrl::new(&pooler.url());
    let store = SqlStore::connect(config).unwrap();
    let error = Runtime::Smol.run(store.check()).unwrap_err().to_string();
    assert!(error.contains("pool_mode = transaction"), "{error}");
}

/// What another program finds on the shared connections: as the server made them.
fn no_trace(pooler: &Pooler) {
    for _ in 0..4 {
        assert_eq!(pooler.told("SHOW statement_timeout"), "0");
        assert_eq!(
            pooler.told("SELECT count(*)::text FROM pg_prepared_statements"),
            "0"
        );
    }
}
