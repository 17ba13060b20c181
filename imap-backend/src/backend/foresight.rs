//! Whether the server has what deleting takes: found out when the folder is opened, not at QUIT.
//!
//! Owns the word to the operator, once for each upstream and process. A login is never refused for it: the
//! way without UIDPLUS works as long as no other program flags mail, and QUIT says if it did not. Folders
//! that mail is moved to are made at QUIT where they are missing.

use alloc::format;

use pop3_proto::backend::Note;

use super::ImapBackend;
use crate::capability::Capability;
use crate::client::Purpose;
use crate::command::Command;
use crate::config::DeletePolicy;

impl ImapBackend {
    /// Asks for the capabilities in the flight that opens the folder, if something hangs on what they are
    /// after the login.
    pub(super) fn ask_for_way(&mut self) {
        let known = self.capabilities_settled || self.config.learned.knows_way();
        if !known && self.lacking().is_some() {
            self.put(Command::Capability, Purpose::Capability);
        }
    }

    /// Tells what is missing, once it is certain. A session that asked to read alone may be an operator's who
    /// wants to know; where the server lets nobody delete there is nothing to tell.
    pub(super) fn tell_way(&mut self) {
        let closed = self.read_only && !self.asked_read_only();
        if !self.capabilities_settled || closed || self.config.learned.knows_way() {
            return;
        }
        self.config.learned.learn_way();
        let Some(lacking) = self.lacking() else {
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

    /// What a server would need so that nothing but the marked messages can go.
    fn lacking(&self) -> Option<&'static str> {
        let by_uid = self.client.can(Capability::UidPlus);
        match self.config.delete {
            DeletePolicy::Expunge => (!by_uid).then_some("no UIDPLUS"),
            DeletePolicy::Trash { .. } | DeletePolicy::Move(_) => {
                let lacks = !by_uid && !self.client.can(Capability::Move);
                lacks.then_some("neither MOVE nor UIDPLUS")
            }
            DeletePolicy::Seen | DeletePolicy::Keyword(_) | DeletePolicy::Keep => None,
        }
    }
}
