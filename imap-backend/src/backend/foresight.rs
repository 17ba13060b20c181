//! Whether the server has what deletion needs: found out when the folder is opened, not at QUIT.
//!
//! Owns the note to the operator, once for each upstream and process. No login is refused because of it:
//! the way without UIDPLUS works as long as no other program flags mail, and QUIT reports it if that
//! fails. Folders that mail is moved to are made at QUIT where they are missing.

use alloc::format;

use pop3_proto::backend::Note;

use super::ImapBackend;
use crate::command::Command;
use crate::wire::Purpose;

impl ImapBackend {
    /// Asks for the capabilities together with what opens the folder, if it matters what they are after
    /// the login.
    pub(super) fn ask_for_way(&mut self) {
        let known = self.wire.settled || self.config.learned.knows_way();
        if !known && self.plan_of_deletion().lacks().is_some() {
            self.put(Command::Capability, Purpose::Capability);
        }
    }

    /// Reports what is missing, once it is certain. A session that asked for read-only access may be that of
    /// an operator who wants to know. A folder in which the server allows no deletion needs no report.
    pub(super) fn tell_way(&mut self) {
        let closed = self.maildrop.read_only && !self.asked.read_only();
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
        self.notes.push(Note::warning(text));
    }
}
