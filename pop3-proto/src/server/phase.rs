//! The states of a session by name, and the steps between them.
//!
//! Owns the table of the transitions, which `docs/states.md` draws. A step that is not in the table fails
//! every test that takes it; a row that nothing takes fails one that tries everything.

use super::standing::{Running, State};

/// A [`State`] without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Authorization,
    Challenged,
    Opening,
    Relaying,
    TokenRefused,
    StartingTls,
    Handshake,
    Transaction,
    Listing,
    Retrieving,
    Updating,
    Closed,
}

/// From where to where.
pub(super) type Transition = (Phase, Phase);

use Phase::{
    Authorization, Challenged, Closed, Handshake, Listing, Opening, Relaying, Retrieving,
    StartingTls, TokenRefused, Transaction, Updating,
};

/// Every step, and what makes a session take it.
const TRANSITIONS: [(Transition, &str); 31] = [
    ((Authorization, Challenged), "AUTH"),
    ((Authorization, Opening), "PASS, APOP, AUTH"),
    ((Authorization, TokenRefused), "a bearer token was refused"),
    ((Authorization, StartingTls), "STLS"),
    ((Authorization, Closed), "QUIT, or too much went wrong"),
    ((Challenged, Authorization), "the client's answer"),
    ((Challenged, Closed), "timeout, or the client is gone"),
    ((Opening, Authorization), "refused or failed"),
    ((Opening, Relaying), "the upstream's challenge"),
    ((Opening, Transaction), "opened"),
    ((Opening, Closed), "timeout, or the client is gone"),
    ((Relaying, Opening), "the client's answer"),
    ((Relaying, Authorization), "cancelled, refused or failed"),
    ((Relaying, Transaction), "opened"),
    ((Relaying, Closed), "timeout, or the client is gone"),
    ((TokenRefused, Authorization), "the client's next line"),
    ((TokenRefused, Closed), "timeout, or the client is gone"),
    ((StartingTls, Handshake), "the +OK is sent"),
    ((StartingTls, Authorization), "TLS is there"),
    (
        (StartingTls, Closed),
        "plaintext, timeout, or the client is gone",
    ),
    ((Handshake, Authorization), "TLS is there"),
    (
        (Handshake, Closed),
        "plaintext, timeout, or the client is gone",
    ),
    ((Transaction, Listing), "LIST, UIDL"),
    ((Transaction, Retrieving), "RETR, TOP"),
    ((Transaction, Updating), "QUIT"),
    ((Transaction, Closed), "timeout, or the client is gone"),
    ((Listing, Transaction), "the last line"),
    ((Listing, Closed), "timeout, or the client is gone"),
    ((Retrieving, Transaction), "the message's end, or it failed"),
    (
        (Retrieving, Closed),
        "it broke off, timeout, or the client is gone",
    ),
    ((Updating, Closed), "updated, failed or silent"),
];

impl State {
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Authorization { .. } => Authorization,
            Self::Challenged(_) => Challenged,
            Self::Opening(_) => Opening,
            Self::Relaying(_) => Relaying,
            Self::TokenRefused => TokenRefused,
            Self::StartingTls => StartingTls,
            Self::Handshake => Handshake,
            Self::Transaction(_, Running::Nothing) => Transaction,
            Self::Transaction(_, Running::Listing { .. }) => Listing,
            Self::Transaction(_, Running::Retrieving(_)) => Retrieving,
            Self::Updating => Updating,
            Self::Closed => Closed,
        }
    }
}

