//! The upstream goes away or falls silent: at every octet of what it says and of what it hears.

use std::collections::BTreeMap;
use std::time::Duration;

use testkit::Content;
use testkit::imap_server::{Fault, Options, Trouble};
use testkit::model::normalised;
use testkit::world::{Ending, Route};

use crate::mail_client::kept;
use crate::rig::{LONG, Pace, Rig, Setup, cut, session};
use testkit::judge::{Heard, Tolerance};

const MAILS: [&str; 4] = [
    "Subject: one\r\n\r\n.\r\nbody\r\n",
    "Subject: two\r\n\r\nshort\r\n",
    "Subject: three\r\n\r\nthird\r\n",
    "Subject: four\r\n\r\nlast\r\n",
];
const COMMANDS: [&str; 9] = [
    "STAT", "LIST", "RETR 1", "RETR 2", "DELE 2", "TOP 3 0", "RETR 3", "DELE 1", "RETR 4",
];

/// Which side of the upstream's line is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Said,
    Told,
}

/// How many connections are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasting {
    First,
    All,
}

struct Case {
    way: Way,
    after: u64,
    ending: Ending,
    lasting: Lasting,
    pace: Pace,
}

/// A setup in which everything can be cut.
fn setup(options: Options) -> Setup {
    let mut setup = Setup::new(MAILS);
    setup.options = options;
    setup
}

fn run(setup: &Setup, case: &Case) -> (Rig, Heard) {
    let conditions = cut(case.after, case.ending);
    let route = match case.way {
        Way::Said => Route {
            back: conditions,
            ..Route::default()
        },
        Way::Told => Route {
            there: conditions,
            ..Route::default()
        },
    };
    let mut setup = setup.clone();
    let times = match case.lasting {
        Lasting::First => 1,
        Lasting::All => 20,
    };
    setup.upstream = vec![route; times];
    let mut rig = setup.start();
    let commands = session(&COMMANDS);
    let model = rig.model();
    let client = rig.client();
    for command in &commands {
        client.say(format!("{command}\r\n"));
        if case.pace == Pace::OneByOne {
            rig.world.settle();
            let is_login = command.starts_with("USER") || command.starts_with("PASS");
            // long enough for the connection upstream to be kept alive
            rig.world
                .advance(Duration::from_secs(if is_login { 1 } else { 590 }));
        }
    }
    rig.world.settle();
    rig.world.advance(LONG);
    let Case {
        way,
        after,
        ending,
        lasting,
        pace,
    } = case;
    let context = format!("{way:?} {ending:?} after {after}, {lasting:?}, {pace:?}");
    let output = client.heard();
    let heard = client
        .judged(&commands, model, Tolerance::Upstream)
        .unwrap_or_else(|fault| {
            let log = rig.imap.commands();
            panic!("{context}: {fault}\n{}\n{log:#?}", output.escape_ascii())
        });
    // a mail client keeps what came whole, and nothing else
    let kept = kept(&output, &commands);
    assert!(kept.closed, "{context}");
    assert_eq!(kept.messages.len(), heard.whole.len(), "{context}");
    for (number, body) in kept.messages {
        let mail = Content::from(MAILS[number as usize - 1]);
        assert_eq!(body, normalised(&mail), "{context}");
    }
    let uids = rig.uids();
    // deleted ⊆ marked, and only by QUIT; +OK only if all is done
    assert!(
        uids.contains(&3) && uids.contains(&4),
        "{context}: {uids:?}"
    );
    match heard.quit {
        Some(true) if heard.logged_in => assert_eq!(uids, [3, 4], "{context}"),
        Some(true) => assert_eq!(uids, [1, 2, 3, 4], "{context}"),
        Some(false) => {}
        None => {
            assert_eq!(uids, [1, 2, 3, 4], "{context}");
            assert!(!rig.was_changed(), "{context}");
        }
    }
    assert!(client.has_ended(), "{context}: never for ever");
    assert_eq!(rig.locks(), 0, "{context}");
    (rig, heard)
}

