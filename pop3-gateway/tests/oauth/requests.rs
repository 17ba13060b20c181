//! What goes out on the wire, flow by flow.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pop3_gateway::oauth::{
    Authority, CallBack, Endpoints, Flow, Meaning, Polled, Profile, Proof, Provider,
};
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use testkit_provider::{Answer, Asked, Provider as Double, form, said};

use crate::script::{secret, shown};

pub(crate) fn fixture(name: &str) -> PathBuf {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../peer-trust/tests/certificates"
    );
    PathBuf::from(folder).join(name)
}

/// An app at the double.
pub(crate) fn provider(double: &Double, proof: Proof) -> Provider {
    Provider {
        name: "office".into(),
        profile: Profile::Microsoft,
        endpoints: Endpoints {
            authorization: Some(double.url("/authorize")),
            token: Some(double.url("/token")),
            device: Some(double.url("/device")),
            revocation: Some(double.url("/revoke")),
        },
        client_id: "the client".into(),
        proof,
        ..Provider::default()
    }
}

pub(crate) fn authority(double: &Double, proof: Proof) -> Authority {
    Authority::new(provider(double, proof)).unwrap()
}

/// The only request.
fn one(double: &Double) -> Asked {
    let mut asked = double.take();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let asked = asked.remove(0);
    assert_eq!(asked.method, "POST");
    assert_eq!(
        asked.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(asked.header("accept"), Some("application/json"));
    assert!(
        asked
            .header("user-agent")
            .unwrap()
            .starts_with("pop3-gateway/")
    );
    assert!(!asked.target.contains('?'), "no secret in an address");
    asked
}

fn fields(asked: &Asked) -> Vec<(String, String)> {
    let mut fields = asked.fields();
    fields.sort();
    fields
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    pairs.sort();
    pairs
}

const MICROSOFT: &str = "https://outlook.office.com/IMAP.AccessAsUser.All offline_access";

#[test]
fn a_browser_is_sent_with_a_challenge_and_the_code_redeemed_with_its_verifier() {
    let double = Double::start();
    let authority = authority(&double, Proof::None);
    let redirect = "http://127.0.0.1:1234/";
    let (address, begun) = authority.begin(redirect, Some("tim@example.org")).unwrap();
    let (path, query) = address.split_once('?').unwrap();
    assert_eq!(path, double.url("/authorize"));
    let query = form(query);
    let one_of = |name: &str| {
        let mut found = query.iter().filter(|(key, _)| key == name);
        let first = found.next().unwrap().1.clone();
        assert!(found.next().is_none(), "{name}");
        first
    };
    assert_eq!(one_of("response_type"), "code");
    assert_eq!(one_of("client_id"), "the client");
    assert_eq!(one_of("redirect_uri"), redirect);
    assert_eq!(one_of("scope"), MICROSOFT);
    assert_eq!(one_of("login_hint"), "tim@example.org");
    assert_eq!(one_of("state"), begun.state);
    assert!(begun.state.len() >= 32);
    assert_eq!(one_of("code_challenge_method"), "S256");
    let digest = ring::digest::digest(&ring::digest::SHA256, begun.verifier.expose());
    assert_eq!(one_of("code_challenge"), URL_SAFE_NO_PAD.encode(digest));
    assert!((43..=128).contains(&begun.verifier.expose().len()));
    assert!(!address.contains(&shown(&begun.verifier)));
    // another one is another one
    let (_, other) = authority.begin(redirect, None).unwrap();
    assert_ne!(other.state, begun.state);
    assert_ne!(other.verifier, begun.verifier);
    assert!(double.take().is_empty());

    double.answer("/token", said::token("access", Some("refresh")));
    let back = CallBack::parse(&format!("{redirect}?code=4%2F0Ab&state={}", begun.state));
    let obtained = authority.finish(&begun, &back).unwrap();
    assert_eq!(
        (obtained.access, obtained.refresh),
        (secret("access"), Some(secret("refresh")))
    );
    let expected = pairs(&[
        ("grant_type", "authorization_code"),
        ("code", "4/0Ab"),
        ("redirect_uri", redirect),
        ("client_id", "the client"),
        ("code_verifier", &shown(&begun.verifier)),
    ]);
    assert_eq!(fields(&one(&double)), expected);
}

/// Who signed in, is asked for beside the scopes for mail where a page has to know; never in the place of them.
#[test]
fn a_provider_is_asked_who_signed_in_where_that_has_to_be_known() {
    let double = Double::start();
    for (profile, scopes, expected) in [
        (
            Profile::Microsoft,
            vec![],
            format!("{MICROSOFT} openid email profile"),
        ),
        (
            Profile::Google,
            vec![],
            "https://mail.google.com/ openid email profile".into(),
        ),
        // what the operator wrote is what is asked for
        (Profile::Google, vec!["own".to_owned()], "own".into()),
        (Profile::Oidc, vec![], "openid email offline_access".into()),
        (Profile::Yandex, vec![], "mail:imap_full".into()),
    ] {
        let provider = Provider {
            name: "office".into(),
            profile,
            client_id: "c".into(),
            scopes,
            endpoints: Endpoints {
                authorization: Some(double.url("/authorize")),
                token: Some(double.url("/token")),
                ..Endpoints::default()
            },
            ..Provider::default()
        };
        let authority = Authority::new(provider).unwrap();
        let (address, _) = authority.begin_proving("http://127.0.0.1/", None).unwrap();
        let query = form(address.split_once('?').unwrap().1);
        let mut scope = query.iter().filter(|(key, _)| key == "scope");
        assert_eq!(scope.next().unwrap().1, expected, "{profile:?}");
    }
}

#[test]
fn an_answer_that_is_not_of_this_sign_in_redeems_nothing() {
    let double = Double::start();
    let authority = authority(&double, Proof::None);
    let (_, begun) = authority.begin("http://127.0.0.1:1/", None).unwrap();
    let state = &begun.state;
    for back in [
        "code=c".to_owned(),
        "code=c&state=".to_owned(),
        format!("code=c&state={state}x"),
        format!("code=c&state={}", &state[1..]),
        format!("code=c&state={state}&state={state}"),
        format!("code=c&state={state}&state=other"),
        format!("code=c&code=d&state={state}"),
        format!("state={state}"),
        format!("code=&state={state}"),
        String::new(),
    ] {
        let refusal = authority
            .finish(&begun, &CallBack::parse(&back))
            .unwrap_err();
        assert_eq!(refusal.meaning, Meaning::Declined, "{back}");
    }
    let back =
        format!("http://127.0.0.1:1/?error=access_denied&error_description=No&state={state}");
    let refusal = authority
        .finish(&begun, &CallBack::parse(&back))
        .unwrap_err();
    assert_eq!(refusal.code.as_deref(), Some("access_denied"));
    assert!(double.take().is_empty());
}

#[test]
fn a_sign_in_that_would_not_last_is_reported() {
    let double = Double::start();
    let authority = authority(&double, Proof::None);
    double.answer("/token", said::token("access", None));
    let (_, begun) = authority.begin("http://127.0.0.1:1/", None).unwrap();
    let back = CallBack::parse(&format!("code=c&state={}", begun.state));
    let refusal = authority.finish(&begun, &back).unwrap_err();
    assert!(refusal.to_string().contains("offline_access"), "{refusal}");
}

#[test]
fn qg4_a_device_code_is_polled_for() {
    let double = Double::start();
    let authority = authority(&double, Proof::None);
    double.answer("/device", said::microsoft_device_code());
    let code = authority.device_code().unwrap();
    assert_eq!(
        fields(&one(&double)),
        pairs(&[("client_id", "the client"), ("scope", MICROSOFT)])
    );
    assert_eq!(code.user, "FJZ6K7YGC");
    assert_eq!(code.address, "https://microsoft.com/devicelogin");
    assert_eq!(code.complete, None);
    assert_eq!((code.life.as_secs(), code.interval.as_secs()), (900, 5));
    let pending = "The user hasn't finished yet.";
    double
        .answer(
            "/token",
            said::microsoft("authorization_pending", 70016, pending),
        )
        .answer("/token", said::error("slow_down"))
        .answer("/token", Answer::other(503, "text/html", "<h1>Busy</h1>"))
        .answer("/token", Answer::json(429, "{}"))
        .answer("/token", said::token("access", Some("refresh")));
    let polled: Vec<_> = (0..5).map(|_| authority.poll(&code).unwrap()).collect();
    assert!(matches!(
        polled[..],
        [
            Polled::Pending,
            Polled::SlowDown,
            Polled::SlowDown,
            Polled::SlowDown,
            Polled::Done(_)
        ]
    ));
    let asked = double.take();
    assert_eq!(asked.len(), 5);
    for asked in asked {
        assert_eq!(
            fields(&asked),
            pairs(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                ("device_code", "device-secret"),
                ("client_id", "the client"),
            ])
        );
    }
    for name in [
        "access_denied",
        "authorization_declined",
        "expired_token",
        "bad_verification_code",
        "code_expired",
    ] {
        double.forget("/token").answer("/token", said::error(name));
        let refusal = authority.poll(&code).unwrap_err();
        assert_eq!(refusal.meaning, Meaning::Declined, "{name}");
    }
    // a code that is no good is no grant that ended
    double
        .forget("/token")
        .answer("/token", said::error("invalid_grant"));
    assert_eq!(
        authority.poll(&code).unwrap_err().meaning,
        Meaning::Settings
    );
    double
        .forget("/token")
        .answer("/token", said::token("access", None));
    let refusal = authority.poll(&code).unwrap_err();
    assert!(refusal.to_string().contains("offline_access"), "{refusal}");
}

