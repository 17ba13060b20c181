//! The composition in the clear: locks, limits, delays, and every way in which a connection ends.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use pop3_proto::server::{Policy, ReadOnly};
use pop3_server::connection::Connection;
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use proptest::prelude::*;
use testkit_server::list::{ListService, Mood};
use testkit_server::rig::Rig;
use testkit_server::{PASSWORD, peer_at};

const MESSAGES: &[&[u8]] = &[
    b"Subject: one\r\n\r\nbody\r\n",
    b".dot\r\n..\r\n",
    b"",
    b"no end",
];

fn settings(service: &ListService) -> Arc<Settings<ListService>> {
    let mut settings = Settings::new(Arc::new(service.clone()));
    settings.policy = Arc::new(Policy::default().clear_login(true));
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

/// Our last words reach the client before the close, but a client that never closes is not waited for without end.
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

/// P016, P017, X022: one writer; a second client learns of the first only with the right password.
#[test]
fn p017_p016_x022_the_second_writer_is_refused_until_the_first_is_gone() {
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
fn x022_in_use_is_not_shown_to_strangers() {
    let (_, settings, server) = good();
    let mut first = Rig::new(&settings, &server);
    first.log_in();
    let mut second = Rig::new(&settings, &server);
    second.ask("USER joe");
    assert!(second.ask("PASS wrong").starts_with("-ERR [AUTH]"));
}

#[test]
fn readers_go_beside_each_other_but_not_beside_a_writer() {
    let service = ListService::new(MESSAGES);
    let mut settings = Settings::new(Arc::new(service));
    settings.policy = Arc::new(
        Policy::default()
            .clear_login(true)
            .read_only(ReadOnly::Always),
    );
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

/// P018: a client that reads the refusal can log in elsewhere at once.
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

/// V39, W020: a wrong password is answered at once, and the next login waits before it is looked at; right
/// or wrong.
#[test]
fn v39_w020_after_a_wrong_password_every_login_waits() {
    let (service, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    rig.ask("USER joe");
    assert!(rig.ask("PASS wrong").starts_with("-ERR [AUTH]"));
    for seconds in [2, 4] {
        rig.ask("USER joe");
        assert_eq!(rig.ask("PASS wrong"), "");
        rig.wait(Duration::from_secs(seconds) - Duration::from_millis(1));
        assert_eq!(rig.heard(), "");
        rig.wait(Duration::from_millis(1));
        assert!(rig.heard().starts_with("-ERR [AUTH]"));
    }
    assert!(rig.client.shut_down, "cut after three");
    let next = |line: &str| {
        let mut next = Rig::new(&settings, &server);
        next.now = rig.now;
        next.ask(line);
        next
    };
    for (user, password, answer) in [
        ("nowhere", "wrong", "-ERR [AUTH]"),
        ("joe", PASSWORD, "+OK"),
    ] {
        let mut next = next(&format!("USER {user}"));
        assert_eq!(next.ask(&format!("PASS {password}")), "", "{user}");
        assert!(
            service.mail.lock().unwrap().opened == 0,
            "not looked at yet"
        );
        next.wait(Duration::from_secs(7));
        assert_eq!(
            next.heard(),
            "",
            "an unknown user waits like any other (P065)"
        );
        next.wait(Duration::from_secs(25));
        assert!(next.heard().starts_with(answer), "{user}");
    }
    // by now it is known, and others may be as wrong as they like
    let mut again = next("USER joe");
    assert!(again.ask(&format!("PASS {PASSWORD}")).starts_with("+OK"));
}

/// W020: while it waits a login has no backend.
#[test]
fn w020_a_login_that_waits_holds_no_more_than_its_place() {
    let (_, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    rig.ask("USER joe");
    rig.ask("PASS wrong");
    rig.ask("USER joe");
    rig.ask(&format!("PASS {PASSWORD}"));
    assert_eq!((server.throttle().waiting(), server.locks().held()), (1, 0));
    assert_eq!(server.crowd().count(), (1, 1));
    rig.reset();
    assert!(rig.connection.is_finished());
    assert_eq!(server.throttle().waiting(), 0);
    assert_eq!(server.crowd().count(), (0, 0));
}

/// W020: a right password from an address that nothing is known of never waits, whatever others do.
#[test]
fn w020_others_log_in_at_once_meanwhile() {
    let (_, settings, server) = good();
    for _ in 0..20 {
        let mut rig = Rig::new(&settings, &server);
        rig.ask("USER joe");
        rig.say("PASS wrong\r\n");
        rig.reset();
    }
    assert_eq!(server.throttle().waiting(), 0);
    for host in 2..50 {
        let mut rig = Rig::at(&settings, &server, peer_at(&format!("192.0.2.{host}:1"))).unwrap();
        assert!(rig.log_in().starts_with("+OK"));
    }
}

/// W020: when it is the turn of a login that waits, its task is woken.
#[test]
fn w020_a_turn_that_comes_free_is_passed_on() {
    let (_, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    rig.ask("USER joe");
    rig.ask("PASS wrong");
    let mut waiting: Vec<_> = (0..3)
        .map(|_| {
            let mut rig = Rig::new(&settings, &server);
            rig.log_in();
            rig
        })
        .collect();
    for rig in &mut waiting {
        rig.wait(Duration::from_secs(2));
        assert!(rig.heard().starts_with("+OK"), "one after the other");
        assert!(rig.ask("QUIT").starts_with("+OK"));
    }
}

/// W020: a login whose turn does not come within the grace is answered.
#[test]
fn w020_a_login_whose_turn_does_not_come_is_answered_within_the_grace() {
    let (_, settings, server) = good();
    let mut settings = Arc::into_inner(settings).unwrap();
    settings.delay.first = Duration::from_secs(1000);
    settings.delay.most = Duration::from_secs(1000);
    let settings = Arc::new(settings);
    let mut rig = Rig::new(&settings, &server);
    rig.ask("USER joe");
    rig.ask("PASS wrong");
    rig.log_in();
    rig.wait(Duration::from_secs(181));
    assert!(rig.heard().starts_with("-ERR [SYS/TEMP]"));
    assert!(rig.client.shut_down);
}

/// W020: a login that waits does not hold up the end of the server: its client hears it at once.
#[test]
fn w020_a_login_that_waits_is_answered_when_the_server_goes_down() {
    let (_, settings, server) = good();
    let mut rig = Rig::new(&settings, &server);
    rig.ask("USER joe");
    rig.ask("PASS wrong");
    rig.ask("USER joe");
    rig.ask(&format!("PASS {PASSWORD}"));
    assert_eq!(server.throttle().waiting(), 1);
    rig.connection.shut_down(rig.now);
    rig.run();
    assert!(rig.heard().starts_with("-ERR [SYS/TEMP]"));
    assert_eq!(server.throttle().waiting(), 0);
}

/// W023: strangers do not keep others out; of those that come in crowds the oldest goes.
#[test]
fn w023_a_crowd_before_login_makes_room() {
    let service = ListService::new(MESSAGES);
    let mut settings = Settings::new(Arc::new(service));
    settings.policy = Arc::new(Policy::default().clear_login(true));
    settings.limits.total = 40;
    settings.limits.strangers = 20;
    settings.limits.per_address = 10;
    let (settings, server) = (Arc::new(settings), Server::new());
    let at = |address: String| Rig::at(&settings, &server, peer_at(&address));
    let mut idle: Vec<_> = (0..20)
        .map(|n| at(format!("192.0.2.{}:1", n % 10)).unwrap())
        .collect();
    let mut guests = Vec::new();
    for host in 1..20 {
        let mut rig = at(format!("198.51.100.{host}:1")).unwrap();
        rig.ask(&format!("USER user{host}"));
        let answer = rig.ask(&format!("PASS {PASSWORD}"));
        assert!(answer.starts_with("+OK"), "{host}");
        guests.push(rig);
    }
    let gone = |rig: &mut Rig<_>| {
        rig.run();
        rig.client.shut_down
    };
    let left: Vec<bool> = idle.iter_mut().map(gone).collect();
    assert_eq!(
        left.iter().filter(|gone| **gone).count(),
        1,
        "one place was enough"
    );
    assert!(left[0], "the oldest");
    assert_eq!(idle[0].heard().matches("-ERR").count(), 0);
}

/// qE4: places are free as soon as the client is gone, whatever way it went.
#[test]
fn qe4_places_are_free_when_the_client_is_gone() {
    let service = ListService::new(MESSAGES);
    let mut settings = Settings::new(Arc::new(service));
    settings.limits.total = 3;
    settings.limits.strangers = 0;
    settings.limits.per_address = 2;
    settings.limits.per_user = 0;
    settings.policy = Arc::new(
        Policy::default()
            .clear_login(true)
            .read_only(ReadOnly::Always),
    );
    let settings = Arc::new(settings);
    let server = Server::new();
    // a client that is logged in does not make room
    let at = |address| {
        let mut rig = Rig::at(&settings, &server, peer_at(address))?;
        assert!(rig.log_in().starts_with("+OK"));
        Some(rig)
    };
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
fn qf3_the_sessions_of_a_user_are_limited() {
    let service = ListService::new(MESSAGES);
    let mut settings = Settings::new(Arc::new(service));
    settings.limits.per_user = 2;
    settings.policy = Arc::new(
        Policy::default()
            .clear_login(true)
            .read_only(ReadOnly::Always),
    );
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
fn p013_v38_qe1_autologout_says_nothing_and_removes_nothing() {
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

/// Strangers that name a user, or begin a login and never end it, hold nothing of that user's: neither the
/// maildrop nor his places, for as long as they like.
#[test]
fn v38_a_stranger_who_idles_locks_nobody_out() {
    let (_, settings, server) = good();
    let mut strangers: Vec<_> = (0..30).map(|_| Rig::new(&settings, &server)).collect();
    for (n, stranger) in strangers.iter_mut().enumerate() {
        stranger.say("USER joe\r\n");
        if n % 3 == 1 {
            stranger.say("PASS ses");
        } else if n % 3 == 2 {
            stranger.say("AUTH PLAIN\r\n");
        }
    }
    assert_eq!(server.locks().held(), 0);
    for _ in 0..3 {
        let mut owner = Rig::new(&settings, &server);
        owner.log_in();
        assert_eq!(server.locks().held(), 1);
        assert!(owner.ask("STAT").starts_with("+OK"));
        assert!(owner.ask("QUIT").starts_with("+OK"));
        assert_eq!(server.locks().held(), 0);
        strangers
            .iter_mut()
            .for_each(|stranger| stranger.wait(Duration::from_secs(50)));
    }
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

/// Held as long as a client is idle.
#[test]
fn a_connection_itself_is_small() {
    let itself = size_of::<Connection<ListService>>();
    assert!(itself <= 1024, "{itself} octets without what it points to");
}
