//! What is said after LOGIN and gets lost, and servers that want ID first.

use std::time::Duration;

use imap_backend::{Config, Learned, PipelineLogin};

use super::{BARE, with};
use crate::common::{World, config, password_open, tags};

const LISTED: &str = "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n";

fn auto(learned: &Learned) -> Config {
    let mut config = config();
    config.quirks.pipeline_login = PipelineLogin::Auto;
    config.learned = learned.clone();
    config
}

/// A world before a server, or a proxy, that greets as Dovecot.
fn dovecot(config: Config) -> World {
    let mut world = World::new(config);
    world.open(password_open());
    world.serve(&format!(
        "* OK [CAPABILITY {BARE} ID UIDPLUS] Dovecot ready.\r\n"
    ));
    world
}

fn listing() -> String {
    "* 1 FETCH (UID 4 RFC822.SIZE 10)\r\n* 2 FETCH (UID 9 RFC822.SIZE 20)\r\n".into()
}

fn opened() -> [&'static str; 4] {
    [
        "Authenticated",
        "Entry 7.4 10",
        "Entry 7.9 20",
        "Opened ReadWrite",
    ]
}

/// A proxy takes LOGIN and loses the rest: it is said again within a second, and at the next login not
/// said too early.
#[test]
fn w041_what_follows_login_and_is_lost_is_said_again() {
    let learned = Learned::default();
    let mut world = dovecot(auto(&learned));
    let sent = world.take_sent();
    let first = tags(&sent);
    assert_eq!(first.len(), 3, "{sent}");
    world.serve(&format!("{} OK logged in\r\n", first[0]));
    world.expect_nothing();
    world.pass(Duration::from_millis(990));
    let again = world.take_sent();
    assert!(
        again.contains("SELECT \"INBOX\"") && again.contains("UID FETCH 1:*"),
        "{again}"
    );
    let second = tags(&again);
    world.serve(&format!("{LISTED}{} OK [READ-WRITE] ok\r\n", second[0]));
    world.serve(&format!("{}{} OK done\r\n", listing(), second[1]));
    world.expect_replies(&opened());
    let notes = world.notes();
    assert!(
        notes.len() == 1 && notes[0].contains("loses what follows LOGIN"),
        "{notes:?}"
    );
    // the session goes on as usual, and nothing that was lost is awaited
    world.retrieve(1, 0);
    assert!(world.take_sent().contains("UID FETCH"));

    let mut world = dovecot(auto(&learned));
    let login = world.expect("LOGIN \"alice\" \"secret\"");
    world.expect_nothing();
    world.serve(&format!("{login} OK in\r\n"));
    world.expect("SELECT \"INBOX\"");
    // another upstream is another one
    let mut world = dovecot(auto(&Learned::default()));
    assert_eq!(tags(&world.take_sent()).len(), 3);
}

/// A server that is only slow answers both: the listing is reported once, and is not asked for twice again.
#[test]
fn w041_a_slow_server_is_not_taken_for_one_that_loses() {
    let learned = Learned::default();
    for round in 0..2 {
        let mut world = dovecot(auto(&learned));
        let first = tags(&world.take_sent());
        world.serve(&format!("{} OK logged in\r\n", first[0]));
        world.pass(Duration::from_secs(5));
        let second = tags(&world.take_sent());
        assert_eq!(second.len(), if round == 0 { 2 } else { 0 });
        world.serve(&format!("{LISTED}{} OK [READ-WRITE] ok\r\n", first[1]));
        world.serve(&format!("{}{} OK done\r\n", listing(), first[2]));
        if round == 0 {
            world.expect_replies(&["Authenticated"]);
            world.serve(&format!("{LISTED}{} OK [READ-WRITE] ok\r\n", second[0]));
            // one came meanwhile, and the numbers are the second listing's
            world.serve("* 3 EXISTS\r\n");
            world.serve(&format!(
                "{}* 3 FETCH (UID 11 RFC822.SIZE 5)\r\n{} OK done\r\n",
                listing(),
                second[1]
            ));
            let replies = world.take_replies_said();
            assert_eq!(replies.len(), 4, "{replies:?}");
        } else {
            world.expect_replies(&opened());
        }
        assert_eq!(world.notes(), [""; 0]);
    }
    let mut world = dovecot(auto(&learned));
    assert_eq!(
        tags(&world.take_sent()).len(),
        3,
        "it is still said in one flight"
    );
}

/// Pieces of what was lost may arrive, and are answered with BAD.
#[test]
fn w041_half_of_what_follows_login_is_lost() {
    let mut world = dovecot(auto(&Learned::default()));
    let first = tags(&world.take_sent());
    world.serve(&format!("{} OK logged in\r\n", first[0]));
    world.serve(&format!("{} BAD no mailbox selected\r\n", first[2]));
    world.pass(Duration::from_millis(990));
    let second = tags(&world.take_sent());
    world.serve(&format!("{LISTED}{} OK [READ-WRITE] ok\r\n", second[0]));
    world.serve(&format!("{}{} OK done\r\n", listing(), second[1]));
    world.expect_replies(&opened());
}

