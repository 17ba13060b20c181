//! A session that needs nothing for a minute gives its upstream up, and has it back without the client noticing.

use std::time::Duration;

use imap_backend::{DeletePolicy, Security};
use pop3_proto::server::TlsOffer;
use pop3_server::parking::Why;
use testkit::imap_server::Fault;
use testkit::judge::Tolerance;
use testkit::world::{Conditions, Ending, Route};

use crate::client::Client;
use crate::rig::{PASSWORD, Pace, Rig, Setup, USER, cut, login, octets, of_no_use, session};

const MAILS: [&str; 3] = [
    "Subject: one\r\n\r\n.\r\nbody\r\n",
    "Subject: two\r\n\r\nshort\r\n",
    "Subject: three\r\n\r\nlast\r\n",
];
const MINUTE: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_secs(1);

/// Whether a connection may wait, or is logged out of at once.
const WAYS: [bool; 2] = [false, true];

/// A gateway whose sessions rest after a minute.
fn setup(park: bool) -> Setup {
    let mut setup = Setup::new(MAILS);
    setup.imap.rest = MINUTE;
    if park {
        setup.imap.park = 10 * MINUTE;
    }
    setup
}

/// A client whose session rests.
fn resting(rig: &mut Rig) -> Client {
    let client = rig.logged_in();
    rest(rig);
    client
}

fn rest(rig: &mut Rig) {
    rig.world.advance(MINUTE + MOMENT);
    rig.world.settle();
    assert_eq!(rig.host.open(), rig.parked());
}

/// How many logins the upstream was asked for.
fn logins(rig: &Rig) -> usize {
    let commands = rig.imap.commands();
    let logins = commands.iter().filter(|line| line.starts_with("LOGIN"));
    logins.count()
}

#[test]
fn a_session_that_needs_nothing_has_no_connection() {
    for park in WAYS {
        for security in [Security::Clear, Security::StartTls, Security::Implicit] {
            let offer = match security {
                Security::Clear => TlsOffer::None,
                Security::StartTls => TlsOffer::Stls,
                Security::Implicit => TlsOffer::Implicit,
            };
            let mut rig = setup(park).with_tls(offer, security).start();
            let client = resting(&mut rig);
            let waits = usize::from(park);
            assert_eq!((rig.parked(), rig.host.open()), (waits, waits));
            assert_eq!(rig.locks(), 1, "the maildrop is its own");
            // what needs no upstream wakes none
            let said = rig.imap.commands().len();
            for command in [
                "NOOP", "STAT", "LIST", "UIDL", "DELE 3", "RSET", "LIST 1", "CAPA",
            ] {
                assert!(rig.ask(&client, command).starts_with("+OK"), "{command}");
            }
            assert_eq!(rig.imap.commands().len(), said);
            assert!(rig.ask(&client, "RETR 2").ends_with("short\r\n.\r\n"));
            assert_eq!(logins(&rig), if park { 1 } else { 2 });
            assert_eq!((rig.parked(), rig.host.open()), (0, 1));
            // and again
            rest(&mut rig);
            assert!(rig.ask(&client, "RETR 1").ends_with("body\r\n.\r\n"));
            assert!(rig.ask(&client, "QUIT").starts_with("+OK"));
            assert_eq!((rig.uids(), rig.locks()), (vec![1, 2, 3], 0));
        }
    }
}

/// As it is without rest.
#[test]
fn without_a_rest_the_connection_stays() {
    let mut setup = setup(true);
    setup.imap.rest = Duration::ZERO;
    let mut rig = setup.start();
    let client = rig.logged_in();
    rig.world.advance(8 * MINUTE);
    assert_eq!((rig.parked(), rig.host.open()), (0, 1));
    assert!(rig.ask(&client, "RETR 1").starts_with("+OK"));
    assert_eq!(rig.imap.connections(), 1);
}

