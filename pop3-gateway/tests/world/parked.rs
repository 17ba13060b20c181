//! The connection of a session waits for the next login, and whatever happens meanwhile.

use std::time::Duration;

use imap_backend::{DeletePolicy, Security};
use pop3_proto::server::TlsOffer;
use pop3_server::parking::Why;
use testkit::imap_server::{Fault, Trouble};
use testkit::judge::{Heard, Tolerance};
use testkit::world::{Ending, Route};

use crate::client::Client;
use crate::rig::{PASSWORD, Pace, Rig, Setup, USER, cut, judged, octets, of_no_use, session};

const MAILS: [&str; 3] = [
    "Subject: one\r\n\r\n.\r\nbody\r\n",
    "Subject: two\r\n\r\nshort\r\n",
    "Subject: three\r\n\r\nlast\r\n",
];
/// What a device says that looks for mail.
const POLL: [&str; 2] = ["STAT", "UIDL"];
const MINUTE: Duration = Duration::from_secs(60);

/// Whether the server offers IDLE.
const WAYS: [bool; 2] = [false, true];

/// A gateway whose connections wait ten minutes.
fn setup(idle: bool) -> Setup {
    let mut setup = Setup::new(MAILS);
    setup.imap.park = 10 * MINUTE;
    setup.imap.trust_idle = idle;
    if idle {
        setup.options = setup.options.with("IDLE");
    }
    setup
}

/// A session that says these, from the login to QUIT.
fn visit(rig: &mut Rig, commands: &[&str]) -> Heard {
    let client = rig.client();
    let heard = judged(
        rig,
        &client,
        &session(commands),
        Pace::OneByOne,
        Tolerance::Nothing,
    );
    client.vanish();
    rig.world.settle();
    assert_eq!(rig.locks(), 0);
    heard
}

/// A rig in which a connection waits.
fn waiting(setup: Setup) -> Rig {
    let mut rig = setup.start();
    visit(&mut rig, &POLL);
    assert_eq!((rig.parked(), rig.host.open()), (1, 1));
    rig
}

fn ended(rig: &Rig, why: Why) -> u64 {
    let mut ended = rig.server.parking().ended();
    ended.find(|(own, _)| *own == why).unwrap().1
}

/// How many logins the upstream was asked for.
fn logins(rig: &Rig) -> usize {
    let commands = rig.imap.commands();
    commands
        .iter()
        .filter(|line| line.starts_with("LOGIN"))
        .count()
}

fn log_in_with(rig: &mut Rig, password: &str) -> (Client, String) {
    let client = rig.client();
    rig.ask(&client, &format!("USER {USER}"));
    let heard = rig.ask(&client, &format!("PASS {password}"));
    (client, heard)
}

