//! What others do to the mailbox meanwhile, and what a server may say at any time.

use std::time::Duration;

use testkit::imap_server::{Fault, Options, Trouble};
use testkit::model::Maildrop;

use crate::rig::{Pace, Rig, Setup, USER, judged, session};
use testkit::judge::Tolerance;

const MAILS: [&str; 4] = [
    "A: 1\r\n\r\n1\r\n",
    "A: 2\r\n\r\n2\r\n",
    "A: 3\r\n\r\n3\r\n",
    "A: 4\r\n",
];

fn expunge(rig: &Rig, uid: u32) {
    rig.imap
        .store()
        .edit(USER, "INBOX", |folder| folder.expunge(uid));
}

/// Goes through the commands one by one, with something done before the one of this place, and judges
/// everything by the model as it is then.
fn with_surprise(
    setup: Setup,
    commands: &[&str],
    place: usize,
    surprise: impl FnOnce(&mut Rig, &mut Maildrop),
) -> Rig {
    let ahead = setup.imap.read_ahead > 0;
    let mut rig = setup.start();
    let mut model = rig.model();
    let mut before = model.clone();
    let client = rig.logged_in();
    let mut surprise = Some(surprise);
    for (at, command) in commands.iter().enumerate() {
        if at == place
            && let Some(surprise) = surprise.take()
        {
            surprise(&mut rig, &mut model);
        }
        let heard = rig.ask(&client, command);
        let checked = [&mut model, &mut before]
            .map(|model| model.execute(command.as_bytes()).check(heard.as_bytes()));
        let whole = Ok(Some(heard.len()));
        // what was read ahead of the surprise may be passed on as it was
        let as_before = ahead && command.starts_with("RETR") && checked[1] == whole;
        assert!(
            checked[0] == whole || as_before,
            "{command} ({at}, {place}): {heard}, {checked:?}"
        );
    }
    rig
}

/// G01, G11, I006: a message goes away upstream: numbers, sizes and ids stay, RETR and TOP say no, DELE
/// and QUIT say yes. At every place of a session, with and without read-ahead.
#[test]
fn g01_g11_i006_expunged_upstream_during_the_session() {
    let commands = [
        "STAT", "RETR 1", "RETR 2", "LIST", "RETR 3", "UIDL", "TOP 2 1", "RETR 4", "DELE 2",
        "RETR 3", "DELE 4", "STAT", "QUIT",
    ];
    for read_ahead in [0, 30, 256 * 1024] {
        for place in 0..commands.len() {
            for gone in 1..=4 {
                let mut setup = Setup::new(MAILS);
                setup.imap.read_ahead = read_ahead;
                let rig = with_surprise(setup, &commands, place, |rig, model| {
                    expunge(rig, gone);
                    model.vanish(gone as usize);
                });
                let left: Vec<u32> = [1, 3].into_iter().filter(|&uid| uid != gone).collect();
                assert_eq!(rig.uids(), left, "{read_ahead} {place} {gone}");
            }
        }
    }
}

/// G02, qD13: new mail stays unseen until the next login.
#[test]
fn g02_qd13_new_mail_during_the_session() {
    let commands = [
        "STAT", "LIST", "RETR 4", "RETR 5", "UIDL", "DELE 1", "STAT", "QUIT",
    ];
    for place in 0..commands.len() {
        let mut rig = with_surprise(Setup::new(MAILS), &commands, place, |rig, _| {
            rig.imap.store().deliver(USER, "A: 5\r\n");
        });
        assert_eq!(rig.uids(), [2, 3, 4, 5]);
        let client = rig.logged_in();
        assert!(rig.ask(&client, "STAT").starts_with("+OK 4 "));
        assert!(rig.ask(&client, "UIDL 4").ends_with("4 1.5\r\n"));
    }
}

/// G05: the upstream hangs up on an idle session, at every point: the client does not notice.
#[test]
fn g05_the_upstream_hangs_up_while_idle() {
    let commands = [
        "STAT", "RETR 1", "DELE 1", "RETR 2", "TOP 3 0", "LIST", "RETR 3", "DELE 3", "QUIT",
    ];
    for reset in [false, true] {
        for place in 0..commands.len() {
            let rig = with_surprise(Setup::new(MAILS), &commands, place, |rig, _| {
                rig.host.hang_up(reset);
                rig.world.advance(Duration::from_secs(20));
            });
            assert_eq!(rig.uids(), [2, 4], "{place}");
        }
    }
}

