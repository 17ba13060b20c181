//! From the greeting to the open maildrop.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{FULL, World, config, open_with, password_open, tags};
use imap_backend::{AuthPreference, Config, DeletePolicy, PipelineLogin, Security};
use pop3_proto::backend::{Access, Login, Mechanism, Open, Request};
use pop3_proto::secret::Secret;

const BARE: &str = "IMAP4rev1";

/// A world whose upstream has greeted.
fn greeted(config: Config, open: Open, capabilities: &str) -> World {
    let mut world = World::new(config);
    world.open(open);
    world.serve(&format!("* OK [CAPABILITY {capabilities}] ready\r\n"));
    world
}

fn with(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = config();
    change(&mut config);
    config
}

fn login_open(login: Login) -> Open {
    Open {
        login,
        access: Access::ReadWrite,
        utf8: false,
    }
}

fn bearer(mechanism: &str, user: &str) -> Open {
    let mechanism = Mechanism::new(mechanism).unwrap();
    let token = Secret::from(&b"ya29.token"[..]);
    login_open(Login::Bearer {
        mechanism,
        user: user.into(),
        token,
    })
}

fn relay(mechanism: &str, initial: Option<&[u8]>) -> Open {
    let mechanism = Mechanism::new(mechanism).unwrap();
    login_open(Login::Relay {
        mechanism,
        initial: initial.map(Secret::from),
    })
}

// flights

#[test]
fn capabilities_are_asked_for_where_the_greeting_has_none() {
    // qF7
    let mut world = World::new(config());
    world.open(password_open());
    world.serve("* OK hello\r\n");
    let tag = world.expect("CAPABILITY");
    world.expect_nothing();
    world.serve(&format!("* CAPABILITY {BARE}\r\n{tag} OK done\r\n"));
    world.answer_open(&[(1, 1)]);
}

#[test]
fn pipelining_behind_login_can_be_switched_off() {
    let mut world = greeted(
        with(|c| c.quirks.pipeline_login = PipelineLogin::Never),
        password_open(),
        BARE,
    );
    world.expect_ok("LOGIN \"alice\" \"secret\"");
    world.expect("SELECT \"INBOX\"");
    world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
}

/// Courier's program for logins reads on, hands over to another program, and what it read is lost.
#[test]
fn pipelining_behind_login_is_for_servers_that_are_known_to_bear_it() {
    let greetings = [
        ("Dovecot (Debian) ready.", true),
        ("mail.example.org Cyrus IMAP 3.6.1 server ready", true),
        (
            "Courier-IMAP ready. Copyright 1998-2021 Double Precision, Inc.",
            false,
        ),
        ("IMAP4 ready", false),
        ("", false),
    ];
    for (greeting, pipelines) in greetings {
        let mut world = World::new(with(|c| c.quirks.pipeline_login = PipelineLogin::Auto));
        world.open(password_open());
        world.serve(&format!("* OK [CAPABILITY {BARE}] {greeting}\r\n"));
        let login = world.expect("LOGIN \"alice\" \"secret\"");
        if !pipelines {
            world.expect_nothing();
            world.serve(&format!("{login} OK done\r\n"));
        }
        world.expect("SELECT \"INBOX\"");
        world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
    }
}

#[test]
fn nothing_goes_behind_a_synchronising_literal() {
    let mut world = greeted(config(), open_with("jos\u{e9}", "p"), BARE);
    world.expect("LOGIN {5}");
    world.expect_nothing();
}

/// I025: the client announces itself where that is wanted.
#[test]
fn id_is_sent_where_it_is_wanted_and_offered() {
    let mut world = greeted(
        with(|c| c.quirks.send_id = true),
        password_open(),
        "IMAP4rev1 ID",
    );
    world.expect("LOGIN \"alice\" \"secret\"");
    world.expect("ID (\"name\" \"pop3-gateway\")");
    let mut world = greeted(with(|c| c.quirks.send_id = true), password_open(), BARE);
    assert!(!world.take_sent().contains("ID ("));
    let mut world = greeted(config(), password_open(), "IMAP4rev1 ID");
    assert!(!world.take_sent().contains("ID ("));
}

// literals and quoting

#[test]
fn i001_a_synchronising_literal_waits_and_may_be_refused() {
    let mut world = greeted(config(), open_with("jos\u{e9}", "p\u{e4}ss"), BARE);
    let tag = world.expect("LOGIN {5}");
    world.expect_nothing();
    world.serve("+ go on\r\n");
    assert_eq!(world.take_sent(), "jos\u{e9} {5}\r\n");
    world.serve("+\r\n");
    assert_eq!(world.take_sent(), "p\u{e4}ss\r\n");
    world.serve(&format!("{tag} OK in\r\n"));
    world.expect_replies(&["Authenticated"]);

    let mut world = greeted(config(), open_with("jos\u{e9}", "p\u{e4}ss"), BARE);
    let tag = world.expect("LOGIN {5}");
    world.serve(&format!("{tag} NO no literals today\r\n"));
    world.expect_reply("Refused");
    let said = world.take_sent();
    assert!(!said.contains("jos"), "{said}");
    // the command is over, and what was left of it is forgotten
    assert!(said.contains(" LOGOUT\r\n"), "{said}");
}

