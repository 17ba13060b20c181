//! The steps from the greeting to the open folder, and what is known at each.
//!
//! Owns what is learned on the way. Sends nothing and decides nothing.

use core::mem;

use super::Maildrop;
use crate::auth::Exchange;
use crate::framer::Expected;
use crate::grammar::{Code, Counts, Kind};
use crate::table::Scan;
use crate::wire::{Event, Message, Notice, Purpose};

/// As many messages as are listed in one short read, with some 50 octets each.
const FEW: u32 = 256;

/// How far the opening is.
#[derive(Debug)]
pub(super) enum Step {
    Greeting,
    StartTls,
    /// Capabilities before login.
    Capability,
    /// The login waits for another token.
    Token,
    Login(Login),
    /// Capabilities after login, where they decide about UTF-8.
    CapabilityAgain,
    /// UTF-8 has to be enabled before the folder's name can be sent.
    Enable,
    Folder(Folder),
    /// The folder is open on a connection that waited, and may be as it was listed.
    News(News),
}

/// Whether a folder is as it was listed.
#[derive(Debug)]
pub(super) struct News {
    /// As it was.
    pub(super) maildrop: Maildrop,
    pub(super) counts: Option<Counts>,
    /// How many commands are to be answered: Dovecot answers a STATUS before the NOOP that was sent before it, and says
    /// only then what the NOOP found.
    awaited: u8,
    /// The server said something that another listing would show, or may.
    pub(super) differs: bool,
}

impl News {
    pub(super) fn of(maildrop: Maildrop) -> Self {
        Self {
            maildrop,
            counts: None,
            awaited: 2,
            differs: false,
        }
    }

    /// Takes note of what the server says. What is not known to change nothing may change the listing.
    pub(super) fn hear(&mut self, event: &Event) {
        let validity = self.maildrop.uid_validity;
        // the end of an IDLE is none of them
        if let Event::Done {
            purpose: Purpose::Keep | Purpose::News,
            ..
        } = event
        {
            self.awaited = self.awaited.saturating_sub(1);
        }
        match event {
            Event::Counts(counts) => self.counts = Some(*counts),
            Event::Exists(count) if *count == self.maildrop.table.len() => {}
            Event::Status(Notice {
                kind: Kind::Ok,
                code,
                ..
            }) if !matches!(code, Code::UidValidity(other) if *other != validity) => {}
            Event::Done { notice, .. } if notice.kind == Kind::Ok => {}
            Event::Status(_)
            | Event::Done { .. }
            | Event::Continue(_)
            | Event::Exists(_)
            | Event::Expunge(_)
            | Event::Vanished
            | Event::Message(_)
            | Event::Inline(..)
            | Event::Ahead
            | Event::Whole(_)
            | Event::Tail(_)
            | Event::Folder { .. }
            | Event::Other => self.differs = true,
        }
    }

    /// Whether everything is said.
    pub(super) fn is_complete(&self) -> bool {
        self.awaited == 0
    }

    /// The listing, if it is that of the folder as it is now.
    pub(super) fn take_listing(&mut self) -> Option<Maildrop> {
        let same = |counts| self.maildrop.is_the_same(counts);
        let same = !self.differs && self.counts.is_some_and(same);
        same.then(|| mem::take(&mut self.maildrop))
    }
}

/// A login under way.
#[derive(Debug, Default)]
pub(super) struct Login {
    /// None for LOGIN.
    pub(super) exchange: Option<Exchange>,
    /// A challenge waits for the client's answer.
    pub(super) asks: bool,
    /// How often the server had announced its capabilities before.
    pub(super) capabilities_before: u32,
    /// The folder, if SELECT was sent right after LOGIN.
    pub(super) ahead: Option<Folder>,
}

/// A folder that SELECT was sent for.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Whether what was sent right after LOGIN may still be lost.
    pub(super) in_doubt: bool,
    /// The first tag of the commands that were sent again.
    pub(super) again_from: Option<u32>,
    pub(super) exists: u32,
    pub(super) validity: Option<u64>,
    /// The UID that the next message gets; zero if the server does not say.
    pub(super) uid_next: u64,
    pub(super) read_only: bool,
    /// Whether the flag that hides can be set for good, if the server says so.
    pub(super) lasts: Option<bool>,
    pub(super) selected: bool,
    pub(super) scan: Scan,
    pub(super) scan_to: Option<u64>,
    pub(super) scanned_again: bool,
}

/// An opening under way.
#[derive(Debug)]
pub(super) struct Opening {
    /// At the client's login, not later at a quiet reconnect.
    pub(super) first: bool,
    /// On a connection that waited since an earlier login.
    pub(super) resumed: bool,
    pub(super) step: Step,
    pub(super) secure: bool,
    /// Whether the server is one to which SELECT may be sent right after LOGIN.
    pub(super) suits_pipelining: bool,
    /// Whether ID was sent on this connection.
    pub(super) id_said: bool,
}