/// G04: the UIDs mean something else after a reconnect: nothing is read or removed by them.
#[test]
fn g04_uidvalidity_changes_before_a_reconnect() {
    let commands = ["RETR 1", "DELE 1", "RETR 2", "DELE 3", "STAT", "QUIT"];
    for place in 0..=commands.len() {
        let mut rig = Setup::new(MAILS).start();
        let client = rig.logged_in();
        let mut quit = String::new();
        for (at, command) in commands.iter().enumerate() {
            if at == place {
                rig.host.hang_up(false);
                rig.imap
                    .store()
                    .edit(USER, "INBOX", |folder| folder.renumber(7));
                rig.world.settle();
            }
            let heard = rig.ask(&client, command);
            if command.starts_with("RETR") && at >= place {
                assert!(heard.starts_with("-ERR [SYS/TEMP] "), "{place}: {heard}");
            } else if *command != "QUIT" {
                assert!(heard.starts_with("+OK"), "{place}: {command}: {heard}");
            }
            quit = heard;
        }
        if place == commands.len() {
            assert!(quit.starts_with("+OK"), "{quit}");
            assert_eq!(rig.uids(), [2, 4]);
        } else {
            assert!(quit.starts_with("-ERR"), "{place}: {quit}");
            assert_eq!(rig.uids(), [1, 2, 3, 4], "{place}");
            assert!(!rig.was_changed());
        }
        assert_eq!(rig.locks(), 0);
    }
}

/// I007: anything may come at any time.
#[test]
fn i007_unsolicited_data() {
    let junk: [&[u8]; 9] = [
        b"* 99 EXISTS\r\n* 3 RECENT\r\n",
        b"* 2 FETCH (FLAGS (\\Seen \\Deleted))\r\n",
        b"* 2 FETCH (UID 2 FLAGS ())\r\n",
        b"* OK [ALERT] careful {5}\r\n",
        b"* LIST () \"/\" {5}\r\nINBOX\r\n",
        b"* VANISHED 77:99\r\n",
        b"*  5   EXISTS  \r\n",
        b"* NO [X] \xff\xfe\r\n",
        b"* FLAGS (\\Answered \\Flagged)\r\n* ESEARCH (TAG \"x\") UID ALL 1\r\n",
    ];
    let commands = session(&["LIST", "RETR 1", "RETR 2", "TOP 3 0", "DELE 2", "RETR 4"]);
    for junk in junk {
        for command in ["LOGIN", "SELECT", "FETCH", "STORE", "EXPUNGE"] {
            for mut setup in [Setup::new(MAILS), without_uidplus()] {
                let fault = Fault::on_each(command, Trouble::Before(junk.to_vec()));
                setup.options = setup.options.with_fault(fault);
                let bare = !setup.options.capabilities.contains(&"UIDPLUS".to_owned());
                let mut rig = setup.start();
                let model = rig.model();
                let client = rig.client();
                rig.say_all(&client, &commands, Pace::AtOnce);
                // without UIDPLUS we do not expunge after news of foreign flags or of more messages
                let tolerance = if bare {
                    Tolerance::Upstream
                } else {
                    Tolerance::Nothing
                };
                let heard = client.judged(&commands, model, tolerance);
                let context = format!("{command}: {}", junk.escape_ascii());
                let heard = heard.unwrap_or_else(|fault| panic!("{context}: {fault}"));
                if heard.quit == Some(true) {
                    assert_eq!(rig.uids(), [1, 3, 4], "{context}");
                } else {
                    assert_eq!(rig.uids(), [1, 2, 3, 4], "{context}");
                }
            }
        }
    }
}

fn without_uidplus() -> Setup {
    let mut setup = Setup::new(MAILS);
    setup.options = Options::default().without("UIDPLUS");
    setup
}