#[test]
fn i002_literal_plus_takes_any_and_literal_minus_short_ones() {
    let long = "\u{e9}".repeat(2500);
    for (capabilities, password, synchronises) in [
        ("IMAP4rev1 LITERAL+", "\u{e9}", false),
        ("IMAP4rev1 LITERAL+", long.as_str(), false),
        ("IMAP4rev1 LITERAL-", "\u{e9}", false),
        ("IMAP4rev1 LITERAL-", long.as_str(), true),
        ("IMAP4rev1", "\u{e9}", true),
    ] {
        let mut world = greeted(config(), open_with("alice", password), capabilities);
        let sent = world.take_sent();
        assert_eq!(sent.ends_with("}\r\n"), synchronises, "{capabilities}");
        assert_eq!(sent.contains("+}\r\n"), !synchronises, "{capabilities}");
    }
}

#[test]
fn i003_quotes_and_backslashes_are_escaped() {
    let mut world = greeted(config(), open_with("a\"b\\c", " \"\\ "), BARE);
    world.expect("LOGIN \"a\\\"b\\\\c\" \" \\\"\\\\ \"");
}

#[test]
fn i003_nul_cr_and_lf_never_reach_the_wire() {
    // V27
    for bad in ["a\0b", "a\rb", "a\nb", "x\r\nA9 DELETE INBOX"] {
        for open in [open_with(bad, "p"), open_with("u", bad)] {
            let mut world = World::new(config());
            world.open(open);
            world.expect_reply("Refused Refusal { kind: Policy");
            assert!(world.effects.is_empty(), "connected for nothing");
            assert!(world.all_sent.is_empty());
        }
    }
}

#[test]
fn i003_the_refusal_says_what_is_wrong_with_the_credentials() {
    let token = |user: &str, token: &[u8]| {
        login_open(Login::Bearer {
            mechanism: Mechanism::new("XOAUTH2").unwrap(),
            user: user.into(),
            token: Secret::from(token),
        })
    };
    for open in [
        open_with("u", "a\nb"),
        open_with("u\x7f", "p"),
        token("u", b"to\x01ken"),
        token("u", b"to\xe9ken"),
        token("u\x01auth=", b"token"),
    ] {
        let mut world = World::new(config());
        world.open(open);
        let replies = world.take_replies_said();
        assert!(
            replies[0].contains("control characters in credentials"),
            "{replies:?}"
        );
        assert!(world.effects.is_empty(), "connected for nothing");
    }
}

#[test]
fn routing_may_rewrite_the_user() {
    let mut world = World::with_user(config(), Some("box-7"));
    world.open(password_open());
    world.serve(&format!("* OK [CAPABILITY {BARE}]\r\n"));
    world.expect("LOGIN \"box-7\" \"secret\"");
}

// AUTHENTICATE

#[test]
fn cu012_credentials_in_utf8_go_by_authenticate_plain() {
    let open = open_with("jos\u{e9}", "p");
    let mut world = greeted(config(), open, "IMAP4rev1 AUTH=PLAIN SASL-IR");
    let tag = world.expect("AUTHENTICATE PLAIN AGpvc8OpAHA=");
    // a challenge could come: nothing follows unasked
    world.expect_nothing();
    world.serve(&format!("{tag} OK in\r\n"));
    world.expect("SELECT \"INBOX\"");
    world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
}

#[test]
fn i004_without_sasl_ir_the_first_message_waits() {
    let open = open_with("jos\u{e9}", "p");
    let mut world = greeted(config(), open, "IMAP4rev1 AUTH=PLAIN");
    let tag = world.expect("AUTHENTICATE PLAIN");
    world.expect_nothing();
    world.serve("+ \r\n");
    assert_eq!(world.take_sent(), "AGpvc8OpAHA=\r\n");
    world.serve(&format!("{tag} NO [AUTHENTICATIONFAILED] bad\r\n"));
    world.expect_reply("Refused Refusal { kind: Credentials");
}

#[test]
fn ct023_no_login_where_it_is_disabled() {
    let disabled = "IMAP4rev1 LOGINDISABLED";
    let mut world = greeted(config(), password_open(), disabled);
    world.expect_reply("Refused Refusal { kind: Policy");
    assert!(!world.everything_sent().contains("secret"));
    let mut world = greeted(
        config(),
        password_open(),
        "IMAP4rev1 LOGINDISABLED AUTH=PLAIN SASL-IR",
    );
    world.expect("AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==");
}

#[test]
fn the_form_of_login_can_be_preferred() {
    let plain = with(|c| c.auth = AuthPreference::Plain);
    let mut world = greeted(
        plain.clone(),
        password_open(),
        "IMAP4rev1 AUTH=PLAIN SASL-IR",
    );
    world.expect("AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==");
    let mut world = greeted(plain, password_open(), BARE);
    world.expect_reply("Refused Refusal { kind: Policy");
    let login = with(|c| c.auth = AuthPreference::Login);
    let mut world = greeted(
        login,
        open_with("jos\u{e9}", "p"),
        "IMAP4rev1 AUTH=PLAIN LITERAL+",
    );
    assert!(world.take_sent().contains("LOGIN {5+}\r\njos"));
}

