//! TLS on either side: the same sessions, cut where it hurts, and what stands in the clear beside it.

use std::time::Duration;

use imap_backend::Security;
use pop3_proto::server::TlsOffer;
use testkit::imap_server::{Fault, Options, Trouble};
use testkit::world::{Conditions, Ending, Route};

use crate::client::Client;
use crate::rig::{LONG, Pace, Rig, Setup, cut, pieces, session};
use testkit::judge::{Heard, Tolerance, judge};

const MAILS: [&str; 3] = [
    "Subject: one\r\n\r\n.\r\nbody\r\n",
    "Subject: two\r\n\r\nshort\r\n",
    "Subject: three\r\n\r\nlast\r\n",
];
const COMMANDS: [&str; 6] = ["UIDL", "RETR 1", "DELE 1", "TOP 2 0", "DELE 2", "RETR 3"];

const OFFERS: [TlsOffer; 3] = [TlsOffer::None, TlsOffer::Stls, TlsOffer::Implicit];
const SECURITIES: [Security; 3] = [Security::Clear, Security::StartTls, Security::Implicit];

/// A client on this line, after STLS where that is offered.
fn encrypted(rig: &mut Rig, offer: TlsOffer, route: Route) -> Client {
    let client = rig.client_by(route);
    rig.world.settle();
    if offer == TlsOffer::Stls {
        client.say("STLS\r\n");
        rig.world.settle();
        client.start_tls();
    }
    client
}

/// What was heard, as if there had been no STLS.
fn heard_by(client: &Client, offer: TlsOffer) -> Vec<u8> {
    let heard = client.heard();
    if offer != TlsOffer::Stls {
        return heard;
    }
    let ends = memchr_lines(&heard);
    match ends.as_slice() {
        [greeting, stls, ..] => [&heard[..*greeting], &heard[*stls..]].concat(),
        _ => heard,
    }
}

/// Where the first two lines end.
fn memchr_lines(octets: &[u8]) -> Vec<usize> {
    let ends = octets
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).take(2).collect()
}

fn talk(
    rig: &mut Rig,
    offer: TlsOffer,
    route: Route,
    pace: Pace,
    tolerance: Tolerance,
) -> (Client, Heard) {
    let commands = session(&COMMANDS);
    let model = rig.model();
    let client = encrypted(rig, offer, route);
    rig.say_all(&client, &commands, pace);
    if tolerance != Tolerance::Nothing {
        rig.world.advance(Duration::from_secs(15 * 60));
    }
    let heard = heard_by(&client, offer);
    let heard = judge(&heard, client.has_ended(), &commands, model, tolerance)
        .unwrap_or_else(|fault| panic!("{fault}: {}", client.heard().escape_ascii()));
    (client, heard)
}

/// T013 and chunking: the same transcript whatever protects either side, in whatever pieces.
#[test]
fn t013_every_kind_of_tls() {
    let mut transcripts = Vec::new();
    for offer in OFFERS {
        for security in SECURITIES {
            for sizes in [&[][..], &[0], &[4, 90]] {
                let setup = Setup::new(MAILS).with_tls(offer, security);
                let mut rig = setup.upstream_route(pieces(sizes)).start();
                let (client, heard) = talk(
                    &mut rig,
                    offer,
                    pieces(sizes),
                    Pace::AtOnce,
                    Tolerance::Nothing,
                );
                assert_eq!(heard.quit, Some(true));
                assert_eq!(rig.uids(), [3]);
                assert_eq!((client.error(), client.tls_error()), (None, None));
                assert_eq!(client.heard_tls_close(), offer != TlsOffer::None);
                transcripts.push(heard_by(&client, offer));
                client.hang_up();
                rig.world.settle();
                assert_eq!((rig.host.open(), rig.locks()), (0, 0));
            }
        }
    }
    transcripts.dedup();
    assert_eq!(transcripts.len(), 1);
}

/// T005, V01-V04: whatever comes in the clear after STLS is never looked at, however it is cut.
#[test]
fn t005_v01_v04_octets_after_stls_are_never_executed() {
    for injected in [
        "CAPA\r\n",
        "QUIT\r\n",
        "U",
        "\r\n",
        "USER tim\r\nPASS x\r\n",
        "\u{1}",
    ] {
        for sizes in [&[][..], &[0], &[4], &[5, 0], &[6], &[7]] {
            for before in ["", "CAPA\r\n", "USER tim\r\n"] {
                for window in [64 * 1024, 1, 60] {
                    let mut rig = Setup::new(MAILS)
                        .with_tls(TlsOffer::Stls, Security::Clear)
                        .start();
                    let back = Conditions {
                        window,
                        ..Conditions::default()
                    };
                    let route = Route {
                        back,
                        ..pieces(sizes)
                    };
                    let client = rig.client_by(route);
                    client.set_deaf(true);
                    client.say(format!("{before}STLS\r\n{injected}"));
                    rig.world.settle();
                    client.set_deaf(false);
                    rig.world.settle();
                    // an attacker who put them there wants them executed after the handshake
                    client.start_tls();
                    client.say("NOOP\r\n");
                    rig.world.settle();
                    let context = format!("{injected:?} {sizes:?} {before:?}");
                    let heard = client.take();
                    let replies = heard.matches("+OK").count();
                    let most = 2 + usize::from(!before.is_empty());
                    assert!(replies <= most, "{context}: {heard}");
                    assert!(!heard.contains("-ERR"), "{context}: {heard}");
                    assert!(client.has_ended(), "{context}");
                    assert_eq!(rig.imap.connections(), 0);
                }
            }
        }
    }
}