/// A device that polls every minute for an hour: one login upstream. Where the server offers IDLE and nothing is new it
/// need not even be asked.
#[test]
fn a_device_that_polls_every_minute_costs_one_login() {
    for idle in WAYS {
        for security in [Security::Clear, Security::StartTls, Security::Implicit] {
            let client = match security {
                Security::Clear => TlsOffer::None,
                Security::StartTls => TlsOffer::Stls,
                Security::Implicit => TlsOffer::Implicit,
            };
            let mut rig = setup(idle).with_tls(client, security).start();
            for minute in 0..60 {
                visit(&mut rig, &POLL);
                assert_eq!(rig.figure("parked_connections"), 1, "{minute}");
                rig.world.advance(MINUTE);
            }
            assert_eq!((rig.imap.connections(), logins(&rig)), (1, 1));
            assert_eq!(rig.server.parking().taken(), 59);
            let asked = rig.imap.commands();
            let asked = |name: &str| asked.iter().filter(|line| line.starts_with(name)).count();
            // the folder is opened anew each ten minutes; a server that is silent is asked now and then whether it is
            // still there
            assert!(asked("SELECT") <= 7, "{}", asked("SELECT"));
            let most = if idle { 25 } else { 60 };
            assert!(asked("STATUS") + asked("SELECT") <= most);
            assert_eq!(asked("NOOP"), asked("STATUS"));
            assert_eq!(
                rig.figure(r#"upstream_connects_total{upstream="world",result="resumed"}"#),
                59
            );
        }
    }
}

/// A login that finds no file for its connection has that of one that only waits.
#[test]
fn a_login_without_a_file_gets_that_of_a_connection_that_waits() {
    for host in ["127.0.0.1", "localhost"] {
        let setup = |idle| {
            let mut setup = setup(idle);
            setup.imap.endpoint.host = host.into();
            setup
        };
        let idle = host == "localhost";
        let mut rig = waiting(setup(idle));
        rig.meter.set_files(2);
        // with another credential: what waits is not for this login
        let (client, _) = log_in_with(&mut rig, "wrong");
        rig.world.advance(Duration::from_millis(10));
        let heard = client.take();
        assert!(heard.starts_with("-ERR [AUTH]"), "{heard}");
        assert_eq!((logins(&rig), ended(&rig, Why::Room)), (2, 1));
        client.vanish();
        // where none waits the client is told to come again
        let mut rig = setup(idle).start();
        rig.meter.set_files(1);
        let (client, heard) = log_in_with(&mut rig, PASSWORD);
        assert!(heard.starts_with("-ERR [SYS/TEMP]"), "{heard}");
        client.vanish();
        rig.meter.set_files(2);
        visit(&mut rig, &POLL);
    }
}

/// The upstream's yes counts for an hour, however often the connection is used.
#[test]
fn the_password_is_looked_at_again_after_an_hour() {
    let mut rig = setup(true).start();
    for _ in 0..130 {
        visit(&mut rig, &POLL);
        rig.world.advance(MINUTE);
    }
    assert_eq!(logins(&rig), 3);
    assert_eq!(rig.host.open(), 1);
}

/// A connection that nobody wants ends after its time.
#[test]
fn a_connection_waits_no_longer_than_it_may() {
    for idle in WAYS {
        let mut rig = waiting(setup(idle));
        rig.world.advance(9 * MINUTE);
        assert_eq!(rig.parked(), 1);
        rig.world.advance(2 * MINUTE);
        assert_eq!((rig.parked(), rig.host.open()), (0, 0));
        assert_eq!(ended(&rig, Why::Expired), 1);
        rig.is_usable();
        assert_eq!(logins(&rig), 2);
    }
}

/// What changed meanwhile is seen: `visit` compares with the mailbox as it is.
#[test]
fn what_changed_meanwhile_is_seen() {
    for idle in WAYS {
        let mut rig = waiting(setup(idle));
        rig.imap.store().deliver(USER, "Subject: new\r\n\r\n");
        rig.world.settle();
        visit(&mut rig, &["STAT", "LIST", "UIDL", "RETR 4"]);
        let removed = |uid| {
            rig.imap
                .store()
                .edit(USER, "INBOX", |inbox| inbox.expunge(uid))
        };
        assert_eq!(removed(2), Some(true));
        rig.world.settle();
        visit(
            &mut rig,
            &["STAT", "LIST", "UIDL", "RETR 2", "RETR 3", "DELE 1"],
        );
        rig.imap.store().deliver(USER, "Subject: newer\r\n\r\n");
        visit(&mut rig, &["STAT", "LIST", "UIDL", "RETR 1", "RETR 3"]);
        rig.imap
            .store()
            .edit(USER, "INBOX", |inbox| inbox.renumber(77));
        rig.world.settle();
        visit(&mut rig, &["STAT", "UIDL", "RETR 1", "DELE 2"]);
        visit(&mut rig, &["STAT", "UIDL"]);
        assert_eq!(rig.uids().len(), 2);
        assert_eq!(logins(&rig), 1);
    }
}

/// What a session deleted, it and others, is gone in the next one; hidden messages stay hidden.
#[test]
fn every_policy_leaves_a_connection_that_is_right() {
    for idle in WAYS {
        for (delete, left) in [
            (DeletePolicy::Expunge, 1),
            (DeletePolicy::Move("Old".into()), 1),
            (DeletePolicy::Seen, 1),
            (DeletePolicy::Keyword("Taken".into()), 1),
            (DeletePolicy::Keep, 3),
        ] {
            let mut setup = setup(idle);
            setup.imap.delete = delete.clone();
            setup.imap.mark_seen = delete != DeletePolicy::Seen;
            let mut rig = waiting(setup);
            for commands in [&["RETR 1", "DELE 1", "DELE 3"][..], &[], &[]] {
                let client = rig.client();
                rig.say_all(&client, &session(commands), Pace::OneByOne);
                assert!(client.has_ended(), "{delete:?}");
            }
            let client = rig.logged_in();
            let heard = rig.ask(&client, "STAT");
            assert!(
                heard.starts_with(&format!("+OK {left} ")),
                "{delete:?} {heard}"
            );
            assert_eq!(logins(&rig), 1, "{delete:?} {idle}");
        }
    }
}

/// A wrong password is refused by the upstream and nothing waits less for it; the right one is taken at once.
#[test]
fn a_wrong_password_goes_to_the_upstream() {
    for idle in WAYS {
        let mut rig = waiting(setup(idle));
        let (client, heard) = log_in_with(&mut rig, "wrong");
        assert!(heard.starts_with("-ERR [AUTH]"), "{heard}");
        client.vanish();
        rig.world.settle();
        assert_eq!((rig.parked(), logins(&rig)), (1, 2));
        // it counts: the next wrong one waits, and the right one does not, since it was right here before
        let (client, heard) = log_in_with(&mut rig, "wrong");
        assert_eq!(heard, "");
        let (_other, heard) = log_in_with(&mut rig, PASSWORD);
        assert!(heard.starts_with("+OK"), "{heard}");
        assert_eq!(logins(&rig), 2);
        rig.world.advance(MINUTE);
        assert!(client.take().starts_with("-ERR [AUTH]"));
    }
}

/// A password that was changed: the login with the new one ends what waits with the old one.
#[test]
fn the_new_password_ends_the_old_one() {
    for idle in WAYS {
        let mut rig = waiting(setup(idle));
        rig.imap.store().add_user(USER, "new");
        let (client, heard) = log_in_with(&mut rig, "new");
        assert!(heard.starts_with("+OK"), "{heard}");
        rig.world.settle();
        assert_eq!((rig.parked(), ended(&rig, Why::Replaced)), (0, 1));
        rig.ask(&client, "QUIT");
        assert_eq!((rig.parked(), rig.host.open()), (1, 1));
        let (_client, heard) = log_in_with(&mut rig, PASSWORD);
        assert!(heard.starts_with("-ERR [AUTH]"), "{heard}");
    }
}

/// The right password of another account opens that account.
#[test]
fn another_account_has_its_own_connection() {
    let mut rig = waiting(setup(true));
    rig.imap.store().add_user("tom@example.org", PASSWORD);
    let client = rig.client();
    rig.ask(&client, "USER tom@example.org");
    assert!(
        rig.ask(&client, &format!("PASS {PASSWORD}"))
            .starts_with("+OK")
    );
    assert!(rig.ask(&client, "STAT").starts_with("+OK 0 "));
    rig.ask(&client, "QUIT");
    assert_eq!((rig.parked(), logins(&rig)), (2, 2));
}

/// Of two logins one gets the connection, and the maildrop is for one of them.
#[test]
fn two_logins_race_for_one_connection() {
    for idle in WAYS {
        let mut rig = waiting(setup(idle));
        let (one, other) = (rig.client(), rig.client());
        for client in [&one, &other] {
            client.say(format!("USER {USER}\r\nPASS {PASSWORD}\r\n"));
        }
        rig.world.settle();
        let heard = [one.take(), other.take()];
        let said = |words: &str| heard.iter().filter(|heard| heard.contains(words)).count();
        assert_eq!((said("3 messages"), said("[IN-USE]")), (1, 1), "{heard:?}");
        assert_eq!((rig.server.parking().taken(), rig.host.open()), (1, 1));
    }
}

/// Only QUIT leaves a connection: not a client that goes, not a failed update, not one that reads on.
#[test]
fn what_ends_otherwise_leaves_nothing() {
    for idle in WAYS {
        let mut rig = setup(idle).start();
        let client = rig.logged_in();
        client.vanish();
        rig.world.settle();
        assert_eq!((rig.parked(), rig.host.open()), (0, 0));
        rig.imap.add_fault(Fault::on_each(
            "UID EXPUNGE",
            Trouble::Answer("NO no".into()),
        ));
        rig.imap
            .add_fault(Fault::on_each("EXPUNGE", Trouble::Answer("NO no".into())));
        let client = rig.client();
        rig.say_all(&client, &session(&["DELE 1"]), Pace::OneByOne);
        assert!(client.heard().ends_with(b"\r\n"));
        assert_eq!((rig.parked(), rig.host.open()), (0, 0));
    }
}

/// The upstream breaks connections off, in order or not, at once or when they are used.
#[test]
fn an_upstream_that_goes_away_costs_nothing() {
    for idle in WAYS {
        for reset in [false, true] {
            let mut rig = waiting(setup(idle));
            rig.host.hang_up(reset);
            visit(&mut rig, &POLL);
            assert_eq!(logins(&rig), 2);
            rig.host.hang_up(reset);
            rig.world.settle();
            assert_eq!(
                (rig.parked(), ended(&rig, Why::Broken)),
                (0, 1 + u64::from(ended(&rig, Why::Broken) > 1))
            );
            visit(&mut rig, &["RETR 1", "DELE 1"]);
            assert_eq!(rig.uids(), [2, 3]);
        }
    }
}

/// What is asked first is refused, or the server says good-bye or nothing, when the connection is taken up. A server that
/// only does not say what is new need not be logged in to again.
#[test]
fn a_connection_that_is_of_no_use_costs_a_moment_at_most() {
    let commands = [("SELECT", 2), ("NOOP", 1), ("STATUS", 1)];
    let all = commands.map(|command| of_no_use().map(|trouble| (command, trouble)));
    for ((command, nth), trouble) in all.into_iter().flatten() {
        let mut rig = waiting(setup(false));
        let asks = command != "SELECT";
        if !asks {
            // something is new
            let inbox = |inbox: &mut testkit::imap_server::Folder| inbox.renumber(77);
            rig.imap.store().edit(USER, "INBOX", inbox);
        }
        let refused = matches!(trouble, Trouble::Answer(_));
        rig.imap
            .add_fault(Fault::on_nth(command, nth, trouble.clone()));
        let (client, heard) = log_in_with(&mut rig, PASSWORD);
        if heard.is_empty() {
            rig.world.advance(Duration::from_secs(6));
            assert!(client.take().starts_with("+OK"), "{command} {trouble:?}");
        } else {
            assert!(heard.starts_with("+OK"), "{command} {trouble:?} {heard}");
        }
        assert!(rig.ask(&client, "STAT").starts_with("+OK 3 "));
        let again = if asks && refused { 1 } else { 2 };
        assert_eq!(logins(&rig), again, "{command} {trouble:?}");
    }
}

/// The upstream's line is cut at every octet, after the first session or before: the client sees nothing of it as
/// long as its login lasts, and nothing is removed that should not be.
#[test]
fn the_upstream_is_cut_at_every_octet() {
    for idle in WAYS {
        let mut whole = waiting(setup(idle));
        visit(&mut whole, &["RETR 1", "DELE 2"]);
        let said: usize = whole
            .imap
            .commands()
            .iter()
            .map(|line| line.len() + 8)
            .sum();
        for ending in [Ending::End, Ending::Reset] {
            for after in 0..=whole.host.octets() {
                let route = Route {
                    back: cut(after, ending),
                    ..Route::default()
                };
                on_a_bad_line(idle, route);
            }
            for after in 0..=said as u64 {
                let route = Route {
                    there: cut(after, ending),
                    ..Route::default()
                };
                on_a_bad_line(idle, route);
            }
        }
    }
}

fn on_a_bad_line(idle: bool, route: Route) {
    let context = format!("{idle} {route:?}");
    let mut rig = setup(idle).upstream_route(route).start();
    let first = rig.client();
    rig.say_all(&first, &session(&POLL), Pace::OneByOne);
    let waited = rig.parked() == 1;
    let commands = session(&["RETR 1", "DELE 2"]);
    let model = rig.model();
    let client = rig.client();
    rig.say_all(&client, &commands, Pace::OneByOne);
    rig.world.advance(MINUTE);
    let heard = client.judged(&commands, model, Tolerance::Upstream);
    let heard = heard.unwrap_or_else(|fault| panic!("{context}: {fault}"));
    // whatever becomes of the connection that waited, the login succeeds
    assert!(heard.logged_in || !waited, "{context}");
    let uids = rig.uids();
    assert!(uids.contains(&1) && uids.contains(&3), "{context}");
    if heard.quit == Some(true) && heard.logged_in {
        assert_eq!(uids, [1, 3], "{context}");
    }
    assert_eq!(rig.locks(), 0, "{context}");
}

/// The client is cut at every octet that it says, on a connection that waited. Nothing is removed without QUIT, and
/// the next login succeeds.
#[test]
fn a_client_is_cut_at_every_octet() {
    let commands = session(&["UIDL", "RETR 1", "DELE 1", "TOP 2 0", "DELE 2"]);
    let said = octets(&commands);
    for idle in WAYS {
        for ending in [Ending::End, Ending::Reset] {
            for after in 0..=said {
                let mut rig = waiting(setup(idle));
                let route = Route {
                    there: cut(after, ending),
                    ..Route::default()
                };
                let model = rig.model();
                let client = rig.client_by(route);
                rig.say_all(&client, &commands, Pace::OneByOne);
                let heard = client.judged(&commands, model, Tolerance::Cut);
                let heard = heard.unwrap_or_else(|fault| panic!("{after}: {fault}"));
                client.vanish();
                rig.world.settle();
                assert_eq!(rig.locks(), 0);
                match heard.quit {
                    Some(true) if heard.logged_in => {
                        assert_eq!((rig.uids().as_slice(), rig.parked()), (&[3][..], 1));
                    }
                    _ if after < said => {
                        assert_eq!(rig.uids(), [1, 2, 3], "{after} {ending:?}");
                        assert!(!rig.was_changed());
                    }
                    _ => {}
                }
                rig.is_usable();
            }
        }
    }
}

/// When the server goes down, what waits goes at once.
#[test]
fn what_waits_does_not_hold_up_the_end() {
    for idle in WAYS {
        let mut rig = waiting(setup(idle));
        rig.server.shutdown().advance();
        rig.world.settle();
        assert_eq!(
            (rig.parked(), rig.host.open(), rig.tasks.running()),
            (0, 0, 0)
        );
        assert_eq!(ended(&rig, Why::ShutDown), 1);
    }
}

/// As many wait as may, the newest ones.
#[test]
fn as_many_wait_as_may() {
    let mut rig = setup(true).start();
    rig.server.parking().allow(2);
    for user in ["a", "b", "c"] {
        rig.imap.store().add_user(user, PASSWORD);
        let client = rig.client();
        rig.ask(&client, &format!("USER {user}"));
        rig.ask(&client, &format!("PASS {PASSWORD}"));
        rig.ask(&client, "QUIT");
    }
    assert_eq!((rig.parked(), rig.host.open()), (2, 2));
    assert_eq!(ended(&rig, Why::Full), 1);
    rig.server.parking().allow(0);
    rig.world.settle();
    assert_eq!((rig.parked(), rig.host.open()), (0, 0));
    visit(&mut rig, &POLL);
    assert_eq!((rig.parked(), rig.host.open()), (0, 0));
}
