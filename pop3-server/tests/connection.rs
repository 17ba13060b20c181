//! The composition in the clear: locks, limits, delays, and every way in which a connection ends.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::list::{ListService, Mood};
use common::rig::Rig;
use common::{PASSWORD, peer_at};
use pop3_proto::server::{Policy, ReadOnly};
use pop3_server::limit::Limits;
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use proptest::prelude::*;

const MESSAGES: &[&[u8]] = &[
    b"Subject: one\r\n\r\nbody\r\n",
    b".dot\r\n..\r\n",
    b"",
    b"no end",
];

fn settings(service: &ListService) -> Arc<Settings<ListService>> {
    let mut settings = Settings::new(Arc::new(service.clone()));
    settings.policy = Arc::new(Policy {
        clear_login: true,
        ..Policy::default()
    });
    Arc::new(settings)
}

fn good() -> (ListService, Arc<Settings<ListService>>, Server) {
    let service = ListService::new(MESSAGES);
    let settings = settings(&service);
    (service, settings, Server::new())
}

#[test]
fn p036_quit_removes_what_is_marked_and_closes() {
    let (service, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    assert!(rig.heard().starts_with("+OK"));
    assert!(rig.log_in().starts_with("+OK"));
    assert_eq!(server.locks().held(), 1);
    assert!(rig.ask("DELE 2").starts_with("+OK"));
    assert_eq!(service.removed(), Vec::<u32>::new());
    assert!(rig.ask("QUIT").starts_with("+OK"));
    assert_eq!(service.removed(), [1]);
    assert_eq!(server.locks().held(), 0);
    assert!(rig.client.shut_down);
    rig.end_of_stream();
    assert!(rig.client.closed && rig.connection.is_finished());
}

/// The client's last words come through a reset-free close, but nobody waits for it for ever.
#[test]
fn a_client_that_does_not_close_is_closed() {
    let (_, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    rig.ask("QUIT");
    assert!(!rig.client.closed);
    rig.say("NOOP\r\n");
    rig.wait(Duration::from_secs(2));
    assert!(rig.connection.is_finished());
}

/// P016, P017, X022: one writer; who comes second hears so only with the right password.
#[test]
fn p017_the_second_writer_is_refused_until_the_first_is_gone() {
    let (_, settings, server) = good();
    let mut first = Rig::new(&settings, &server);
    first.log_in();
    let mut second = Rig::new(&settings, &server);
    assert!(second.log_in().starts_with("-ERR [IN-USE]"));
    first.reset();
    assert!(second.log_in().starts_with("+OK"), "F02: free at once");
    assert_eq!(server.locks().held(), 1);
    drop(second);
    assert_eq!(server.locks().held(), 0);
}

#[test]
fn x022_in_use_is_not_told_to_strangers() {
    let (_, settings, server) = good();
    let mut first = Rig::new(&settings, &server);
    first.log_in();
    let mut second = Rig::new(&settings, &server);
    second.ask("USER joe");
    assert_eq!(second.ask("PASS wrong"), "");
    second.wait(Duration::from_secs(2));
    assert!(second.heard().starts_with("-ERR [AUTH]"));
}

#[test]
fn readers_go_beside_each_other_but_not_beside_a_writer() {
    let service = ListService::new(MESSAGES);
    let mut settings = Settings::new(Arc::new(service));
    settings.policy = Arc::new(Policy {
        clear_login: true,
        read_only: ReadOnly::Always,
        ..Policy::default()
    });
    let readers = Arc::new(settings);
    let (_, writers, server) = good();
    let mut first = Rig::new(&readers, &server);
    let mut second = Rig::new(&readers, &server);
    assert!(first.log_in().starts_with("+OK"));
    assert!(second.log_in().starts_with("+OK"));
    let mut writer = Rig::new(&writers, &server);
    assert!(writer.log_in().starts_with("-ERR [IN-USE]"));
    drop((first, second));
    assert!(writer.log_in().starts_with("+OK"));
}

#[test]
fn a_store_that_allows_reading_only_makes_a_reader() {
    let (mut service, _, server) = good();
    service.mood = Mood::ReadOnly;
    let settings = settings(&service);
    let mut first = Rig::new(&settings, &server);
    assert!(first.log_in().starts_with("+OK"));
    let guard = server.locks().take("joe", pop3_server::lock::Mode::Shared);
    assert!(guard.is_some());
}

/// P018: whoever reads the refusal can log in elsewhere at once.
#[test]
fn p018_the_lock_is_free_before_the_refusal_is_out() {
    let (mut service, _, server) = good();
    service.mood = Mood::FailsToOpen;
    let settings = settings(&service);
    let mut rig = Rig::new(&settings, &server);
    rig.client.window = Some(0);
    rig.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
    assert_eq!(server.locks().held(), 0);
    rig.client.window = None;
    assert!(rig.say("").heard().contains("-ERR [SYS/TEMP]"));
}

/// V39: 2 s, then 4 s, then the connection is cut; the next one waits longer still.
#[test]
fn v39_a_wrong_password_costs_time() {
    let (_, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    for seconds in [2, 4, 8] {
        rig.ask("USER joe");
        assert_eq!(rig.ask("PASS wrong"), "");
        rig.wait(Duration::from_secs(seconds) - Duration::from_millis(1));
        assert_eq!(rig.heard(), "");
        rig.wait(Duration::from_millis(1));
        assert!(rig.heard().starts_with("-ERR [AUTH]"));
    }
    assert!(rig.client.shut_down, "cut after three");
    let mut next = Rig::new(&settings, &server);
    next.now = rig.now;
    next.ask("USER nowhere");
    assert_eq!(
        next.ask("PASS wrong"),
        "",
        "an unknown user waits like any other (P065)"
    );
    next.wait(Duration::from_secs(16));
    assert!(next.heard().starts_with("-ERR [AUTH]"));
    assert!(
        next.log_in().starts_with("+OK"),
        "who knows the password does not wait"
    );
}

#[test]
fn a_client_that_leaves_while_its_refusal_waits_is_let_go() {
    let (_, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    rig.ask("USER joe");
    rig.ask("PASS wrong");
    rig.end_of_stream();
    rig.wait(Duration::from_secs(2));
    assert!(rig.connection.is_finished());
}

/// qE4: places are free as soon as the client is gone, whatever way it went.
#[test]
fn qe4_places_are_free_when_the_client_is_gone() {
    let service = ListService::new(MESSAGES);
    let mut settings = Settings::new(Arc::new(service));
    settings.limits = Limits {
        total: 3,
        per_address: 2,
        per_user: 0,
    };
    let settings = Arc::new(settings);
    let server = Server::new();
    let at = |address| Rig::at(&settings, &server, peer_at(address));
    let mut first = at("192.0.2.1:1").unwrap();
    let second = at("192.0.2.1:2").unwrap();
    assert!(at("192.0.2.1:3").is_none(), "per address");
    let third = at("[2001:db8::1]:4").unwrap();
    assert!(at("192.0.2.2:5").is_none(), "in all");
    first.reset();
    let again = at("192.0.2.1:6").unwrap();
    drop((second, third, again));
    assert!(at("192.0.2.1:7").is_some());
}

/// qF3: a session is one connection to the upstream, so that this limits those too.
#[test]
fn the_sessions_of_a_user_are_limited() {
    let service = ListService::new(MESSAGES);
    let mut settings = Settings::new(Arc::new(service));
    settings.limits.per_user = 2;
    settings.policy = Arc::new(Policy {
        clear_login: true,
        read_only: ReadOnly::Always,
        ..Policy::default()
    });
    let (settings, server) = (Arc::new(settings), Server::new());
    let mut rigs: Vec<_> = (0..3).map(|_| Rig::new(&settings, &server)).collect();
    assert!(rigs[0].log_in().starts_with("+OK"));
    assert!(rigs[1].log_in().starts_with("+OK"));
    assert!(rigs[2].log_in().starts_with("-ERR [IN-USE]"));
    rigs[1].reset();
    assert!(rigs[2].log_in().starts_with("+OK"));
    let _ = rigs[0].ask("NOOP");
}

/// P013: no word, no update. qE1, V38: an idle session holds the lock no longer than autologout.
#[test]
fn p013_autologout_says_nothing_and_removes_nothing() {
    let (service, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    rig.log_in();
    rig.ask("DELE 1");
    rig.wait(Duration::from_secs(599));
    assert_eq!(server.locks().held(), 1);
    rig.wait(Duration::from_secs(4));
    assert_eq!(rig.heard(), "");
    assert!(rig.connection.is_finished());
    assert_eq!((service.removed(), server.locks().held()), (vec![], 0));
}

/// An update that never ends does not hold the maildrop for ever.
#[test]
fn p066_a_silent_update_ends() {
    let (mut service, _, server) = good();
    service.mood = Mood::SilentUpdate;
    let settings = settings(&service);
    let mut rig = Rig::new(&settings, &server);
    rig.log_in();
    rig.ask("DELE 1");
    rig.ask("QUIT");
    assert_eq!(server.locks().held(), 1);
    rig.end_of_stream();
    assert_eq!(
        server.locks().held(),
        1,
        "QUIT was said, so the update counts"
    );
    rig.wait(Duration::from_secs(700));
    assert!(rig.connection.is_finished());
    assert_eq!(server.locks().held(), 0);
}

/// G06: a cut message has no final dot.
#[test]
fn g06_a_message_that_breaks_off_closes_without_the_dot() {
    let (mut service, _, server) = good();
    service.mood = Mood::CutsMessages;
    let settings = settings(&service);
    let mut rig = Rig::new(&settings, &server);
    rig.log_in();
    let heard = rig.ask("RETR 1");
    assert!(
        heard.starts_with("+OK") && !heard.ends_with("\r\n.\r\n"),
        "{heard:?}"
    );
    assert!(rig.client.shut_down);
    assert_eq!(server.locks().held(), 0);
}

/// G19: the response is finished, the next command refused, nothing removed.
#[test]
fn g19_shutdown_finishes_the_response_and_updates_nothing() {
    let (service, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    rig.log_in();
    rig.ask("DELE 1");
    rig.connection.shut_down(rig.now);
    assert!(rig.ask("QUIT").starts_with("-ERR [SYS/TEMP]"));
    assert!(rig.client.shut_down);
    assert_eq!((service.removed(), server.locks().held()), (vec![], 0));
}

#[test]
fn g14_a_client_that_stops_reading_is_cut() {
    let service = ListService::new(&[&vec![b'x'; 1 << 20]]);
    let (settings, server) = (settings(&service), Server::new());
    let mut rig = Rig::new(&settings, &server);
    rig.log_in();
    rig.client.window = Some(1000);
    rig.say("RETR 1\r\n");
    rig.wait(Duration::from_secs(599));
    assert!(!rig.client.closed);
    rig.wait(Duration::from_secs(2));
    assert!(rig.client.closed && rig.connection.is_finished());
    assert_eq!(server.locks().held(), 0);
}

/// The whole dialogue of a session, for the tests that cut or chop it.
fn dialogue() -> String {
    format!(
        "CAPA\r\nUSER joe\r\nPASS {PASSWORD}\r\nSTAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 2 1\r\nDELE 2\r\n\
         RETR 3\r\nDELE 4\r\nRSET\r\nDELE 1\r\nRETR 4\r\nbogus\r\nNOOP\r\nQUIT\r\n"
    )
}

fn whole() -> (String, Vec<u32>) {
    let (service, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    let heard = rig.say(dialogue()).heard();
    assert!(rig.client.shut_down);
    (heard, service.removed())
}

/// P037: cut off after any octet, by end of stream, reset or a dropped task: the lock is free, and
/// nothing is removed unless QUIT was complete.
#[test]
fn p037_cut_off_anywhere_removes_nothing() {
    let dialogue = dialogue();
    for cut in 0..=dialogue.len() {
        for way in 0..3 {
            let (service, settings, server) = good();
            let mut rig = Rig::new(&settings, &server);
            rig.say(&dialogue[..cut]);
            match way {
                0 => rig.end_of_stream(),
                1 => rig.reset(),
                _ => {}
            }
            if way == 2 {
                drop(rig);
            } else {
                rig.wait(Duration::from_secs(10));
                assert!(rig.connection.is_finished(), "cut {cut}, way {way}");
            }
            assert_eq!(server.locks().held(), 0, "cut {cut}, way {way}");
            let wanted: &[u32] = if cut == dialogue.len() { &[0] } else { &[] };
            assert_eq!(service.removed(), wanted, "cut {cut}, way {way}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Chunking is invisible, in both directions.
    #[test]
    fn chunks_are_invisible(chunks in prop::collection::vec(1_usize..40, 1..400)) {
        let (service, settings, server) = good();
        let mut rig = Rig::new(&settings, &server);
        rig.chunks = chunks.into();
        let heard = rig.say(dialogue()).heard();
        let (wanted, removed) = whole();
        prop_assert_eq!(heard, wanted);
        prop_assert_eq!(service.removed(), removed);
    }

    /// Hostile clients: whatever they say, bounds and locks hold, time moves on, and all ends.
    #[test]
    fn garbage_ends(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                prop::sample::select(vec![
                    "USER joe\r\n", "PASS sesame\r\n", "PASS x\r\n", "RETR 1\r\n", "DELE 1\r\n", "TOP 1 9\r\n",
                    "AUTH PLAIN\r\n", "*\r\n", "STLS\r\n", "CAPA\r\n", "LIST\r\n", "\r\n", "AUTH\r\n",
                ]).prop_map(|line| line.as_bytes().to_vec()),
            ],
            0..40,
        ),
        pauses in prop::collection::vec(0_u64..700, 0..40),
        end in 0_u8..3,
    ) {
        let (service, settings, server) = good();
        let mut rig = Rig::new(&settings, &server);
        let mut pauses = pauses.into_iter();
        for piece in pieces {
            rig.say(piece);
            rig.wait(Duration::from_secs(pauses.next().unwrap_or(0)));
        }
        match end {
            0 => rig.end_of_stream(),
            1 => rig.reset(),
            _ => {}
        }
        rig.wait(Duration::from_secs(2000));
        prop_assert!(rig.connection.is_finished());
        prop_assert_eq!(server.locks().held(), 0);
        prop_assert_eq!(service.removed(), Vec::<u32>::new());
    }
}
