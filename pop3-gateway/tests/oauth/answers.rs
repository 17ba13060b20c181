//! What comes of answers that are odd, wrong or hostile.

use std::time::Duration;

use pop3_gateway::oauth::{CallBack, Flow, Meaning, Obtained, Proof, Refusal};
use testkit_provider::{Answer, Provider as Double, said};

use crate::requests::authority;
use crate::script::{secret, shown};

/// What comes of an answer to a refresh.
fn refreshed(answer: Answer) -> Result<Obtained, Refusal> {
    let double = Double::start();
    let authority = authority(&double, Proof::None);
    double.answer("/token", answer);
    authority.refresh(Flow::Code, &secret("refresh"))
}

fn json(text: &str) -> Result<Obtained, Refusal> {
    refreshed(Answer::json(200, text))
}

#[test]
fn what_cannot_be_read_ends_nothing_and_is_not_repeated() {
    let nested = format!(
        "{{\"access_token\":{}1{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let large = format!(
        "{{\"access_token\":\"SECRET\",\"x\":\"{}\"}}",
        "x".repeat(1024 * 1024)
    );
    for answer in [
        Answer::other(200, "text/html", "<html>SECRET</html>"),
        Answer::other(200, "text/html", ""),
        Answer::other(400, "text/html", "<html>SECRET</html>"),
        Answer::other(400, "text/html", ""),
        Answer::json(200, "null"),
        Answer::json(200, "[\"SECRET\"]"),
        Answer::json(200, "{}"),
        Answer::json(200, "{\"access_token\":5}"),
        Answer::json(200, "{\"access_token\":\"SECRET\""),
        Answer::json(
            200,
            "{\"access_token\":\"SECRET\",\"access_token\":\"SECRET\"}",
        ),
        Answer::json(200, "{\"access_token\":\"SECRET\",\"expires_in\":1e999}"),
        Answer::json(200, "{\"error\":\"invalid_grant\"}"),
        Answer::json(400, "{\"SECRET\":1}"),
        Answer::json(400, "{\"error\""),
        Answer::json(200, nested),
        Answer::json(200, large),
        Answer::json(500, "{\"error\":\"invalid_grant\"}"),
        Answer::json(503, "{\"access_token\":\"SECRET\"}"),
        Answer::other(200, "application/json", vec![b'{', 0xff, 0xfe, b'}']),
    ] {
        let shown = String::from_utf8_lossy(&answer.body[..answer.body.len().min(60)]).into_owned();
        let refusal = refreshed(answer).unwrap_err();
        assert!(
            matches!(refusal.meaning, Meaning::Later { .. }),
            "{shown}: {refusal}"
        );
        assert!(
            !format!("{refusal} {refusal:?}").contains("SECRET"),
            "{shown}"
        );
    }
}

#[test]
fn a_life_is_written_in_many_ways() {
    for (life, seconds) in [
        (",\"expires_in\":3599", 3599),
        (",\"expires_in\":\"3599\"", 3599),
        (",\"expires_in\":3599.7", 3599),
        ("", 3600),
        (",\"expires_in\":null", 3600),
        (",\"expires_in\":-1", 3600),
        (",\"expires_in\":\"soon\"", 3600),
        (",\"expires_in\":0", 0),
        (",\"expires_in\":1e99", 7 * 24 * 3600),
        (",\"expires_in\":18446744073709551615", 7 * 24 * 3600),
    ] {
        let obtained = json(&format!("{{\"access_token\":\"a\"{life}}}")).unwrap();
        assert_eq!(obtained.life, Duration::from_secs(seconds), "{life}");
    }
}

#[test]
fn tokens_that_cannot_be_used_go_no_further() {
    let long = "x".repeat(20 * 1024);
    for token in [
        "a\\r\\nb",
        "a\\u0000",
        "a\\u0001auth=",
        "a b",
        "",
        "\\u00e9",
        long.as_str(),
    ] {
        let refusal = json(&format!("{{\"access_token\":\"{token}\"}}")).unwrap_err();
        assert!(matches!(refusal.meaning, Meaning::Later { .. }));
        assert!(refusal.what.len() < 200);
        let text = format!("{{\"access_token\":\"a\",\"refresh_token\":\"{token}\"}}");
        // an empty one is none
        assert_eq!(json(&text).is_ok(), token.is_empty());
    }
    for kind in ["mac", "DPoP", ""] {
        let refusal = json(&format!(
            "{{\"access_token\":\"a\",\"token_type\":\"{kind}\"}}"
        ));
        assert_eq!(refusal.unwrap_err().meaning, Meaning::Settings, "{kind}");
    }
    for kind in ["bearer", "BEARER"] {
        json(&format!(
            "{{\"access_token\":\"a\",\"token_type\":\"{kind}\"}}"
        ))
        .unwrap();
    }
}