/// I034: servers that write badly, and say nothing wrong.
#[test]
fn i034_tolerable_servers() {
    let commands = session(&[
        "LIST", "UIDL", "RETR 1", "RETR 2", "TOP 3 0", "DELE 2", "RETR 4",
    ]);
    for trouble in [
        Trouble::ExtraSpaces,
        Trouble::NoText,
        Trouble::EightBitText,
        Trouble::ForeignBody(b"not yours\r\n".to_vec()),
        Trouble::BodyAs(testkit::imap_server::BodyForm::Literal8),
        Trouble::BodyAs(testkit::imap_server::BodyForm::Quoted),
    ] {
        for options in [Options::default(), Options::plain()] {
            let mut setup = Setup::new(MAILS);
            setup.options = options.with_fault(Fault::always(trouble.clone()));
            let mut rig = setup.start();
            let client = rig.client();
            let heard = judged(
                &mut rig,
                &client,
                &commands,
                Pace::OneByOne,
                Tolerance::Nothing,
            );
            assert_eq!(
                (heard.failed, rig.uids()),
                (0, vec![1, 3, 4]),
                "{trouble:?}"
            );
        }
    }
}

/// G09: a size that was announced wrongly changes LIST alone.
#[test]
fn g09_sizes_that_are_wrong() {
    for off in [-5, 7, 1_000_000] {
        let fault = Fault::always(Trouble::SizeOff(off));
        let mut setup = Setup::new(MAILS);
        setup.options = setup.options.with_fault(fault);
        let mut rig = setup.start();
        let commands = session(&["RETR 1", "RETR 2", "TOP 1 0", "RETR 3", "TOP 2 5", "DELE 4"]);
        let client = rig.client();
        judged(
            &mut rig,
            &client,
            &commands,
            Pace::OneByOne,
            Tolerance::Nothing,
        );
        assert_eq!(rig.uids(), [1, 2, 3]);
    }
}

/// P016, P017, X022, G17: one at a time; free for the next one as soon as the first is gone.
#[test]
fn p017_g17_p016_x022_two_at_once() {
    for way in ["quit", "vanish", "reset", "half-close"] {
        let mut rig = Setup::new(MAILS).start();
        let first = rig.logged_in();
        let second = rig.client();
        assert!(rig.log_in(&second).starts_with("-ERR [IN-USE] "));
        assert!(
            rig.ask(&first, "DELE 1").starts_with("+OK"),
            "the first one is not disturbed"
        );
        match way {
            "quit" => drop(rig.ask(&first, "QUIT")),
            "vanish" => first.vanish(),
            "reset" => first.reset(),
            _ => first.hang_up(),
        }
        rig.world.settle();
        assert!(rig.log_in(&second).starts_with("+OK"), "{way}");
        let left = if way == "quit" { 3 } else { 4 };
        assert!(
            rig.ask(&second, "STAT")
                .starts_with(&format!("+OK {left} ")),
            "{way}"
        );
        assert!(rig.ask(&second, "QUIT").starts_with("+OK"));
        assert_eq!(rig.locks(), 0);
    }
}

/// P018: a login that fails after the credentials leaves no lock.
#[test]
fn p018_a_login_that_fails_late() {
    for command in ["SELECT", "FETCH"] {
        let fault = Fault::on_nth(command, 1, Trouble::Answer("NO [UNAVAILABLE] later".into()));
        let mut setup = Setup::new(MAILS);
        setup.options = setup.options.with_fault(fault);
        let mut rig = setup.start();
        let client = rig.client();
        assert!(rig.log_in(&client).starts_with("-ERR [SYS/TEMP] "));
        assert_eq!(rig.locks(), 0);
        assert!(rig.log_in(&client).starts_with("+OK"));
    }
}

/// I011: a client that looks at the top of one message after the other waits for few answers of the upstream, and no
/// more is asked for than it wants.
#[test]
fn i011_tops_in_order_ask_for_no_more_than_is_wanted() {
    for lines in [0, 20] {
        let body = "0123456789\r\n".repeat(6_000);
        let mails = (0..40).map(|n| format!("A: {n}\r\n\r\n{body}").into_bytes());
        let mut rig = Setup::new(mails).start();
        let tops: Vec<_> = (1..=40).map(|n| format!("TOP {n} {lines}")).collect();
        let tops: Vec<_> = tops.iter().map(String::as_str).collect();
        let client = rig.client();
        judged(
            &mut rig,
            &client,
            &session(&tops),
            Pace::OneByOne,
            Tolerance::Nothing,
        );
        let commands = rig.imap.commands();
        let fetches: Vec<_> = commands
            .iter()
            .filter(|line| line.contains("BODY.PEEK"))
            .collect();
        assert!(fetches.len() <= 8, "{fetches:#?}");
        let later = |line: &&&String| line.contains("BODY.PEEK[]<") && !line.contains("]<0.");
        assert_eq!(fetches.iter().find(later), None);
    }
}
