//! From the greeting to the open folder: which answer leads to which step.
//!
//! Owns the order of STARTTLS, capabilities, login and folder, at the first login and when a lost
//! connection is replaced.

use alloc::format;
use alloc::string::String;
use core::mem;

use pop3_proto::backend::{Failure, Note, Open, Refusal, RefusalKind};
use pop3_proto::secret::Secret;
use pop3_proto::trouble::Trouble;

use super::opening::{Opening, Step};
use super::{Answer, ImapBackend};
use crate::auth;
use crate::command::{self, Command, Flag};
use crate::config::Security;
use crate::error::{self, Denial};
use crate::grammar::Kind;
use crate::remedy;
use crate::text::printable;
use crate::wire::{Event, Notice, Purpose};

impl ImapBackend {
    pub(super) fn open(&mut self, open: Open) {
        if !self.link.is_down() || self.asked.open.is_some() {
            self.answers
                .push(Answer::failed(Failure::permanent("opened twice")));
            return;
        }
        let acceptable = auth::acceptable(&open.login);
        self.asked.open = Some(open);
        if let Err(refusal) = acceptable {
            return self.conclude(Denial::Refused(refusal));
        }
        if let Some(Flag::Keyword(name)) = self.plan_of_deletion().hides
            && !command::is_keyword(name)
        {
            let detail = format!("{} cannot be a keyword", printable(name.as_bytes()));
            return self.conclude(Denial::Failed(Failure::permanent(detail)));
        }
        let left = self
            .asked
            .user()
            .map(|user| self.config.backoffs.left(user));
        if let Some(left) = left.filter(|left| !left.is_zero() && !self.asked.only_looks) {
            let seconds = left.as_millis().div_ceil(1000);
            let detail =
                format!("not asked for: the server wants to be left alone for {seconds} s");
            return self.conclude(Denial::Failed(Failure::temporary(detail).retry_after(left)));
        }
        self.connect(Opening::new(true));
    }

    /// The client's answer to a challenge.
    pub(super) fn answered(&mut self, answer: &Secret) {
        let login = self.link.opening().and_then(Opening::login);
        if login.is_some_and(|login| mem::take(&mut login.asks)) {
            self.wire.answer(answer);
        }
    }

    /// The connection is under TLS now.
    pub(super) fn secured(&mut self) {
        let Some(opening) = self.link.opening() else {
            return;
        };
        opening.secure = true;
        if let Step::StartTls = opening.step {
            self.wire.forget_capabilities();
            self.ask_capabilities(Step::Capability);
        }
    }

    pub(super) fn opening_event(&mut self, event: Event) {
        let max = self.config.max_messages;
        let Some(opening) = self.link.opening() else {
            return;
        };
        if let Some(news) = opening.news() {
            news.hear(&event);
        }
        match event {
            Event::Status(notice) if matches!(opening.step, Step::Greeting) => {
                self.greeted(&notice);
            }
            Event::Status(notice)
                if opening.login().is_some() && error::refuses_untagged(&notice) =>
            {
                self.not_authenticated(&notice);
            }
            Event::Status(notice) => {
                opening.learn(&notice);
                self.noticed(&notice);
            }
            Event::Done { tag, notice, .. } if opening.is_stale(tag) => self.stale(&notice),
            Event::Done {
                purpose, notice, ..
            } => self.opening_done(purpose, &notice),
            Event::Continue(challenge) => self.challenged(&challenge),
            Event::Exists(count) => opening.exist(count, max),
            Event::Message(message) => {
                if opening.first && opening.told(message, max) {
                    let detail = format!("more than {max} messages");
                    self.drop_link(Failure::permanent(detail));
                }
            }
            Event::Ahead => self.wire.discard(),
            Event::Expunge(_) => opening.gone(1),
            Event::Vanished => opening.gone(0),
            Event::Inline(..)
            | Event::Whole(_)
            | Event::Tail(_)
            | Event::Folder { .. }
            | Event::Counts(_)
            | Event::Other => {}
        }
    }

