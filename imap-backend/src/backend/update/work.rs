//! What an update sends, and what follows when a stage is answered.

use core::mem;

use pop3_proto::backend::Failure;

use super::plan::{Plan, Stage, Way};
use super::stage::{Look, Update};
use crate::backend::maildrop::Maildrop;
use crate::backend::reply::Answer;
use crate::capability::Capability;
use crate::command::{Command, Flag};
use crate::config::Config;
use crate::uid_set;
use crate::wire::{Errand, Purpose, Wire};

/// How many commands may await their answer.
const WINDOW: u32 = 16;

impl Update {
    /// Sends what can be sent, and goes on when a stage is answered. Returns how the update ended.
    pub(super) fn work(
        &mut self,
        wire: &mut Wire,
        config: &Config,
        maildrop: &Maildrop,
        may_speak: bool,
    ) -> Option<Answer> {
        loop {
            if may_speak && (self.failure.is_none() || self.stage() == Stage::Undo) {
                self.send_seen(wire);
                while self.pending < WINDOW && !self.is_sent() && self.send_piece(wire).is_some() {}
            }
            if self.pending > 0 || !self.is_sent() {
                return None;
            }
            match self.failure.take() {
                None if self.stage() == Stage::End => return Some(self.done()),
                None => self.go_on(wire, config, maildrop),
                Some(failure) if self.leaves_flags() => {
                    self.failure = Some(failure);
                    self.take(Way::only(Stage::Undo));
                }
                Some(failure) => return Some(Answer::failed(failure)),
            }
        }
    }

    fn send_seen(&mut self, wire: &mut Wire) {
        while self.seen_pending < WINDOW && self.seen_sent < self.seen.len() {
            let (set, count) = uid_set::piece(self.seen[self.seen_sent..].iter().copied());
            self.seen_sent += count;
            self.seen_pending += 1;
            let store = Command::Store {
                set: &set,
                add: true,
                flag: Flag::Seen,
                silent: true,
            };
            // numbers and a fixed name cannot be unsendable
            let _ = wire.send(store, Purpose::Update(Errand::Seen));
        }
    }

    /// Sends the next command or pair of commands of the stage.
    fn send_piece(&mut self, wire: &mut Wire) -> Option<()> {
        let stage = self.stage();
        let (set, count) = uid_set::piece(self.list()[self.sent..].iter().copied());
        let set = set.as_str();
        let folder = self.folder();
        let store = |add, flag| Command::Store {
            set,
            add,
            flag,
            silent: true,
        };
        let special_use = wire.can(Capability::SpecialUse) && wire.can(Capability::ListExtended);
        let (command, errand) = match stage {
            Stage::Capability => (Command::Capability, Errand::Capability),
            Stage::List => (Command::List { special_use }, Errand::List),
            Stage::Create => (Command::Create { folder }, Errand::Create),
            Stage::Move => (Command::Move { set, folder }, Errand::Move),
            Stage::Copy => (Command::Copy { set, folder }, Errand::Copy),
            Stage::Remove | Stage::Mark => (store(true, Flag::Deleted), Errand::Flag),
            Stage::Flag => {
                let flag = Flag::named(self.hides.as_deref()?);
                wire.watch = Some(flag.name().into());
                let store = Command::Store {
                    set,
                    add: true,
                    flag,
                    silent: false,
                };
                (store, Errand::Flag)
            }
            Stage::LookForFlag => (Command::FetchFlags { set }, Errand::Look),
            Stage::Undo => (store(false, Flag::Deleted), Errand::Undo),
            Stage::LookBefore | Stage::LookAfter => {
                self.look = Look::default();
                wire.watch = Some(Flag::Deleted.name().into());
                (Command::FetchFlags { set: "1:*" }, Errand::Look)
            }
            Stage::Expunge => (Command::Expunge, Errand::Expunge),
            Stage::Verify => (Command::FetchUids { set }, Errand::Look),
            Stage::Start | Stage::End => return None,
        };
        let mut sent = wire.send(command, Purpose::Update(errand));
        self.sent += count.max(1);
        self.pending += u32::from(sent.is_ok());
        if stage == Stage::Remove && sent.is_ok() {
            let expunge = Command::UidExpunge { set };
            sent = wire.send(expunge, Purpose::Update(Errand::Expunge));
            self.pending += u32::from(sent.is_ok());
        }
        if sent.is_err() {
            self.fail(Failure::permanent("the folder's name cannot be sent"));
            return None;
        }
        Some(())
    }

    /// Goes on after a stage that was confirmed.
    fn go_on(&mut self, wire: &mut Wire, config: &Config, maildrop: &Maildrop) {
        match self.stage() {
            Stage::Start if maildrop.read_only && !self.deleted.is_empty() => {
                return self.fail(Failure::permanent("the folder is open read-only"));
            }
            Stage::Start => return self.plan(wire, config),
            Stage::Capability => {
                wire.settled = true;
                return self.plan(wire, config);
            }
            Stage::Move | Stage::Copy if mem::take(&mut self.create) => {
                self.way.first(Stage::Create);
                return self.arrive(wire, config);
            }
            Stage::Create => self.created = true,
            Stage::Copy => self.copied = true,
            Stage::Remove if self.by_uid_refused => {
                self.way.without_uidplus();
                return self.arrive(wire, config);
            }
            Stage::LookBefore => {
                self.judge_look(maildrop.exists);
                if self.failure.is_none() {
                    self.claim_flags();
                }
            }
            Stage::LookAfter => self.judge_look(maildrop.exists),
            Stage::Move | Stage::Remove | Stage::Expunge => {
                self.unconfirmed = self.marked_but(|uid| maildrop.is_gone(uid));
            }
            Stage::Flag => {
                self.hidden.sort_unstable();
                self.unconfirmed = self.marked_but(|uid| self.hidden.binary_search(&uid).is_ok());
            }
            Stage::List
            | Stage::Mark
            | Stage::LookForFlag
            | Stage::Verify
            | Stage::Undo
            | Stage::End => {}
        }
        if self.failure.is_none() {
            self.way.go_on();
            self.arrive(wire, config);
        }
    }

