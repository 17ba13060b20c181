//! Any octets from a client and any replies from a backend, at any time: no panic, bounded buffers, time
//! moves on, nothing is deleted without QUIT, and nothing that was not marked.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pop3_fuzz::Decisions;
use pop3_proto::backend::{
    Access, Failure, FailureKind, Index, Mechanism, Refusal, RefusalKind, Reply, Request, Ticket,
};
use pop3_proto::server::{Event, Policy, ReadOnly, Session, TlsInfo, TlsOffer};
use pop3_proto::time::Time;

const REPLY_BOUND: usize = 2 * 64 * 1024 + 4096;

fuzz_target!(|bytes: &[u8]| {
    let mut decisions = Decisions::new(bytes);
    let flags = decisions.octet();
    let policy = Policy::default()
        .tls(if flags & 1 == 0 {
            TlsOffer::Stls
        } else {
            TlsOffer::None
        })
        .clear_login(flags & 2 == 0)
        .read_only(if flags & 4 == 0 {
            ReadOnly::Refused
        } else {
            ReadOnly::OnRequest
        })
        .apop(flags & 8 != 0)
        .mechanisms(
            ["PLAIN", "LOGIN", "XOAUTH2", "CRAM-MD5", "X-RELAY"]
                .into_iter()
                .filter_map(Mechanism::new)
                .collect(),
        );
    let mut now = Time::ZERO;
    let mut session = Session::new(Arc::new(policy), "<1.2@fuzz>", now);
    let mut said = Vec::new();
    let (mut ticket, mut closed, mut listed) = (Ticket(0), false, 0);
    while !decisions.is_empty() && !closed {
        let body: [u8; 3] = [b'.', flags, b'\n'];
        match decisions.octet() % 20 {
            0..=7 => {
                let piece = decisions.piece();
                let piece = &piece[..piece.len().min(session.input_room())];
                said.extend_from_slice(&piece[..session.handle_input(now, piece).min(piece.len())]);
            }
            8 => session.handle_reply(now, Reply::Challenge(b"x")),
            9 => {
                listed += 1;
                session.handle_reply(
                    now,
                    Reply::Entry {
                        size: 1 << 40,
                        unique_id: b"id",
                    },
                );
            }
            10 => session.handle_reply(
                now,
                Reply::Opened {
                    access: Access::ReadWrite,
                },
            ),
            11 => {
                let refusal = Refusal::new(RefusalKind::Credentials, "");
                session.handle_reply(now, Reply::Refused(refusal));
            }
            12 => session.handle_reply(
                now,
                Reply::BodyStart {
                    ticket,
                    size: Some(3),
                },
            ),
            13 if session.body_room() > 3 => {
                session.handle_reply(
                    now,
                    Reply::Body {
                        ticket,
                        bytes: &body,
                    },
                );
            }
            14 => session.handle_reply(now, Reply::BodyEnd { ticket }),
            15 => {
                let failure = Failure::new(FailureKind::Missing, "");
                session.handle_reply(now, Reply::BodyFailed { ticket, failure });
            }
            16 => session.handle_reply(now, Reply::Failed(Failure::temporary(""))),
            17 => session.handle_eof(now),
            18 => session.shut_down(now),
            _ => {
                let taken = session
                    .transmit()
                    .len()
                    .min(usize::from(decisions.octet()) * 64);
                now = now + Duration::from_secs(1);
                session.transmitted(now, taken);
            }
        }
        closed = drain(&mut session, now, &mut ticket, &said, listed);
        assert!(session.transmit().len() <= REPLY_BOUND);
    }
    while let Some((at, _)) = session.poll_timeout() {
        now = now.max(at);
        session.handle_timeout(now);
        closed |= drain(&mut session, now, &mut ticket, &said, listed);
        if let Some((next, why)) = session.poll_timeout() {
            assert!(next > now, "time stands still: {why}");
        }
    }
    assert!(closed);
});

/// Takes events; whether the session closed.
fn drain(session: &mut Session, now: Time, ticket: &mut Ticket, said: &[u8], listed: u32) -> bool {
    let mut closed = false;
    while let Some(event) = session.poll_event() {
        match event {
            Event::Request(Request::Retrieve {
                ticket: new, index, ..
            }) => {
                assert!(index < Index(listed));
                *ticket = new;
            }
            Event::Request(Request::Update { deleted, .. }) => {
                let said = said.to_ascii_uppercase();
                let said = |word: &[u8]| said.windows(word.len()).any(|w| w == word);
                assert!(said(b"QUIT"));
                assert!(deleted.is_empty() || said(b"DELE"));
                assert!(deleted.is_sorted() && deleted.iter().all(|index| index.0 < listed));
            }
            Event::Request(_) => {}
            Event::StartTls => {
                session.handle_tls(now, TlsInfo::new("TLSv1.3", ""));
            }
            Event::Close(_) => closed = true,
        }
    }
    closed
}
