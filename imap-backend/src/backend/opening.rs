//! How far the opening of the folder is, and what was learned on the way.

use crate::auth::Exchange;
use crate::client::Notice;
use crate::grammar::Code;
use crate::table::Scan;

/// How far the opening is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Greeting,
    StartTls,
    /// Capabilities before login.
    Capability,
    Login,
    /// Capabilities after login, where they decide about UTF-8.
    CapabilityAgain,
    /// UTF-8 has to be on before the folder's name can be said.
    Enable,
    Folder,
}

/// An opening under way.
#[derive(Debug)]
pub(super) struct Opening {
    /// At the client's login, rather than quietly later.
    pub(super) first: bool,
    pub(super) step: Step,
    pub(super) secure: bool,
    pub(super) exchange: Option<Exchange>,
    /// A challenge waits for the client's answer.
    pub(super) asks: bool,
    /// Whether the server is one to which SELECT may be said behind LOGIN.
    pub(super) suits_pipelining: bool,
    /// Whether SELECT went out behind LOGIN.
    pub(super) pipelined: bool,
    /// Whether what was said behind LOGIN can have got lost, as far as is known by now.
    pub(super) in_doubt: bool,
    /// The first tag of the commands for the folder that were said again.
    pub(super) again_from: Option<u32>,
    /// Whether ID was said on this connection.
    pub(super) id_said: bool,
    pub(super) capabilities_before: u32,
    pub(super) exists: u32,
    pub(super) validity: Option<u64>,
    pub(super) read_only: bool,
    /// Whether the flag that hides can be set for good, if the server says so.
    pub(super) lasts: Option<bool>,
    pub(super) selected: bool,
    pub(super) scan: Scan,
    pub(super) scan_to: Option<u64>,
    pub(super) scanned_again: bool,
}

impl Opening {
    pub(super) fn first() -> Self {
        Self {
            first: true,
            ..Self::again()
        }
    }

    pub(super) fn again() -> Self {
        Self {
            first: false,
            step: Step::Greeting,
            secure: false,
            exchange: None,
            asks: false,
            suits_pipelining: false,
            pipelined: false,
            in_doubt: false,
            again_from: None,
            id_said: false,
            capabilities_before: 0,
            exists: 0,
            validity: None,
            read_only: false,
            lasts: None,
            selected: false,
            scan: Scan::default(),
            scan_to: None,
            scanned_again: false,
        }
    }

    /// Whether it is the client's turn.
    pub(super) fn awaits_client(&self) -> bool {
        self.asks
    }

    /// Whether a LOGOUT would be understood.
    pub(super) fn can_speak(&self) -> bool {
        !matches!(self.step, Step::Greeting | Step::StartTls) && self.exchange.is_none()
    }

    /// Whether something that was said for the folder may not have reached the server.
    pub(super) fn may_be_lost(&self) -> bool {
        self.step == Step::Folder && self.in_doubt && self.again_from.is_none()
    }

    /// Whether a command belongs to what was said again since.
    pub(super) fn is_stale(&self, tag: u32) -> bool {
        self.again_from.is_some_and(|from| tag < from)
    }

    /// Whether a listing of the folder is coming.
    pub(super) fn scans(&self) -> bool {
        self.first && self.step == Step::Folder
    }

    /// What a response code says about the folder.
    pub(super) fn learn(&mut self, notice: &Notice) {
        let code = notice.code;
        self.lasts = notice.lasts.or(self.lasts);
        if let Code::UidValidity(validity) = code {
            self.validity = Some(validity);
        } else if matches!(code, Code::ReadOnly | Code::ReadWrite) {
            self.read_only = code == Code::ReadOnly;
        }
    }
}
