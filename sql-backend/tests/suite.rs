//! What every store must do, on every database, on both runtimes, in the tool's own tables and in those of
//! an administrator.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::admin::{Admin, AdminTables};
use common::{OwnTables, Runtime};
use sql_backend::{DatabaseUrl, Queries, SqlStore};
use testkit::{Content, stores};
use testkit_databases::{Kind, Server};

fn own_tables(url: &DatabaseUrl) {
    Runtime::each(|runtime| {
        let store = runtime.run(common::own_store(url));
        stores::all(&|mails| OwnTables::fill(runtime, &store, mails));
        runtime.run(store.check()).unwrap();
        runtime.run(store.close());
    });
}

#[test]
fn sqlite_own_tables() {
    let (_folder, url) = common::sqlite();
    own_tables(&url);
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_own_tables() {
    own_tables(&DatabaseUrl::new(&Server::start(Kind::MariaDb).url()));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_own_tables() {
    own_tables(&DatabaseUrl::new(&Server::start(Kind::Postgres).url()));
}

/// Each runtime sees each way of asking, one of them at length.
fn admin_tables(admin: &Admin) {
    admin.create();
    let mut at_length = vec![admin.piece_queries(), admin.plain_queries()];
    Runtime::each(|runtime| {
        let make = |queries: &Queries, mails: &[Content]| {
            admin.fill(mails);
            // sizes are remembered, and here ids come again: each time another store
            let store = SqlStore::connect(admin.config(queries.clone())).unwrap();
            runtime.run(store.check()).unwrap();
            AdminTables {
                runtime,
                admin,
                store,
            }
        };
        for queries in [admin.plain_queries(), admin.piece_queries()] {
            stores::deletes(&|mails| make(&queries, mails));
            stores::misses_what_vanished(&|mails| make(&queries, mails));
        }
        let queries = at_length.pop().unwrap();
        stores::all(&|mails| make(&queries, mails));
    });
}

#[test]
fn sqlite_admin_tables() {
    admin_tables(&Admin::sqlite());
}

#[test]
#[ignore = "needs mariadb-server: run .ci/run sql"]
fn mariadb_admin_tables() {
    admin_tables(&Admin::server(Kind::MariaDb));
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_admin_tables() {
    admin_tables(&Admin::server(Kind::Postgres));
}