/// T006: half a line in the clear, a user's name in the clear: forgotten under TLS.
#[test]
fn t006_what_was_said_in_the_clear_is_forgotten() {
    let mut rig = Setup::new(MAILS)
        .with_tls(TlsOffer::Stls, Security::Clear)
        .start();
    let client = rig.client();
    rig.ask(&client, "USER tim@example.org");
    rig.ask(&client, "STLS");
    client.start_tls();
    assert!(rig.ask(&client, "PASS tanstaaf").starts_with("-ERR"));
    assert!(rig.ask(&client, "STLS").starts_with("-ERR"), "T004");
    assert!(rig.log_in(&client).starts_with("+OK"));
}

/// P037, T009: the client is cut at every octet of ciphertext. Nothing is removed without QUIT.
#[test]
fn t009_p037_the_client_is_cut_at_every_octet_of_ciphertext() {
    let offer = TlsOffer::Stls;
    let setup = Setup::new(MAILS).with_tls(offer, Security::Clear);
    for (ending, step) in [(Ending::End, 1), (Ending::Reset, 3)] {
        let mut after = 0;
        loop {
            let mut rig = setup.clone().start();
            let route = Route {
                there: cut(after, ending),
                ..Route::default()
            };
            let (client, heard) = talk(&mut rig, offer, route, Pace::AtOnce, Tolerance::Cut);
            client.vanish();
            rig.world.settle();
            assert_eq!(rig.locks(), 0, "{after}");
            if heard.quit.is_some() {
                assert_eq!(rig.uids(), [3], "{after}");
                break;
            }
            assert!(!rig.was_changed() || rig.uids() == [3], "{after}");
            after += step;
        }
        assert!(after > 300, "{after}");
    }
}

/// G06, T009: the upstream's ciphertext is cut anywhere: what came is not taken for the whole.
#[test]
fn g06_t009_the_upstream_is_cut_at_any_octet_of_ciphertext() {
    for (security, step) in [(Security::Implicit, 3), (Security::StartTls, 11)] {
        let mut after = 0;
        let mut failed = 0;
        loop {
            let setup = Setup::new(MAILS).with_tls(TlsOffer::None, security);
            let route = Route {
                back: cut(after, Ending::End),
                ..Route::default()
            };
            // the second connection is cut as well
            let setup = setup.upstream_route(route.clone()).upstream_route(route);
            let mut rig = setup.start();
            let route = Route::default();
            let (client, heard) = talk(
                &mut rig,
                TlsOffer::None,
                route,
                Pace::AtOnce,
                Tolerance::Upstream,
            );
            // small messages are here to their end before anything of them goes out
            assert!(!heard.broken_off, "{after}");
            failed += heard.failed;
            assert!(client.has_ended(), "{after}");
            assert_eq!(rig.locks(), 0, "{after}");
            assert!(rig.uids().contains(&3));
            if heard.quit.is_none() {
                assert!(!rig.was_changed(), "{after}");
            }
            if heard.quit == Some(true) && heard.logged_in {
                assert_eq!(rig.uids(), [3], "{after}");
                if heard.failed == 0 && rig.imap.connections() == 1 {
                    break;
                }
            }
            after += step;
        }
        assert!(failed > 0);
    }
}

/// P037, P066: the task is dropped before every operation, handshakes included.
#[test]
fn p037_p066_dropped_at_every_operation_under_tls() {
    for (offer, security) in [
        (TlsOffer::Stls, Security::StartTls),
        (TlsOffer::Implicit, Security::Implicit),
    ] {
        let run = |at: Option<u64>| {
            let setup = Setup::new(MAILS).with_tls(offer, security);
            let mut rig = setup.upstream_route(pieces(&[200])).start();
            if let Some(at) = at {
                let meter = rig.meter.clone();
                rig.meter.interrupt(at, move || meter.freeze());
            }
            let client = encrypted(&mut rig, offer, Route::default());
            rig.say_all(&client, &session(&COMMANDS), Pace::AtOnce);
            let said_quit = rig.was_changed();
            rig.tasks.cancel();
            rig.world.settle();
            assert_eq!(rig.locks(), 0, "{at:?}");
            let uids = rig.uids();
            assert!(said_quit || uids == [1, 2, 3], "{at:?}: {uids:?}");
            assert!(uids == [1, 2, 3] || uids == [3], "{at:?}: {uids:?}");
            rig.meter.operations()
        };
        for at in 0..run(None) {
            run(Some(at));
        }
    }
}