/// How many octets go either way on a good day.
fn lengths(setup: &Setup) -> (u64, u64) {
    let never = Case {
        way: Way::Said,
        after: u64::MAX,
        ending: Ending::End,
        lasting: Lasting::First,
        pace: Pace::AtOnce,
    };
    let (rig, heard) = run(setup, &never);
    assert_eq!((heard.quit, heard.failed), (Some(true), 0));
    let told: u64 = rig
        .imap
        .commands()
        .iter()
        .map(|line| line.len() as u64 + 10)
        .sum();
    (rig.host.octets(), told)
}

fn every_octet(options: Options, ending: Ending, lasting: Lasting, pace: Pace) {
    let setup = setup(options);
    let (said, told) = lengths(&setup);
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    for way in [Way::Said, Way::Told] {
        let length = if way == Way::Said { said } else { told };
        for after in 0..=length {
            let case = Case {
                way,
                after,
                ending,
                lasting,
                pace,
            };
            let (mut rig, heard) = run(&setup, &case);
            let outcome = match heard {
                Heard {
                    logged_in: false, ..
                } => "no login",
                Heard {
                    broken_off: true, ..
                } => "a message broke off",
                Heard {
                    quit: Some(false), ..
                } => "an update failed",
                Heard { failed: 1.., .. } => "a message failed",
                Heard { quit: None, .. } => "the session ended",
                Heard { .. } => "nothing was noticed",
            };
            *outcomes.entry(outcome.into()).or_default() += 1;
            if lasting == Lasting::First {
                if after % 8 == 0 {
                    rig.is_usable();
                }
                // G08: an update is tried once more
                assert_ne!(heard.quit, Some(false), "{ending:?} after {after}, {way:?}");
            }
        }
    }
    println!("{ending:?} {lasting:?} {pace:?}: {outcomes:?}");
}

/// P038, G05, G06, G07, G08: one connection is lost, the next one is good.
#[test]
fn g06_g05_g07_g08_p038_one_connection_is_cut_at_every_octet() {
    every_octet(
        Options::default(),
        Ending::End,
        Lasting::First,
        Pace::AtOnce,
    );
    // a server that is known to keep what comes after LOGIN
    let pipelined = Options {
        greeting: "Dovecot ready".into(),
        ..Options::default()
    };
    every_octet(pipelined, Ending::Reset, Lasting::First, Pace::AtOnce);
}

/// The same with a client that waits for each reply.
#[test]
fn g05_one_connection_is_cut_at_every_octet_of_a_slow_session() {
    every_octet(
        Options::default(),
        Ending::End,
        Lasting::First,
        Pace::OneByOne,
    );
}

/// The same with a server that knows no extension.
#[test]
fn g06_one_connection_to_an_old_server_is_cut_at_every_octet() {
    every_octet(Options::plain(), Ending::End, Lasting::First, Pace::AtOnce);
}

/// P038: no connection lasts.
#[test]
fn p038_every_connection_is_cut_at_every_octet() {
    every_octet(Options::default(), Ending::End, Lasting::All, Pace::AtOnce);
    every_octet(Options::plain(), Ending::Reset, Lasting::All, Pace::AtOnce);
}

/// Issue "Bad input": never a hang beyond the upstream timeout.
#[test]
fn the_upstream_falls_silent_at_every_octet() {
    every_octet(
        Options::default(),
        Ending::Silence,
        Lasting::First,
        Pace::AtOnce,
    );
    every_octet(
        Options::default(),
        Ending::Silence,
        Lasting::All,
        Pace::AtOnce,
    );
}

/// A server that does not answer one command, whichever it is.
#[test]
fn the_upstream_hangs_at_a_command() {
    for command in ["GREETING", "LOGIN", "SELECT", "FETCH", "STORE", "EXPUNGE"] {
        for trouble in [Trouble::Hang, Trouble::Drop, Trouble::Bye("now".into())] {
            let fault = Fault::on_each(command, trouble);
            let mut rig = setup(Options::default().with_fault(fault)).start();
            let commands = session(&COMMANDS);
            let model = rig.model();
            let client = rig.client();
            rig.say_all(&client, &commands, Pace::AtOnce);
            rig.world.advance(Duration::from_secs(15 * 60));
            let heard = client.judged(&commands, model, Tolerance::Upstream);
            let heard = heard.unwrap_or_else(|fault| panic!("{command}: {fault}"));
            assert!(client.has_ended(), "{command}");
            assert_eq!(rig.locks(), 0, "{command}");
            let uids = rig.uids();
            if heard.quit == Some(true) && heard.logged_in {
                assert_eq!(uids, [3, 4], "{command}");
            } else if heard.quit.is_none() {
                assert_eq!(uids, [1, 2, 3, 4], "{command}");
            }
            if ["STORE", "EXPUNGE"].contains(&command) {
                assert_eq!(heard.quit, Some(false), "{command}");
            }
        }
    }
}

