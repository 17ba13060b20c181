//! AUTHENTICATE: passwords, tokens, and what is relayed.

use std::time::Duration;

use imap_backend::{AuthPreference, PipelineLogin};
use pop3_proto::backend::{Login, Open, Request};
use pop3_proto::secret::Secret;

use super::{BARE, bearer, greeted, relay, with};
use crate::common::{World, config, open_with, password_open, tags};

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
    let explanations = ["eyJzdGF0dXMiOiI0MDEifQ==", "", "%"];
    let ways = [(PipelineLogin::Never, "\r\n"), (PipelineLogin::Always, "")];
    for (explanation, (way, answer)) in explanations.into_iter().flat_map(|e| ways.map(|w| (e, w)))
    {
        let config = with(|c| c.quirks.pipeline_login = way);
        let mut world = greeted(config, bearer("XOAUTH2", "a"), capabilities);
        world.take_sent();
        world.serve(&format!("+ {explanation}\r\n"));
        assert_eq!(world.take_sent(), answer);
        world.serve("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n");
        world.expect_reply("Failed Temporary");
        assert_eq!(world.take_sent(), "");
    }
}

#[test]
fn o004_an_error_in_a_challenge_is_answered_so_that_the_refusal_comes() {
    for (mechanism, answer) in [("XOAUTH2", "\r\n"), ("OAUTHBEARER", "AQ==\r\n")] {
        let capabilities = format!("IMAP4rev1 SASL-IR AUTH={mechanism}");
        let config = with(|c| c.quirks.pipeline_login = PipelineLogin::Never);
        let mut world = greeted(config, bearer(mechanism, "a"), &capabilities);
        let sent = world.take_sent();
        assert_eq!(tags(&sent).len(), 1, "{sent}");
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

/// The folder goes in the flight of the token. A server that refuses the token takes the next line for the answer to its
/// error, whatever is in it, and says so or not: it stays a refusal of the token.
#[test]
fn a_refusal_of_a_token_is_one_though_the_folder_was_asked_for_in_its_flight() {
    let refusals = [
        "{authenticate} NO [AUTHENTICATIONFAILED] failed\r\n{scan} BAD log in first\r\n",
        "{authenticate} NO failed\r\n{select} BAD log in first\r\n{scan} BAD log in first\r\n",
        "{authenticate} BAD Invalid base64 data in continued response\r\n",
    ];
    for (mechanism, refusal) in ["XOAUTH2", "OAUTHBEARER"]
        .into_iter()
        .flat_map(|mechanism| refusals.map(|refusal| (mechanism, refusal)))
    {
        let capabilities = format!("IMAP4rev1 SASL-IR AUTH={mechanism}");
        let mut world = greeted(config(), bearer(mechanism, "a"), &capabilities);
        let sent = world.take_sent();
        let [authenticate, select, scan] = &tags(&sent)[..] else {
            panic!("{sent}")
        };
        let lines: Vec<_> = sent.lines().collect();
        assert!(lines[1].ends_with("SELECT \"INBOX\""), "{sent}");
        assert!(
            lines[2].ends_with("UID FETCH 1:* (UID RFC822.SIZE)"),
            "{sent}"
        );
        world.serve("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n");
        assert_eq!(world.take_sent(), "", "the answer is there already");
        let refusal = refusal.replace("{authenticate}", authenticate);
        world.serve(&refusal.replace("{select}", select).replace("{scan}", scan));
        let replies = world.take_replies_said();
        assert!(replies[0].contains("kind: Credentials"), "{replies:?}");
        assert!(replies[0].contains("401"), "{replies:?}");
        assert_eq!(replies.len(), 1, "{replies:?}");
    }
    // a refusal without a word about the token says nothing of it
    let mut world = greeted(
        config(),
        bearer("XOAUTH2", "a"),
        "IMAP4rev1 SASL-IR AUTH=XOAUTH2",
    );
    let sent = world.take_sent();
    world.serve(&format!("{} BAD what is that?\r\n", tags(&sent)[0]));
    world.expect_reply("Failed Temporary");
}

#[test]
fn a_token_and_its_folder_take_one_flight_where_the_server_bears_it() {
    let capabilities = "IMAP4rev1 SASL-IR AUTH=XOAUTH2";
    for (greeting, is_one) in [
        ("Dovecot ready", true),
        ("The Exchange service is ready", false),
    ] {
        let mut world = World::new(with(|c| c.quirks.pipeline_login = PipelineLogin::Auto));
        world.open(bearer("XOAUTH2", "a@b"));
        world.serve(&format!("* OK [CAPABILITY {capabilities}] {greeting}\r\n"));
        let tag = world.expect("AUTHENTICATE XOAUTH2 dXNlcj1hQGIBYXV0aD1CZWFyZXIgeWEyOS50b2tlbgEB");
        if !is_one {
            world.expect_nothing();
            world.serve(&format!("{tag} OK in\r\n"));
        }
        let select = world.expect("SELECT \"INBOX\"");
        let scan = world.expect("UID FETCH 1:* (UID RFC822.SIZE)");
        if is_one {
            world.serve(&format!("{tag} OK in\r\n"));
        }
        world.expect_reply("Authenticated");
        world.serve(&format!(
            "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n{select} OK [READ-WRITE] in\r\n{scan} OK\r\n"
        ));
        world.expect_reply("Opened");
    }
    // the first message waits for the server, so everything else does
    let mut world = greeted(config(), bearer("XOAUTH2", "a"), "IMAP4rev1 AUTH=XOAUTH2");
    world.expect("AUTHENTICATE XOAUTH2");
    world.expect_nothing();
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
        world.open(Open::new(login));
        let replies = world.take_replies_said();
        assert!(replies[0].contains("kind: Policy"), "{replies:?}");
        assert!(replies[0].contains("digest"), "{replies:?}");
        assert!(world.effects.is_empty());
    }
}
