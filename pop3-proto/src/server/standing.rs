//! Where a session stands: its states, and what each knows.
//!
//! Owns what a state carries. Which states follow each other is in `phase`, what makes them in `state`.

use alloc::string::String;

use super::maildrop::Maildrop;
use crate::backend::{Index, Part, Ticket};
use crate::sasl::Exchange;
use crate::stuffing::Stuffer;

/// The state of a session.
#[derive(Debug)]
pub(super) enum State {
    /// AUTHORIZATION, a command may come.
    Authorization {
        /// The name that USER gave.
        user: Option<String>,
    },
    /// AUTHORIZATION, within AUTH: the next line answers our challenge.
    Challenged(Exchange),
    /// AUTHORIZATION, the backend checks the login and lists the maildrop.
    Opening(Opening),
    /// AUTHORIZATION, the backend relays a challenge: the next line answers it.
    Relaying(Opening),
    /// AUTHORIZATION, a bearer token was refused: the client's next line means nothing (RFC 7628
    /// section 3.2.2), and the `-ERR` follows it.
    TokenRefused,
    /// STLS was accepted; the handshake follows once the `+OK` is sent.
    StartingTls,
    /// The handshake runs.
    Handshake,
    /// TRANSACTION.
    Transaction(Maildrop, Running),
    /// UPDATE.
    Updating,
    /// Nothing more happens except that the remaining output is sent.
    Closed,
}

/// A login that the backend works on.
#[derive(Debug, Default)]
pub(super) struct Opening {
    pub(super) maildrop: Maildrop,
    /// The login was a bearer token.
    pub(super) bearer: bool,
    /// The credentials are good, and the maildrop is being listed.
    pub(super) authenticated: bool,
}

/// What runs in TRANSACTION.
#[derive(Debug)]
pub(super) enum Running {
    Nothing,
    Listing {
        what: Listing,
        next: Option<Index>,
        lines: u32,
    },
    Retrieving(Retrieval),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Listing {
    Sizes,
    UniqueIds,
}

/// RETR or TOP.
#[derive(Debug)]
pub(super) struct Retrieval {
    pub(super) ticket: Ticket,
    pub(super) index: Index,
    pub(super) part: Part,
    /// There is none before the `+OK`.
    pub(super) stuffer: Option<Stuffer>,
}

impl Retrieval {
    /// Whether the `+OK` is out, so that there is no way back to an `-ERR`.
    pub(super) const fn has_begun(&self) -> bool {
        self.stuffer.is_some()
    }
}

/// Which deadline is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Login,
    Autologout,
    StalledReader,
    BackendSilence,
    ShutdownGrace,
}

impl Due {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login grace",
            Self::Autologout => "autologout",
            Self::StalledReader => "stalled reader",
            Self::BackendSilence => "backend silence",
            Self::ShutdownGrace => "shutdown grace",
        }
    }
}
