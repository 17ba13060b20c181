//! What all sessions of a store have in common: its settings, and what it learnt of the files.

use std::sync::Arc;

use crate::config::Config;
use crate::sizes::Memory;
use crate::suspects::Suspects;

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) memory: Memory,
    pub(crate) suspects: Arc<Suspects>,
}
