//! In the place of `files` where its feature is left out.

use std::sync::Arc;

use crate::config::FileStore;
use pop3_proto::backend::store::Accounts;

use super::{Listed, Problem};

pub(crate) fn store(_: &FileStore, _: Arc<dyn Accounts>) -> Result<Listed, Problem> {
    Err(missing())
}

pub(crate) fn verify(_: &FileStore) -> Result<(), Problem> {
    Err(missing())
}

fn missing() -> Problem {
    "this pop3-gateway was built without stores of files; build it with --features maildir".into()
}
