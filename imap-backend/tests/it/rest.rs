//! A session that needs nothing for a while: how its connection is given up, and how one comes back.

use std::time::Duration;

use imap_backend::Config;
use pop3_proto::backend::waiting::Waiting;
use pop3_proto::backend::{
    Backend, Effect, Failure, Index, Login, Mechanism, Open, Outcome, Part, Request, Ticket,
};
use pop3_proto::secret::Secret;

use crate::parked::{
    FOLDER, GREETING, PLAIN, at, config, hear, logged_in, open, replies, said, serve,
};
use imap_backend::ImapBackend;

/// The session logs in at second 1, so this is when it rests.
const DUE: u64 = 61;

fn resting() -> Config {
    let mut config = config();
    config.rest = Duration::from_secs(60);
    config
}

fn retrieve(backend: &mut ImapBackend, now: u64, index: u32) {
    let request = Request::Retrieve {
        ticket: Ticket(1),
        index: Index(index),
        part: Part::Whole,
    };
    backend.handle_request(at(now), request);
}

fn update(backend: &mut ImapBackend, now: u64, deleted: &[u32]) {
    let deleted = deleted.iter().copied().map(Index).collect();
    let retrieved = Vec::new();
    backend.handle_request(at(now), Request::Update { deleted, retrieved });
}