#[test]
fn o005_bearer_tokens_go_in_the_form_that_is_offered() {
    let mut world = greeted(
        config(),
        bearer("XOAUTH2", "a@b"),
        "IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER",
    );
    world.expect("AUTHENTICATE XOAUTH2 dXNlcj1hQGIBYXV0aD1CZWFyZXIgeWEyOS50b2tlbgEB");
    let mut world = greeted(
        config(),
        bearer("XOAUTH2", "a=b,c"),
        "IMAP4rev1 AUTH=OAUTHBEARER",
    );
    world.expect("AUTHENTICATE OAUTHBEARER");
    world.serve("+\r\n");
    let sent = world.take_sent();
    use base64::Engine;
    let message = base64::engine::general_purpose::STANDARD
        .decode(sent.trim_end())
        .unwrap();
    assert_eq!(
        message,
        b"n,a=a=3Db=2Cc,\x01host=imap.example.org\x01port=143\x01auth=Bearer ya29.token\x01\x01"
    );
    let mut world = greeted(config(), bearer("XOAUTH2", "a"), "IMAP4rev1 AUTH=PLAIN");
    world.expect_reply("Refused Refusal { kind: Policy");
    // where both are offered, the one that the client spoke
    let both = "IMAP4rev1 AUTH=XOAUTH2 AUTH=OAUTHBEARER";
    for mechanism in ["XOAUTH2", "OAUTHBEARER"] {
        let mut world = greeted(config(), bearer(mechanism, "a"), both);
        world.expect(&format!("AUTHENTICATE {mechanism}"));
    }
}

#[test]
fn a_second_challenge_to_a_token_ends_the_login() {
    let capabilities = "IMAP4rev1 SASL-IR AUTH=XOAUTH2";
    for explanation in ["eyJzdGF0dXMiOiI0MDEifQ==", "", "%"] {
        let mut world = greeted(config(), bearer("XOAUTH2", "a"), capabilities);
        world.take_sent();
        world.serve(&format!("+ {explanation}\r\n"));
        assert_eq!(world.take_sent(), "\r\n");
        world.serve("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n");
        world.expect_reply("Failed Temporary");
        assert_eq!(world.take_sent(), "");
    }
}

#[test]
fn o004_an_error_in_a_challenge_is_answered_so_that_the_refusal_comes() {
    for (mechanism, answer) in [("XOAUTH2", "\r\n"), ("OAUTHBEARER", "AQ==\r\n")] {
        let capabilities = format!("IMAP4rev1 SASL-IR AUTH={mechanism}");
        let mut world = greeted(config(), bearer(mechanism, "a"), &capabilities);
        let sent = world.take_sent();
        // {"status":"401"}
        world.serve("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n");
        assert_eq!(world.take_sent(), answer);
        world.serve(&format!("{} NO failed\r\n", tags(&sent)[0]));
        let replies = world.take_replies_said();
        assert!(replies[0].contains("kind: Credentials"), "{replies:?}");
        assert!(replies[0].contains("401"), "{replies:?}");
        assert!(!replies[0].contains("ya29"), "{replies:?}");
    }
}

#[test]
fn a_challenge_out_of_place_ends_the_login() {
    let mut world = greeted(
        config(),
        open_with("\u{e9}", "p"),
        "IMAP4rev1 AUTH=PLAIN SASL-IR",
    );
    world.take_sent();
    world.serve("+ \r\n");
    world.expect_reply("Failed Temporary");
}

#[test]
fn other_mechanisms_are_relayed_and_never_repeated() {
    let mut world = greeted(
        config(),
        relay("SCRAM-SHA-256", Some(b"n,,n=a")),
        "IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256",
    );
    let tag = world.expect("AUTHENTICATE SCRAM-SHA-256 biwsbj1h");
    world.serve("+ cj1ub25jZQ==\r\n");
    world.expect_replies(&["Challenge r=nonce"]);
    // it is the client's turn, which has its own clock
    world.pass(Duration::from_secs(3600));
    world.request(Request::Answer(Secret::from(&b"c=biws"[..])));
    assert_eq!(world.take_sent(), "Yz1iaXdz\r\n");
    world.serve("+ \r\n");
    world.expect_replies(&["Challenge "]);
    world.request(Request::Answer(Secret::from(&b""[..])));
    assert_eq!(world.take_sent(), "\r\n");
    world.serve(&format!("{tag} OK in\r\n"));
    let select = world.expect("SELECT \"INBOX\"");
    let scan = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
    world.serve("* 1 EXISTS\r\n* OK [UIDVALIDITY 3]\r\n");
    world.serve(&format!(
        "{select} OK\r\n* 1 FETCH (UID 1 RFC822.SIZE 1)\r\n{scan} OK\r\n"
    ));
    world.expect_replies(&["Authenticated", "Entry 3.1 1", "Opened ReadWrite"]);
    world.hang_up();
    world.retrieve(1, 0);
    world.expect_reply("BodyFailed 1 Temporary");
    assert_eq!(world.effects.len(), 1, "{:?}", world.effects);
}

#[test]
fn a_mechanism_that_is_not_offered_is_refused() {
    let mut world = greeted(config(), relay("GSSAPI", None), "IMAP4rev1 AUTH=PLAIN");
    world.expect_reply("Refused Refusal { kind: Policy");
}