/// Commands that need no upstream do not keep it, and those that keep its connection alive neither.
#[test]
fn a_client_that_only_says_noop_keeps_no_connection() {
    for park in WAYS {
        let mut setup = setup(park);
        setup.imap.keep_alive = 10 * MOMENT;
        let mut rig = setup.start();
        let client = rig.logged_in();
        for _ in 0..3 {
            rig.world.advance(MINUTE / 2 - MOMENT);
            assert!(rig.ask(&client, "NOOP").starts_with("+OK"));
        }
        assert_eq!(rig.host.open(), rig.parked());
        assert!(rig.ask(&client, "RETR 1").starts_with("+OK"));
    }
}

/// What is under way keeps it: a client that does not read has its message when it does.
#[test]
fn a_message_under_way_keeps_the_connection() {
    for park in WAYS {
        let mut setup = setup(park);
        let large = "0123456789abcdef\r\n".repeat(50_000);
        setup.mails = vec![large.clone().into_bytes().into()];
        let mut rig = setup.start();
        let client = rig.logged_in();
        client.take();
        client.set_deaf(true);
        client.say("RETR 1\r\n");
        rig.world.advance(5 * MINUTE);
        assert_eq!((rig.parked(), rig.host.open()), (0, 1));
        client.set_deaf(false);
        rig.world.settle();
        let heard = client.take();
        assert!(heard.ends_with(&format!("{large}.\r\n")));
        // the time begins at its end
        rig.world.advance(MINUTE - MOMENT);
        assert_eq!((rig.parked(), rig.host.open()), (0, 1));
        rest(&mut rig);
    }
}

/// What is answered to these commands, said between `before` and the end.
fn answers(
    mut rig: Rig,
    before: impl FnOnce(&mut Rig),
    commands: &[&str],
) -> (Vec<String>, Vec<u32>) {
    let client = rig.logged_in();
    before(&mut rig);
    let heard = commands.iter().map(|line| rig.ask(&client, line));
    let heard = heard.collect();
    assert_eq!(rig.locks(), 0);
    (heard, rig.uids())
}

/// New mail is not shown, and what vanished is answered as it is when the upstream says so during a session; exactly what
/// was marked is removed.
#[test]
fn what_changed_meanwhile_changes_no_number() {
    let commands = [
        "STAT", "UIDL", "RETR 2", "RETR 4", "TOP 2 1", "DELE 1", "DELE 2", "RETR 3", "LIST", "QUIT",
    ];
    for park in WAYS {
        let change = |rig: &mut Rig| {
            rig.imap.store().deliver(USER, "Subject: new\r\n\r\n");
            let removed = rig
                .imap
                .store()
                .edit(USER, "INBOX", |inbox| inbox.expunge(2));
            assert_eq!(removed, Some(true));
        };
        let mut awake = setup(park);
        awake.imap.rest = Duration::ZERO;
        let awake = answers(
            awake.start(),
            |rig| {
                change(rig);
                rig.world.advance(MINUTE + MOMENT);
            },
            &commands,
        );
        let rested = |earlier: bool| {
            let before = |rig: &mut Rig| {
                if earlier {
                    change(rig);
                }
                rest(rig);
                if !earlier {
                    change(rig);
                }
            };
            answers(setup(park).start(), before, &commands)
        };
        for earlier in [false, true] {
            let rested = rested(earlier);
            assert_eq!(rested, awake);
            assert!(rested.0[0].starts_with("+OK 3 ") && rested.0[3].starts_with("-ERR"));
            assert_eq!(rested.1, [3, 4]);
        }
    }
}

/// Another UIDVALIDITY: nothing more of this folder, and nothing is removed.
#[test]
fn a_folder_that_is_another_one_is_left_alone() {
    for park in WAYS {
        let commands = ["RETR 1", "DELE 1", "RETR 2", "STAT", "QUIT"];
        let renumber = |rig: &mut Rig| {
            rest(rig);
            let renumbered = |inbox: &mut testkit::imap_server::Folder| inbox.renumber(77);
            rig.imap.store().edit(USER, "INBOX", renumbered);
        };
        let (heard, uids) = answers(setup(park).start(), renumber, &commands);
        for place in [0, 2, 4] {
            assert!(heard[place].starts_with("-ERR [SYS/TEMP]"), "{heard:?}");
        }
        assert_eq!(uids.len(), 3);
        // at once with the update
        let (heard, uids) = answers(setup(park).start(), renumber, &["DELE 2", "QUIT"]);
        assert!(heard[1].starts_with("-ERR [SYS/TEMP]"), "{heard:?}");
        assert_eq!(uids.len(), 3);
    }
}