/// Lets the time come, and returns what waits.
fn rests(backend: &mut ImapBackend) -> Option<Box<dyn Waiting>> {
    assert_eq!(backend.poll_timeout(), Some(at(DUE)));
    backend.handle_timeout(at(DUE));
    assert_eq!(backend.poll_timeout(), None);
    match backend.poll_effect() {
        Some(Effect::Park(parked)) => {
            assert!(backend.transmit().is_empty() && backend.recv_buf().is_empty());
            Some(parked.waiting)
        }
        Some(Effect::Disconnect) => {
            let last = said(backend, at(DUE));
            assert!(last.ends_with(" LOGOUT\r\n"), "{last}");
            None
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_that_may_wait_comes_back_in_one_flight() {
    for greeting in [PLAIN, GREETING] {
        let mut backend = logged_in(&resting(), greeting, &FOLDER);
        let mut waiting = rests(&mut backend).unwrap();
        assert!(waiting.is_fit());
        said(&mut *waiting, at(DUE));
        hear(
            &mut *waiting,
            at(DUE),
            b"+ idling\r\n",
            if greeting == PLAIN { 0 } else { 99 },
        );
        retrieve(&mut backend, 100, 1);
        assert!(matches!(backend.poll_effect(), Some(Effect::Resume(_))));
        backend.handle_outcome(at(100), Outcome::Resumed(waiting));
        // the listing is the session's own, whatever the server has by now
        serve(&mut backend, at(100), &[(5, 200), (9, 1)], 7);
        assert_eq!(
            replies(&mut backend, at(100)).len(),
            1,
            "the message did not come"
        );
        assert_eq!(backend.poll_timeout(), Some(at(160)));
    }
}

/// The scan of a login is no part of it.
#[test]
fn the_table_stays_and_only_the_folder_is_opened() {
    let mut backend = logged_in(&resting(), PLAIN, &FOLDER);
    let waiting = rests(&mut backend).unwrap();
    retrieve(&mut backend, 100, 1);
    assert!(matches!(backend.poll_effect(), Some(Effect::Resume(_))));
    backend.handle_outcome(at(100), Outcome::Resumed(waiting));
    let flight = said(&mut backend, at(100));
    assert_eq!(flight.lines().count(), 1, "{flight}");
    let tag = flight.split_once(" SELECT ").unwrap().0;
    let opened = format!("* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK\r\n");
    hear(&mut backend, at(100), opened.as_bytes(), 3);
    let fetch = said(&mut backend, at(100));
    assert!(fetch.contains("UID FETCH 5 "), "{fetch}");
    assert!(replies(&mut backend, at(100)).is_empty());
}

#[test]
fn where_none_may_wait_the_server_is_logged_out_of() {
    let mut off = resting();
    off.park = Duration::ZERO;
    let mut lapsed = resting();
    lapsed.trust_login = Duration::from_secs(60);
    for config in [off, lapsed] {
        let mut backend = logged_in_by(&config, PLAIN);
        assert!(rests(&mut backend).is_none());
        update(&mut backend, 100, &[0]);
        assert!(backend.transmit().is_empty());
        let effect = backend.poll_effect();
        assert!(matches!(
            effect,
            Some(Effect::Connect(_) | Effect::Resume(_))
        ));
        backend.handle_outcome(at(100), Outcome::Connected);
        hear(&mut backend, at(100), PLAIN.as_bytes(), 99);
        assert!(said(&mut backend, at(100)).contains(" LOGIN "));
    }
}

/// The same as [`logged_in`], wherever the connection comes from.
fn logged_in_by(config: &Config, greeting: &str) -> ImapBackend {
    let mut backend = ImapBackend::new(config.clone().into());
    backend.handle_request(at(1), Request::Open(open("secret")));
    assert!(backend.poll_effect().is_some());
    backend.handle_outcome(at(1), Outcome::Connected);
    hear(&mut backend, at(1), greeting.as_bytes(), usize::MAX);
    serve(&mut backend, at(1), &FOLDER, 7);
    replies(&mut backend, at(1));
    backend
}

/// Work that comes before the LOGOUT is sent does not send it on the next connection.
#[test]
fn a_good_bye_that_was_not_said_is_not_said_later() {
    let mut config = resting();
    config.park = Duration::ZERO;
    let mut backend = logged_in_by(&config, PLAIN);
    backend.handle_timeout(at(DUE));
    assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
    backend.transmitted(at(DUE), 3);
    retrieve(&mut backend, DUE, 0);
    assert!(matches!(backend.poll_effect(), Some(Effect::Connect(_))));
    backend.handle_outcome(at(DUE), Outcome::Connected);
    assert_eq!(said(&mut backend, at(DUE)), "");
    hear(&mut backend, at(DUE), PLAIN.as_bytes(), 99);
    let commands = said(&mut backend, at(DUE));
    assert!(
        commands.contains(" LOGIN ") && !commands.contains("LOGOUT"),
        "{commands}"
    );
}

/// Another folder: what is wanted fails, whatever is wanted later fails at once, and nothing is asked again.
#[test]
fn another_folder_is_not_this_one() {
    for resumed in [false, true] {
        let mut backend = logged_in(&resting(), PLAIN, &FOLDER);
        let waiting = rests(&mut backend).unwrap();
        retrieve(&mut backend, 100, 0);
        assert!(matches!(backend.poll_effect(), Some(Effect::Resume(_))));
        if resumed {
            backend.handle_outcome(at(100), Outcome::Resumed(waiting));
        } else {
            backend.handle_outcome(at(100), Outcome::Connected);
            hear(&mut backend, at(100), PLAIN.as_bytes(), 99);
        }
        serve(&mut backend, at(100), &FOLDER, 8);
        let heard = replies(&mut backend, at(100));
        assert!(
            heard.len() == 1 && heard[0].contains("UIDVALIDITY changed"),
            "{heard:?}"
        );
        assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
        update(&mut backend, 110, &[0]);
        let heard = replies(&mut backend, at(110));
        assert!(
            heard.len() == 1 && heard[0].contains("UIDVALIDITY changed"),
            "{heard:?}"
        );
        assert!(!matches!(
            backend.poll_effect(),
            Some(Effect::Connect(_) | Effect::Resume(_))
        ));
    }
}

/// What waited is of no use, and the way of all others is gone.
#[test]
fn what_waited_in_vain_is_made_anew() {
    for lost in [false, true] {
        let mut backend = logged_in(&resting(), PLAIN, &FOLDER);
        let waiting = rests(&mut backend).unwrap();
        retrieve(&mut backend, 100, 0);
        assert!(matches!(backend.poll_effect(), Some(Effect::Resume(_))));
        backend.handle_outcome(at(100), Outcome::Resumed(waiting));
        said(&mut backend, at(100));
        if lost {
            let failure = Failure::temporary("reset");
            backend.handle_outcome(at(100), Outcome::Lost(failure));
        } else {
            assert_eq!(backend.poll_timeout(), Some(at(105)));
            backend.handle_timeout(at(105));
            assert!(matches!(backend.poll_effect(), Some(Effect::Disconnect)));
        }
        assert!(matches!(backend.poll_effect(), Some(Effect::Connect(_))));
        backend.handle_outcome(at(105), Outcome::Connected);
        hear(&mut backend, at(105), PLAIN.as_bytes(), 99);
        assert!(said(&mut backend, at(105)).contains(" LOGIN "));
        assert!(replies(&mut backend, at(105)).is_empty());
    }
}

/// A client's token may have run out when it is needed again, and what is only passed through cannot be repeated at all.
#[test]
fn a_token_of_the_client_does_not_rest() {
    let token = Login::Bearer {
        mechanism: Mechanism::new("XOAUTH2").unwrap(),
        user: "tim".into(),
        token: Secret::from(&b"token"[..]),
        renewal: None,
    };
    let mut config = resting();
    config.keep_alive = Duration::from_secs(600);
    let mut backend = ImapBackend::new(config.into());
    backend.handle_request(at(1), Request::Open(Open::new(token)));
    assert!(backend.poll_effect().is_some());
    backend.handle_outcome(at(1), Outcome::Connected);
    let greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] ready\r\n";
    hear(&mut backend, at(1), greeting, 99);
    serve(&mut backend, at(1), &FOLDER, 7);
    assert_eq!(replies(&mut backend, at(1)).len(), 4);
    assert_eq!(backend.poll_timeout(), Some(at(601)));
}

/// A quarter of a response, a server that says good-bye, an answer that is still due: it stays.
#[test]
fn what_is_not_in_order_does_not_rest() {
    for text in ["* 3 EXI", "* BYE so long\r\n"] {
        let mut backend = logged_in(&resting(), PLAIN, &FOLDER);
        hear(&mut backend, at(2), text.as_bytes(), 99);
        if let Some(due) = backend.poll_timeout() {
            assert_ne!(due, at(DUE));
        }
        backend.handle_timeout(at(DUE));
        assert!(!matches!(backend.poll_effect(), Some(Effect::Park(_))));
    }
    let mut backend = logged_in(&resting(), PLAIN, &FOLDER);
    retrieve(&mut backend, 2, 0);
    assert_eq!(backend.poll_timeout(), Some(at(62)), "the answer");
    backend.handle_timeout(at(62));
    assert!(!matches!(backend.poll_effect(), Some(Effect::Park(_))));
}