#[test]
fn digests_are_refused_without_a_connection() {
    let apop = Login::Apop {
        user: "u".into(),
        timestamp: "<1@x>".into(),
        digest: [0; 16],
    };
    let cram = Login::CramMd5 {
        user: "u".into(),
        challenge: "<1@x>".into(),
        digest: [0; 16],
    };
    for login in [apop, cram] {
        let mut world = World::new(config());
        world.open(login_open(login));
        let replies = world.take_replies_said();
        assert!(replies[0].contains("kind: Policy"), "{replies:?}");
        assert!(replies[0].contains("digest"), "{replies:?}");
        assert!(world.effects.is_empty());
    }
}

// TLS

#[test]
fn implicit_tls_comes_before_the_greeting() {
    let mut world = World::new(with(|c| c.security = Security::Implicit));
    world.open(password_open());
    assert_eq!(world.effects.len(), 2);
    assert!(world.effects[1].starts_with("StartTls"));
    world.serve(&format!("* OK [CAPABILITY {BARE}]\r\n"));
    world.expect("LOGIN \"alice\" \"secret\"");
}

#[test]
fn ct022_starttls_forgets_what_was_heard_in_the_clear() {
    let mut world = World::new(with(|c| c.security = Security::StartTls));
    world.open(password_open());
    world.serve("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] trust me\r\n");
    let tag = world.expect("STARTTLS");
    world.expect_nothing();
    world.serve(&format!("{tag} OK begin\r\n"));
    assert!(world.effects[1].starts_with("StartTls"));
    let tag = world.expect("CAPABILITY");
    world.serve(&format!(
        "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK\r\n"
    ));
    world.expect_reply("Refused Refusal { kind: Policy");
    assert!(!world.everything_sent().contains("secret"));
}

#[test]
fn ct022_what_was_heard_in_the_clear_stays_forgotten_where_nothing_is_said_under_tls() {
    let mut world = World::new(with(|c| c.security = Security::StartTls));
    world.open(password_open());
    world.serve("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN SASL-IR] trust me\r\n");
    let tag = world.expect("STARTTLS");
    world.serve(&format!("{tag} OK begin\r\n"));
    world.expect_ok("CAPABILITY");
    assert!(!world.everything_sent().contains("AUTHENTICATE"));
}

#[test]
fn ct024_bytes_behind_the_answer_to_starttls_end_it() {
    // V06
    let mut world = World::new(with(|c| c.security = Security::StartTls));
    world.open(password_open());
    world.serve("* OK hi\r\n");
    let tag = world.expect("STARTTLS");
    world.serve(&format!("{tag} OK begin\r\n* CAPABILITY IMAP4rev1\r\n"));
    world.expect_reply("Failed Permanent");
    assert!(
        !world
            .effects
            .iter()
            .any(|effect| effect.starts_with("StartTls"))
    );
    world.expect_nothing();
}

#[test]
fn ct025_preauth_is_never_taken_for_a_login() {
    for security in [Security::StartTls, Security::Clear, Security::Implicit] {
        let mut world = World::new(with(|c| c.security = security));
        world.open(password_open());
        world.serve("* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n");
        world.expect_reply("Failed Permanent");
        assert!(!world.everything_sent().contains("LOGIN"));
    }
}

#[test]
fn starttls_refused_means_no_login() {
    for answer in ["NO not now", "BAD what"] {
        let mut world = World::new(with(|c| c.security = Security::StartTls));
        world.open(password_open());
        world.serve("* OK hi\r\n");
        let tag = world.expect("STARTTLS");
        world.serve(&format!("{tag} {answer}\r\n"));
        world.expect_reply("Failed Permanent");
        assert!(!world.everything_sent().contains("secret"));
    }
}

// capabilities

#[test]
fn qf06_capabilities_can_be_masked() {
    let config =
        with(|c| c.quirks.masked_capabilities = vec!["sasl-ir".into(), "AUTH=XOAUTH2".into()]);
    let offered = "IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER";
    let mut world = greeted(config, bearer("XOAUTH2", "a"), offered);
    world.expect("AUTHENTICATE OAUTHBEARER");
}

/// RFC 9051 appendix E: what IMAP4rev2 has built in need not be named, and can be masked all the same.
#[test]
fn i005_rev2_implies_what_it_has_built_in() {
    for (offered, masked, expected) in [
        ("IMAP4rev2", "", "UID EXPUNGE 1"),
        ("IMAP4rev2", "uidplus", "UID FETCH 1:* (UID FLAGS)"),
        ("IMAP4rev2", "IMAP4rev1", "UID EXPUNGE 1"),
        ("IMAP4rev1 IMAP4rev2", "", "UID FETCH 1:* (UID FLAGS)"),
        ("IMAP4rev1", "", "UID FETCH 1:* (UID FLAGS)"),
    ] {
        let config = with(|c| c.quirks.masked_capabilities = vec![masked.into()]);
        let mut world = World::opened(config, offered, &[(1, 1)]);
        world.update(&[0], &[]);
        if world.sent.windows(10).any(|w| w == b"CAPABILITY") {
            let tag = world.expect("CAPABILITY");
            world.serve(&format!("* CAPABILITY {offered}\r\n{tag} OK\r\n"));
        }
        let sent = world.take_sent();
        assert!(sent.contains(expected), "{offered} {masked}: {sent}");
    }
}

