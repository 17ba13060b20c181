//! The folder: SELECT, the scan, and the table that is made of it.
//!
//! At a reconnect there is no scan; then the folder has to be the one that it was.

use alloc::format;
use core::mem;

use pop3_proto::backend::{Access, Failure, Note};

use super::ImapBackend;
use super::link::Link;
use super::maildrop::Maildrop;
use super::opening::Step;
use crate::capability::Capability;
use crate::client::{Notice, Purpose};
use crate::command::Command;
use crate::error::{self, Denial};
use crate::grammar::{Code, Kind};
use crate::table::Scan;

impl ImapBackend {
    /// Sends what opens the folder, in one flight if possible.
    pub(super) fn open_folder(&mut self) {
        if self.config.quirks.send_id || self.config.learned.wants_id() {
            self.say_id();
        }
        let enable = self.wants_utf8()
            && self.client.can(Capability::Enable)
            && self.client.can(Capability::Utf8Accept);
        if enable {
            self.put(Command::EnableUtf8, Purpose::Enable);
        }
        if enable && !self.config.folder.is_ascii() {
            // how the name is written depends on the answer
            if let Some(opening) = &mut self.opening {
                opening.step = Step::Enable;
            }
        } else {
            self.select();
        }
    }

    /// Who the gateway is, once for each connection and where the server wants to know.
    fn say_id(&mut self) {
        let can = self.client.can(Capability::Id);
        if let Some(opening) = &mut self.opening
            && can
            && !mem::replace(&mut opening.id_said, true)
        {
            self.put(Command::Id, Purpose::Id);
        }
    }

    /// What was said behind LOGIN seems not to have arrived: the same once more.
    pub(super) fn say_again(&mut self) {
        let from = self.client.next_tag();
        self.client.hold_back_no_more(from);
        if let Some(opening) = &mut self.opening {
            opening.again_from = Some(from);
            opening.id_said = false;
        }
        self.open_folder();
    }

    /// The folder was refused, perhaps because ID has to come first: then it is said, and the rest once
    /// more. Returns whether that is under way.
    pub(super) fn try_with_id(&mut self, notice: &Notice) -> bool {
        let Some(opening) = &self.opening else {
            return false;
        };
        if opening.id_said || !self.client.can(Capability::Id) || !error::may_want_id(notice) {
            return false;
        }
        let from = self.client.next_tag();
        if let Some(opening) = &mut self.opening {
            opening.again_from = Some(from);
            opening.in_doubt = false;
        }
        self.say_id();
        self.select();
        true
    }

    /// The folder is open: what was said twice was lost or not, and only the second listing counts.
    pub(super) fn selected(&mut self) {
        let flags = self.client.watch.is_some();
        let Some(opening) = &mut self.opening else {
            return;
        };
        opening.selected = true;
        let Some(from) = opening.again_from else {
            return;
        };
        opening.scan = Scan::default();
        opening.scan.with_flags(flags);
        opening
            .scan
            .expect(opening.exists.min(self.config.max_messages));
        let (in_doubt, id_said) = (opening.in_doubt, opening.id_said);
        let at = &self.config.endpoint;
        let place = format!("{} port {}", at.host, at.port);
        let learned = &self.config.learned;
        if self.client.give_up(from) && in_doubt {
            learned.learn_loses_pipelined();
            self.note(Note::information(format!(
                "{place} loses what follows LOGIN before its answer, perhaps in a proxy in between; it is not \
                 said so any more (pipeline_login = \"never\" says so from the start)"
            )));
        } else if !in_doubt && id_said && !learned.wants_id() {
            learned.learn_wants_id();
            self.note(Note::information(format!(
                "{place} opens folders only after ID, which is said to it from now on (send_id = true says so \
                 from the start)"
            )));
        }
    }

    pub(super) fn select(&mut self) {
        let hides = self.plan_of_deletion().hides;
        let hides = hides.map(|flag| flag.name().into());
        let read_only = self.asked_read_only();
        let Some(opening) = &mut self.opening else {
            return;
        };
        opening.step = Step::Folder;
        let first = opening.first;
        self.client.watch = hides;
        let flags = self.client.watch.is_some();
        opening.scan.with_flags(flags);
        let folder = self.client.folder_name(&self.config.folder);
        self.put(
            Command::Select {
                folder: &folder,
                read_only,
            },
            Purpose::Select,
        );
        if first {
            self.ask_for_way();
            self.put(Command::Scan { to: None, flags }, Purpose::Scan);
        }
    }

    pub(super) fn scanned(&mut self, notice: &Notice) {
        let Some(opening) = &mut self.opening else {
            return;
        };
        if let Code::MessageLimit(Some(lowest @ 2..)) = notice.code
            && opening.scan_to.is_none_or(|last| lowest <= last)
        {
            // the server did the messages from this one up; the others are asked for again
            opening.scan_to = Some(lowest - 1);
            let flags = self.client.watch.is_some();
            return self.put(
                Command::Scan {
                    to: Some(lowest - 1),
                    flags,
                },
                Purpose::Scan,
            );
        }
        let listed = opening.scan.settle();
        let short = (listed as u64) < u64::from(opening.exists);
        // an empty folder has nothing that `1:*` could mean, and some servers say so
        if notice.kind != Kind::Ok && short {
            let failure = error::command("listing", notice);
            return self.deny(Denial::Failed(failure));
        }
        let lacking = short || opening.scan.lacks_something();
        if lacking && !mem::replace(&mut opening.scanned_again, true) {
            // messages may have gone meanwhile: a NOOP makes the server say so
            self.put(Command::Noop, Purpose::Keep);
            let flags = self.client.watch.is_some();
            return self.put(Command::Scan { to: None, flags }, Purpose::Scan);
        }
        // a few that cannot be listed must not hide the others
        if short && listed == 0 {
            let detail = format!("upstream lists none of {} messages", opening.exists);
            return self.deny(Denial::Failed(Failure::temporary(detail)));
        }
        let Some(validity) = opening.validity else {
            let detail = "upstream gives no UIDVALIDITY: messages could not be told apart";
            return self.deny(Denial::Failed(Failure::permanent(detail)));
        };
        let scan = mem::take(&mut opening.scan);
        let (read_only, lasts) = (opening.read_only, opening.lasts);
        let read_only = read_only || self.asked_read_only();
        if lasts == Some(false)
            && !read_only
            && let Some(flag) = &self.client.watch
        {
            let detail = format!(
                "delete: upstream keeps no flag {flag} in {}, and deleted messages would come back; another \
                 policy is needed",
                self.config.folder
            );
            return self.deny(Denial::Failed(Failure::permanent(detail)));
        }
        self.maildrop = Maildrop::new(scan, validity, read_only);
        self.tell_way();
        self.ready();
    }

    pub(super) fn opened_again(&mut self) {
        let Some(opening) = &self.opening else { return };
        let validity = opening.validity;
        if validity == Some(self.maildrop.uid_validity) {
            self.maildrop.read_only |= opening.read_only;
            self.ready();
        } else {
            let failure = self.renumbered(validity);
            self.deny(Denial::Failed(failure));
        }
    }

    pub(super) fn ready(&mut self) {
        self.maildrop.exists = self.opening.take().map_or(0, |opening| opening.exists);
        self.link = Link::Ready;
        self.client.watch = None;
        self.client.mask.clear();
    }

    pub(super) fn asked_read_only(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.access == Access::ReadOnly)
    }
}