/// A folder that is coming, however slowly, is not asked for again.
#[test]
fn w041_what_comes_slowly_is_not_asked_for_again() {
    let mut world = dovecot(auto(&Learned::default()));
    let first = tags(&world.take_sent());
    world.serve(&format!("{} OK logged in\r\n", first[0]));
    for line in ["* 2 EXISTS\r\n", "* OK [UIDVALIDITY 7] ok\r\n"] {
        world.serve(line);
        world.pass(Duration::from_secs(5));
        world.expect_nothing();
    }
}

/// Where nothing was said too early nothing is said twice.
#[test]
fn w041_a_login_without_pipelining_waits() {
    let mut world = dovecot(with(|c| c.quirks.pipeline_login = PipelineLogin::Never));
    world.expect_ok("LOGIN \"alice\" \"secret\"");
    assert_eq!(tags(&world.take_sent()).len(), 2);
    world.pass(Duration::from_secs(20));
    world.expect_nothing();
}

/// 163 and 126: SELECT is refused until ID was said.
#[test]
fn w046_id_is_said_where_the_folder_wants_it() {
    for pipeline in [PipelineLogin::Never, PipelineLogin::Always] {
        let learned = Learned::default();
        let config = || {
            let mut config = auto(&learned);
            config.quirks.pipeline_login = pipeline;
            config
        };
        let mut world = dovecot(config());
        let mut first = tags(&world.take_sent());
        world.serve(&format!("{} OK LOGIN completed\r\n", first[0]));
        first.extend(tags(&world.take_sent()));
        let unsafe_login = "NO SELECT Unsafe Login. Please contact kefu@188.com for help";
        world.serve(&format!("{} {unsafe_login}\r\n", first[1]));
        world.serve(&format!(
            "{} BAD command invalid in this state\r\n",
            first[2]
        ));
        let again = world.take_sent();
        let second = tags(&again);
        assert!(again.contains(" ID (") && second.len() == 3, "{again}");
        world.serve(&format!("* ID NIL\r\n{} OK ID completed\r\n", second[0]));
        world.serve(&format!("{LISTED}{} OK [READ-WRITE] ok\r\n", second[1]));
        world.serve(&format!("{}{} OK done\r\n", listing(), second[2]));
        world.expect_replies(&opened());
        let notes = world.notes();
        assert!(
            notes.len() == 1 && notes[0].contains("send_id = true"),
            "{notes:?}"
        );
        // from now on it comes first
        let mut world = dovecot(config());
        let sent = world.take_sent();
        world.serve(&format!("{} OK in\r\n", tags(&sent)[0]));
        let sent = sent + &world.take_sent();
        assert!(
            sent.find(" ID (").unwrap() < sent.find("SELECT").unwrap(),
            "{sent}"
        );
    }
}

/// Once: a server that refuses all the same is believed, and the log names the key.
#[test]
fn w046_id_is_said_once() {
    for (answer, retried) in [
        ("NO Unsafe Login", true),
        ("BAD not now", true),
        ("NO [NONEXISTENT] no such folder", false),
        ("NO [NOPERM] not yours", false),
        ("NO [UNAVAILABLE] come again", false),
        ("NO Server busy", false),
    ] {
        let mut world = dovecot(with(|c| c.quirks.pipeline_login = PipelineLogin::Never));
        world.expect_ok("LOGIN \"alice\" \"secret\"");
        let first = tags(&world.take_sent());
        world.serve(&format!("{} {answer}\r\n", first[0]));
        let sent = world.take_sent();
        assert_eq!(sent.contains(" ID ("), retried, "{answer}: {sent}");
        if retried {
            world.serve(&format!(
                "{} OK\r\n{} {answer}\r\n",
                tags(&sent)[0],
                tags(&sent)[1]
            ));
        }
        let replies = world.take_replies_said();
        assert!(replies[1].starts_with("Failed"), "{answer}: {replies:?}");
        if answer.contains("Unsafe") {
            assert!(replies[1].contains("Permanent"), "{replies:?}");
            assert!(
                replies[1].contains("send_id = true may help"),
                "W052: {replies:?}"
            );
        }
    }
    // not announced: not said
    let mut world = super::greeted(config(), password_open(), BARE);
    let first = tags(&world.take_sent());
    world.serve(&format!(
        "{} OK in\r\n{} NO Unsafe Login\r\n",
        first[0], first[1]
    ));
    assert!(!world.take_sent().contains(" ID ("));
}