/// A scope is kept with the tokens: one that no record can hold would lose them.
#[test]
fn a_scope_without_end_is_left_out() {
    let scope = |scope: &str| {
        let text = format!("{{\"access_token\":\"a\",\"scope\":\"{scope}\"}}");
        json(&text).unwrap().scope
    };
    assert_eq!(
        scope("mail offline_access").as_deref(),
        Some("mail offline_access")
    );
    assert_eq!(scope(&"x".repeat(1_000_000)), None);
    assert_eq!(scope("a\\nb"), None);
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Double::start();
    let double = Double::start();
    for status in [301, 302, 303, 307, 308] {
        let answer = Answer::json(status, "{}").with("Location", &other.url("/token"));
        double.forget("/token").answer("/token", answer);
        let authority = authority(&double, Proof::None);
        let refusal = authority
            .refresh(Flow::Code, &secret("refresh"))
            .unwrap_err();
        assert_eq!(refusal.meaning, Meaning::Settings, "{status}");
        assert!(refusal.what.contains("redirect"), "{refusal}");
    }
    assert!(other.take().is_empty());
    assert_eq!(double.take().len(), 5);
}

#[test]
fn a_provider_that_is_busy_says_when() {
    for (status, after, expected) in [
        (429, Some("7"), Some(7)),
        (429, Some("999999999"), Some(3600)),
        (429, Some("Mon, 30 Nov 2026 12:00:00 GMT"), None),
        (429, None, None),
        (503, Some("7"), Some(7)),
        (500, None, None),
        (502, None, None),
    ] {
        for answer in [
            Answer::json(status, "{\"error\":\"invalid_grant\"}"),
            Answer::other(status, "text/html", "<h1>Busy</h1>"),
        ] {
            let answer = match after {
                Some(after) => answer.with("Retry-After", after),
                None => answer,
            };
            let after = expected.map(Duration::from_secs);
            assert_eq!(
                refreshed(answer).unwrap_err().meaning,
                Meaning::Later { after }
            );
        }
    }
}

#[test]
fn providers_say_no_in_their_own_ways() {
    let refusal = refreshed(said::microsoft(
        "invalid_grant",
        700_082,
        "Expired.\\r\\nTrace",
    ))
    .unwrap_err();
    assert_eq!(
        (refusal.meaning, refusal.numbers[0]),
        (Meaning::Ended, 700_082)
    );
    assert!(refusal.remedy.contains("90 days"), "{refusal}");
    assert!(!refusal.to_string().contains('\n'));
    let refusal = refreshed(said::microsoft("invalid_grant", 50_196, "Loop")).unwrap_err();
    assert!(matches!(refusal.meaning, Meaning::Later { .. }));
    let refusal = refreshed(said::microsoft("invalid_client", 7_000_222, "Expired")).unwrap_err();
    assert_eq!(refusal.meaning, Meaning::Settings);
    assert!(refusal.remedy.contains("secret expired"), "{refusal}");
    let refusal = refreshed(said::google_invalid_rapt()).unwrap_err();
    assert_eq!(refusal.meaning, Meaning::Ended);
    assert!(refusal.remedy.contains("organisation"), "{refusal}");
    let refusal = refreshed(Answer::json(
        401,
        "{\"error\":{\"status\":\"UNAUTHENTICATED\",\"message\":\"m\"}}",
    ));
    assert_eq!(
        refusal.unwrap_err().code.as_deref(),
        Some("UNAUTHENTICATED")
    );
    // a status of its own is a success, too
    refreshed(Answer::json(201, "{\"access_token\":\"a\"}")).unwrap();
}

/// Microsoft says `invalid_grant` to much that the refresh token outlives: what ends a grant is what needs a sign-in
/// whatever anybody allows.
#[test]
fn a_rule_that_bars_the_way_ends_no_grant() {
    const SIGN_IN: &str = "sign in again with \"pop3-gateway sign-in MAILBOX\"";
    const NETWORK: &str = "excludes this app or allows this network";
    for (number, ended, remedy) in [
        (50173, true, SIGN_IN),
        (70008, true, SIGN_IN),
        (700_082, true, SIGN_IN),
        (70043, true, "sign-in frequency"),
        (70044, true, "sign-in frequency"),
        (700_084, true, "mobile and desktop application"),
        (70000, true, SIGN_IN),
        (50057, false, "an administrator enables it"),
        (50105, false, "assign the user"),
        (50074, false, SIGN_IN),
        (50076, false, SIGN_IN),
        (50078, false, SIGN_IN),
        (50079, false, "https://aka.ms/mfasetup"),
        (53000, false, "excludes this app or allows"),
        (53001, false, NETWORK),
        (53003, false, NETWORK),
        (53004, false, "register a second factor"),
        (65001, false, "grants consent"),
    ] {
        let text = "An error of the directory.\\r\\nTrace";
        let refusal = refreshed(said::microsoft("invalid_grant", number, text)).unwrap_err();
        let expected = match ended {
            true => Meaning::Ended,
            false => Meaning::Settings,
        };
        assert_eq!(refusal.meaning, expected, "{number}");
        assert!(refusal.remedy.contains(remedy), "{number}: {refusal}");
    }
}