/// The password was changed meanwhile, and no connection waits.
#[test]
fn a_login_that_is_refused_removes_nothing() {
    let mut rig = setup(false).start();
    let client = resting(&mut rig);
    rig.imap.store().add_user(USER, "new");
    assert!(rig.ask(&client, "DELE 1").starts_with("+OK"));
    for command in ["RETR 2", "RETR 3", "QUIT"] {
        let heard = rig.ask(&client, command);
        assert!(heard.starts_with("-ERR [SYS/TEMP]"), "{heard}");
    }
    assert_eq!((rig.uids(), rig.locks()), (vec![1, 2, 3], 0));
    assert_eq!(logins(&rig), 2, "it is not tried over and over");
}

/// What was marked before and after the rest goes, under each policy, and nothing else.
#[test]
fn marks_outlast_the_rest() {
    for park in WAYS {
        for delete in [
            DeletePolicy::Expunge,
            DeletePolicy::Move("Old".into()),
            DeletePolicy::Seen,
            DeletePolicy::Keyword("Taken".into()),
            DeletePolicy::Keep,
        ] {
            let mut setup = setup(park);
            setup.imap.delete = delete.clone();
            let mut rig = setup.start();
            let client = rig.logged_in();
            rig.ask(&client, "RETR 1");
            rig.ask(&client, "DELE 1");
            rest(&mut rig);
            rig.imap.store().deliver(USER, "Subject: new\r\n\r\n");
            rig.ask(&client, "DELE 3");
            assert!(rig.ask(&client, "QUIT").starts_with("+OK"), "{delete:?}");
            let seen = |uid| rig.imap.store().flags(USER, "INBOX", uid);
            let left = match &delete {
                DeletePolicy::Expunge | DeletePolicy::Move(_) => &[2, 4][..],
                DeletePolicy::Seen | DeletePolicy::Keyword(_) => {
                    assert_eq!((seen(1).len(), seen(2).len(), seen(3).len()), (1, 0, 1));
                    &[1, 2, 3, 4]
                }
                DeletePolicy::Trash { .. } | DeletePolicy::Keep => &[1, 2, 3, 4],
            };
            assert_eq!(rig.uids(), left, "{delete:?}");
        }
    }
}

/// A session that ends while it rests needs nothing either.
#[test]
fn the_end_wakes_nobody() {
    for park in WAYS {
        let ends: [fn(&mut Rig, &Client); 4] = [
            |rig, client| assert!(rig.ask(client, "QUIT").starts_with("+OK")),
            |_, client| client.hang_up(),
            |_, client| client.reset(),
            |rig, _| rig.world.advance(10 * MINUTE),
        ];
        for end in ends {
            let mut rig = setup(park).start();
            let client = resting(&mut rig);
            end(&mut rig, &client);
            rig.world.settle();
            assert_eq!((rig.locks(), rig.imap.connections()), (0, 1));
            assert_eq!(rig.uids(), [1, 2, 3]);
            assert!(!rig.was_changed());
            client.vanish();
            rig.is_usable();
        }
    }
}

/// What waits goes to whoever proves the same, and the session that rests makes another one.
#[test]
fn another_login_may_take_what_waits() {
    let mut rig = setup(true).start();
    let client = resting(&mut rig);
    let other = rig.client();
    assert!(rig.log_in(&other).starts_with("-ERR [IN-USE]"));
    rig.world.settle();
    assert_eq!((rig.parked(), rig.host.open(), rig.locks()), (0, 0, 1));
    assert!(rig.ask(&client, "RETR 1").starts_with("+OK"));
    assert_eq!(logins(&rig), 2);
}