impl Opening {
    /// `first` says that it is at the client's login.
    pub(super) fn new(first: bool) -> Self {
        Self {
            first,
            resumed: false,
            step: Step::Greeting,
            secure: false,
            suits_pipelining: false,
            id_said: false,
        }
    }

    pub(super) fn login(&mut self) -> Option<&mut Login> {
        if let Step::Login(login) = &mut self.step {
            Some(login)
        } else {
            None
        }
    }

    /// The folder that is being opened, once the login is done.
    pub(super) fn folder(&mut self) -> Option<&mut Folder> {
        if let Step::Folder(folder) = &mut self.step {
            Some(folder)
        } else {
            None
        }
    }

    /// The folder that untagged responses may be about.
    fn told_of(&mut self) -> Option<&mut Folder> {
        match &mut self.step {
            Step::Folder(folder) => Some(folder),
            Step::Login(login) => login.ahead.as_mut(),
            Step::Greeting
            | Step::StartTls
            | Step::Capability
            | Step::Token
            | Step::CapabilityAgain
            | Step::Enable
            | Step::News(_) => None,
        }
    }

    pub(super) fn news(&mut self) -> Option<&mut News> {
        if let Step::News(news) = &mut self.step {
            Some(news)
        } else {
            None
        }
    }

    /// The folder that SELECT is sent for now, with what is known of it already.
    pub(super) fn take_folder(&mut self) -> Folder {
        self.folder().map(mem::take).unwrap_or_default()
    }

    /// Whether it is the client's turn.
    pub(super) fn awaits_client(&self) -> bool {
        matches!(self.step, Step::Login(Login { asks: true, .. }))
    }

    /// Whether a LOGOUT would be understood.
    pub(super) fn can_speak(&self) -> bool {
        match &self.step {
            Step::Greeting | Step::StartTls => false,
            Step::Login(login) => login.exchange.is_none(),
            Step::Capability
            | Step::Token
            | Step::CapabilityAgain
            | Step::Enable
            | Step::Folder(_)
            | Step::News(_) => true,
        }
    }

    /// Whether a command for the folder may not have reached the server.
    pub(super) fn may_be_lost(&self) -> bool {
        matches!(
            self.step,
            Step::Folder(Folder {
                in_doubt: true,
                again_from: None,
                ..
            })
        )
    }

    /// Whether a command was sent again since.
    pub(super) fn is_stale(&self, tag: u32) -> bool {
        matches!(&self.step, Step::Folder(folder) if folder.again_from.is_some_and(|from| tag < from))
    }

    /// How much the listing of the folder will be, if one is coming.
    pub(super) fn listing(&self) -> Option<Expected> {
        match &self.step {
            Step::Folder(folder) if self.first && folder.exists > FEW => Some(Expected::Much),
            Step::Folder(_) if self.first => Some(Expected::Short),
            Step::Folder(_)
            | Step::Greeting
            | Step::StartTls
            | Step::Capability
            | Step::Token
            | Step::CapabilityAgain
            | Step::Login(_)
            | Step::Enable
            | Step::News(_) => None,
        }
    }

    /// What a response code says about the folder.
    pub(super) fn learn(&mut self, notice: &Notice) {
        let Some(folder) = self.told_of() else { return };
        let code = notice.code;
        folder.lasts = notice.lasts.or(folder.lasts);
        if let Code::UidValidity(validity) = code {
            folder.validity = Some(validity);
        } else if let Code::UidNext(next) = code {
            folder.uid_next = next;
        } else if matches!(code, Code::ReadOnly | Code::ReadWrite) {
            folder.read_only = code == Code::ReadOnly;
        }
    }

    /// The number of messages in the folder; room is made for at most `max` of them.
    pub(super) fn exist(&mut self, count: u32, max: u32) {
        let first = self.first;
        let Some(folder) = self.told_of() else { return };
        folder.exists = count;
        folder.in_doubt &= folder.again_from.is_some();
        if first {
            folder.scan.expect(count.min(max));
        }
    }

    /// Takes a message if it is being listed; returns whether that makes too many.
    pub(super) fn told(&mut self, message: Message, max: u32) -> bool {
        let Some(folder) = self.told_of() else {
            return false;
        };
        folder.scan.told(message);
        folder.scan.len() > max as usize
    }

    /// Messages are gone: one with this number, or some without numbers.
    pub(super) fn gone(&mut self, told: u32) {
        if let Some(folder) = self.told_of() {
            folder.exists = folder.exists.saturating_sub(told);
            folder.scan.renumbered();
        }
    }
}
