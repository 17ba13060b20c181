//! How a session ends other than by QUIT: deadlines, clients that are gone, shutdown.

use pop3_proto::backend::{Access, Reply, Request};
use pop3_proto::server::{Reason, TlsOffer};

use super::{MAIL, stls};
use testkit::talk::{Answer, Talk, clear, seconds};

#[test]
fn p037_qb3_no_update_without_quit() {
    for end in 0..4 {
        let mut talk = Talk::logged_in(&[MAIL]);
        talk.say("DELE 1\r\nQUI");
        match end {
            0 => talk.session.handle_eof(talk.now),
            1 => talk.session.handle_reset(talk.now),
            2 => talk.session.shut_down(talk.now),
            _ => {}
        }
        talk.settle();
        talk.wait(seconds(3600));
        assert_eq!(talk.deletions_asked(), 0);
        assert_eq!(talk.store.requests.last(), Some(&Request::Abandon));
        assert!(talk.closed.is_some());
    }
}

#[test]
fn p011_p012_p013_autologout_after_ten_minutes_and_silent() {
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.say("DELE 1\r\n");
    talk.wait(seconds(599));
    assert!(talk.say("NOOP\r\n").starts_with("+OK"));
    talk.wait(seconds(599));
    assert_eq!(talk.closed, None);
    talk.wait(seconds(2));
    assert_eq!(talk.closed, Some(Reason::IdleTimeout));
    assert_eq!((talk.heard().as_str(), talk.deletions_asked()), ("", 0));
}

#[test]
fn login_grace_counts_in_all() {
    let mut talk = Talk::new(clear(), &[]);
    for _ in 0..3 {
        talk.wait(seconds(55));
        talk.say("CAPA\r\n");
    }
    talk.wait(seconds(14));
    assert_eq!(talk.closed, None);
    talk.wait(seconds(2));
    assert_eq!(talk.closed, Some(Reason::LoginTimeout));
}

/// W023: the grace runs while a login is under way, and the client gets its answer within it.
#[test]
fn w023_a_login_under_way_is_answered_within_the_grace() {
    let mut talk = Talk::new(clear(), &[]);
    talk.store.silent = true;
    talk.wait(seconds(100));
    talk.say("USER u\r\nPASS p w\r\n");
    talk.wait(seconds(79));
    assert_eq!((talk.heard().as_str(), talk.closed), ("", None));
    talk.wait(seconds(1));
    assert!(talk.heard().starts_with("-ERR [SYS/TEMP]"));
    assert_eq!(talk.closed, Some(Reason::LoginTimeout));
    assert_eq!(talk.store.requests.last(), Some(&Request::Abandon));
}

/// W023: good credentials end the grace: a large maildrop may take longer to list.
#[test]
fn w023_the_grace_ends_with_good_credentials() {
    let mut talk = Talk::new(clear(), &[]);
    talk.store.silent = true;
    talk.say("USER u\r\nPASS p w\r\n");
    talk.session.handle_reply(talk.now, Reply::Authenticated);
    talk.wait(seconds(500));
    assert_eq!(talk.closed, None);
    let access = Access::ReadWrite;
    talk.session
        .handle_reply(talk.now, Reply::Opened { access });
    talk.settle();
    assert!(talk.heard().starts_with("+OK"));
}

/// W023: who has not logged in makes room for others, in words only where an answer is due.
#[test]
fn w023_a_stranger_can_be_turned_out() {
    for (said, words) in [
        ("", ""),
        ("USER u\r\n", ""),
        (
            "USER u\r\nPASS p w\r\n",
            "-ERR [SYS/TEMP] too many connections\r\n",
        ),
    ] {
        let mut talk = Talk::new(clear(), &[]);
        talk.store.silent = true;
        talk.say(said);
        talk.heard();
        talk.session.turn_out(talk.now);
        talk.settle();
        assert_eq!(talk.heard(), words, "{said:?}");
        assert_eq!(talk.closed, Some(Reason::TurnedOut));
    }
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.session.turn_out(talk.now);
    assert!(
        talk.say("NOOP\r\n").starts_with("+OK"),
        "not who is logged in"
    );
}

/// The earlier of two deadlines before login is the one that counts.
#[test]
fn p013_before_login_too_the_earlier_deadline_counts() {
    for (grace, autologout, expected) in [(180, 600, 180), (3600, 600, 600)] {
        let policy = clear()
            .login_grace(seconds(grace))
            .autologout(seconds(autologout));
        let mut talk = Talk::new(policy, &[]);
        talk.wait(seconds(expected - 1));
        assert_eq!(talk.closed, None);
        talk.wait(seconds(1));
        assert!(talk.closed.is_some());
    }
}

#[test]
fn a_silent_backend_does_not_hold_the_session_for_ever() {
    for command in ["RETR 1", "QUIT"] {
        let mut talk = Talk::logged_in(&[MAIL]);
        talk.store.silent = true;
        talk.say(&format!("{command}\r\n"));
        talk.wait(seconds(601));
        assert!(talk.heard().starts_with("-ERR [SYS/TEMP]"));
        assert_eq!(talk.closed, Some(Reason::BackendSilent));
    }
}