/// The word that Microsoft has beside its number, as it comes: shown, cleaned, and no word of another kind is one.
#[test]
fn a_word_beside_a_refusal_is_shown_and_decides() {
    for (suberror, shown, meaning, remedy) in [
        (
            "\"bad_token\"",
            " (bad_token)",
            Meaning::Ended,
            "was revoked",
        ),
        (
            "\"consent_required\"",
            " (consent_required)",
            Meaning::Settings,
            "grant it",
        ),
        ("\"x\\r\\ny\"", " (x)", Meaning::Ended, "sign in again"),
        ("\"\"", "", Meaning::Ended, "sign in again"),
        (
            "[\"consent_required\"]",
            "",
            Meaning::Ended,
            "sign in again",
        ),
    ] {
        let body = format!("{{\"error\":\"invalid_grant\",\"suberror\":{suberror}}}");
        let refusal = refreshed(Answer::json(400, body)).unwrap_err();
        assert_eq!(
            refusal.what,
            format!("the provider says invalid_grant{shown}")
        );
        assert_eq!(refusal.meaning, meaning, "{suberror}");
        assert!(refusal.remedy.contains(remedy), "{suberror}: {refusal}");
    }
}

/// Whatever a provider repeats of a request or puts into an error: nothing secret is shown.
#[test]
fn nothing_secret_is_shown() {
    let double = Double::start();
    let hidden = Proof::Secret(secret("hidden/client secret"));
    let authority = authority(&double, hidden);
    let repeat =
        "refresh/token+value the/authorization-code hidden/client secret device/code/value";
    for text in [repeat.to_owned(), repeat.replace('/', "\\/")] {
        let answer = Answer::json(
            400,
            format!(
                "{{\"error\":\"invalid_request\",\"error_description\":\"bad {text} or VERIFIER\"}}"
            ),
        );
        let (_, begun) = authority.begin("http://127.0.0.1:1/", None).unwrap();
        let mut verifying = answer.clone();
        verifying.body = String::from_utf8(verifying.body)
            .unwrap()
            .replace("VERIFIER", &shown(&begun.verifier))
            .into_bytes();
        double
            .forget("/token")
            .answer("/token", answer.clone())
            .answer("/token", verifying)
            .answer("/token", answer.clone());
        let refresh = authority.refresh(Flow::Code, &secret("refresh/token+value"));
        let back = format!("code=the/authorization-code&state={}", begun.state);
        let back = CallBack::parse(&back);
        let finish = authority.finish(&begun, &back);
        double.forget("/device").answer(
            "/device",
            Answer::json(
                200,
                r#"{"device_code":"device/code/value","user_code":"USERCODE","verification_uri":"https://example.org/"}"#,
            ),
        );
        let code = authority.device_code().unwrap();
        let poll = authority.poll(&code);
        for (told, own) in [
            (
                format!("{refresh:?} {}", refresh.as_ref().unwrap_err()),
                "refresh/token+value",
            ),
            (
                format!("{finish:?} {}", finish.as_ref().unwrap_err()),
                "the/authorization-code",
            ),
            (
                format!("{poll:?} {}", poll.as_ref().unwrap_err()),
                "device/code/value",
            ),
        ] {
            assert!(!told.contains(own), "{told}");
            assert!(!told.contains("hidden/client secret"), "{told}");
            assert!(!told.contains(&shown(&begun.verifier)), "{told}");
            assert!(told.contains("invalid_request"), "{told}");
        }
        let told = format!("{begun:?} {back:?} {code:?} {authority:?}");
        for own in [
            "authorization-code",
            "device/code",
            "USERCODE",
            "hidden",
            &begun.state,
            &shown(&begun.verifier),
        ] {
            assert!(!told.contains(own), "{own} in {told}");
        }
    }
    let told =
        json("{\"access_token\":\"SECRET\",\"refresh_token\":\"SECRET\",\"id_token\":\"SECRET\"}")
            .unwrap();
    assert!(!format!("{told:?}").contains("SECRET"));
}

/// An answer that comes octet by octet ends after the time of a request, whatever is still to come.
#[test]
#[ignore = "takes the 30 seconds of a request: run .ci/run long"]
fn long_answer_that_trickles_is_given_up() {
    let mut answer = said::token("access", None);
    answer.body.splice(0..0, vec![b' '; 10_000]);
    answer.trickle = Some(Duration::from_millis(50));
    let start = std::time::Instant::now();
    let refusal = refreshed(answer).unwrap_err();
    assert!(matches!(refusal.meaning, Meaning::Later { .. }));
    assert!(refusal.what.contains("too long"), "{refusal}");
    assert!(start.elapsed() < Duration::from_secs(60));
}

/// Requests leave this machine over TLS alone.
#[test]
fn only_this_very_machine_is_asked_in_the_clear() {
    for endpoint in [
        "http://example.org/token",
        "http://127.0.0.1.example.org/token",
        "http://10.0.0.1/token",
        "ftp://127.0.0.1/token",
    ] {
        let double = Double::start();
        let mut provider = crate::requests::provider(&double, Proof::None);
        provider.endpoints.token = Some(endpoint.into());
        let authority = pop3_gateway::oauth::Authority::new(provider).unwrap();
        let refusal = authority
            .refresh(Flow::Code, &secret("refresh"))
            .unwrap_err();
        assert_eq!(refusal.meaning, Meaning::Settings, "{endpoint}");
    }
}
