//! The folder: SELECT, the scan, and the table that is made of it.
//!
//! At a reconnect there is no scan; then the folder has to be the one that it was.

use alloc::format;
use alloc::sync::Arc;
use core::mem;

use pop3_proto::backend::{Failure, Note};

use super::maildrop::Maildrop;
use super::opening::{Folder, Opening, Step};
use super::{Answer, ImapBackend};
use crate::capability::Capability;
use crate::command::Command;
use crate::error::{self, Denial};
use crate::grammar::{Code, Kind};
use crate::table::Scan;
use crate::wire::{Notice, Purpose};

impl ImapBackend {
    /// Sends what opens the folder, in one flight if possible.
    pub(super) fn open_folder(&mut self) {
        if self.prepare_folder() {
            self.select();
        } else {
            self.link.step(Step::Enable);
        }
    }

    /// Sends what opens the folder together with LOGIN, if the server takes that.
    pub(super) fn open_folder_ahead(&mut self) {
        let suits = |opening: &mut Opening| opening.suits_pipelining;
        if !self.link.opening().is_some_and(suits) || !self.prepare_folder() {
            return;
        }
        let mut folder = self.send_select(Folder::default());
        folder.in_doubt = !self.config.learned.keeps_pipelined();
        if let Some(login) = self.link.opening().and_then(Opening::login) {
            login.ahead = Some(folder);
        }
    }

    /// Sends what comes before SELECT. Returns whether SELECT can follow at once: how the name is written may
    /// depend on the answer.
    fn prepare_folder(&mut self) -> bool {
        if self.config.quirks.send_id || self.config.learned.wants_id() {
            self.say_id();
        }
        let enable = self.asked.utf8()
            && self.wire.can(Capability::Enable)
            && self.wire.can(Capability::Utf8Accept);
        if enable {
            self.put(Command::EnableUtf8, Purpose::Enable);
        }
        !enable || self.config.folder.is_ascii()
    }

    /// Tells the server who we are: once for each connection, if the server wants to know.
    fn say_id(&mut self) {
        let can = self.wire.can(Capability::Id);
        if let Some(opening) = self.link.opening()
            && can
            && !mem::replace(&mut opening.id_said, true)
        {
            let config = Arc::clone(&self.config);
            let name = &config.client_name;
            self.put(Command::Id { name }, Purpose::Id);
        }
    }

    /// What was sent right after LOGIN seems to be lost: sends it again.
    pub(super) fn say_again(&mut self) {
        let from = self.wire.next_tag();
        self.wire.hold_back_no_more(from);
        if let Some(opening) = self.link.opening() {
            opening.id_said = false;
            if let Some(folder) = opening.folder() {
                folder.again_from = Some(from);
            }
        }
        self.open_folder();
    }

    /// The folder was refused, perhaps because ID has to come first: sends ID, and then the rest again.
    /// Returns whether it did.
    pub(super) fn try_with_id(&mut self, notice: &Notice) -> bool {
        let from = self.wire.next_tag();
        let can = self.wire.can(Capability::Id) && error::may_want_id(notice);
        let Some(opening) = self.link.opening().filter(|opening| !opening.id_said) else {
            return false;
        };
        let Some(folder) = opening.folder().filter(|_| can) else {
            return false;
        };
        folder.again_from = Some(from);
        folder.in_doubt = false;
        self.say_id();
        self.select();
        true
    }

    /// The folder is open. If its commands were sent twice, it is now clear whether the first ones were lost, and only
    /// the second listing counts. On a connection that waited, only what comes from here on is about the folder.
    pub(super) fn selected(&mut self) {
        let flags = self.wire.watch.is_some();
        let Some(opening) = self.link.opening() else {
            return;
        };
        let (first, id_said, resumed) = (opening.first, opening.id_said, opening.resumed);
        let Some(folder) = opening.folder() else {
            return;
        };
        folder.selected = true;
        if folder.again_from.is_none() && !resumed {
            return;
        }
        // what came before was about the first ones, or about the folder as it was open before
        folder.scan = Scan::default();
        folder.scan.with_flags(flags);
        if first {
            let max = self.config.max_messages;
            folder.scan.expect(folder.exists.min(max));
        }
        let Some(from) = folder.again_from else {
            return;
        };
        let in_doubt = folder.in_doubt;
        let at = &self.config.endpoint;
        let place = format!("{} port {}", at.host, at.port);
        let learned = &self.config.learned;
        if self.wire.give_up(from) && in_doubt {
            learned.learn_loses_pipelined();
            self.notes.push(Note::information(format!(
                "{place} loses what follows LOGIN before its answer, perhaps in a proxy in between; from now on \
                 SELECT waits for the answer (as with pipeline_login = \"never\")"
            )));
        } else if !in_doubt && id_said && !learned.wants_id() {
            learned.learn_wants_id();
            self.notes.push(Note::information(format!(
                "{place} opens folders only after ID, which is said to it from now on (send_id = true says so \
                 from the start)"
            )));
        }
    }

