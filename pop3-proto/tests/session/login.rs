//! Logins by USER and PASS and by APOP, and what becomes of those that fail.

use std::time::Duration;

use pop3_proto::backend::{Failure, FailureKind, RefusalKind, Reply};
use pop3_proto::server::{Policy, Reason};

use super::stls;
use testkit::talk::{Answer, Talk, clear};

#[test]
fn p054_p055_p057_user_and_pass() {
    let mut talk = Talk::new(clear(), &[]);
    assert!(talk.say("PASS p w\r\n").starts_with("-ERR"));
    let known = talk.say("USER u\r\n");
    assert_eq!(talk.say("USER nobody\r\n"), known);
    assert_eq!(talk.say("PASS x\r\n"), "-ERR [AUTH] login failed\r\n");
    assert!(talk.say("PASS p w\r\n").starts_with("-ERR say USER"));
    // CAPA may stand between, nothing else
    talk.say("USER u\r\nNOOP\r\n");
    assert!(talk.say("PASS p w\r\n").starts_with("-ERR"));
    talk.say("USER u\r\nCAPA\r\n");
    assert!(talk.say("PASS p w\r\n").starts_with("+OK"));
}

/// P055: PASS may follow USER alone; what is no command comes between them like one.
#[test]
fn p055_nonsense_between_user_and_pass() {
    let long = "x".repeat(2000);
    for nonsense in ["XYZZY", "USER", "LIST x", "caf\u{e9}", "\x01", &long] {
        let mut talk = Talk::new(clear(), &[]);
        let said = talk.say(&format!("USER u\r\n{nonsense}\r\nPASS p w\r\n"));
        let replies: Vec<&str> = said.lines().map(|line| &line[..3]).collect();
        assert_eq!(replies, ["+OK", "-ER", "-ER"], "{nonsense}: {said}");
        assert!(talk.store.requests.is_empty());
    }
}

#[test]
fn x022_x024_x025_x026_p017_refusals_and_failures_by_code() {
    let cases = [
        (RefusalKind::Credentials, "-ERR [AUTH] "),
        (RefusalKind::InUse, "-ERR [IN-USE] "),
        (RefusalKind::LoginDelay, "-ERR [LOGIN-DELAY] "),
        (RefusalKind::Policy, "-ERR this"),
    ];
    for (kind, expected) in cases {
        let mut talk = Talk::new(clear(), &[]);
        talk.store.refuse = Some(kind);
        assert!(
            talk.say("USER u\r\nPASS p w\r\n").contains(expected),
            "{expected}"
        );
        // P017: the session stays usable
        talk.store.refuse = None;
        assert!(
            talk.say("USER u\r\nPASS p w\r\n")
                .contains("+OK 0 messages")
        );
    }
    for (kind, code) in [
        (FailureKind::Temporary, "SYS/TEMP"),
        (FailureKind::Permanent, "SYS/PERM"),
    ] {
        let mut talk = Talk::new(clear(), &[]);
        talk.store.silent = true;
        talk.say("USER u\r\nPASS p w\r\n");
        talk.store
            .answers
            .push_back(Answer::Failed(Failure::new(kind, "secret words")));
        talk.settle();
        let heard = talk.heard();
        assert!(heard.contains(&format!("-ERR [{code}] ")) && !heard.contains("secret"));
    }
    let mut talk = Talk::new(clear(), &[]);
    talk.store.silent = true;
    talk.say("USER u\r\nPASS p w\r\n");
    let later = Failure::temporary("secret words").retry_after(Duration::from_millis(299_995));
    talk.store.answers.push_back(Answer::Failed(later));
    talk.settle();
    let expected = "-ERR [SYS/TEMP] the mailbox cannot be opened, try again in 300 s\r\n";
    assert!(talk.heard().ends_with(expected));
}

#[test]
fn three_failed_logins_end_the_session() {
    let mut talk = Talk::new(clear(), &[]);
    let heard = talk.say(&"USER u\r\nPASS no\r\n".repeat(5));
    assert_eq!(heard.matches("-ERR [AUTH]").count(), 3);
    assert_eq!(talk.closed, Some(Reason::FailedLogins));
}

/// W021: whatever the reason of a refusal; only the words differ.
#[test]
fn w021_three_logins_without_success_end_the_session_whatever_the_reason() {
    let refusals = [
        (RefusalKind::Credentials, "-ERR [AUTH]"),
        (RefusalKind::InUse, "-ERR [IN-USE]"),
        (RefusalKind::LoginDelay, "-ERR [LOGIN-DELAY]"),
        (RefusalKind::Policy, "-ERR "),
    ];
    for (refusal, words) in refusals {
        let mut talk = Talk::new(clear(), &[]);
        talk.store.refuse = Some(refusal);
        let heard = talk.say(&"USER u\r\nPASS p w\r\n".repeat(5));
        assert_eq!(heard.matches(words).count(), 3, "{heard}");
        assert_eq!(talk.closed, Some(Reason::FailedLogins), "{refusal:?}");
    }
    for kind in [FailureKind::Temporary, FailureKind::Permanent] {
        let mut talk = Talk::new(clear(), &[]);
        talk.store.silent = true;
        let mut heard = String::new();
        for _ in 0..3 {
            talk.say("USER u\r\nPASS p w\r\n");
            let failure = Failure::new(kind, "broken");
            talk.session.handle_reply(talk.now, Reply::Failed(failure));
            talk.settle();
            heard += &talk.heard();
        }
        assert_eq!(heard.matches("-ERR [SYS/").count(), 3, "{heard}");
        assert_eq!(talk.closed, Some(Reason::FailedLogins), "{kind:?}");
    }
}

#[test]
fn p058_qd4_v31_apop_only_where_it_is_safe_and_wanted() {
    use pop3_proto::{server::Session, time::Time};
    let greeting = |policy: Policy| {
        let session = Session::new(policy.into(), "<1.2@host>", Time::ZERO);
        String::from_utf8_lossy(session.transmit()).into_owned()
    };
    assert!(!greeting(clear()).contains('<'));
    assert!(!greeting(stls().apop(true)).contains('<'));
    assert!(greeting(clear().apop(true)).ends_with("<1.2@host>\r\n"));
    let mut talk = Talk::new(clear().apop(true), &[]);
    assert!(
        talk.say("APOP u c4c9334bac560ecc979e58001b3e22fb\r\n")
            .starts_with("+OK")
    );
}