#[test]
fn the_names_of_mechanisms_are_bounded() {
    let name = "X".repeat(18);
    let many: Vec<String> = (0..60).map(|n| format!("AUTH={name}{n}")).collect();
    let offered = format!("IMAP4rev1 {}", many.join(" "));
    let mut world = greeted(config(), relay(&format!("{name}0"), None), &offered);
    world.expect(&format!("AUTHENTICATE {name}0"));
    // what is beyond half a KiB is not taken in
    let mut world = greeted(config(), relay(&format!("{name}59"), None), &offered);
    world.expect_reply("Refused Refusal { kind: Policy");
}

#[test]
fn utf8_is_enabled_where_the_client_asked_and_the_server_offers() {
    let open = || Open {
        utf8: true,
        ..password_open()
    };
    let mut world = greeted(config(), open(), "IMAP4rev1 ENABLE UTF8=ACCEPT");
    world.expect("LOGIN \"alice\" \"secret\"");
    world.expect("ENABLE UTF8=ACCEPT");
    world.expect("SELECT \"INBOX\"");
    // i005: offered only after login
    let mut world = greeted(config(), open(), BARE);
    let tag = world.expect("LOGIN \"alice\" \"secret\"");
    world.expect_nothing();
    world.serve(&format!(
        "{tag} OK [CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT] in\r\n"
    ));
    world.expect("ENABLE UTF8=ACCEPT");
    // i005: and not said at login
    let mut world = greeted(config(), open(), BARE);
    world.expect_ok("LOGIN \"alice\" \"secret\"");
    let tag = world.expect("CAPABILITY");
    world.serve(&format!(
        "* CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT\r\n{tag} OK\r\n"
    ));
    world.expect("ENABLE UTF8=ACCEPT");
    // not offered at all: mail is read as it is
    let mut world = greeted(config(), open(), BARE);
    world.expect_ok("LOGIN \"alice\" \"secret\"");
    world.expect_ok("CAPABILITY");
    world.expect("SELECT \"INBOX\"");
    // not asked for
    let mut world = greeted(config(), password_open(), "IMAP4rev1 ENABLE UTF8=ACCEPT");
    assert!(!world.take_sent().contains("ENABLE"));
}

#[test]
fn folders_are_named_as_the_connection_names_them() {
    let config = with(|c| c.folder = "Gel\u{f6}scht & \u{1f4e7}".into());
    let mut world = greeted(config.clone(), password_open(), BARE);
    world.expect("LOGIN \"alice\" \"secret\"");
    world.expect("SELECT \"Gel&APY-scht &- &2D3c5w-\"");
    let open = Open {
        utf8: true,
        ..password_open()
    };
    let mut world = greeted(config, open, "IMAP4rev1 ENABLE UTF8=ACCEPT");
    world.expect_ok("LOGIN \"alice\" \"secret\"");
    world.expect_ok("ENABLE UTF8=ACCEPT");
    world.expect("SELECT \"Gel\u{f6}scht & \u{1f4e7}\"");
}

// the folder

#[test]
fn g23_a_read_only_folder_opens_read_only() {
    for (access, code, command) in [
        (Access::ReadOnly, "READ-ONLY", "EXAMINE \"INBOX\""),
        (Access::ReadOnly, "READ-WRITE", "EXAMINE \"INBOX\""),
        (Access::ReadWrite, "READ-ONLY", "SELECT \"INBOX\""),
    ] {
        let mut world = greeted(
            config(),
            Open {
                access,
                ..password_open()
            },
            FULL,
        );
        world.expect_ok("LOGIN \"alice\" \"secret\"");
        let select = world.expect(command);
        world.serve("* 0 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n");
        world.serve(&format!("{select} OK [{code}] done\r\n"));
        let scan = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
        world.serve(&format!("{scan} OK done\r\n"));
        world.expect_replies(&["Authenticated", "Opened ReadOnly"]);
    }
}

#[test]
fn an_empty_folder_may_refuse_the_scan() {
    for answer in ["OK nothing", "NO nothing there", "BAD invalid set"] {
        let mut world = greeted(config(), password_open(), BARE);
        let sent = world.take_sent();
        let tags = tags(&sent);
        world.serve(&format!(
            "{} OK in\r\n* 0 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n",
            tags[0]
        ));
        world.serve(&format!(
            "{} OK selected\r\n{} {answer}\r\n",
            tags[1], tags[2]
        ));
        world.expect_replies(&["Authenticated", "Opened ReadWrite"]);
    }
}

#[test]
fn a_scan_that_fails_on_a_full_folder_is_a_failure() {
    let mut world = greeted(config(), password_open(), BARE);
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!(
        "{} OK in\r\n* 2 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n",
        tags[0]
    ));
    world.serve(&format!(
        "{} OK selected\r\n* 1 FETCH (UID 1 RFC822.SIZE 1)\r\n",
        tags[1]
    ));
    world.serve(&format!("{} NO something\r\n", tags[2]));
    let replies = world.take_replies_said();
    assert!(replies[1].starts_with("Failed Temporary"), "{replies:?}");
}

#[test]
fn i008_without_uidvalidity_there_is_no_maildrop() {
    let mut world = greeted(config(), password_open(), BARE);
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!(
        "{} OK in\r\n* 0 EXISTS\r\n{} OK selected\r\n",
        tags[0], tags[1]
    ));
    world.serve(&format!("{} OK scanned\r\n", tags[2]));
    let replies = world.take_replies_said();
    assert!(replies[1].starts_with("Failed Permanent"), "{replies:?}");
}

