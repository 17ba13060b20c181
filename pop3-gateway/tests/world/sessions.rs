//! Whole sessions on a good day, cut into pieces and delayed in every way.

use std::time::Duration;

use testkit::mails::corpus;
use testkit::world::{Conditions, Route};

use crate::rig::{Pace, Setup, judged, pieces, session};
use testkit::judge::Tolerance;

pub(crate) const MAILS: [&str; 4] = [
    "From: a\r\nSubject: one\r\n\r\n.dot\r\nbody\r\n..\r\nend",
    "Subject: two\n\nbare\nlines\n.\n",
    "",
    "Subject: four\r\n\r\n1\r\n2\r\n3\r\n4\r\n",
];

pub(crate) const COMMANDS: [&str; 17] = [
    "STAT", "LIST", "UIDL", "RETR 1", "RETR 2", "TOP 1 1", "DELE 2", "LIST 1", "UIDL 4", "RETR 3",
    "RETR 4", "RETR 2", "NOOP", "CAPA", "TOP 4 2", "DELE 4", "STAT",
];

fn conditions(sizes: &[u8], millis: u64, window: usize) -> Conditions {
    Conditions {
        delay: Duration::from_millis(millis),
        window,
        sizes: sizes.to_vec(),
        cut: None,
    }
}

/// Design 11: what the client sees does not depend on how octets are cut or delayed, on either side.
#[test]
fn x014_chunks_delays_and_pipelining_are_invisible() {
    let commands = session(&COMMANDS);
    let mut transcripts = Vec::new();
    for sizes in [&[][..], &[0], &[1, 0], &[6], &[2, 200, 0, 17]] {
        for (millis, window) in [(0, 64 * 1024), (40, 64 * 1024), (0, 1), (7, 100)] {
            for pace in [Pace::AtOnce, Pace::OneByOne] {
                let route = Route {
                    there: conditions(sizes, millis, window),
                    back: conditions(sizes, millis / 2, window),
                };
                let mut rig = Setup::new(MAILS).upstream_route(route.clone()).start();
                let client = rig.client_by(route);
                let heard = judged(&mut rig, &client, &commands, pace, Tolerance::Nothing);
                assert_eq!(heard.quit, Some(true));
                assert_eq!(rig.uids(), [1, 3], "{sizes:?} {millis} {window} {pace:?}");
                assert_eq!(rig.locks(), 0);
                transcripts.push(client.heard());
            }
        }
    }
    transcripts.dedup();
    assert_eq!(transcripts.len(), 1);
}

/// P031, G13: every mail of the corpus arrives as the model says, whatever is read ahead.
#[test]
fn p031_g13_the_corpus_is_passed_on() {
    let mails: Vec<_> = corpus()
        .into_iter()
        .filter(|mail| !mail.is_large())
        .map(|mail| mail.content)
        .collect();
    let numbers = 1..=mails.len();
    let retrieve = numbers.clone().map(|n| format!("RETR {n}"));
    let top = numbers.clone().map(|n| format!("TOP {n} 3"));
    let backwards = numbers.rev().map(|n| format!("RETR {n}"));
    let commands: Vec<String> = retrieve.chain(top).chain(backwards).collect();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let commands = session(&commands);
    for read_ahead in [0, 20_000, 256 * 1024] {
        let mut setup = Setup::new(mails.clone());
        if read_ahead == 20_000 {
            setup = setup.upstream_route(pieces(&[255, 100]));
        }
        setup.imap.read_ahead = read_ahead;
        let mut rig = setup.start();
        let client = rig.client();
        let heard = judged(
            &mut rig,
            &client,
            &commands,
            Pace::OneByOne,
            Tolerance::Nothing,
        );
        assert_eq!(heard.failed, 0);
        assert!(!rig.was_changed());
    }
}

/// P013: autologout says nothing and removes nothing.
#[test]
fn p013_a_client_that_falls_silent() {
    let mut rig = Setup::new(MAILS).start();
    let client = rig.logged_in();
    rig.ask(&client, "DELE 1");
    rig.world.advance(Duration::from_secs(599));
    assert!(!client.has_ended());
    assert_eq!(rig.locks(), 1);
    rig.world.advance(Duration::from_secs(2));
    assert!(client.has_ended());
    assert_eq!(client.take(), "");
    assert_eq!(rig.locks(), 0);
    assert!(!rig.was_changed());
    rig.is_usable();
}

/// Everything that was taken is given back: the connection upstream, the lock, the task.
#[test]
fn nothing_is_left_of_a_session() {
    let mut rig = Setup::new(MAILS).start();
    let before = rig.tasks.running();
    for _ in 0..3 {
        let client = rig.logged_in();
        assert_eq!((rig.host.open(), rig.locks()), (1, 1));
        assert_eq!(rig.tasks.running(), before + 1);
        rig.ask(&client, "QUIT");
        client.hang_up();
        rig.world.settle();
        assert_eq!((rig.host.open(), rig.locks()), (0, 0));
        assert_eq!(rig.tasks.running(), before);
    }
}

/// P022: QUIT before login changes nothing and asks no upstream.
#[test]
fn p022_quit_without_login() {
    let mut rig = Setup::new(MAILS).start();
    let client = rig.client();
    let commands = ["STAT", "RETR 1", "QUIT"];
    rig.say_all(&client, &commands, Pace::AtOnce);
    let model = rig.model();
    let heard = client.judged(&commands, model, Tolerance::Nothing);
    assert_eq!(heard.map(|heard| heard.quit), Ok(Some(true)));
    assert_eq!(rig.imap.connections(), 0);
}
