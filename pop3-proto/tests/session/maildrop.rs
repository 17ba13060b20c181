//! The commands of the TRANSACTION state, and QUIT.

use pop3_proto::backend::{Access, Failure, FailureKind, Index, Request};
use pop3_proto::server::{ReadOnly, Reason};

use super::MAIL;
use testkit::talk::{Answer, Talk, clear};

#[test]
fn p010_p034_p053_commands_in_the_wrong_state() {
    for verb in [
        "STAT", "LIST", "UIDL", "RETR 1", "TOP 1 0", "DELE 1", "NOOP", "RSET",
    ] {
        let mut talk = Talk::new(clear(), &[MAIL]);
        assert!(
            talk.say(&format!("{verb}\r\n")).starts_with("-ERR"),
            "{verb}"
        );
    }
    for verb in [
        "USER u",
        "PASS p",
        "APOP u 00000000000000000000000000000000",
        "AUTH",
        "STLS",
    ] {
        let mut talk = Talk::logged_in(&[MAIL]);
        assert!(
            talk.say(&format!("{verb}\r\n")).starts_with("-ERR"),
            "{verb}"
        );
    }
    for verb in ["UTF8", "XPRO", "AUTH PLAIN"] {
        let mut talk = Talk::logged_in(&[MAIL]);
        assert!(
            talk.say(&format!("{verb}\r\n")).starts_with("-ERR"),
            "{verb}"
        );
    }
}

#[test]
fn p023_to_p029_stat_and_list() {
    let mut talk = Talk::logged_in(&[MAIL, b"xx", MAIL]);
    assert_eq!(talk.say("STAT\r\n"), "+OK 3 66\r\n");
    assert_eq!(talk.say("LIST 2\r\n"), "+OK 2 2\r\n");
    assert_eq!(
        talk.say("LIST\r\n"),
        "+OK 3 messages, 66 octets\r\n1 32\r\n2 2\r\n3 32\r\n.\r\n"
    );
    assert!(talk.say("DELE 1\r\n").starts_with("+OK"));
    assert_eq!(talk.say("STAT\r\n"), "+OK 2 34\r\n");
    assert_eq!(
        talk.say("LIST\r\n"),
        "+OK 2 messages, 34 octets\r\n2 2\r\n3 32\r\n.\r\n"
    );
    for junk in ["0", "4", "-1", "4294967296", "1 2", "1x", "1"] {
        assert!(
            talk.say(&format!("LIST {junk}\r\n")).starts_with("-ERR"),
            "{junk}"
        );
    }
}

#[test]
fn p027_f04_an_empty_maildrop() {
    let mut talk = Talk::logged_in(&[]);
    assert_eq!(talk.say("LIST\r\n"), "+OK 0 messages, 0 octets\r\n.\r\n");
    assert_eq!(talk.say("UIDL\r\n"), "+OK 0 messages, 0 octets\r\n.\r\n");
    assert_eq!(talk.say("STAT\r\n"), "+OK 0 0\r\n");
}

#[test]
fn p047_p052_qc9_uidl() {
    let mut talk = Talk::logged_in(&[MAIL, MAIL]);
    assert_eq!(talk.say("UIDL 2\r\n"), "+OK 2 id1\r\n");
    assert!(talk.say("DELE 1\r\n").starts_with("+OK"));
    assert_eq!(
        talk.say("UIDL\r\n"),
        "+OK 1 messages, 32 octets\r\n2 id1\r\n.\r\n"
    );
    assert!(talk.say("UIDL 1\r\n").starts_with("-ERR"));
}

#[test]
fn p007_p031_retr_is_stuffed_and_terminated() {
    let mut talk = Talk::logged_in(&[MAIL, b"", b"no end"]);
    let expected = "+OK 32 octets\r\nSubject: a\r\n\r\none\r\n..two\r\nthree\r\n.\r\n";
    assert_eq!(talk.say("RETR 1\r\n"), expected);
    assert_eq!(talk.say("RETR 2\r\n"), "+OK 0 octets\r\n.\r\n");
    assert_eq!(talk.say("RETR 3\r\n"), "+OK 6 octets\r\nno end\r\n.\r\n");
}

#[test]
fn p043_p044_f14_p046_top_counts_lines_of_the_body() {
    let mut talk = Talk::logged_in(&[MAIL]);
    let top = |body: &str| format!("+OK message 1 follows\r\nSubject: a\r\n\r\n{body}.\r\n");
    assert_eq!(talk.say("TOP 1 0\r\n"), top(""));
    assert_eq!(talk.say("TOP 1 1\r\n"), top("one\r\n"));
    assert_eq!(talk.say("TOP 1 2\r\n"), top("one\r\n..two\r\n"));
    assert_eq!(
        talk.say("TOP 1 99999999\r\n"),
        top("one\r\n..two\r\nthree\r\n")
    );
    // P046: nothing counts as read
    talk.say("QUIT\r\n");
    let last = talk.store.requests.last().unwrap();
    assert_eq!(
        *last,
        Request::Update {
            deleted: vec![],
            retrieved: vec![]
        }
    );
}