/// Google and some others have other names, and some have both.
#[test]
fn a_device_code_has_its_address_under_either_name() {
    let (double, address) = (Double::start(), "https://example.org/d");
    let authority = authority(&double, Proof::None);
    for names in [
        &["verification_uri"][..],
        &["verification_url"],
        &["verification_url", "verification_uri"],
    ] {
        let names: String = names
            .iter()
            .map(|name| format!(r#","{name}":"{address}","{name}_complete":"{address}?c=1""#))
            .collect();
        let text = format!(r#"{{"device_code":"d","user_code":"u"{names}}}"#);
        double
            .forget("/device")
            .answer("/device", Answer::json(200, text));
        let code = authority.device_code().unwrap();
        assert_eq!(code.address, address);
        assert_eq!(code.complete.as_deref(), Some("https://example.org/d?c=1"));
        assert_eq!((code.life.as_secs(), code.interval.as_secs()), (900, 5));
    }
}

/// The address is shown on a terminal: it does nothing there, and leads to no program.
#[test]
fn the_address_for_a_device_code_does_no_harm() {
    let double = Double::start();
    let authority = authority(&double, Proof::None);
    for address in [
        "javascript:alert(1)",
        "http://example.org/",
        "file:///etc/passwd",
        "no address",
        "",
    ] {
        let text = format!(
            r#"{{"device_code":"d","user_code":"u","verification_uri":"{address}","verification_uri_complete":"{address}"}}"#
        );
        double
            .forget("/device")
            .answer("/device", Answer::json(200, text));
        authority.device_code().unwrap_err();
    }
    let text = r#"{"device_code":"d","user_code":"u\u001b[2J\nx","verification_uri":"https://example.org/\u001b]0;x\u0007\n","verification_uri_complete":"https://example.org/\u001b"}"#;
    double
        .forget("/device")
        .answer("/device", Answer::json(200, text));
    let code = authority.device_code().unwrap();
    let all = format!("{}{}{}", code.user, code.address, code.complete.unwrap());
    assert!(!all.chars().any(char::is_control), "{all:?}");
}

#[test]
fn a_refresh_names_the_resource() {
    let double = Double::start();
    let authority = authority(&double, Proof::Secret(secret("top & secret")));
    double.answer("/token", said::token("access", None));
    let obtained = authority.refresh(Flow::Code, &secret("0.AAA/b+c")).unwrap();
    assert_eq!(obtained.refresh, None);
    let asked = one(&double);
    assert_eq!(asked.header("authorization"), None);
    let expected = pairs(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", "0.AAA/b+c"),
        ("scope", MICROSOFT),
        ("client_id", "the client"),
        ("client_secret", "top & secret"),
    ]);
    assert_eq!(fields(&asked), expected);
}

#[test]
fn qg3_an_app_proves_itself_by_a_secret_that_can_be_replaced() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    double.answer("/token", said::token("access", None));
    let authority = authority(&double, Proof::SecretFile(file.clone()));
    assert!(
        authority
            .app_token()
            .unwrap_err()
            .to_string()
            .contains("secret")
    );
    for value in ["one", "two"] {
        std::fs::write(&file, format!("{value}\n")).unwrap();
        authority.app_token().unwrap();
        let expected = pairs(&[
            ("grant_type", "client_credentials"),
            ("scope", "https://outlook.office365.com/.default"),
            ("client_id", "the client"),
            ("client_secret", value),
        ]);
        assert_eq!(fields(&one(&double)), expected);
    }
}

#[test]
fn somebody_elses_assertion_is_read_at_each_use() {
    let double = Double::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    double.answer("/token", said::token("access", None));
    let authority = authority(&double, Proof::AssertionFile(file.clone()));
    for value in ["e30.e30.one", "e30.e30.two"] {
        std::fs::write(&file, value).unwrap();
        authority.app_token().unwrap();
        let asked = one(&double);
        assert_eq!(asked.field("client_assertion").as_deref(), Some(value));
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(asked.field("client_assertion_type").as_deref(), Some(kind));
        assert_eq!(asked.field("client_secret"), None);
    }
}

/// The head and the claims, once the signature was found good.
fn verified(signed: &str, algorithm: &'static dyn VerificationAlgorithm) -> (Value, Value) {
    let (text, signature) = signed.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_file(fixture("version1.key")).unwrap()
    else {
        panic!("PKCS #8");
    };
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let key = UnparsedPublicKey::new(algorithm, key.public());
    key.verify(text.as_bytes(), &signature).unwrap();
    let (head, claims) = text.split_once('.').unwrap();
    let [head, claims] = [head, claims]
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap());
    (head, claims)
}

