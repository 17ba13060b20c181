//! The client goes away: at every octet of what it says and of what it hears, in every way there is.

use std::time::Duration;

use pop3_proto::server::TlsOffer;
use testkit::world::{Conditions, Ending, Route};

use crate::client::Client;
use crate::rig::{LONG, Pace, Rig, Setup, cut, octets, session};
use testkit::judge::{Heard, Tolerance};

const MAILS: [&str; 3] = [
    "Subject: one\r\n\r\n.\r\nbody\r\n",
    "Subject: two\r\n\r\nshort\r\n",
    "Subject: three\r\n\r\nlast\r\n",
];
const COMMANDS: [&str; 6] = ["UIDL", "RETR 1", "DELE 1", "TOP 2 0", "DELE 2", "RETR 3"];
/// What the commands mark.
const MARKED: [u32; 2] = [1, 2];

/// Runs the session on this line and judges what was heard.
fn talk(rig: &mut Rig, route: Route, pace: Pace) -> (Client, Heard) {
    let commands = session(&COMMANDS);
    let model = rig.model();
    let client = rig.client_by(route);
    rig.say_all(&client, &commands, pace);
    let heard = client
        .judged(&commands, model, Tolerance::Cut)
        .unwrap_or_else(|fault| panic!("{fault}"));
    (client, heard)
}

/// F02, P066: the next login succeeds at once.
fn is_free(rig: &mut Rig) {
    assert_eq!(rig.locks(), 0);
    let client = rig.client();
    assert!(rig.log_in(&client).starts_with("+OK"));
    client.vanish();
    rig.world.settle();
    assert_eq!(rig.locks(), 0);
}

/// How many octets the client hears in all.
fn heard_octets() -> u64 {
    let mut rig = Setup::new(MAILS).start();
    let (client, heard) = talk(&mut rig, Route::default(), Pace::AtOnce);
    assert_eq!(heard.quit, Some(true));
    client.heard().len() as u64
}

/// P037, G15, qB3: cut within what it says. Only a QUIT with its line end removes, and then it does,
/// whether somebody hears the answer or not.
#[test]
fn p037_g15_qb3_cut_at_every_octet_that_the_client_says() {
    let said = octets(&session(&COMMANDS));
    for ending in [Ending::End, Ending::Reset] {
        for pace in [Pace::AtOnce, Pace::OneByOne] {
            for after in 0..=said {
                let route = Route {
                    there: cut(after, ending),
                    ..Route::default()
                };
                let mut rig = Setup::new(MAILS).start();
                let (_, heard) = talk(&mut rig, route, pace);
                let context = format!("{ending:?} after {after} of {said} octets, {pace:?}");
                is_free(&mut rig);
                match (ending, after) {
                    (_, after) if after < said => {
                        assert_eq!(rig.uids(), [1, 2, 3], "{context}");
                        assert!(!rig.was_changed(), "{context}");
                        assert_eq!(heard.quit, None, "{context}");
                    }
                    (Ending::End, _) => {
                        assert_eq!(rig.uids(), [3], "{context}");
                        assert_eq!(heard.quit, Some(true), "{context}");
                    }
                    // the reset may overtake the QUIT
                    (Ending::Reset | Ending::Silence, _) => {
                        assert!([vec![3], vec![1, 2, 3]].contains(&rig.uids()), "{context}");
                    }
                }
            }
        }
    }
}

/// P037: cut within what it hears. What was said in time may still count, nothing else does.
#[test]
fn p037_cut_at_every_octet_that_the_client_hears() {
    let total = heard_octets();
    for ending in [Ending::End, Ending::Reset] {
        for pace in [Pace::AtOnce, Pace::OneByOne] {
            for after in 0..=total {
                let route = Route {
                    back: cut(after, ending),
                    ..Route::default()
                };
                let mut rig = Setup::new(MAILS).start();
                let (client, heard) = talk(&mut rig, route, pace);
                let context = format!("{ending:?} after {after} of {total} octets, {pace:?}");
                client.vanish();
                rig.world.settle();
                is_free(&mut rig);
                let uids = rig.uids();
                if heard.quit.is_some() {
                    assert_eq!(uids, [3], "{context}");
                } else {
                    assert!(
                        [vec![3], vec![1, 2, 3]].contains(&uids),
                        "{context}: {uids:?}"
                    );
                }
                if uids.len() == 3 {
                    assert!(!rig.was_changed(), "{context}");
                }
            }
        }
    }
}

/// The client's machine is gone without a word. The lock is free when the timers say so.
#[test]
fn p066_silence_at_every_octet_that_the_client_says() {
    let said = octets(&session(&COMMANDS));
    for after in 0..said {
        let route = Route {
            there: cut(after, Ending::Silence),
            ..Route::default()
        };
        let mut rig = Setup::new(MAILS).start();
        let before = rig.tasks.running();
        let (_, heard) = talk(&mut rig, route, Pace::AtOnce);
        rig.world.advance(LONG);
        assert_eq!(heard.quit, None);
        assert_eq!((rig.locks(), rig.tasks.running()), (0, before), "{after}");
        assert!(!rig.was_changed());
    }
}

