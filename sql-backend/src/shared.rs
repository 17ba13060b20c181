//! What all sessions of a store use: the database, and what is read from it.

use std::sync::Mutex;

use crate::config::DatabaseUrl;
use crate::database::Database;
use crate::own::Own;
use crate::queries::Custom;
use crate::sizes::Sizes;

pub(crate) struct Shared {
    pub(crate) database: Database,
    pub(crate) own: Own,
    /// `None`: the tool's own tables.
    pub(crate) custom: Option<Custom>,
    pub(crate) sizes: Mutex<Sizes>,
    pub(crate) max_message: u64,
    /// Its name in messages: without user and password.
    pub(crate) url: DatabaseUrl,
}