#[test]
fn a_certificate_signs_a_statement_for_one_use() {
    let double = Double::start();
    double.answer("/token", said::token("access", Some("refresh")));
    let proof = Proof::Certificate {
        certificate: fixture("version1.crt"),
        key: fixture("version1.key"),
    };
    let authority = authority(&double, proof);
    let der = CertificateDer::from_pem_file(fixture("version1.crt")).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &der);
    let mut seen = Vec::new();
    for flow in 0..4 {
        match flow {
            0 | 1 => drop(authority.app_token().unwrap()),
            2 => drop(authority.refresh(Flow::Code, &secret("refresh")).unwrap()),
            _ => {
                let (_, begun) = authority.begin("http://127.0.0.1:1/", None).unwrap();
                let back = CallBack::parse(&format!("code=c&state={}", begun.state));
                authority.finish(&begun, &back).unwrap();
            }
        }
        let asked = one(&double);
        assert_eq!(asked.field("client_id").as_deref(), Some("the client"));
        assert_eq!(asked.field("client_secret"), None);
        let signed = asked.field("client_assertion").unwrap();
        let (head, claims) = verified(&signed, &RSA_PSS_2048_8192_SHA256);
        assert_eq!(head["alg"], "PS256");
        assert_eq!(head["typ"], "JWT");
        assert_eq!(head["x5t#S256"], URL_SAFE_NO_PAD.encode(digest));
        assert_eq!(claims["iss"], "the client");
        assert_eq!(claims["sub"], "the client");
        assert_eq!(claims["aud"], double.url("/token"));
        let now = pop3_gateway::oauth::now();
        let exp = claims["exp"].as_u64().unwrap();
        assert!((now + 60..=now + 600).contains(&exp), "{claims}");
        assert!(claims["nbf"].as_u64().unwrap() <= now);
        seen.push(claims["jti"].as_str().unwrap().to_owned());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "used once");
}