/// As many wait as may, and the others are logged out of.
#[test]
fn those_without_a_place_are_logged_out() {
    let mut rig = setup(true).start();
    rig.server.parking().allow(1);
    rig.imap.store().add_user("tom@example.org", PASSWORD);
    let client = rig.logged_in();
    let other = rig.client();
    rig.ask(&other, "USER tom@example.org");
    assert!(
        rig.ask(&other, &format!("PASS {PASSWORD}"))
            .starts_with("+OK")
    );
    rest(&mut rig);
    assert_eq!((rig.parked(), rig.host.open(), rig.locks()), (1, 1, 2));
    assert!(rig.ask(&client, "RETR 1").starts_with("+OK"));
    rest(&mut rig);
    rig.server.parking().allow(0);
    rest(&mut rig);
    assert_eq!((rig.parked(), rig.host.open(), rig.locks()), (0, 0, 2));
    for client in [&client, &other] {
        assert!(rig.ask(client, "QUIT").starts_with("+OK"));
    }
}

/// The upstream breaks it off meanwhile, or is of no use when it is taken up.
#[test]
fn an_upstream_that_goes_meanwhile_costs_nothing() {
    for park in WAYS {
        for reset in [false, true] {
            for settled in [false, true] {
                let mut rig = setup(park).start();
                let client = resting(&mut rig);
                rig.host.hang_up(reset);
                if settled {
                    rig.world.settle();
                }
                assert!(rig.ask(&client, "RETR 1").starts_with("+OK"));
                assert!(rig.ask(&client, "DELE 2").starts_with("+OK"));
                assert!(rig.ask(&client, "QUIT").starts_with("+OK"));
                assert_eq!(rig.uids(), [1, 3]);
            }
        }
    }
}

#[test]
fn a_connection_that_is_of_no_use_costs_a_moment_at_most() {
    for trouble in of_no_use() {
        let mut rig = setup(true).start();
        rig.imap
            .add_fault(Fault::on_nth("SELECT", 2, trouble.clone()));
        let client = resting(&mut rig);
        let mut heard = rig.ask(&client, "RETR 1");
        if heard.is_empty() {
            rig.world.advance(Duration::from_secs(6));
            heard = client.take();
        }
        assert!(heard.starts_with("+OK"), "{trouble:?} {heard}");
        assert_eq!(logins(&rig), 2, "{trouble:?}");
    }
}

/// The client speaks in the moment in which the connection is given up, on lines of all lengths: whether it is caught
/// before, on its way or after, each command has its answer, and exactly what was marked is removed.
#[test]
fn the_client_speaks_in_that_very_moment() {
    const COMMANDS: [&str; 7] = [
        "STAT", "RETR 1", "TOP 2 1", "DELE 2", "RETR 3", "UIDL", "QUIT",
    ];
    for park in WAYS {
        for delay in [0, 3, 10] {
            for early in (0..30).step_by(3) {
                for pace in [Pace::AtOnce, Pace::OneByOne] {
                    let delayed = Conditions {
                        delay: Duration::from_millis(delay),
                        ..Conditions::default()
                    };
                    let route = Route {
                        there: delayed.clone(),
                        back: delayed,
                    };
                    let mut rig = setup(park)
                        .upstream_route(route.clone())
                        .upstream_route(route)
                        .start();
                    let model = rig.model();
                    let client = rig.client();
                    rig.say_all(&client, &login(), Pace::OneByOne);
                    rig.world.advance(MOMENT);
                    rig.world.advance(
                        MINUTE - MOMENT - Duration::from_millis(15) + Duration::from_millis(early),
                    );
                    rig.say_all(&client, &COMMANDS, pace);
                    rig.world.advance(MOMENT);
                    let commands = session(&COMMANDS[..6]);
                    let heard = client.judged(&commands, model, Tolerance::Nothing);
                    let heard = heard.unwrap_or_else(|fault| panic!("{delay} {early}: {fault}"));
                    assert_eq!((heard.quit, heard.failed), (Some(true), 0));
                    assert_eq!((rig.uids(), rig.locks()), (vec![1, 3], 0));
                }
            }
        }
    }
}

/// A session with a rest in it, from the login to QUIT.
fn with_a_rest(rig: &mut Rig, client: &Client) -> Vec<String> {
    let commands = session(&["RETR 1", "DELE 2", "RETR 3", "DELE 3"]);
    let (before, after) = commands.split_at(4);
    rig.say_all(client, before, Pace::OneByOne);
    rig.world.advance(MINUTE + MOMENT);
    rig.say_all(client, after, Pace::OneByOne);
    rig.world.advance(MINUTE / 2);
    commands
}