    fn greeted(&mut self, notice: &Notice) {
        if let Some(opening) = self.link.opening() {
            let quirks = &self.config.quirks;
            opening.suits_pipelining =
                quirks.pipeline_login.suits(&notice.text) && !self.config.learned.loses_pipelined();
        }
        if self.asked.only_looks {
            let text = format!("it greets with {} {}", notice.kind, notice.text);
            self.notes.push(Note::information(text));
        }
        match notice.kind {
            Kind::Ok if self.config.security == Security::StartTls => {
                self.proceed(Step::StartTls, Command::StartTls, Purpose::StartTls);
            }
            Kind::Ok if self.wire.capabilities().is_some() => self.log_in(),
            Kind::Ok => self.ask_capabilities(Step::Capability),
            Kind::Preauth => {
                let detail = "upstream says PREAUTH: no credentials would be checked";
                self.deny(Denial::Failed(Failure::permanent(detail)));
            }
            Kind::No | Kind::Bad | Kind::Bye => {
                let line = format!("{} {}", notice.kind, notice.text);
                let mut failure = error::command("greeting", notice);
                failure.detail = self
                    .config
                    .in_words(Trouble::GreetingRefused { line: &line });
                self.deny(Denial::Failed(failure));
            }
        }
    }

    fn opening_done(&mut self, purpose: Purpose, notice: &Notice) {
        let Some(opening) = self.link.opening() else {
            return;
        };
        let ok = notice.kind == Kind::Ok;
        match purpose {
            Purpose::StartTls if ok => self.start_tls(),
            Purpose::StartTls => {
                let line = format!("{} {}", notice.kind, notice.text);
                let detail = self
                    .config
                    .in_words(Trouble::UpgradeRefused { line: &line });
                self.deny(Denial::Failed(Failure::permanent(detail)));
            }
            Purpose::Capability if matches!(opening.step, Step::CapabilityAgain) => {
                self.wire.settled = true;
                self.open_folder();
            }
            Purpose::Capability if matches!(opening.step, Step::Capability) => self.log_in(),
            // asked in the flight of the folder
            Purpose::Capability => self.wire.settled |= ok && opening.folder().is_some(),
            Purpose::Login | Purpose::Authenticate if ok => self.authenticated(),
            Purpose::Login | Purpose::Authenticate => self.not_authenticated(notice),
            Purpose::Enable => {
                self.wire.utf8 = ok;
                if let Step::Enable = opening.step {
                    self.select();
                }
            }
            Purpose::Select if opening.folder().is_none() => {}
            Purpose::Select if ok => {
                opening.learn(notice);
                let first = opening.first;
                self.selected();
                if !first {
                    self.opened_again();
                }
            }
            Purpose::Select => {
                if self.try_with_id(notice) {
                    return;
                }
                let line = format!("{} {}", notice.kind, notice.text);
                let name = printable(self.config.folder.as_bytes());
                let mut detail = self.config.in_words(Trouble::Mailbox {
                    name: &name,
                    line: &line,
                });
                detail.push_str(remedy::of_folder(notice));
                self.deny(Denial::Failed(error::select(notice, detail)));
            }
            Purpose::Scan if opening.folder().is_some_and(|folder| folder.selected) => {
                self.scanned(notice);
            }
            Purpose::News | Purpose::Keep => {
                if purpose == Purpose::News && !ok {
                    self.config.learned.learn_no_news();
                }
                self.compared();
            }
            Purpose::Scan
            | Purpose::Fetch(_)
            | Purpose::Id
            | Purpose::Idle
            | Purpose::Logout
            | Purpose::Update(_) => {}
        }
    }

    /// The answer to a command that was sent again since: it was not lost, only late.
    fn stale(&mut self, notice: &Notice) {
        let folder = self.link.opening().and_then(Opening::folder);
        if notice.kind == Kind::Ok && folder.is_some_and(|folder| folder.in_doubt) {
            self.config.learned.learn_keeps_pipelined();
        }
    }

    fn start_tls(&mut self) {
        if self.wire.pending() > 0 {
            // an attacker may have put them there, to be read as if they came under TLS
            let detail = "bytes in the clear after the answer to STARTTLS";
            self.drop_link(Failure::permanent(detail));
        } else {
            self.shake_hands();
        }
    }

    pub(super) fn ask_capabilities(&mut self, step: Step) {
        self.proceed(step, Command::Capability, Purpose::Capability);
    }

    fn proceed(&mut self, step: Step, command: Command<'_>, purpose: Purpose) {
        self.link.step(step);
        self.put(command, purpose);
    }

    /// Sends a command of the opening.
    pub(super) fn put(&mut self, command: Command<'_>, purpose: Purpose) {
        if self.wire.send(command, purpose).is_err() {
            let detail: String = "an argument cannot be sent".into();
            self.deny(Denial::Refused(Refusal::new(RefusalKind::Policy, detail)));
        }
    }
}