/// G06, I029: the server goes down within a message and says so where the message should go on.
#[test]
fn g06_i029_bye_within_a_message() {
    let mails = ["A: b\r\n\r\n12345678901234567890\r\n", "C: d\r\n"];
    let commands = session(&["RETR 1"]);
    for octets in 0..30 {
        for trouble in [Trouble::ByeInBody(octets), Trouble::CutBody(octets)] {
            let mut setup = Setup::new(mails);
            let fault = Fault::on_each("FETCH", trouble.clone());
            setup.options = setup.options.with_fault(fault);
            let mut rig = setup.start();
            let client = rig.client();
            rig.say_all(&client, &commands, Pace::AtOnce);
            rig.world.advance(LONG);
            let output = client.take();
            // nothing of it went out, and the session goes on
            assert!(!output.contains("A: b"), "{trouble:?}: {output}");
            assert!(
                output.contains("\r\n-ERR [SYS/TEMP] "),
                "{trouble:?}: {output}"
            );
            assert!(
                output.ends_with("+OK bye, 0 deleted\r\n"),
                "{trouble:?}: {output}"
            );
            assert!(client.has_ended(), "{trouble:?}");
            assert_eq!(rig.locks(), 0);
        }
    }
    // a large message has begun by then: what was announced as a part of it cannot be told from it, but it
    // has no end
    let mail = "A: b\r\n\r\n".to_owned() + &"0123456789".repeat(10_000);
    for octets in [70_000, 80_000, 100_000] {
        for trouble in [Trouble::ByeInBody(octets), Trouble::CutBody(octets)] {
            let mut setup = Setup::new([mail.clone().into_bytes()]);
            let fault = Fault::on_each("FETCH", trouble.clone());
            setup.options = setup.options.with_fault(fault);
            let mut rig = setup.start();
            let client = rig.client();
            rig.say_all(&client, &commands, Pace::AtOnce);
            rig.world.advance(LONG);
            let output = client.take();
            let retrieved = output.split_once("+OK 100008 octets\r\n").unwrap().1;
            assert!(!retrieved.contains("\r\n.\r\n"), "{trouble:?}");
            assert!(!retrieved.contains("BYE"), "{trouble:?}");
            assert!(client.has_ended(), "{trouble:?}");
            assert_eq!(rig.locks(), 0);
        }
    }
}

/// G06, I011: TOP of a large message comes in windows; the connection is lost in and between them, or
/// the message goes away.
#[test]
fn g06_i011_cut_within_the_windows_of_a_top() {
    let line = "0123456789".repeat(5) + "\r\n";
    let mail = format!("A: b\r\n\r\n{}", line.repeat(20_000));
    let commands = session(&["TOP 1 10000", "TOP 1 1", "NOOP"]);
    let mut broken_off = 0;
    for after in (500..900)
        .step_by(37)
        .chain((1000..540_000).step_by(29_989))
    {
        for times in [1, 2] {
            let mut setup = Setup::new([mail.clone().into_bytes()]);
            let route = Route {
                back: cut(after, Ending::End),
                ..Route::default()
            };
            setup.upstream = vec![route; times];
            broken_off += u32::from(breaks_off(setup, &commands, &(after, times)));
        }
    }
    assert!(broken_off > 15, "{broken_off}");
}

