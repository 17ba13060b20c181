//! What every store must do, on every database, on both runtimes, in the tool's own tables and in those of
//! an administrator.
#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
mod common;

use common::admin::{Admin, AdminTables};
use common::{OwnTables, Runtime};
use sql_backend::{DatabaseUrl, Queries, SqlStore};
use testkit::{Content, stores};

fn own_tables(url: &DatabaseUrl) {
    Runtime::each(|runtime| {
        let store = runtime.run(common::own_store(url));
        stores::all(&|mails| OwnTables::fill(runtime, &store, mails));
        runtime.run(store.check()).unwrap();
        runtime.run(store.close());
    });
}

each_database!(
    urls,
    own_tables,
    sqlite_own_tables,
    mariadb_own_tables,
    postgres_own_tables
);

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

each_database!(
    tables,
    admin_tables,
    sqlite_admin_tables,
    mariadb_admin_tables,
    postgres_admin_tables
);
