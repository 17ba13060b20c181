//! What a session of a download works with: the order, the state file, the place of the mail, and the watcher.
//! It does nothing by itself.

use std::collections::BTreeSet;

use super::journal::Journal;
use super::order::{Order, Report, Watch};
use super::target::Target;

pub(super) struct Means<'a> {
    pub(super) order: &'a Order,
    pub(super) journal: &'a mut Journal,
    pub(super) target: &'a mut dyn Target,
    pub(super) report: &'a mut Report,
    pub(super) watch: &'a mut dyn Watch,
    /// Messages after which the server's answers made no sense: this run does not ask for them again.
    pub(super) doubtful: &'a mut BTreeSet<String>,
}
