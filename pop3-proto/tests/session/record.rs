//! What is shown of a session: the record of its dialogue, its summary, its `Debug`.

use pop3_proto::backend::{FailureKind, Index};

use super::MAIL;
use testkit::talk::{Talk, Trouble, clear};

#[test]
fn the_greeting_is_recorded() {
    use pop3_proto::{server::Session, time::Time};
    let mut session = Session::new(clear().into(), "", Time::ZERO);
    session.record();
    let line = session.poll_trace().map(|trace| trace.text);
    assert_eq!(line.as_deref(), Some("+OK POP3 server ready"));
    assert!(session.poll_trace().is_none());
}

#[test]
fn v33_v34_the_record_shows_no_secret() {
    let mut talk = Talk::new(clear().failed_logins(9), &[MAIL]);
    talk.session.record();
    talk.say("USER u\r\nPASS hunter2\r\nAUTH PLAIN AHUAaHVudGVyMg==\r\nAUTH PLAIN\r\n");
    talk.say("AHUAaHVudGVyMg==\r\nPASSS hunter2\r\nUSER u\r\nPASS p w\r\nRETR 1\r\nLIST\r\n");
    let mut lines = Vec::new();
    while let Some(trace) = talk.session.poll_trace() {
        lines.push(trace.text);
    }
    let all = lines.join("\n");
    assert!(
        all.contains("PASS <password>") && all.contains("<32 octets>"),
        "{all}"
    );
    assert!(!all.contains("hunter2") && !all.contains("aHVudGVyMg") && !all.contains("p w"));
}

#[test]
fn the_record_counts_lines_and_octets() {
    let mut talk = Talk::new(clear(), &[MAIL, MAIL, MAIL]);
    talk.session.record();
    talk.say("USER u\r\nPASS p w\r\nLIST\r\nRETR 1\r\n");
    let mut lines = Vec::new();
    while let Some(trace) = talk.session.poll_trace() {
        lines.push(trace.text);
    }
    let has = |line: &str| lines.iter().any(|own| own == line);
    assert!(has("<3 lines>"), "{lines:?}");
    assert!(has(&format!("<{} octets>", MAIL.len())), "{lines:?}");
}

#[test]
fn the_summary_counts() {
    let mut talk = Talk::logged_in(&[MAIL, b"x\r\n", b"gone"]);
    talk.store.troubles = vec![(Index(2), Trouble::Fails(FailureKind::Missing))];
    talk.say("RETR 1\r\nRETR 1\r\nRETR 2\r\nRETR 3\r\nTOP 1 0\r\nTOP 2 0\r\nDELE 1\r\nQUIT\r\n");
    let summary = talk.session.summary();
    assert_eq!((summary.retrieved, summary.tops), (3, 2));
    let whole = MAIL.len() as u64;
    // a header, and a mail without one
    let parts = b"Subject: a\r\n\r\n".len() as u64 + 3;
    assert_eq!(summary.octets, 2 * whole + 3 + parts);
    assert_eq!(
        (summary.messages, summary.deleted, summary.not_deleted),
        (3, 1, 0)
    );
    assert_eq!(summary.user.as_deref(), Some("u"));
    assert!(summary.logged_in);
}

/// V33: what is shown of a session has none of what was said in it.
#[test]
fn v33_a_session_shows_no_secret() {
    let mut talk = Talk::new(clear(), &[MAIL]);
    talk.store.silent = true;
    talk.feed(b"USER mrose\r\nPASS tanstaaf\r\nPASS tans");
    let shown = format!("{:?}", talk.session);
    assert!(
        shown.contains("state") && shown.contains("input: 9"),
        "{shown}"
    );
    assert!(!shown.contains("tans"), "{shown}");
    let shown = format!("{:?}", talk.store.requests);
    assert!(
        shown.contains("mrose") && !shown.contains("tans"),
        "{shown}"
    );
}
