//! Any octets from an IMAP server to a connection that waits, in any pieces: it is dropped, or the next login lists what
//! the server has then, which is nothing new only if the server said nothing of weight.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use imap_backend::fuzzing::parked;
use imap_backend::{Config, ImapBackend, Security};
use libfuzzer_sys::fuzz_target;
use pop3_proto::backend::{Backend, Effect, Login, Open, Outcome, Reply, Request};
use pop3_proto::secret::Secret;
use pop3_proto::time::Time;
use testkit::generate::Source;

fn hear<B: Backend + ?Sized>(backend: &mut B, mut octets: &[u8], pieces: &[u8]) {
    let mut pieces = pieces.iter().cycle();
    while !octets.is_empty() {
        let most = pieces
            .next()
            .map_or(usize::MAX, |piece| usize::from(*piece) + 1);
        let room = backend.recv_buf();
        let n = room.len().min(octets.len()).min(most);
        if n == 0 {
            return;
        }
        room[..n].copy_from_slice(&octets[..n]);
        backend.received(Time::ZERO, n);
        octets = &octets[n..];
    }
}

/// Answers what is sent until nothing is: the folder has one message.
fn serve(backend: &mut ImapBackend) {
    for _ in 0..10 {
        let said = String::from_utf8_lossy(backend.transmit()).into_owned();
        backend.transmitted(Time::ZERO, said.len());
        for line in said.lines() {
            let Some((tag, command)) = line.split_once(' ') else {
                continue;
            };
            let before = match command.split(' ').next() {
                Some("SELECT") => "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n",
                Some("STATUS") => "* STATUS INBOX (MESSAGES 1 UIDNEXT 6 UIDVALIDITY 7)\r\n",
                Some("UID") => "* 1 FETCH (UID 5 RFC822.SIZE 9)\r\n",
                _ => "",
            };
            hear(backend, format!("{before}{tag} OK x\r\n").as_bytes(), &[]);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut source = Source::new(bytes);
    let pieces = source.take(4);
    let (listed, told) = (source.below(2) == 1, source.below(2) == 1);
    let text = source.rest();
    let mut config = Config::new("imap.example.org", 143, Security::Clear);
    config.park = Duration::from_secs(600);
    let config = Arc::new(config);
    let mut waiting = parked(&config, listed, told);
    hear(&mut *waiting, text, pieces);
    assert!(waiting.poll_timeout().is_some() || !waiting.is_fit());
    if !waiting.is_fit() {
        // it asks for its end, once
        let last = waiting.transmit().len();
        waiting.transmitted(Time::ZERO, last);
        assert!(
            matches!(waiting.poll_effect(), Some(Effect::Disconnect))
                || text.is_empty()
                || waiting.poll_timeout().is_some()
        );
        return;
    }
    let mut backend = ImapBackend::new(Arc::clone(&config));
    let login = Login::Password {
        user: "tim".into(),
        password: Secret::from(&b"secret"[..]),
    };
    backend.handle_request(Time::ZERO, Request::Open(Open::new(login)));
    assert!(matches!(backend.poll_effect(), Some(Effect::Resume(_))));
    backend.handle_outcome(Time::ZERO, Outcome::Resumed(waiting));
    let asked = !backend.transmit().is_empty()
        || backend
            .poll_timeout()
            .is_some_and(|at| at < Time::ZERO + Duration::from_secs(60));
    if !told && !listed {
        hear(&mut backend, b"+ idling\r\n", &[]);
    }
    serve(&mut backend);
    let mut entries = 0;
    let mut opened = false;
    while let Some(reply) = backend.poll_reply(Time::ZERO, 1000) {
        match reply {
            Reply::Entry { size, unique_id } => {
                assert_eq!((size, unique_id), (9, &b"7.5"[..]));
                entries += 1;
            }
            Reply::Opened { .. } => opened = true,
            Reply::Authenticated => assert!(!opened),
            other => panic!("{other:?}"),
        }
    }
    // whatever is doubtful begins anew, and is not answered here
    let anew = std::iter::from_fn(|| backend.poll_effect())
        .any(|effect| matches!(effect, Effect::Connect(_)));
    assert!(anew || opened && entries == usize::from(asked));
});