#[test]
fn what_is_said_at_a_deadline_is_given_time_to_be_read() {
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.store.silent = true;
    talk.say("QUIT\r\n");
    talk.window = Some(0);
    talk.wait(seconds(1199));
    assert_eq!(talk.closed, Some(Reason::BackendSilent));
    assert!(talk.session.transmit().starts_with(b"-ERR [SYS/TEMP]"));
    talk.wait(seconds(2));
    assert!(talk.session.transmit().is_empty());
}

#[test]
fn g14_a_client_that_does_not_read_is_cut() {
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.window = Some(0);
    talk.say("RETR 1\r\n");
    talk.wait(seconds(599));
    talk.window = Some(1);
    talk.settle();
    talk.wait(seconds(599));
    assert_eq!(talk.closed, None);
    talk.wait(seconds(2));
    assert_eq!(talk.closed, Some(Reason::StalledReader));
    assert!(talk.session.transmit().is_empty());
}

/// G14: who does not read a long listing, or the answer to STLS, is cut like who does not read a message.
#[test]
fn g14_a_client_that_does_not_read_its_listing_is_cut() {
    let many = vec![MAIL; 20_000];
    let policy = clear().stalled_reader(seconds(60));
    let mut talk = Talk::new(policy, &many);
    talk.say("USER u\r\nPASS p w\r\n");
    talk.window = Some(1000);
    talk.feed(b"UIDL\r\n");
    talk.wait(seconds(59));
    assert_eq!(talk.closed, None);
    talk.wait(seconds(1));
    assert_eq!(talk.closed, Some(Reason::StalledReader));

    let mut talk = Talk::new(stls(), &[]);
    talk.window = Some(0);
    talk.feed(b"STLS\r\n");
    talk.wait(seconds(179));
    assert_eq!(talk.closed, None);
    talk.wait(seconds(1));
    assert!(talk.closed.is_some() && !talk.tls_wanted);
}

#[test]
fn g15_a_half_closed_client_still_gets_its_answers() {
    let mut talk = Talk::new(clear(), &[MAIL]);
    talk.window = Some(0);
    talk.feed(b"USER u\r\nPASS p w\r\nDELE 1\r\nQUIT\r\n");
    talk.session.handle_eof(talk.now);
    talk.settle();
    talk.window = None;
    talk.settle();
    assert!(talk.heard().ends_with("+OK bye, 1 deleted\r\n"));
    assert_eq!(talk.store.removed, [0]);
}

/// G15: the client is gone while a STLS is being answered, or while its login is looked at.
#[test]
fn g15_an_end_before_the_end_of_a_step() {
    let mut talk = Talk::new(stls(), &[]);
    talk.window = Some(0);
    talk.feed(b"STLS\r\n");
    talk.session.handle_eof(talk.now);
    talk.settle();
    assert_eq!(talk.closed, Some(Reason::ClientGone));
    assert!(!talk.tls_wanted);

    let mut talk = Talk::new(clear(), &[]);
    talk.store.silent = true;
    talk.feed(b"USER u\r\nPASS p w\r\n");
    talk.session.handle_eof(talk.now);
    talk.settle();
    assert_eq!(talk.closed, Some(Reason::ClientGone));

    // what was said after the login is still to be answered
    for behind in ["QUIT\r\n", "STAT\r\nQUIT\r\n"] {
        let mut talk = Talk::new(clear(), &[]);
        talk.store.silent = true;
        talk.feed(format!("USER u\r\nPASS p w\r\n{behind}").as_bytes());
        talk.session.handle_eof(talk.now);
        talk.settle();
        assert_eq!(talk.closed, None);
        for answer in [Answer::Authenticated, Answer::Opened(Access::ReadWrite)] {
            talk.store.answers.push_back(answer);
        }
        talk.store.silent = false;
        talk.settle();
        let heard = talk.heard();
        assert!(
            heard.contains("+OK bye"),
            "{heard} {:?} {:?}",
            talk.closed,
            talk.store.requests
        );
    }
}

#[test]
fn g19_shutdown_finishes_the_response_and_refuses_the_next_command() {
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.window = Some(0);
    talk.feed(b"RETR 1\r\n");
    talk.session.shut_down(talk.now);
    talk.window = None;
    talk.feed(b"DELE 1\r\nQUIT\r\n");
    let heard = talk.heard();
    assert!(heard.contains("three\r\n.\r\n-ERR [SYS/TEMP] "), "{heard}");
    assert_eq!(
        (talk.closed, talk.deletions_asked()),
        (Some(Reason::ShutDown), 0)
    );
    // one that was busy is given a few seconds
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.window = Some(0);
    talk.feed(b"RETR 1\r\n");
    talk.session.shut_down(talk.now);
    talk.window = None;
    talk.settle();
    assert!(talk.heard().ends_with("\r\n.\r\n"));
    assert_eq!(talk.closed, None);
    talk.wait(seconds(6));
    assert_eq!(talk.closed, Some(Reason::ShutDown));
}