/// V10: a client that begins a handshake and falls silent is cut, and takes no other client's place.
#[test]
fn v10_a_handshake_that_does_not_go_on() {
    for offer in [TlsOffer::Stls, TlsOffer::Implicit] {
        for after in [0, 1, 5, 100] {
            let mut rig = Setup::new(MAILS).with_tls(offer, Security::Clear).start();
            let before = rig.tasks.running();
            let said = if offer == TlsOffer::Stls { 6 } else { 0 };
            let route = Route {
                there: cut(after + said, Ending::Silence),
                ..Route::default()
            };
            let client = encrypted(&mut rig, offer, route);
            rig.world.advance(Duration::from_secs(40));
            assert!(client.has_ended(), "{offer:?} {after}");
            assert_eq!(rig.tasks.running(), before);
        }
    }
}

/// cT023, cT024, cT025, V05: an upstream that will not or should not speak TLS gets no credentials.
#[test]
fn ct024_v05_ct023_ct025_starttls_is_not_to_be_talked_out_of() {
    let troubles = [
        ("STARTTLS", Trouble::Answer("NO not today".into())),
        ("STARTTLS", Trouble::Answer("BAD what".into())),
        (
            "STARTTLS",
            Trouble::After(b"* CAPABILITY IMAP4rev1 X-EVIL\r\n".to_vec()),
        ),
        ("STARTTLS", Trouble::After(b"x".to_vec())),
        ("STARTTLS", Trouble::Hang),
        ("STARTTLS", Trouble::Drop),
        ("GREETING", Trouble::Preauth(crate::rig::USER.into())),
    ];
    for (command, trouble) in troubles {
        let mut setup = Setup::new(MAILS).with_tls(TlsOffer::None, Security::StartTls);
        setup.options = setup
            .options
            .with_fault(Fault::on_each(command, trouble.clone()));
        let mut rig = setup.start();
        let client = rig.client();
        let mut heard = rig.log_in(&client);
        rig.world.advance(Duration::from_secs(120));
        heard += &client.take();
        assert!(heard.starts_with("-ERR [SYS/"), "{trouble:?}: {heard}");
        for logged in rig.imap.log() {
            let secret = ["LOGIN", "AUTHENTICATE", "SELECT"];
            assert!(
                !secret.iter().any(|verb| logged.line.starts_with(verb)),
                "{logged:?}"
            );
        }
    }
    // a server that does not offer it
    let mut setup = Setup::new(MAILS).with_tls(TlsOffer::None, Security::StartTls);
    setup.options = Options::plain();
    let mut rig = setup.start();
    let client = rig.client();
    assert!(rig.log_in(&client).starts_with("-ERR [SYS/PERM]"));
    assert!(!rig.imap.received("LOGIN"));
}

/// T009: TLS ends with a good-bye and then with the connection: half-closed is not gone.
#[test]
fn g15_t009_a_client_that_ends_tls_after_quit_still_hears_the_answer() {
    for offer in [TlsOffer::Stls, TlsOffer::Implicit] {
        let mut rig = Setup::new(MAILS)
            .with_tls(offer, Security::Implicit)
            .start();
        let client = encrypted(&mut rig, offer, Route::default());
        rig.world.settle();
        for command in session(&COMMANDS) {
            client.say(format!("{command}\r\n"));
        }
        client.close_tls();
        client.hang_up();
        rig.world.advance(LONG);
        assert!(client.take().ends_with("+OK bye, 2 deleted\r\n"));
        assert_eq!(rig.uids(), [3]);
    }
}

/// T009: a TLS connection that ends without a good-bye may have been cut by anybody: commands that still
/// wait, QUIT among them, do not count. With a good-bye they do.
#[test]
fn t009_an_end_without_a_good_bye() {
    for says_good_bye in [false, true] {
        let mut setup = Setup::new(MAILS).with_tls(TlsOffer::Implicit, Security::Clear);
        let slow = Conditions {
            delay: Duration::from_secs(1),
            ..Conditions::default()
        };
        setup = setup.upstream_route(Route {
            there: slow.clone(),
            back: slow,
        });
        let mut rig = setup.start();
        let client = rig.client();
        rig.world.settle();
        for command in session(&COMMANDS) {
            client.say(format!("{command}\r\n"));
        }
        if says_good_bye {
            client.close_tls();
        }
        client.hang_up();
        rig.world.advance(LONG);
        let left = if says_good_bye {
            vec![3]
        } else {
            vec![1, 2, 3]
        };
        assert_eq!(rig.uids(), left);
        assert_eq!(rig.was_changed(), says_good_bye);
        assert_eq!(rig.locks(), 0);
    }
}