#[test]
fn p032_p033_p035_p036_dele_marks_and_quit_applies() {
    let mut talk = Talk::logged_in(&[MAIL, MAIL, MAIL]);
    talk.say("DELE 1\r\n");
    assert!(talk.say("DELE 1\r\n").starts_with("-ERR"));
    assert!(talk.say("RETR 1\r\n").starts_with("-ERR"));
    assert!(talk.say("TOP 1 0\r\n").starts_with("-ERR"));
    assert!(talk.say("RSET\r\n").starts_with("+OK"));
    assert_eq!(talk.say("STAT\r\n"), "+OK 3 96\r\n");
    talk.say("DELE 2\r\n");
    assert_eq!(talk.deletions_asked(), 0);
    assert_eq!(talk.say("QUIT\r\n"), "+OK bye, 1 deleted\r\n");
    assert_eq!(
        (talk.store.removed.as_slice(), talk.closed),
        (&[1][..], Some(Reason::Quit))
    );
}

#[test]
fn g23_read_only_maildrops_refuse_dele() {
    let policy = clear().read_only(ReadOnly::OnRequest);
    let mut talk = Talk::new(policy, &[MAIL]);
    assert!(talk.say("XPRO\r\n").starts_with("+OK"));
    assert!(talk.say("USER u\r\nPASS p w\r\n").contains("read only"));
    assert!(
        talk.say("DELE 1\r\n")
            .starts_with("-ERR [X-POP3SF-READ-ONLY]")
    );
    assert!(
        Talk::new(clear(), &[])
            .say("XPRO\r\n")
            .starts_with("-ERR [X-POP3SF-READ-ONLY]")
    );
    // the store says so by itself
    let mut talk = Talk::new(clear(), &[]);
    talk.store.silent = true;
    talk.say("USER u\r\nPASS p w\r\n");
    talk.store.answers.extend([
        Answer::Entry(1, b"x".to_vec()),
        Answer::Opened(Access::ReadOnly),
    ]);
    talk.settle();
    assert!(talk.say("DELE 1\r\n").contains("-ERR [X-POP3SF-READ-ONLY]"));
}

#[test]
fn g01_g10_a_message_that_cannot_be_had() {
    let cases = [
        (FailureKind::Missing, "-ERR the message is gone"),
        (FailureKind::Temporary, "-ERR [SYS/TEMP] "),
        (FailureKind::Permanent, "-ERR [SYS/PERM] "),
    ];
    for (kind, expected) in cases {
        let mut talk = Talk::logged_in(&[MAIL]);
        talk.store.silent = true;
        talk.say("RETR 1\r\n");
        let Some(Request::Retrieve { ticket, .. }) = talk.store.requests.last() else {
            panic!()
        };
        talk.store
            .answers
            .push_back(Answer::BodyFailed(*ticket, Failure::new(kind, "words")));
        talk.settle();
        assert!(talk.heard().starts_with(expected));
        assert!(talk.say("STAT\r\n").starts_with("+OK 1 32"));
        assert!(talk.say("DELE 1\r\n").starts_with("+OK"));
    }
}

#[test]
fn g06_f24_a_broken_body_never_gets_its_final_dot() {
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.store.silent = true;
    talk.say("RETR 1\r\n");
    let Some(&Request::Retrieve { ticket, .. }) = talk.store.requests.last() else {
        panic!()
    };
    talk.store.answers.extend([
        Answer::Start(ticket, 32),
        Answer::Body(ticket, b"Subject: a\r\n".to_vec()),
        Answer::BodyFailed(ticket, Failure::temporary("reset")),
    ]);
    talk.settle();
    assert_eq!(talk.heard(), "+OK 32 octets\r\nSubject: a\r\n");
    assert_eq!(talk.closed, Some(Reason::BodyCut));
}

#[test]
fn p022_quit_before_login_changes_nothing() {
    let mut talk = Talk::new(clear(), &[MAIL]);
    assert_eq!(talk.say("QUIT\r\n"), "+OK bye\r\n");
    assert!(talk.store.requests.is_empty());
    assert_eq!(talk.closed, Some(Reason::Quit));
}

#[test]
fn p038_f21_quit_tells_when_deletion_failed() {
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.store.fail_update = true;
    talk.say("DELE 1\r\n");
    assert!(talk.say("QUIT\r\n").starts_with("-ERR [SYS/TEMP] "));
    assert_eq!(talk.closed, Some(Reason::UpdateFailed));
    assert_eq!(
        (
            talk.session.summary().deleted,
            talk.session.summary().not_deleted
        ),
        (0, 1)
    );
}

/// What was read and what was deleted is told apart: RETR counts as read, TOP does not, and RSET takes
/// back marks alone.
#[test]
fn qb2_quit_tells_what_was_read_and_what_was_deleted() {
    let mut talk = Talk::logged_in(&[MAIL; 5]);
    talk.say("RETR 4\r\nRETR 2\r\nTOP 1 9\r\nDELE 5\r\nRSET\r\nDELE 2\r\nDELE 3\r\nQUIT\r\n");
    let update = talk.store.requests.last().cloned();
    let expected = Request::Update {
        deleted: vec![Index(1), Index(2)],
        retrieved: vec![Index(1), Index(3)],
    };
    assert_eq!(update, Some(expected));
}

/// No octet of a message is taken but while one is being sent.
#[test]
fn there_is_room_for_a_body_only_while_one_is_sent() {
    let mut talk = Talk::new(clear(), &[MAIL]);
    assert_eq!(talk.session.body_room(), 0);
    talk.say("USER u\r\nPASS p w\r\n");
    assert_eq!(talk.session.body_room(), 0);
    talk.store.silent = true;
    talk.say("RETR 1\r\n");
    assert_eq!(talk.session.body_room(), 64 * 1024);
}