#[test]
fn qg3_a_service_account_acts_for_the_mailbox() {
    let double = Double::start();
    double.answer("/token", said::token("access", None));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("account.json");
    let key = std::fs::read_to_string(fixture("version1.key")).unwrap();
    let account = serde_json::json!({
        "type": "service_account",
        "client_email": "gateway@project.example",
        "private_key": key,
        "private_key_id": "key-1",
        "token_uri": double.url("/token"),
    });
    std::fs::write(&file, account.to_string()).unwrap();
    let mut provider = provider(&double, Proof::ServiceAccount(file.clone()));
    provider.profile = Profile::Google;
    provider.client_id = String::new();
    let authority = Authority::new(provider).unwrap();
    authority.service_account_token("tim@example.org").unwrap();
    let asked = one(&double);
    assert_eq!(asked.fields().len(), 2);
    let kind = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    assert_eq!(asked.field("grant_type").as_deref(), Some(kind));
    let signed = asked.field("assertion").unwrap();
    let (head, claims) = verified(&signed, &RSA_PKCS1_2048_8192_SHA256);
    assert_eq!(
        (&head["alg"], &head["kid"]),
        (&"RS256".into(), &"key-1".into())
    );
    assert_eq!(claims["iss"], "gateway@project.example");
    assert_eq!(claims["sub"], "tim@example.org");
    assert_eq!(claims["scope"], "https://mail.google.com/");
    assert_eq!(claims["aud"], double.url("/token"));
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!(life <= 3600);
    // an account that may not is no grant that ended
    double
        .forget("/token")
        .answer("/token", said::error("invalid_grant"));
    let refusal = authority
        .service_account_token("tim@example.org")
        .unwrap_err();
    assert_eq!(refusal.meaning, Meaning::Settings);
    for content in [
        "",
        "{}",
        "[",
        "{\"client_email\":\"a\",\"private_key\":\"b\"}",
    ] {
        std::fs::write(&file, content).unwrap();
        let refusal = authority
            .service_account_token("tim@example.org")
            .unwrap_err();
        assert_eq!(refusal.meaning, Meaning::Settings, "{content}");
    }
}

#[test]
fn a_token_that_is_not_needed_any_more_is_revoked() {
    let double = Double::start();
    let authority = authority(&double, Proof::None);
    for (answer, is_done) in [
        (Answer::other(200, "text/plain", ""), true),
        (Answer::other(200, "text/plain", "OK"), true),
        (Answer::json(200, "{}"), true),
        (said::error("unsupported_token_type"), false),
        (Answer::other(503, "text/html", "<h1>Busy</h1>"), false),
        (Answer::other(404, "text/html", ""), false),
    ] {
        double.forget("/revoke").answer("/revoke", answer.clone());
        let revoked = authority.revoke(&secret("refresh"));
        assert_eq!(revoked.is_ok(), is_done, "{answer:?}");
        let expected = pairs(&[
            ("token", "refresh"),
            ("token_type_hint", "refresh_token"),
            ("client_id", "the client"),
        ]);
        assert_eq!(fields(&one(&double)), expected);
    }
}
