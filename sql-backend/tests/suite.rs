//! What every store must do, on every database, on both runtimes, in the tool's own tables and in those of
//! an administrator.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::server::{Kind, Server};
use common::{OwnTables, Runtime};
use sql_backend::DatabaseUrl;
use testkit::stores;

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
    own_tables(&Server::start(Kind::MariaDb).url());
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_own_tables() {
    own_tables(&Server::start(Kind::Postgres).url());
}