#[test]
fn i023_a_message_limit_makes_the_scan_go_on() {
    let mut world = greeted(config(), password_open(), BARE);
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!(
        "{} OK in\r\n* 4 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n",
        tags[0]
    ));
    world.serve(&format!("{} OK selected\r\n", tags[1]));
    world.serve("* 3 FETCH (UID 7 RFC822.SIZE 3)\r\n* 4 FETCH (UID 9 RFC822.SIZE 4)\r\n");
    world.serve(&format!("{} OK [MESSAGELIMIT 2 7] partly\r\n", tags[2]));
    let tag = world.expect("UID FETCH 1:6 (UID RFC822.SIZE)");
    world.serve("* 1 FETCH (UID 2 RFC822.SIZE 1)\r\n* 2 FETCH (UID 3 RFC822.SIZE 2)\r\n");
    world.serve(&format!("{tag} OK done\r\n"));
    let replies = world.take_replies_said();
    assert_eq!(replies.len(), 6, "{replies:?}");
}

/// A world that is logged in and has the folder open, with so many messages; and the scan's tag.
fn scanning(config: Config, exists: u32) -> (World, String) {
    let mut world = greeted(config, password_open(), BARE);
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!(
        "{} OK in\r\n* {exists} EXISTS\r\n* OK [UIDVALIDITY 1]\r\n{} OK selected\r\n",
        tags[0], tags[1]
    ));
    world.take_replies_said();
    (world, tags[2].clone())
}

#[test]
fn i023_a_message_limit_that_gets_nowhere_is_the_end() {
    let (mut world, tag) = scanning(config(), 4);
    world.serve("* 4 FETCH (UID 9 RFC822.SIZE 4)\r\n");
    world.serve(&format!("{tag} OK [MESSAGELIMIT 1 7] partly\r\n"));
    let tag = world.expect("UID FETCH 1:6 (UID RFC822.SIZE)");
    world.serve(&format!("{tag} OK [MESSAGELIMIT 1 7] partly\r\n"));
    // not the same once more, but a look whether that is all
    world.expect_ok("NOOP");
    world.expect_ok("UID FETCH 1:* (UID RFC822.SIZE)");
    world.expect_replies(&["Entry 1.9 4", "Opened ReadWrite"]);
}

/// Messages that are announced and not listed may be gone: one NOOP makes the server say so.
#[test]
fn a_listing_that_is_short_is_asked_for_once_more() {
    let two = "* 1 FETCH (UID 1 RFC822.SIZE 1)\r\n* 2 FETCH (UID 2 RFC822.SIZE 2)\r\n";
    let entries = ["Entry 1.1 1", "Entry 1.2 2", "Opened ReadWrite"];
    // one was gone, and so it is said
    let (mut world, tag) = scanning(config(), 3);
    world.serve(&format!("{two}{tag} OK\r\n"));
    world.expect_replies(&[]);
    let tag = world.expect("NOOP");
    world.serve(&format!("* 3 EXPUNGE\r\n{tag} OK\r\n"));
    let tag = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
    world.serve(&format!("{two}{tag} OK\r\n"));
    world.expect_replies(&entries);
    // one cannot be listed: it does not hide the others
    let (mut world, tag) = scanning(config(), 3);
    world.serve(&format!("{two}{tag} OK\r\n"));
    world.expect_ok("NOOP");
    let tag = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
    world.serve(&format!("{two}{tag} OK\r\n"));
    world.expect_replies(&entries);
    world.expect_nothing();
    // none can: an empty maildrop would be a lie
    let (mut world, tag) = scanning(config(), 3);
    world.serve(&format!("{tag} OK\r\n"));
    world.expect_ok("NOOP");
    world.expect_ok("UID FETCH 1:* (UID RFC822.SIZE)");
    world.expect_reply("Failed Temporary upstream lists none of 3 messages");
    // the listing is refused: neither is that an empty maildrop
    let (mut world, tag) = scanning(config(), 3);
    world.serve(&format!("{two}{tag} NO [UNAVAILABLE] later\r\n"));
    world.expect_reply("Failed Temporary");
    // all are there, whatever the server says in the end
    let (mut world, tag) = scanning(config(), 2);
    world.serve(&format!("{two}{tag} NO [EXPUNGEISSUED] some\r\n"));
    world.expect_replies(&entries);
    // a folder without messages has none
    let (mut world, tag) = scanning(config(), 0);
    world.serve(&format!("{tag} BAD nothing to fetch\r\n"));
    world.expect_replies(&["Opened ReadWrite"]);
}

#[test]
fn a_maildrop_of_the_largest_size_opens() {
    let (mut world, tag) = scanning(with(|c| c.max_messages = 2), 2);
    let two = "* 1 FETCH (UID 1 RFC822.SIZE 1)\r\n* 2 FETCH (UID 2 RFC822.SIZE 2)\r\n";
    world.serve(&format!("{two}{tag} OK\r\n"));
    world.expect_replies(&["Entry 1.1 1", "Entry 1.2 2", "Opened ReadWrite"]);
}