/// Every step goes through here.
pub(super) fn check((from, to): Transition) {
    debug_assert!(
        from == to || TRANSITIONS.iter().any(|(step, _)| *step == (from, to)),
        "no step leads from {from:?} to {to:?}"
    );
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use core::time::Duration;

    use testkit::drawing;

    use super::*;
    use crate::backend::{Access, Failure, Mechanism, Refusal, RefusalKind, Reply, Ticket};
    use crate::server::session::OUTPUT_FULL;
    use crate::server::{Policy, Session, TlsInfo, TlsOffer};
    use crate::time::Time;

    /// Something that may happen to a session.
    #[derive(Clone, Copy, Debug)]
    enum Input {
        Line(&'static [u8]),
        Sent,
        Eof,
        Reset,
        Late,
        Tls,
        ShutDown,
        TurnOut,
        Challenge,
        Authenticated,
        Entries,
        Opened,
        Refused,
        Failed,
        Start,
        Body,
        End,
        BodyFailed,
        Updated,
    }

    const INPUTS: [Input; 31] = [
        Input::Line(b"USER u\r\n"),
        Input::Line(b"PASS p\r\n"),
        Input::Line(b"AUTH PLAIN\r\n"),
        Input::Line(b"AUTH XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIHQBAQ==\r\n"),
        Input::Line(b"AUTH RELAYED\r\n"),
        Input::Line(b"AHUAcA==\r\n"),
        Input::Line(b"*\r\n"),
        Input::Line(b"STLS\r\n"),
        Input::Line(b"UIDL\r\n"),
        Input::Line(b"RETR 1\r\n"),
        Input::Line(b"TOP 1 0\r\n"),
        Input::Line(b"QUIT\r\n"),
        Input::Line(b"NO\r\n"),
        Input::Sent,
        Input::Eof,
        Input::Reset,
        Input::Late,
        Input::Tls,
        Input::ShutDown,
        Input::TurnOut,
        Input::Challenge,
        Input::Authenticated,
        Input::Entries,
        Input::Opened,
        Input::Refused,
        Input::Failed,
        Input::Start,
        Input::Body,
        Input::End,
        Input::BodyFailed,
        Input::Updated,
    ];

    fn put(session: &mut Session, input: Input) {
        let now = Time::ZERO;
        let ticket = Ticket(session.next_ticket);
        let reply = match input {
            Input::Line(line) => {
                session.handle_input(now, line);
                return;
            }
            Input::Sent => return session.transmitted(now, usize::MAX),
            Input::Eof => return session.handle_eof(now),
            Input::Reset => return session.handle_reset(now),
            Input::Late => return session.handle_timeout(now + Duration::from_secs(1_000_000)),
            Input::Tls => {
                return session.handle_tls(now, TlsInfo::new("TLSv1.3", ""));
            }
            Input::ShutDown => return session.shut_down(now),
            Input::TurnOut => return session.turn_out(now),
            Input::Entries => {
                // more messages than a listing has room for in the output
                for _ in 0..1000 {
                    let (size, unique_id) = (3, &[b'x'; 70]);
                    session.handle_reply(now, Reply::Entry { size, unique_id });
                }
                return;
            }
            Input::Challenge => Reply::Challenge(b"?"),
            Input::Authenticated => Reply::Authenticated,
            Input::Opened => Reply::Opened {
                access: Access::ReadWrite,
            },
            Input::Refused => Reply::Refused(Refusal::new(RefusalKind::Credentials, "no")),
            Input::Failed => Reply::Failed(Failure::temporary("no")),
            Input::Start => Reply::BodyStart { ticket, size: None },
            Input::Body => Reply::Body {
                ticket,
                bytes: b"a: b\r\n\r\n",
            },
            Input::End => Reply::BodyEnd { ticket },
            Input::BodyFailed => Reply::BodyFailed {
                ticket,
                failure: Failure::temporary("no"),
            },
            Input::Updated => Reply::Updated,
        };
        session.handle_reply(now, reply);
    }

    fn play(inputs: &[Input]) -> Session {
        let names = ["PLAIN", "XOAUTH2", "RELAYED"];
        let policy = Policy {
            tls: TlsOffer::Stls,
            clear_login: true,
            failed_logins: 2,
            bad_commands: 2,
            bad_commands_before_login: 2,
            mechanisms: names.into_iter().flat_map(Mechanism::new).collect(),
            ..Policy::default()
        };
        let mut session = Session::new(policy.into(), "", Time::ZERO);
        for input in inputs {
            put(&mut session, *input);
        }
        session
    }

    /// The part of a state's data that decides which steps it can take.
    fn data(state: &State) -> (bool, bool) {
        match state {
            State::Authorization { user } => (user.is_some(), false),
            State::Opening(login) | State::Relaying(login) => {
                (login.bearer, login.maildrop.len() > 0)
            }
            State::Transaction(maildrop, Running::Retrieving(retrieval)) => {
                (retrieval.has_begun(), maildrop.len() > 0)
            }
            State::Transaction(maildrop, _) => (false, maildrop.len() > 0),
            State::Challenged(_)
            | State::TokenRefused
            | State::StartingTls
            | State::Handshake
            | State::Updating
            | State::Closed => (false, false),
        }
    }

    /// From each situation that can be told apart, everything that can happen: each step of the table is
    /// taken, and no other.
    #[test]
    fn the_table_holds_the_steps_that_are_taken_and_no_others() {
        let taken = drawing::steps(&INPUTS, |inputs| {
            let session = play(inputs);
            let situation = (
                session.state.phase(),
                session.output.len() >= OUTPUT_FULL,
                session.summary.tls.is_some(),
                (session.bad_commands, session.summary.failed_logins),
                data(&session.state),
            );
            (situation, session.trail)
        });
        drawing::compare(&taken, TRANSITIONS.map(|(step, _)| step));
    }

    #[test]
    fn the_drawing_in_the_documentation_is_the_table() {
        let steps = TRANSITIONS.map(|((from, to), why)| format!("{from:?} --> {to:?}: {why}"));
        drawing::check("## The POP3 session", "Authorization", steps, "Closed");
    }
}