    pub(super) fn select(&mut self) {
        let folder = self.link.opening().map(Opening::take_folder);
        let folder = self.send_select(folder.unwrap_or_default());
        self.link.step(Step::Folder(folder));
    }

    fn send_select(&mut self, mut opened: Folder) -> Folder {
        let hides = self.plan_of_deletion().hides;
        self.wire.watch = hides.map(|flag| flag.name().into());
        let flags = self.wire.watch.is_some();
        opened.scan.with_flags(flags);
        let folder = &self.wire.folder_name(&self.config.folder);
        let read_only = self.asked.read_only();
        self.put(Command::Select { folder, read_only }, Purpose::Select);
        if self.link.is_first() {
            self.ask_for_way();
            self.put(Command::Scan { to: None, flags }, Purpose::Scan);
        }
        opened
    }

    pub(super) fn scanned(&mut self, notice: &Notice) {
        let Some(folder) = self.link.opening().and_then(Opening::folder) else {
            return;
        };
        if let Code::MessageLimit(Some(lowest @ 2..)) = notice.code
            && folder.scan_to.is_none_or(|last| lowest <= last)
        {
            // the server listed the messages from this one up; the others are asked for again
            folder.scan_to = Some(lowest - 1);
            let flags = self.wire.watch.is_some();
            return self.put(
                Command::Scan {
                    to: Some(lowest - 1),
                    flags,
                },
                Purpose::Scan,
            );
        }
        let listed = folder.scan.settle();
        let short = (listed as u64) < u64::from(folder.exists);
        // in an empty folder `1:*` means nothing, and some servers refuse it
        if notice.kind != Kind::Ok && short {
            let failure = error::command("listing", notice);
            return self.deny(Denial::Failed(failure));
        }
        let lacking = short || folder.scan.lacks_something();
        if lacking && !mem::replace(&mut folder.scanned_again, true) {
            // messages may have gone meanwhile: after a NOOP the server reports that
            self.put(Command::Noop, Purpose::Keep);
            let flags = self.wire.watch.is_some();
            return self.put(Command::Scan { to: None, flags }, Purpose::Scan);
        }
        // a few that cannot be listed must not hide the others
        if short && listed == 0 {
            let detail = format!("upstream lists none of {} messages", folder.exists);
            return self.deny(Denial::Failed(Failure::temporary(detail)));
        }
        let Some(validity) = folder.validity else {
            let detail = "upstream gives no UIDVALIDITY, so messages could not be told apart";
            return self.deny(Denial::Failed(Failure::permanent(detail)));
        };
        let mut folder = mem::take(folder);
        folder.read_only |= self.asked.read_only();
        if folder.lasts == Some(false)
            && !folder.read_only
            && let Some(flag) = &self.wire.watch
        {
            let detail = format!(
                "delete: upstream keeps no flag {flag} in {}, and deleted messages would come back; another \
                 policy is needed",
                self.config.folder
            );
            return self.deny(Denial::Failed(Failure::permanent(detail)));
        }
        let scan = mem::take(&mut folder.scan);
        self.maildrop = Maildrop::new(scan, &folder, validity, self.clock.now);
        self.link.step(Step::Folder(folder));
        self.tell_way();
        self.ready();
    }

    pub(super) fn opened_again(&mut self) {
        let Some(folder) = self.link.opening().and_then(Opening::folder) else {
            return;
        };
        let validity = folder.validity;
        if validity == Some(self.maildrop.uid_validity) {
            self.maildrop.read_only |= folder.read_only;
            self.ready();
        } else {
            let failure = self.renumbered(validity);
            self.drop_link(failure);
        }
    }

    pub(super) fn ready(&mut self) {
        let opening = self.link.opening();
        if opening
            .as_ref()
            .is_some_and(|opening| opening.first && opening.resumed)
        {
            self.answers.push(Answer::Authenticated);
        }
        let folder = opening.and_then(Opening::folder);
        self.maildrop.exists = folder.map_or(0, |folder| folder.exists);
        self.link.ready();
        self.wire.watch = None;
        self.wire.mask.clear();
    }
}
