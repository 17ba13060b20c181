//! What an issuer tells of itself, and whether it is the one that was asked.

use pop3_gateway::oauth::{Authority, CallBack, Flow, Meaning, Provider};
use testkit_provider::{Answer, Provider as Double, said};

use crate::script::secret;

const OPENID: &str = "/.well-known/openid-configuration";
const RFC8414: &str = "/.well-known/oauth-authorization-server";

fn authority(issuer: String) -> Authority {
    let provider = Provider {
        name: "own".into(),
        issuer: Some(issuer),
        client_id: "client".into(),
        ..Provider::default()
    };
    Authority::new(provider).unwrap()
}

fn targets(double: &Double) -> Vec<String> {
    double
        .take()
        .into_iter()
        .map(|asked| asked.target)
        .collect()
}

#[test]
fn it_is_asked_at_both_places_and_once() {
    for (path, first) in [(OPENID, true), (RFC8414, false)] {
        for realm in ["", "/realms/mail"] {
            let double = Double::start();
            let issuer = double.url(realm);
            let openid = format!("{realm}{OPENID}");
            let place = if first {
                openid.clone()
            } else {
                format!("{path}{realm}")
            };
            double.answer(&place, said::metadata(&issuer, ""));
            double.answer(&format!("{realm}/token"), said::token("access", None));
            let authority = authority(issuer);
            for _ in 0..3 {
                authority.refresh(Flow::Code, &secret("refresh")).unwrap();
            }
            let token = format!("{realm}/token");
            let mut expected = vec![
                openid.clone(),
                place.clone(),
                token.clone(),
                token.clone(),
                token,
            ];
            if first {
                expected.remove(1);
            }
            assert_eq!(targets(&double), expected);
        }
    }
}

#[test]
fn another_issuer_is_not_believed() {
    let double = Double::start();
    for told in ["https://evil.example", "", &double.url("/other")] {
        double
            .forget(OPENID)
            .answer(OPENID, said::metadata(told, ""));
        let authority = authority(double.url(""));
        let refusal = authority
            .refresh(Flow::Code, &secret("refresh"))
            .unwrap_err();
        assert_eq!(refusal.meaning, Meaning::Settings, "{told}");
        assert!(refusal.what.contains("says that it is"), "{refusal}");
        assert_eq!(targets(&double), [OPENID]);
    }
}

#[test]
fn an_issuer_that_is_down_ends_nothing_and_is_not_asked_by_each_login() {
    let double = Double::start();
    double.answer(OPENID, Answer::other(503, "text/html", "<h1>Busy</h1>"));
    let authority = authority(double.url(""));
    for _ in 0..5 {
        let refusal = authority
            .refresh(Flow::Code, &secret("refresh"))
            .unwrap_err();
        assert!(
            matches!(refusal.meaning, Meaning::Later { .. }),
            "{refusal}"
        );
    }
    assert_eq!(targets(&double), [OPENID, RFC8414]);
}

/// A browser is sent to no place in the clear, and to no program.
#[test]
fn a_browser_is_sent_nowhere_in_the_clear() {
    for place in [
        "http://example.org/authorize",
        "javascript:alert(1)",
        "no address",
    ] {
        let double = Double::start();
        let issuer = double.url("");
        let text = format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"{place}","token_endpoint":"{issuer}/token"}}"#
        );
        double.answer(OPENID, Answer::json(200, text));
        authority(issuer)
            .begin("http://127.0.0.1:1/", None)
            .unwrap_err();
    }
}

#[test]
fn endpoints_that_an_issuer_has_not_are_reported() {
    let double = Double::start();
    let issuer = double.url("");
    double.answer(
        OPENID,
        Answer::json(200, format!(r#"{{"issuer":"{issuer}"}}"#)),
    );
    let authority = authority(issuer);
    for refusal in [
        authority
            .refresh(Flow::Code, &secret("refresh"))
            .unwrap_err(),
        authority.device_code().unwrap_err(),
        authority.app_token().unwrap_err(),
    ] {
        assert_eq!(refusal.meaning, Meaning::Settings);
        assert!(refusal.what.contains("endpoint"), "{refusal}");
    }
}

/// RFC 9207.
#[test]
fn an_answer_says_who_it_is_from() {
    for (more, promised) in [
        ("", false),
        (
            r#","authorization_response_iss_parameter_supported":true"#,
            true,
        ),
    ] {
        let double = Double::start();
        let issuer = double.url("");
        double.answer(OPENID, said::metadata(&issuer, more));
        double.answer("/token", said::token("access", Some("refresh")));
        let authority = authority(issuer.clone());
        let (_, begun) = authority.begin("http://127.0.0.1:1/", None).unwrap();
        for (iss, is_right) in [
            (format!("&iss={issuer}"), true),
            (format!("&iss={issuer}/other"), false),
            ("&iss=https://evil.example".into(), false),
            (format!("&iss={issuer}&iss=https://evil.example"), false),
            ("&iss=".into(), false),
            (String::new(), !promised),
        ] {
            let back = CallBack::parse(&format!("code=c&state={}{iss}", begun.state));
            double.take();
            let finished = authority.finish(&begun, &back);
            assert_eq!(finished.is_ok(), is_right, "{more} {iss} {finished:?}");
            assert_eq!(double.take().len(), usize::from(is_right));
        }
        // nor is an error of somebody else's taken
        let back = format!(
            "error=access_denied&state={}&iss=https://evil.example",
            begun.state
        );
        let refusal = authority
            .finish(&begun, &CallBack::parse(&back))
            .unwrap_err();
        assert_eq!(refusal.code, None);
    }
}
