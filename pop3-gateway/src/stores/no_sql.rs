//! In the place of `sql` where its feature is left out.

use std::sync::Arc;

use local_accounts::FileAccounts;
use pop3_server::config::SqlStore;

use super::{Problem, Served};

pub(crate) fn backend(
    _: &SqlStore,
    _: Option<Arc<FileAccounts>>,
) -> Result<Box<dyn Fn() -> Served + Send + Sync>, Problem> {
    Err(missing())
}

pub(crate) fn verify(_: &SqlStore) -> Result<(), Problem> {
    Err(missing())
}

fn missing() -> Problem {
    "this pop3-gateway was built without databases; build it with --features sql".into()
}