#[test]
fn hidden_messages_are_left_out() {
    // P049: duplicates too
    let cases = [
        (DeletePolicy::Seen, "\\Seen"),
        (DeletePolicy::Keyword("$POP3Deleted".into()), "$POP3Deleted"),
    ];
    for (delete, flag) in cases {
        let mut world = greeted(with(|c| c.delete = delete), password_open(), BARE);
        let sent = world.take_sent();
        let tags = tags(&sent);
        assert!(
            sent.ends_with("UID FETCH 1:* (UID RFC822.SIZE FLAGS)\r\n"),
            "{sent}"
        );
        world.serve(&format!(
            "{} OK in\r\n* 4 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n",
            tags[0]
        ));
        world.serve(&format!("{} OK selected\r\n", tags[1]));
        world.serve("* 1 FETCH (UID 1 RFC822.SIZE 10 FLAGS (\\Answered))\r\n");
        world.serve(&format!(
            "* 2 FETCH (UID 2 RFC822.SIZE 20 FLAGS ({flag} \\Recent))\r\n"
        ));
        world.serve("* 3 FETCH (UID 3 RFC822.SIZE 30 FLAGS ())\r\n");
        // it comes twice, and once without its size
        world.serve("* 3 FETCH (UID 3 FLAGS (\\Recent))\r\n");
        world.serve(&format!(
            "* 4 FETCH (UID 4 RFC822.SIZE 40)\r\n* 4 FETCH (FLAGS ({flag}) UID 4)\r\n"
        ));
        world.serve(&format!("{} OK done\r\n", tags[2]));
        world.expect_replies(&[
            "Authenticated",
            "Entry 1.1 10",
            "Entry 1.3 30",
            "Opened ReadWrite",
        ]);
    }
}

#[test]
fn a_keyword_that_is_none_is_said_at_login() {
    for bad in ["", "two words", "a(b", "\\Seen", "caf\u{e9}"] {
        let mut world = World::new(with(|c| c.delete = DeletePolicy::Keyword(bad.into())));
        world.open(password_open());
        world.expect_reply("Failed Permanent");
        assert!(world.effects.is_empty());
    }
}

#[test]
fn a_maildrop_has_a_largest_size() {
    let mut world = greeted(with(|c| c.max_messages = 2), password_open(), BARE);
    let sent = world.take_sent();
    let tags = tags(&sent);
    world.serve(&format!(
        "{} OK in\r\n* 9 EXISTS\r\n{} OK selected\r\n",
        tags[0], tags[1]
    ));
    for uid in 1..4 {
        world.serve(&format!("* {uid} FETCH (UID {uid} RFC822.SIZE 1)\r\n"));
    }
    let replies = world.take_replies_said();
    assert!(replies[1].starts_with("Failed Permanent"), "{replies:?}");
}

// refusals

/// G20, I027; G21, qF1, qF2: what Microsoft says when there were too many logins is passing trouble.
#[test]
fn g20_i027_refusals_of_a_login_are_told_apart() {
    for (answer, expected) in [
        (
            "NO [AUTHENTICATIONFAILED] x",
            "Refused Refusal { kind: Credentials",
        ),
        (
            "NO [AUTHORIZATIONFAILED] x",
            "Refused Refusal { kind: Credentials",
        ),
        ("NO [EXPIRED] x", "Refused Refusal { kind: Credentials"),
        ("NO wrong password", "Refused Refusal { kind: Credentials"),
        ("NO", "Refused Refusal { kind: Credentials"),
        (
            "no \u{5bc6}\u{7801}\u{9519}\u{8bef}",
            "Refused Refusal { kind: Credentials",
        ),
        ("NO [UNAVAILABLE] x", "Failed Temporary"),
        ("NO [INUSE] x", "Failed Temporary"),
        ("NO [LIMIT] x", "Failed Temporary"),
        ("NO [OVERQUOTA] x", "Failed Temporary"),
        ("NO [SERVERBUG] x", "Failed Temporary"),
        ("NO [THROTTLED] x", "Failed Temporary"),
        (
            "NO Request is throttled. Suggested Backoff Time: 1000 milliseconds",
            "Failed Temporary",
        ),
        ("NO Too many simultaneous connections", "Failed Temporary"),
        (
            "BAD User is authenticated but not connected.",
            "Failed Temporary",
        ),
        ("NO [CONTACTADMIN] x", "Failed Permanent"),
        ("NO [NOPERM] x", "Failed Permanent"),
        ("NO [PRIVACYREQUIRED] x", "Failed Permanent"),
        ("NO [CORRUPTION] x", "Failed Permanent"),
    ] {
        let mut world = greeted(config(), password_open(), BARE);
        let sent = world.take_sent();
        world.serve(&format!("{} {answer}\r\n", tags(&sent)[0]));
        world.expect_reply(expected);
        world.expect("LOGOUT");
        assert_eq!(world.effects.last().unwrap(), "Disconnect");
    }
}

/// G20, G21; G24: a folder that is missing needs a person.
#[test]
fn g20_refusals_of_a_folder_are_told_apart() {
    for (answer, expected) in [
        ("NO no such mailbox", "Failed Permanent"),
        ("NO [NONEXISTENT] x", "Failed Permanent"),
        ("NO [UNAVAILABLE] x", "Failed Temporary"),
        ("NO [NOPERM] x", "Failed Permanent"),
        ("NO try again later", "Failed Temporary"),
        // g21
        (
            "BAD User is authenticated but not connected.",
            "Failed Temporary",
        ),
    ] {
        let mut world = greeted(config(), password_open(), BARE);
        let sent = world.take_sent();
        let tags = tags(&sent);
        world.serve(&format!("{} OK in\r\n{} {answer}\r\n", tags[0], tags[1]));
        let replies = world.take_replies_said();
        assert!(replies[1].starts_with(expected), "{answer}: {replies:?}");
    }
}

