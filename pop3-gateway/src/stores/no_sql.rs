//! In the place of `sql` where its feature is left out.

use std::sync::Arc;

use crate::config::{SqlStore, Store};
use pop3_proto::backend::store::Accounts;

use super::{MakeBackend, Problem, Secrets};

pub(crate) fn backend(
    _: &Store,
    _: &SqlStore,
    _: Option<Arc<dyn Accounts>>,
    _: bool,
) -> Result<(MakeBackend, Secrets), Problem> {
    Err(missing())
}

pub(crate) fn verify(_: &Store, _: &SqlStore) -> Result<Vec<String>, Problem> {
    Err(missing())
}

fn missing() -> Problem {
    "this pop3-gateway was built without databases; build it with --features sql".into()
}