/// G14: the client stops reading at any octet, with more to come than fits into all buffers.
#[test]
fn g14_a_client_that_stops_reading_is_cut() {
    let large = "x".repeat(70) + "\r\n";
    let large = format!("A: b\r\n\r\n{}", large.repeat(10_000));
    let commands = session(&["DELE 2", "RETR 1"]);
    for after in (0..400).step_by(7).chain([1000, 100_000, 500_000]) {
        let route = Route {
            back: Conditions {
                window: 1000,
                ..cut(after, Ending::Silence)
            },
            ..Route::default()
        };
        let mut rig = Setup::new([large.clone().into_bytes(), b"small".to_vec()]).start();
        let before = rig.tasks.running();
        let client = rig.client_by(route);
        rig.say_all(&client, &commands, Pace::AtOnce);
        rig.world.advance(LONG);
        assert_eq!((rig.locks(), rig.tasks.running()), (0, before), "{after}");
        assert_eq!(rig.uids(), [1, 2]);
        assert!(!rig.was_changed());
    }
}

/// P037, P066: the task that runs the connection is dropped wherever it waits.
#[test]
fn p037_p066_dropped_at_every_operation() {
    let commands = session(&COMMANDS);
    let run = |at: Option<u64>| {
        let mut rig = Setup::new(MAILS).start();
        let meter = rig.meter.clone();
        if let Some(at) = at {
            rig.meter.interrupt(at, move || meter.freeze());
        }
        let client = rig.client();
        rig.say_all(&client, &commands, Pace::AtOnce);
        let said_quit = rig.was_changed();
        rig.tasks.cancel();
        assert_eq!(rig.locks(), 0);
        rig.world.settle();
        let uids = rig.uids();
        assert!(said_quit || uids == [1, 2, 3], "{at:?}: {uids:?}");
        assert!(uids.contains(&3) && uids.iter().all(|uid| *uid == 3 || MARKED.contains(uid)));
        rig.meter.operations()
    };
    let operations = run(None);
    for at in 0..operations {
        run(Some(at));
    }
}

/// A line of a hundred octets a second: slow is not silent. Everything arrives, though QUIT was said long ago.
#[test]
fn g14_a_slow_client_hears_everything() {
    for offer in [TlsOffer::None, TlsOffer::Implicit] {
        let mut setup = Setup::new(["x".repeat(20_000).into_bytes(), b"gone".to_vec()]);
        setup.policy.tls = offer;
        let mut rig = setup.start();
        let slow = Conditions {
            window: 10,
            delay: Duration::from_millis(100),
            ..Conditions::default()
        };
        let route = Route {
            back: slow,
            ..Route::default()
        };
        let commands = session(&["RETR 1", "DELE 2"]);
        let model = rig.model();
        let client = rig.client_by(route);
        rig.say_all(&client, &commands, Pace::AtOnce);
        let heard = client.judged(&commands, model, Tolerance::Nothing);
        assert_eq!(heard.map(|heard| heard.quit), Ok(Some(true)), "{offer:?}");
    }
}

/// P066: the upstream is slow, and the client goes at any moment, with or without QUIT on its way.
#[test]
fn p066_gone_at_any_moment_of_a_slow_session() {
    for says_quit in [false, true] {
        let mut commands = session(&COMMANDS);
        if !says_quit {
            commands.pop();
        }
        for way in ["vanish", "reset", "half-close"] {
            for moment in 0..80 {
                let slow = Conditions {
                    delay: Duration::from_millis(500),
                    ..Conditions::default()
                };
                let mut setup = Setup::new(MAILS).upstream_route(Route {
                    there: slow.clone(),
                    back: slow,
                });
                setup.imap.read_ahead = 0;
                let mut rig = setup.start();
                let client = rig.client();
                for command in &commands {
                    client.say(format!("{command}\r\n"));
                }
                rig.world.advance(Duration::from_millis(moment * 150));
                match way {
                    "vanish" => client.vanish(),
                    "reset" => client.reset(),
                    _ => client.hang_up(),
                }
                rig.world.advance(Duration::ZERO);
                let context = format!("{way} at {moment}, {says_quit}");
                let updating = says_quit && rig.locks() == 1;
                // an end of the stream may be half a close: what was said before it is still answered
                assert!(rig.locks() == 0 || updating || way != "reset", "{context}");
                rig.world.advance(LONG);
                assert_eq!(rig.locks(), 0, "{context}");
                assert_eq!(rig.host.open(), 0, "{context}");
                if !says_quit {
                    assert!(!rig.was_changed(), "{context}");
                }
                assert!([vec![3], vec![1, 2, 3]].contains(&rig.uids()), "{context}");
                if way == "half-close" && says_quit {
                    assert_eq!(rig.uids(), [3], "{context}: {}", client.take());
                }
            }
        }
    }
}

/// P066: the upstream takes no more octets, not even LOGOUT. The lock does not wait for it.
#[test]
fn p066_the_lock_does_not_wait_for_the_upstream() {
    for after in 0..300 {
        let silent = Conditions {
            window: 5,
            ..cut(after, Ending::Silence)
        };
        let mut rig = Setup::new(MAILS)
            .upstream_route(Route {
                there: silent,
                ..Route::default()
            })
            .start();
        let client = rig.client();
        rig.log_in(&client);
        client.say("DELE 1\r\nRETR 1\r\n");
        rig.world.settle();
        client.reset();
        rig.world.settle();
        assert_eq!(rig.locks(), 0, "{after}");
        assert!(!rig.was_changed(), "{after}");
        rig.world.advance(LONG);
        assert_eq!(rig.host.open(), 0, "{after}: the connection is given up");
        rig.is_usable();
    }
}