    /// What a stage needs before anything of it is sent.
    fn arrive(&mut self, wire: &Wire, config: &Config) {
        self.sent = 0;
        match self.stage() {
            Stage::Move | Stage::Copy => {
                let own = wire.folder_name(&config.folder);
                if self.folder().eq_ignore_ascii_case(&own) {
                    let detail = "messages cannot be moved to the folder that they are in";
                    self.fail(Failure::permanent(detail));
                }
            }
            // it is not known which of them had the flag before: it is removed with ours, and the message stays
            Stage::Remove => self.ours = self.deleted.clone(),
            Stage::Start
            | Stage::Capability
            | Stage::List
            | Stage::Create
            | Stage::Flag
            | Stage::LookForFlag
            | Stage::LookBefore
            | Stage::Mark
            | Stage::LookAfter
            | Stage::Expunge
            | Stage::Verify
            | Stage::Undo
            | Stage::End => {}
        }
    }

    /// Makes the plan, once it is known what the server can do.
    fn plan(&mut self, wire: &Wire, config: &Config) {
        let plan = Plan::new(&config.delete, |what| wire.can(what));
        if !wire.settled && !plan.settled {
            return self.take(Way::only(Stage::Capability));
        }
        if self.deleted.is_empty() {
            return self.take(Way::only(Stage::End));
        }
        self.hides = plan.hides.map(|flag| flag.name().into());
        let folder = plan.folder.map(|folder| wire.folder_name(folder));
        self.named = folder.unwrap_or_default();
        let mut way = plan.way();
        if self.copied {
            way.without_copy();
        }
        if self.by_uid_refused {
            way.without_uidplus();
        }
        self.take(way);
        self.arrive(wire, config);
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::sync::Arc;
    use alloc::vec::Vec;

    use super::*;
    use crate::config::{DeletePolicy, Security};
    use crate::grammar::{Code, Kind};
    use crate::wire::Notice;

    /// An update on a connection to a server with these capabilities, and no backend around it.
    struct Scene {
        update: Update,
        wire: Wire,
        config: Config,
        maildrop: Maildrop,
    }

    impl Scene {
        fn new(delete: DeletePolicy, capabilities: &str) -> Self {
            let mut config = Config::new("imap.example.org", 143, Security::Clear);
            config.delete = delete;
            let mut wire = Wire::new(Arc::new(config.clone()));
            let greeting = ["* OK [CAPABILITY ", capabilities, "] ready\r\n"].concat();
            wire.room(crate::framer::Expected::Line)[..greeting.len()]
                .copy_from_slice(greeting.as_bytes());
            wire.filled(greeting.len());
            assert!(wire.next().is_ok());
            wire.settled = true;
            Self {
                update: Update::new([4, 6].into(), Vec::new(), false),
                wire,
                config,
                maildrop: Maildrop::default(),
            }
        }

        /// What is sent next, without tags, and how the update ends if it does.
        fn work(&mut self) -> (String, Option<Answer>) {
            let (wire, maildrop) = (&mut self.wire, &self.maildrop);
            let end = self.update.work(wire, &self.config, maildrop, true);
            let sent = String::from_utf8_lossy(wire.transmit()).into_owned();
            wire.transmitted(sent.len());
            let commands = sent.lines().filter_map(|line| line.split_once(' '));
            let commands: Vec<&str> = commands.map(|(_, command)| command).collect();
            (commands.join("; "), end)
        }

        fn answer(&mut self, errand: Errand, kind: Kind, code: Code) {
            let text = "x".to_string();
            let lasts = None;
            self.update.answered(
                errand,
                &Notice {
                    kind,
                    code,
                    lasts,
                    text,
                },
            );
        }
    }

    #[test]
    fn a_refused_uid_expunge_leads_to_the_way_with_a_look() {
        let mut scene = Scene::new(DeletePolicy::Expunge, "IMAP4rev1 UIDPLUS");
        let (sent, end) = scene.work();
        assert_eq!(
            (&*sent, end.is_none()),
            (
                "UID STORE 4,6 +FLAGS.SILENT (\\Deleted); UID EXPUNGE 4,6",
                true
            )
        );
        scene.answer(Errand::Flag, Kind::Ok, Code::Other);
        scene.answer(Errand::Expunge, Kind::Bad, Code::Other);
        assert_eq!(scene.work().0, "UID FETCH 1:* (UID FLAGS)");
    }

    #[test]
    fn a_missing_folder_is_made_and_the_rest_goes_on_as_planned() {
        let mut scene = Scene::new(DeletePolicy::Move("Old".into()), "IMAP4rev1 MOVE");
        assert_eq!(scene.work().0, "UID MOVE 4,6 \"Old\"");
        scene.answer(Errand::Move, Kind::No, Code::TryCreate);
        assert_eq!(scene.work().0, "CREATE \"Old\"");
        scene.answer(Errand::Create, Kind::Ok, Code::Other);
        assert_eq!(scene.work().0, "UID MOVE 4,6 \"Old\"");
        scene.answer(Errand::Move, Kind::Ok, Code::Other);
        // none was reported as gone
        assert_eq!(scene.work().0, "UID FETCH 4,6 (UID)");
        scene.answer(Errand::Look, Kind::Ok, Code::Other);
        assert!(matches!(scene.work().1, Some(Answer::Updated)));
    }
}
