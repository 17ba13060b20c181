//! The server session against the conformance list, through its public API.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Answer, Talk, Trouble, clear, seconds};
use pop3_proto::backend::{Access, Failure, FailureKind, Index, Mechanism, RefusalKind, Request};
use pop3_proto::server::{Expire, Policy, ReadOnly, Reason, TlsOffer};

const MAIL: &[u8] = b"Subject: a\r\n\r\none\r\n.two\r\nthree\r\n";

fn mechanisms(names: &[&str]) -> Vec<Mechanism> {
    names
        .iter()
        .filter_map(|name| Mechanism::new(name))
        .collect()
}

fn stls() -> Policy {
    Policy {
        tls: TlsOffer::Stls,
        ..Policy::default()
    }
}

#[test]
fn p014_x004_the_greeting_is_ok_and_free_of_brackets() {
    let policy = Policy {
        greeting: "[x] <a@b> hello\r\nthere".into(),
        ..clear()
    };
    let session =
        pop3_proto::server::Session::new(policy.into(), "<1@h>", pop3_proto::time::Time::ZERO);
    assert_eq!(session.transmit(), b"+OK x] a@b hellothere\r\n");
}

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
fn p043_p044_f14_top_counts_lines_of_the_body() {
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

#[test]
fn p022_quit_before_login_changes_nothing() {
    let mut talk = Talk::new(clear(), &[MAIL]);
    assert_eq!(talk.say("QUIT\r\n"), "+OK bye\r\n");
    assert!(talk.store.requests.is_empty());
    assert_eq!(talk.closed, Some(Reason::Quit));
}

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

#[test]
fn x022_x024_x025_x026_refusals_and_failures_by_code() {
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
}

#[test]
fn three_failed_logins_end_the_session() {
    let mut talk = Talk::new(clear(), &[]);
    let heard = talk.say(&"USER u\r\nPASS no\r\n".repeat(5));
    assert_eq!(heard.matches("-ERR [AUTH]").count(), 3);
    assert_eq!(talk.closed, Some(Reason::FailedLogins));
}

#[test]
fn f28_bad_commands_are_counted_in_a_row() {
    let mut talk = Talk::new(clear(), &[]);
    assert_eq!(talk.say(&"FOO\r\n".repeat(50)).matches("-ERR").count(), 10);
    assert_eq!(talk.closed, Some(Reason::BadCommands));
    let mut talk = Talk::logged_in(&[]);
    for _ in 0..4 {
        talk.say(&"RETR 9\r\n".repeat(49));
        talk.say("NOOP\r\n");
    }
    assert_eq!(talk.closed, None);
    talk.say(&"RETR 9\r\n".repeat(50));
    assert_eq!(talk.closed, Some(Reason::BadCommands));
}

#[test]
fn x001_v30_long_lines_are_refused_once_and_cut_in_the_end() {
    let mut talk = Talk::logged_in(&[]);
    let long = format!("LIST {}\r\nNOOP\r\n", "1".repeat(2000));
    assert_eq!(
        talk.say(&long),
        "-ERR line too long\r\n+OK nothing done\r\n"
    );
    assert_eq!(talk.say(&"x".repeat(1 << 20)), "-ERR line too long\r\n");
    assert_eq!(talk.closed, Some(Reason::BadCommands));
}

#[test]
fn x001_255_octets_are_fine() {
    let mut talk = Talk::new(clear(), &[]);
    assert!(
        talk.say(&format!("USER {}\r\n", "u".repeat(248)))
            .starts_with("+OK")
    );
    assert!(
        talk.say(&format!("USER {}\r\n", "u".repeat(1019)))
            .starts_with("+OK")
    );
    assert!(
        talk.say(&format!("USER {}\r\n", "u".repeat(1020)))
            .starts_with("-ERR line too long")
    );
}

#[test]
fn g28_v32_other_protocols_get_one_error() {
    let mut talk = Talk::new(clear(), &[]);
    let heard = talk.say("POST / HTTP/1.1\r\nHost: x\r\n\r\nUSER u\r\nPASS p w\r\n");
    assert_eq!(heard, "-ERR this is POP3\r\n");
    assert_eq!(talk.closed, Some(Reason::WrongProtocol));
    let mut talk = Talk::new(clear(), &[]);
    talk.feed(b"\x16\x03\x01\x02\x00\x01");
    assert_eq!(talk.closed, Some(Reason::WrongProtocol));
}

#[test]
fn t002_t004_t015_stls_only_where_it_can_be() {
    assert!(Talk::new(clear(), &[]).say("STLS\r\n").starts_with("-ERR"));
    let implicit = Policy {
        tls: TlsOffer::Implicit,
        ..Policy::default()
    };
    assert!(Talk::new(implicit, &[]).say("STLS\r\n").starts_with("-ERR"));
    let mut talk = Talk::new(stls(), &[]);
    assert!(talk.say("STLS now\r\n").starts_with("-ERR"));
    assert!(talk.say("STLS\r\n").starts_with("+OK"));
    talk.tls();
    assert!(talk.say("STLS\r\n").starts_with("-ERR"));
    assert!(!talk.say("CAPA\r\n").contains("STLS"));
}

#[test]
fn t003_tls_starts_only_when_the_ok_is_sent() {
    let mut talk = Talk::new(stls(), &[]);
    talk.window = Some(3);
    talk.feed(b"STLS\r\n");
    assert!(!talk.tls_wanted);
    assert_eq!(talk.session.input_room(), 0);
    talk.window = None;
    talk.settle();
    assert!(talk.tls_wanted);
}

#[test]
fn t005_v01_nothing_behind_stls_is_executed() {
    let injections: [&[u8]; 4] = [
        b"STLS\r\nUSER u\r\n",
        b"STLS\r\nQ",
        b"STLS\nQUIT\r\n",
        b"USER u\r\nSTLS\r\n\r\n",
    ];
    for injection in injections {
        let mut talk = Talk::new(stls(), &[]);
        talk.feed(injection);
        assert_eq!(talk.closed, Some(Reason::PlaintextBehindStls));
        assert!(!talk.tls_wanted && !talk.heard().contains("begin TLS"));
    }
    // in the next segment, before the handshake
    let mut talk = Talk::new(stls(), &[]);
    talk.window = Some(0);
    talk.feed(b"STLS\r\n");
    talk.session.handle_input(talk.now, b"USER u\r\n");
    talk.settle();
    assert_eq!(talk.closed, Some(Reason::PlaintextBehindStls));
}

#[test]
fn t006_f18_what_was_said_before_tls_is_forgotten() {
    let policy = Policy {
        read_only: ReadOnly::OnRequest,
        clear_login: true,
        ..stls()
    };
    let mut talk = Talk::new(policy, &[MAIL]);
    talk.say("XPRO\r\nUSER u\r\nSTLS\r\n");
    talk.tls();
    assert!(talk.say("PASS p w\r\n").starts_with("-ERR"));
    talk.say("USER u\r\nPASS p w\r\n");
    assert!(talk.say("DELE 1\r\n").starts_with("+OK"));
}

#[test]
fn t007_t017_x010_no_secret_in_the_clear_unless_allowed() {
    let mut talk = Talk::new(stls(), &[]);
    let capa = talk.say("CAPA\r\n");
    assert!(!capa.contains("\r\nUSER\r\n") && !capa.contains("SASL") && capa.contains("STLS\r\n"));
    assert!(talk.say("USER u\r\n").starts_with("-ERR TLS first"));
    assert!(talk.say("AUTH PLAIN AHUAcCB3\r\n").starts_with("-ERR"));
    assert!(talk.store.requests.is_empty());
    talk.say("STLS\r\n");
    talk.tls();
    let capa = talk.say("CAPA\r\n");
    assert!(capa.contains("\r\nUSER\r\n") && capa.contains("SASL PLAIN LOGIN\r\n"));
    assert!(
        talk.say("AUTH PLAIN AHUAcCB3\r\n")
            .starts_with("+OK 0 messages")
    );
}

#[test]
fn x005_x006_x009_s001_f26_capabilities_before_and_after_login() {
    let policy = Policy {
        expire: Expire::Days(0),
        read_only: ReadOnly::OnRequest,
        ..clear()
    };
    let mut talk = Talk::new(policy, &[]);
    let before = talk.say("CAPA\r\n");
    let expected = [
        "TOP",
        "UIDL",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        "USER",
        "SASL PLAIN LOGIN",
        "UTF8 USER",
        "LANG",
        "EXPIRE 0",
        "X-POP3SF-READ-ONLY",
        "IMPLEMENTATION pop3-gateway",
    ];
    for line in expected {
        assert!(before.contains(&format!("\r\n{line}\r\n")), "{line}");
    }
    talk.say("USER u\r\nPASS p w\r\n");
    assert_eq!(talk.say("CAPA\r\n"), before);
    assert!(talk.say("CAPA x\r\n").starts_with("-ERR"));
}

#[test]
fn s003_s006_s007_s008_s011_sasl_on_the_wire() {
    let mut talk = Talk::new(clear(), &[]);
    assert_eq!(talk.say("AUTH PLAIN\r\n"), "+ \r\n");
    assert!(talk.say("*\r\n").starts_with("-ERR"));
    for bad in ["=", "=AAA", "AAA=BBB", "A", "AAA", "A A="] {
        assert!(
            talk.say(&format!("AUTH PLAIN {bad}\r\n"))
                .starts_with("-ERR"),
            "{bad}"
        );
        let mut fresh = Talk::new(clear(), &[]);
        fresh.say("AUTH PLAIN\r\n");
        assert!(
            fresh.say(&format!("{bad}\r\n")).starts_with("-ERR"),
            "{bad}"
        );
    }
    let mut talk = Talk::new(clear(), &[]);
    talk.say("AUTH PLAIN\r\n");
    // S013: as if AUTH was not sent
    talk.say("AAAA\r\n");
    assert!(
        talk.say("USER u\r\nPASS p w\r\n")
            .contains("+OK 0 messages")
    );
}

#[test]
fn auth_login_asks_twice() {
    let mut talk = Talk::new(clear(), &[]);
    assert_eq!(talk.say("AUTH LOGIN\r\n"), "+ VXNlcm5hbWU6\r\n");
    assert_eq!(talk.say("dQ==\r\n"), "+ UGFzc3dvcmQ6\r\n");
    assert!(talk.say("cCB3\r\n").starts_with("+OK 0 messages"));
}

#[test]
fn s005_s020_qd1_bare_auth_lists_and_unknown_is_refused() {
    let mut talk = Talk::new(clear(), &[]);
    assert!(talk.say("AUTH\r\n").ends_with("PLAIN\r\nLOGIN\r\n.\r\n"));
    assert!(talk.say("AUTH \r\n").ends_with("PLAIN\r\nLOGIN\r\n.\r\n"));
    assert!(talk.say("AUTH FOO\r\n").starts_with("-ERR"));
}

#[test]
fn s010_qd8_long_initial_responses_and_answers() {
    let policy = Policy {
        mechanisms: mechanisms(&["XOAUTH2", "OAUTHBEARER", "PLAIN"]),
        tls: TlsOffer::Implicit,
        ..Policy::default()
    };
    let token = "dA".repeat(4000);
    let mut talk = Talk::new(policy, &[]);
    assert!(
        talk.say(&format!("AUTH PLAIN {token}\r\n"))
            .starts_with("-ERR that is no answer")
    );
    assert_eq!(talk.say("AUTH PLAIN\r\n"), "+ \r\n");
    assert!(
        talk.say(&format!("{token}\r\n"))
            .starts_with("-ERR that is no answer")
    );
}

#[test]
fn o001_o004_o005_bearer_tokens() {
    let policy = Policy {
        mechanisms: mechanisms(&["XOAUTH2"]),
        ..clear()
    };
    assert!(
        !Talk::new(policy.clone(), &[])
            .say("CAPA\r\n")
            .contains("XOAUTH2")
    );
    let policy = Policy {
        tls: TlsOffer::Implicit,
        ..policy
    };
    let mut talk = Talk::new(policy, &[]);
    // user=u^Aauth=Bearer bad^A^A, then ... good
    let bad = "dXNlcj11AWF1dGg9QmVhcmVyIGJhZAEB";
    let good = "dXNlcj11AWF1dGg9QmVhcmVyIGdvb2QBAQ==";
    assert!(
        talk.say(&format!("AUTH XOAUTH2 {bad}\r\n"))
            .starts_with("+ eyJ")
    );
    assert_eq!(talk.say("\r\n"), "-ERR [AUTH] login failed\r\n");
    // in two lines, as some clients do
    assert_eq!(talk.say("AUTH XOAUTH2\r\n"), "+ \r\n");
    assert!(
        talk.say(&format!("{good}\r\n"))
            .starts_with("+OK 0 messages")
    );
}

#[test]
fn relayed_mechanisms_pass_through() {
    let policy = Policy {
        mechanisms: mechanisms(&["SCRAM-SHA-256"]),
        ..Policy::default()
    };
    let mut talk = Talk::new(policy, &[]);
    assert_eq!(talk.say("AUTH SCRAM-SHA-256 bg==\r\n"), "+ d2hhdD8=\r\n");
    assert!(talk.say("*\r\n").starts_with("-ERR"));
    assert_eq!(talk.store.requests.last(), Some(&Request::Abandon));
    assert_eq!(talk.say("AUTH SCRAM-SHA-256\r\n"), "+ d2hhdD8=\r\n");
    assert!(talk.say("dGhpcw==\r\n").starts_with("+OK 0 messages"));
}

#[test]
fn c001_s009_cram_md5() {
    let policy = Policy {
        mechanisms: mechanisms(&["CRAM-MD5"]),
        ..Policy::default()
    };
    let mut talk = Talk::new(policy, &[]);
    assert!(talk.say("AUTH CRAM-MD5 dQ==\r\n").starts_with("-ERR"));
    let first = talk.say("AUTH CRAM-MD5\r\n");
    talk.say("*\r\n");
    assert_ne!(talk.say("AUTH CRAM-MD5\r\n"), first);
    // u 00000000000000000000000000000000
    let answer = "dSAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA==";
    assert!(talk.say(&format!("{answer}\r\n")).starts_with("+OK"));
}

#[test]
fn p058_qd4_v31_apop_only_where_it_is_safe_and_wanted() {
    use pop3_proto::{server::Session, time::Time};
    let greeting = |policy: Policy| {
        let session = Session::new(policy.into(), "<1.2@host>", Time::ZERO);
        String::from_utf8_lossy(session.transmit()).into_owned()
    };
    assert!(!greeting(clear()).contains('<'));
    assert!(
        !greeting(Policy {
            apop: true,
            ..stls()
        })
        .contains('<')
    );
    assert!(
        greeting(Policy {
            apop: true,
            ..clear()
        })
        .ends_with("<1.2@host>\r\n")
    );
    let mut talk = Talk::new(
        Policy {
            apop: true,
            ..clear()
        },
        &[],
    );
    assert!(
        talk.say("APOP u c4c9334bac560ecc979e58001b3e22fb\r\n")
            .starts_with("+OK")
    );
}

#[test]
fn u003_u006_u009_utf8_and_lang() {
    let mut talk = Talk::new(
        Policy {
            clear_login: true,
            ..stls()
        },
        &[],
    );
    assert!(
        talk.say("LANG\r\n")
            .ends_with("en English\r\ni-default English\r\n.\r\n")
    );
    assert!(talk.say("LANG en\r\n").starts_with("+OK en "));
    assert!(talk.say("LANG *\r\n").starts_with("+OK i-default "));
    assert!(talk.say("LANG xx\r\n").starts_with("-ERR"));
    assert!(talk.say("UTF8 x\r\n").starts_with("-ERR"));
    assert!(talk.say("UTF8\r\n").starts_with("+OK"));
    assert!(talk.say("STLS\r\n").starts_with("-ERR"));
    talk.say("USER u\r\nPASS p w\r\n");
    assert!(matches!(&talk.store.requests[0], Request::Open(open) if open.utf8));
    assert!(talk.say("LANG en\r\n").starts_with("+OK"));
}

#[test]
fn g23_read_only_maildrops_refuse_dele() {
    let policy = Policy {
        read_only: ReadOnly::OnRequest,
        ..clear()
    };
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
    // an idle session is given a few seconds
    let mut talk = Talk::logged_in(&[MAIL]);
    talk.session.shut_down(talk.now);
    talk.wait(seconds(6));
    assert_eq!(talk.closed, Some(Reason::ShutDown));
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

#[test]
fn x014_x016_ten_thousand_pipelined_commands_in_order() {
    let mut talk = Talk::new(clear(), &[MAIL]);
    let mut input = String::from("USER u\r\nPASS p w\r\n");
    let mut expected = String::new();
    for n in 0..10_000 {
        let (command, reply) = match n % 3 {
            0 => ("NOOP\r\n", "+OK nothing done\r\n"),
            1 => ("STAT\r\n", "+OK 1 32\r\n"),
            _ => ("LIST 1\r\n", "+OK 1 32\r\n"),
        };
        input.push_str(command);
        expected.push_str(reply);
    }
    assert!(talk.say(&input).ends_with(&expected));
}

#[test]
fn x015_no_deadlock_when_the_client_writes_without_reading() {
    let mut talk = Talk::logged_in(&[&[b'x'; 100_000]]);
    talk.window = Some(0);
    let input = format!("RETR {}1\r\n", " ".repeat(500)).repeat(100);
    let input = input.into_bytes();
    let mut rest = input.as_slice();
    let mut taken = usize::MAX;
    while taken > 0 {
        let room = talk.session.input_room().min(rest.len());
        taken = talk.session.handle_input(talk.now, &rest[..room]);
        rest = &rest[taken..];
        talk.settle();
    }
    assert!(!rest.is_empty() && talk.session.transmit().len() <= 2 * 64 * 1024);
    talk.window = None;
    talk.settle();
    talk.feed(rest);
    let bodies = talk.out.windows(5).filter(|w| w == b"\r\n.\r\n").count();
    assert_eq!(bodies, 100);
}

#[test]
fn g16_a_long_listing_is_bounded_and_complete() {
    let mail: &[u8] = b"x";
    let mut talk = Talk::new(clear(), &vec![mail; 50_000]);
    talk.say("USER u\r\nPASS p w\r\n");
    talk.window = Some(0);
    talk.feed(b"UIDL\r\n");
    assert!(talk.session.transmit().len() < 65 * 1024);
    talk.window = None;
    talk.settle();
    let heard = talk.heard();
    assert!(heard.ends_with("50000 id49999\r\n.\r\n") && heard.lines().count() == 50_002);
}

#[test]
fn v33_v34_the_record_shows_no_secret() {
    let mut talk = Talk::new(
        Policy {
            failed_logins: 9,
            ..clear()
        },
        &[MAIL],
    );
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

    // what was said behind the login is still to be answered
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

/// Input behind STLS is never a command, not even where the greeting's `+OK` still waits.
#[test]
fn handing_in_nothing_is_nothing() {
    let mut talk = Talk::new(stls(), &[]);
    talk.feed(b"STLS\r\n");
    assert_eq!(talk.session.handle_input(talk.now, b""), 0);
    talk.settle();
    assert_eq!(talk.closed, None);
    let mut talk = Talk::logged_in(&[]);
    talk.say("QUIT\r\n");
    assert!(talk.closed.is_some());
    assert_eq!(talk.session.handle_input(talk.now, b"NOOP\r\n"), 6);
    assert_eq!(talk.heard(), "");
}

/// S010: an answer of the very length that is allowed has room with its line end.
#[test]
fn s010_the_longest_answer_is_read() {
    let policy = Policy {
        sasl_line: 4000,
        command_line: 300,
        tls: TlsOffer::Implicit,
        ..Policy::default()
    };
    for (length, read) in [(4000, true), (4001, false)] {
        for end in ["\r\n", "\n"] {
            let mut talk = Talk::new(policy.clone(), &[]);
            assert_eq!(talk.say("AUTH PLAIN\r\n"), "+ \r\n");
            let said = talk.say(&format!("{}{end}", "A".repeat(length)));
            let expected = if read {
                "-ERR that is no answer"
            } else {
                "-ERR line too long"
            };
            assert!(said.starts_with(expected), "{length}: {said}");
            assert!(talk.say("CAPA\r\n").starts_with("+OK"));
        }
    }
}

/// X001: who goes on with a line that is too long is cut behind four times the longest line.
#[test]
fn x001_a_line_without_end_is_cut_at_four_times_the_limit() {
    let policy = Policy {
        sasl_line: 1000,
        command_line: 300,
        ..clear()
    };
    let mut talk = Talk::new(policy, &[]);
    let mut fed = 0;
    while talk.closed.is_none() {
        talk.feed(&[b'x'; 10]);
        fed += 10;
        assert!(fed < 10_000);
    }
    assert!((4000..=4020).contains(&fed), "{fed}");
    assert_eq!(talk.closed, Some(Reason::BadCommands));
}

/// The earlier of two deadlines before login is the one that counts.
#[test]
fn p013_before_login_too_the_earlier_deadline_counts() {
    for (grace, autologout, expected) in [(180, 600, 180), (3600, 600, 600)] {
        let policy = Policy {
            login_grace: seconds(grace),
            autologout: seconds(autologout),
            ..clear()
        };
        let mut talk = Talk::new(policy, &[]);
        talk.wait(seconds(expected - 1));
        assert_eq!(talk.closed, None);
        talk.wait(seconds(1));
        assert!(talk.closed.is_some());
    }
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

/// S010: an answer that is too long ends the exchange, as its `-ERR` says: what comes next is a command
/// again, and never an answer.
#[test]
fn s010_an_answer_that_is_too_long_ends_the_exchange() {
    let policy = Policy {
        sasl_line: 4000,
        mechanisms: mechanisms(&["LOGIN", "PLAIN", "XOAUTH2", "X-RELAY"]),
        tls: TlsOffer::Implicit,
        ..Policy::default()
    };
    let long = "A".repeat(4001);
    for mechanism in ["LOGIN", "PLAIN", "X-RELAY"] {
        let mut talk = Talk::new(policy.clone(), &[]);
        assert!(talk.say(&format!("AUTH {mechanism}\r\n")).starts_with("+ "));
        assert_eq!(talk.say(&format!("{long}\r\n")), "-ERR line too long\r\n");
        let abandoned = talk.store.requests.last() == Some(&Request::Abandon);
        assert_eq!(abandoned, mechanism == "X-RELAY");
        assert_eq!(talk.say("QUIT\r\n"), "+OK bye\r\n");
    }
    // one `-ERR` for a token that was refused, whatever the client says to the explanation
    let mut talk = Talk::new(policy, &[]);
    let token = "dXNlcj1hAWF1dGg9QmVhcmVyIGJhZAEB";
    assert!(
        talk.say(&format!("AUTH XOAUTH2 {token}\r\n"))
            .starts_with("+ ")
    );
    let said = talk.say(&format!("{long}\r\n"));
    assert!(
        said.starts_with("-ERR [AUTH]") && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(talk.say("QUIT\r\n"), "+OK bye\r\n");
}

/// G14: who does not read a long listing, or the answer to STLS, is cut like who does not read a message.
#[test]
fn g14_a_client_that_does_not_read_its_listing_is_cut() {
    let many = vec![MAIL; 20_000];
    let policy = Policy {
        stalled_reader: seconds(60),
        ..clear()
    };
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
fn what_is_not_offered_is_refused() {
    let policy = Policy {
        utf8: false,
        ..clear()
    };
    let mut talk = Talk::new(policy, &[]);
    assert_eq!(talk.say("UTF8\r\n"), "-ERR UTF8 is not offered\r\n");
    let digest = "0".repeat(32);
    assert_eq!(
        talk.say(&format!("APOP u {digest}\r\n")),
        "-ERR APOP is not offered\r\n"
    );
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
        Reason::PlaintextBehindStls,
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