#[test]
fn i029_bye_before_or_instead_of_an_answer() {
    let mut world = World::new(config());
    world.open(password_open());
    world.serve("* BYE [UNAVAILABLE] too busy\r\n");
    world.expect_reply("Failed Temporary");

    let mut world = greeted(config(), password_open(), BARE);
    world.take_sent();
    world.serve("* BYE overloaded\r\n");
    world.expect_replies(&[]);
    world.hang_up();
    let replies = world.take_replies_said();
    assert!(replies[0].contains("overloaded"), "{replies:?}");

    // the reason may still come
    let mut world = greeted(config(), password_open(), BARE);
    let sent = world.take_sent();
    world.serve("* BYE go away\r\n");
    world.serve(&format!(
        "{} NO [AUTHENTICATIONFAILED] no\r\n",
        tags(&sent)[0]
    ));
    world.expect_reply("Refused Refusal { kind: Credentials");

    let mut world = greeted(config(), password_open(), BARE);
    world.take_sent();
    world.serve("* BYE go away\r\n");
    world.pass(Duration::from_secs(6));
    world.expect_reply("Failed Temporary");
}

#[test]
fn what_is_no_imap_server_is_said() {
    // G28
    for line in [
        "HTTP/1.1 400 Bad Request\r\n",
        "SSH-2.0-x\r\n",
        "+OK POP3 ready\r\n",
        "\x15\x03\x01\n",
    ] {
        let mut world = World::new(config());
        world.open(password_open());
        world.serve(line);
        let replies = world.take_replies_said();
        assert!(
            replies[0].starts_with("Failed Temporary"),
            "{line:?} {replies:?}"
        );
        let start: String = line.chars().take(4).filter(|c| !c.is_control()).collect();
        assert!(replies[0].contains(&start), "{line:?} {replies:?}");
        assert!(!world.everything_sent().contains("secret"));
    }
}

#[test]
fn silence_is_ended_by_the_clock() {
    let steps: [fn(&mut World); 5] = [
        |_| {},
        |world| world.serve("* OK hi\r\n"),
        |world| world.serve("* OK hi\r\n* CAPABILITY IMAP4rev1\r\nA1 OK\r\n"),
        |world| world.serve("* OK hi\r\n* CAPABILITY IMAP4rev1\r\nA1 OK\r\nA2 OK\r\n"),
        |world| world.serve("* OK hi\r\n* CAPABILITY IMAP4rev1\r\nA1 OK\r\nA2 OK\r\nA3 OK\r\n"),
    ];
    for step in steps {
        let mut world = World::new(config());
        world.open(password_open());
        step(&mut world);
        world.pass(Duration::from_secs(59));
        assert!(
            !world
                .replies
                .iter()
                .any(|reply| reply.starts_with("Failed"))
        );
        world.pass(Duration::from_secs(2));
        let replies = world.take_replies_said();
        assert!(
            replies.last().unwrap().starts_with("Failed Temporary"),
            "{replies:?}"
        );
        assert_eq!(world.effects.last().unwrap(), "Disconnect");
        assert!(world.backend_is_quiet());
    }
}

#[test]
fn a_connection_that_does_not_come_is_ended_by_the_clock() {
    let mut world = World::new(config());
    world.connects = false;
    world.open(password_open());
    world.pass(Duration::from_secs(29));
    world.expect_replies(&[]);
    world.pass(Duration::from_secs(2));
    world.expect_reply("Failed Temporary");
}

#[test]
fn o006_secrets_are_in_no_detail_and_no_trace() {
    // V33, V34: even when the upstream repeats them
    let mut world = greeted(config(), open_with("alice", "s3cr\"et"), BARE);
    let sent = world.take_sent();
    let line = sent.lines().next().unwrap().to_owned();
    world.serve(&format!("* BAD cannot read {line}\r\n* OK s3cr\"et\r\n"));
    world.serve(&format!("{} BAD cannot read {line}\r\n", tags(&sent)[0]));
    let replies = world.take_replies_said().join("\n");
    let trace = world.trace().join("\n");
    for text in [replies, trace.clone()] {
        assert!(!text.contains("s3cr"), "{text}");
    }
    assert!(trace.contains("LOGIN \"alice\" <password>"), "{trace}");
}

#[test]
fn the_trace_sums_long_listings_up() {
    let mut world = World::opened(
        config(),
        FULL,
        &(1..=50).map(|uid| (uid, 5)).collect::<Vec<_>>(),
    );
    world.retrieve(1, 0);
    world.take_sent();
    world.serve(&common::body(1, 1, "hello"));
    let trace = world.trace();
    let fetches = trace
        .iter()
        .filter(|line| line.contains("RFC822.SIZE "))
        .count();
    assert_eq!(fetches, 3, "{trace:?}");
    assert!(
        trace.iter().any(|line| line == "<47 more FETCH lines>"),
        "{trace:?}"
    );
    assert!(
        trace
            .iter()
            .any(|line| line.ends_with("BODY[] {5} <5 octets>")),
        "{trace:?}"
    );
    assert!(
        !trace.iter().any(|line| line.contains("hello")),
        "{trace:?}"
    );
}