/// The upstream's line is cut at every octet, the first one or the one after the rest.
#[test]
fn the_upstream_is_cut_at_every_octet() {
    for park in WAYS {
        let mut whole = setup(park).start();
        let client = whole.client();
        with_a_rest(&mut whole, &client);
        assert_eq!(whole.uids(), [1]);
        let lines = whole.imap.commands();
        let said: usize = lines.iter().map(|line| line.len() + 8).sum();
        for ending in [Ending::End, Ending::Reset] {
            for (most, back) in [(whole.host.octets(), true), (said as u64, false)] {
                for after in 0..=most {
                    let cut = cut(after, ending);
                    let mut route = Route::default();
                    if back {
                        route.back = cut;
                    } else {
                        route.there = cut;
                    }
                    on_a_bad_line(park, &[route.clone()]);
                    if !park && after <= most / 2 {
                        on_a_bad_line(park, &[Route::default(), route]);
                    }
                }
            }
        }
    }
}

fn on_a_bad_line(park: bool, routes: &[Route]) {
    let context = format!("{park} {routes:?}");
    let mut setup = setup(park);
    setup.upstream = routes.to_vec();
    let mut rig = setup.start();
    let model = rig.model();
    let client = rig.client();
    let commands = with_a_rest(&mut rig, &client);
    let heard = client.judged(&commands, model, Tolerance::Upstream);
    let heard = heard.unwrap_or_else(|fault| panic!("{context}: {fault}"));
    let uids = rig.uids();
    assert!(uids.contains(&1), "{context}");
    if heard.quit == Some(true) && heard.logged_in {
        assert_eq!(uids, [1], "{context}");
    }
    assert_eq!(rig.locks(), 0, "{context}");
}

/// The client is cut at every octet that it says: nothing is removed without QUIT.
#[test]
fn a_client_is_cut_at_every_octet() {
    let said = octets(&session(&["RETR 1", "DELE 2", "RETR 3", "DELE 3"]));
    for park in WAYS {
        for ending in [Ending::End, Ending::Reset] {
            for after in 0..said {
                let mut rig = setup(park).start();
                let route = Route {
                    there: cut(after, ending),
                    ..Route::default()
                };
                let model = rig.model();
                let client = rig.client_by(route);
                let commands = with_a_rest(&mut rig, &client);
                let heard = client.judged(&commands, model, Tolerance::Cut);
                heard.unwrap_or_else(|fault| panic!("{after}: {fault}"));
                client.vanish();
                rig.world.settle();
                assert_eq!((rig.locks(), rig.uids()), (0, vec![1, 2, 3]));
                assert!(!rig.was_changed());
                rig.is_usable();
            }
        }
    }
}

/// Sessions that rest hold nothing up when the server goes down, and remove nothing.
#[test]
fn a_rest_does_not_hold_up_the_end() {
    for park in WAYS {
        let mut rig = setup(park).start();
        let client = resting(&mut rig);
        rig.ask(&client, "DELE 1");
        rig.server.shutdown().advance();
        rig.world.settle();
        assert!(client.take().starts_with("-ERR [SYS/TEMP]"));
        client.vanish();
        rig.world.settle();
        assert_eq!((rig.host.open(), rig.tasks.running()), (0, 0));
        assert_eq!(rig.uids(), [1, 2, 3]);
    }
}

/// What waits too long is logged out of, and the session logs in again.
#[test]
fn what_waits_too_long_is_made_anew() {
    let mut setup = setup(true);
    setup.imap.park = 2 * MINUTE;
    let mut rig = setup.start();
    let client = resting(&mut rig);
    rig.world.advance(3 * MINUTE);
    assert_eq!((rig.parked(), rig.host.open()), (0, 0));
    let mut ended = rig.server.parking().ended();
    assert!(ended.any(|(why, count)| why == Why::Expired && count == 1));
    drop(ended);
    assert!(rig.ask(&client, "RETR 1").starts_with("+OK"));
    assert_eq!(logins(&rig), 2);
}