/// Nothing is waited for where nothing is under way: not for a name, a password, the rest of a command, an answer
/// to a challenge, or a handshake of which nothing comes.
#[test]
fn g19_an_idle_session_ends_at_once_with_a_farewell() {
    let policy = clear().tls(TlsOffer::Stls);
    let ends = |talk: &mut Talk, farewell: bool| {
        talk.heard();
        talk.session.shut_down(talk.now);
        talk.settle();
        let heard = talk.heard();
        assert_eq!(heard.starts_with("-ERR [SYS/TEMP] "), farewell, "{heard}");
        assert_eq!(
            (talk.closed, heard.lines().count()),
            (Some(Reason::ShutDown), usize::from(farewell))
        );
    };
    for said in [
        "",
        "CAPA\r\n",
        "USER tim\r\n",
        "USER tim\r\nPA",
        "AUTH PLAIN\r\n",
    ] {
        let mut talk = Talk::new(policy.clone(), &[MAIL]);
        talk.say(said);
        ends(&mut talk, true);
    }
    let mut talk = Talk::new(policy, &[MAIL]);
    talk.say("STLS\r\n");
    ends(&mut talk, false);
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.say("DELE 1\r\nQU");
    ends(&mut talk, true);
    assert_eq!(talk.deletions_asked(), 0);
}

#[test]
fn an_update_goes_on_when_the_client_vanishes_after_quit() {
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.store.silent = true;
    talk.say("DELE 1\r\nQUIT\r\n");
    talk.session.handle_reset(talk.now);
    talk.settle();
    assert_eq!(talk.closed, None);
    assert!(!talk.store.requests.contains(&Request::Abandon));
    talk.store.answers.push_back(Answer::Updated);
    talk.settle();
    assert_eq!(
        (talk.closed, talk.session.summary().deleted),
        (Some(Reason::Quit), 1)
    );
    assert!(talk.session.transmit().is_empty());
}

/// A store that keeps what it has is not said to have deleted it, neither to the client nor in the log.
#[test]
fn w008_what_is_kept_is_not_called_deleted() {
    let mut talk = Talk::logged_in(&[MAIL, MAIL, MAIL]);
    talk.store.silent = true;
    talk.say("DELE 1\r\nDELE 3\r\nQUIT\r\n");
    talk.heard();
    talk.store.answers.push_back(Answer::Kept);
    talk.settle();
    let heard = talk.heard();
    assert!(
        heard.ends_with("+OK bye, 2 marked as deleted and all kept\r\n"),
        "{heard}"
    );
    let summary = talk.session.summary();
    assert_eq!(
        (summary.deleted, summary.kept, summary.not_deleted),
        (0, 2, 0)
    );
    assert_eq!(talk.closed, Some(Reason::Quit));
}

#[test]
fn nothing_is_left_for_a_client_that_is_gone_when_an_update_never_ends() {
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.store.silent = true;
    talk.say("DELE 1\r\nQUIT\r\n");
    talk.window = Some(0);
    talk.session.handle_reset(talk.now);
    talk.settle();
    talk.wait(seconds(601));
    assert_eq!(talk.closed, Some(Reason::BackendSilent));
    assert!(talk.session.transmit().is_empty());
    assert_eq!(talk.session.poll_timeout(), None);
}

/// What goes to a log says which it was.
#[test]
fn every_reason_has_words_of_its_own() {
    let reasons = [
        Reason::Quit,
        Reason::ClientGone,
        Reason::LoginTimeout,
        Reason::IdleTimeout,
        Reason::StalledReader,
        Reason::FailedLogins,
        Reason::BadCommands,
        Reason::WrongProtocol,
        Reason::PlaintextAfterStls,
        Reason::BodyCut,
        Reason::BackendSilent,
        Reason::UpdateFailed,
        Reason::ShutDown,
    ];
    let mut words = reasons.map(Reason::as_str).to_vec();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), reasons.len());
    assert!(words.contains(&"autologout") && !words.contains(&""));
    // and so does a deadline
    let mut talk = Talk::new(clear(), &[]);
    assert_eq!(
        talk.session.poll_timeout().map(|(_, why)| why),
        Some("login grace")
    );
    talk.say("USER u\r\nPASS p w\r\n");
    assert_eq!(
        talk.session.poll_timeout().map(|(_, why)| why),
        Some("autologout")
    );
    let (at, _) = talk.session.poll_timeout().unwrap();
    assert_eq!(at.since(talk.now), seconds(600));
    assert_eq!(talk.now.since(at), seconds(0));
    assert_eq!(at.since_start(), seconds(600));
}

/// Of two deadlines at one moment, the login's is the one that is named.
#[test]
fn p013_of_two_deadlines_at_once_the_login_is_named() {
    let policy = clear().login_grace(seconds(600)).autologout(seconds(600));
    let mut talk = Talk::new(policy, &[]);
    let deadline = talk.session.poll_timeout();
    assert_eq!(deadline.map(|(_, why)| why), Some("login grace"));
    talk.wait(seconds(600));
    assert_eq!(talk.closed, Some(Reason::LoginTimeout));
}