/// G06, I011: TOP of no line of a large message asks for its header, and for windows where that has no
/// blank line; the connection is lost at any octet of it, or the server will not.
#[test]
fn g06_i011_cut_within_the_header_of_a_top() {
    let body = "0123456789\r\n".repeat(6_000);
    let mails = [
        "A: b\r\n\r\n",
        "A: b\r\nno header\r\n",
        "\n",
        "A: b\n\nC: d\r\n\r\n",
    ];
    let commands = session(&[
        "TOP 1 0", "TOP 2 0", "RETR 1", "TOP 3 0", "TOP 4 0", "TOP 1 0",
    ]);
    let troubles = [
        None,
        Some(Trouble::HeaderLength(5)),
        Some(Trouble::NoHeader("BAD what".to_owned())),
    ];
    let mut broken_off = 0;
    for trouble in troubles {
        for after in (300..1200)
            .step_by(11)
            .chain((1200..200_000).step_by(19_997))
        {
            let mails = mails.map(|head| format!("{head}{body}").into_bytes());
            let mut setup = Setup::new(mails);
            setup.upstream = vec![Route {
                back: cut(after, Ending::End),
                ..Route::default()
            }];
            let fault = trouble
                .clone()
                .map(|trouble| Fault::on_each("FETCH", trouble));
            setup.options.faults.extend(fault);
            broken_off += u32::from(breaks_off(setup, &commands, &(after, &trouble)));
        }
    }
    assert!(broken_off > 15, "{broken_off}");
}

/// Issue "Bad input": garbage from the upstream, instead of any answer.
#[test]
fn garbage_from_the_upstream() {
    let octets: Vec<u8> = (0..=255u8).cycle().take(3000).collect();
    let garbage = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"* 1 FETCH (UID 1 BODY[] {99999999999999999999}\r\n".to_vec(),
        b"A1 OK\r\nA2 OK\r\nA3 OK\r\nA4 OK\r\nA5 OK\r\n".to_vec(),
        b"(".repeat(100_000),
        b"* ".repeat(100_000),
        b"\r\n".repeat(10_000),
        vec![0; 200_000],
        octets,
    ];
    for command in [
        "GREETING",
        "CAPABILITY",
        "LOGIN",
        "SELECT",
        "FETCH",
        "STORE",
        "EXPUNGE",
    ] {
        for garbage in &garbage {
            for options in [Options::default(), Options::plain()] {
                let fault = Fault::on_each(command, Trouble::Raw(garbage.clone()));
                let mut rig = setup(options.with_fault(fault)).start();
                let commands = session(&["RETR 1", "DELE 2", "TOP 3 0"]);
                let client = rig.client();
                rig.say_all(&client, &commands, Pace::AtOnce);
                rig.world.advance(Duration::from_secs(10 * 60));
                let start = garbage[..garbage.len().min(20)].escape_ascii();
                assert!(client.has_ended(), "{command} {start}");
                assert_eq!(rig.locks(), 0);
                let (heard, uids) = (client.take(), rig.uids());
                let left = uids.iter().filter(|uid| **uid != 2).count();
                assert_eq!(left, 3, "{command} {start}: {uids:?}");
                let lied = garbage.starts_with(b"A1 OK");
                let done = heard.contains("+OK bye, 1 deleted");
                assert!(
                    lied || done != uids.contains(&2),
                    "{command} {start}: {heard}"
                );
            }
        }
    }
}

/// A name that resolves, a host that does not answer: [SYS/TEMP] within the timeout.
#[test]
fn the_upstream_cannot_be_reached() {
    let mut rig = setup(Options::default()).start();
    rig.meter.set_unreachable(true);
    let client = rig.client();
    assert_eq!(rig.log_in(&client), "");
    rig.world.advance(Duration::from_secs(31));
    assert!(client.take().starts_with("-ERR [SYS/TEMP] "));
    rig.meter.set_unreachable(false);
    assert!(rig.log_in(&client).starts_with("+OK"));
}

/// Plays these commands, sent at once, before a network like that; returns whether a message broke off.
fn breaks_off(setup: Setup, commands: &[String], what: &dyn std::fmt::Debug) -> bool {
    let mut rig = setup.start();
    let model = rig.model();
    let client = rig.client();
    rig.say_all(&client, commands, Pace::AtOnce);
    rig.world.advance(LONG);
    let heard = client.judged(commands, model, Tolerance::Upstream);
    let heard = heard.unwrap_or_else(|fault| panic!("{what:?}: {fault}"));
    assert!(client.has_ended());
    assert_eq!(rig.locks(), 0);
    heard.broken_off
}
