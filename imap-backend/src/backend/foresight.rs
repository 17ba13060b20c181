//! Whether the server has what deleting takes: found out when the folder is opened, not at QUIT.
//!
//! Owns the word to the operator, once for each upstream and process. A login is never refused for it: the
//! way without UIDPLUS works as long as no other program flags mail, and QUIT says if it did not. Folders
//! that mail is moved to are made at QUIT where they are missing.

use alloc::format;

use pop3_proto::backend::Note;

use super::ImapBackend;
use crate::command::Command;
use crate::wire::Purpose;

impl ImapBackend {
    /// Asks for the capabilities in the flight that opens the folder, if something hangs on what they are
    /// after the login.
    pub(super) fn ask_for_way(&mut self) {
        let known = self.wire.settled || self.config.learned.knows_way();
        if !known && self.plan_of_deletion().lacks().is_some() {
            self.put(Command::Capability, Purpose::Capability);
        }
    }

    /// Tells what is missing, once it is certain. A session that asked to read alone may be an operator's who
    /// wants to know; where the server allows no deletion there is nothing to say.
    pub(super) fn tell_way(&mut self) {
        let closed = self.maildrop.read_only && !self.asked_read_only();
        if !self.wire.settled || closed || self.config.learned.knows_way() {
            return;
        }
        self.config.learned.learn_way();
        let Some(lacking) = self.plan_of_deletion().lacks() else {
            return;
        };
        let (at, folder) = (&self.config.endpoint, &self.config.folder);
        let text = format!(
            "delete: {} port {} offers {lacking}, so deleted mail leaves {folder} only while no other program has \
             flagged mail there as \\Deleted, and stays otherwise; delete = \"seen\" or \"keyword:WORD\" does \
             without",
            at.host, at.port
        );
        self.note(Note::warning(text));
    }
}
