//! Credentials that are handed on as they were given.

use imap_backend::AuthPreference;
use pop3_proto::backend::{Login, Open};
use pop3_proto::secret::Secret;

use super::{greeted, with};
use crate::common::tags;

fn any_octets(password: &[u8]) -> Open {
    Open::new(Login::Password {
        user: "alice".into(),
        password: Secret::from(password),
    })
}

/// What is not UTF-8 goes in a literal, or in PLAIN where there is nothing else.
#[test]
fn w051_a_password_that_is_no_utf8_is_handed_on() {
    for password in [&b"gr\xfc\xdfe"[..], b"\xff\xfe", b"\x80"] {
        let mut world = greeted(
            crate::common::config(),
            any_octets(password),
            "IMAP4rev1 LITERAL+ AUTH=PLAIN",
        );
        let expected = [
            format!("LOGIN \"alice\" {{{}+}}\r\n", password.len()).as_bytes(),
            password,
        ]
        .concat();
        assert!(
            world
                .sent
                .windows(expected.len())
                .any(|part| part == expected)
        );
        let tag = tags(&world.take_sent())[0].clone();
        world.serve(&format!("{tag} NO [AUTHENTICATIONFAILED] no\r\n"));
        world.expect_reply("Refused Refusal { kind: Credentials");
        let mut world = greeted(
            with(|c| c.auth = AuthPreference::Auto),
            any_octets(password),
            "IMAP4rev1 LOGINDISABLED SASL-IR AUTH=PLAIN",
        );
        assert!(world.take_sent().contains("AUTHENTICATE PLAIN "));
    }
}

#[test]
fn w051_another_authorization_name_is_handed_on_by_plain() {
    let open = || {
        Open::new(Login::ActingFor {
            user: "ursel".into(),
            by: "tim".into(),
            password: Secret::from(&b"tanstaaf"[..]),
        })
    };
    for auth in [
        AuthPreference::Auto,
        AuthPreference::Login,
        AuthPreference::Plain,
    ] {
        let mut world = greeted(
            with(|c| c.auth = auth),
            open(),
            "IMAP4rev1 SASL-IR AUTH=PLAIN",
        );
        // ursel NUL tim NUL tanstaaf
        world.expect("AUTHENTICATE PLAIN dXJzZWwAdGltAHRhbnN0YWFm");
        let mut world = greeted(with(|c| c.auth = auth), open(), "IMAP4rev1 SASL-IR");
        let replies = world.take_replies_said();
        assert!(
            replies[0].contains("does not offer AUTH=PLAIN"),
            "{replies:?}"
        );
        assert!(!world.everything_sent().contains("tanstaaf"));
    }
}
