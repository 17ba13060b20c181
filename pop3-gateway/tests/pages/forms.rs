//! What other sites, other people and slips of the keyboard come to.

use crate::rig::{ANN, HOST, RUNTIMES, Rig};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

#[test]
fn forms_of_other_sites_do_nothing() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let mut ann = rig.browser();
        let token = ann.get("/").field("token");
        let body = format!("token={token}&address=ann%40example.org");
        let post = format!("POST /connect HTTP/1.1\r\nHost: {HOST}\r\n");
        for head in [
            format!("{post}{FORM}\r\nSec-Fetch-Site: cross-site"),
            format!("{post}{FORM}\r\nSec-Fetch-Site: same-site"),
            format!("{post}{FORM}\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: none"),
            format!("{post}{FORM}\r\nOrigin: https://evil.example"),
            format!("{post}{FORM}\r\nOrigin: http://{HOST}:81"),
            format!("{post}Content-Type: text/plain"),
            format!("{post}X: y"),
        ] {
            ann.ask(&head, &body).is(403, "This form is out of date");
        }
        for body in [
            "address=ann%40example.org".to_owned(),
            "token=&address=ann%40example.org".into(),
            format!("token={token}x&address=ann%40example.org"),
            format!("token={token}&token={token}&address=ann%40example.org"),
        ] {
            let head = format!("{post}{FORM}\r\nOrigin: http://{HOST}");
            ann.ask(&head, &body).is(403, "This form is out of date");
        }
        // without the cookie that it is for, and with two of them
        let cookie = ann.cookie.take();
        ann.ask(&format!("{post}{FORM}"), &body)
            .is(403, "This form is out of date");
        ann.cookie = cookie.map(|cookie| format!("{cookie}; {cookie}"));
        ann.ask(&format!("{post}{FORM}"), &body)
            .is(403, "This form is out of date");
        for path in [
            "/connect",
            "/devices",
            "/revoke",
            "/disconnect",
            "/sign-out",
        ] {
            assert_eq!(ann.get(path).status, 405, "{path}");
        }
        // a name that somebody else let lead here
        for host in ["evil.example", "127.0.0.1:80", "127.0.0.1.", ""] {
            let told = ann.ask(&format!("GET / HTTP/1.1\r\nHost: {host}"), "");
            told.is(421, "This is another address");
            assert_eq!(told.header("set-cookie"), None);
        }
        assert!(rig.provider.take().is_empty());
    }
}

#[test]
fn only_listed_domains_are_connected() {
    let more = "[routing]\ndefault = \"main\"\n[routing.user]\n\"nobody@example.org\" = \"other\"\n\
                [[upstream]]\nname = \"other\"\nurl = \"imap://127.0.0.1:1\"\n";
    let rig = Rig::with(RUNTIMES[0], "", more);
    let mut ann = rig.browser();
    let token = ann.get("/").field("token");
    let long = format!("{}@example.org", "a".repeat(300));
    for (address, status, title) in [
        (
            "ann@example.net",
            403,
            "This mailbox cannot be connected here",
        ),
        (
            "ann@sub.example.org",
            403,
            "This mailbox cannot be connected here",
        ),
        (
            "nobody@example.org",
            403,
            "This mailbox cannot be connected here",
        ),
        ("", 400, "That is no mail address"),
        ("ann", 400, "That is no mail address"),
        ("@example.org", 400, "That is no mail address"),
        ("ann@", 400, "That is no mail address"),
        ("ann\r\n@example.org", 400, "That is no mail address"),
        ("ann smith@example.org", 400, "That is no mail address"),
        (long.as_str(), 400, "That is no mail address"),
    ] {
        let told = ann.post("/connect", &[("token", &token), ("address", address)]);
        told.is(status, title);
    }
}

#[test]
fn v39_who_begins_too_often_waits() {
    let rig = Rig::with(RUNTIMES[0], "behind_proxy = true", "");
    let mut ann = rig.browser();
    let token = ann.get("/").field("token");
    let mut ask = |address: &str| {
        let head = format!(
            "POST /connect HTTP/1.1\r\nHost: {HOST}\r\n{FORM}\r\nX-Forwarded-For: 198.51.100.9, {address}"
        );
        let told = ann.ask(&head, &format!("token={token}&address=ann%40example.org"));
        told.status
    };
    let first: Vec<_> = (0..40).map(|_| ask("192.0.2.1")).collect();
    let passed = first.iter().filter(|status| **status == 200).count();
    assert!((10..40).contains(&passed), "{first:?}");
    assert_eq!(first.last(), Some(&429));
    assert_eq!(ask("192.0.2.2"), 200);
}

/// V39: whoever comes when there are too many hears so, and nobody else is put out for them.
#[test]
fn v39_sign_ins_under_way_are_bounded() {
    let rig = Rig::new(RUNTIMES[0]);
    rig.fills_up();
    let mut ann = rig.browser();
    let token = ann.get("/").field("token");
    let told = ann.post("/connect", &[("token", &token), ("address", ANN)]);
    told.is(503, "Too many people sign in right now");
}

/// Behind a web server with TLS, which passes the name on.
#[test]
fn a_cookie_that_came_by_tls_is_this_hosts_alone() {
    let rig = Rig::at("https://mail.example.org", RUNTIMES[0], "", "");
    let mut ann = rig.browser();
    let told = ann.ask("GET / HTTP/1.1\r\nHost: MAIL.example.org", "");
    let cookie = told.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-pages="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let post =
        "POST /connect HTTP/1.1\r\nHost: mail.example.org\r\nOrigin: https://mail.example.org";
    let body = format!("token={}&address=ann%40example.org", told.field("token"));
    let told = ann.ask(&format!("{post}\r\n{FORM}"), &body);
    assert!(
        told.body
            .contains("https%3A%2F%2Fmail.example.org%2Fsigned-in"),
        "{told:?}"
    );
    // one of a name that anybody could have set
    ann.cookie = ann.cookie.map(|cookie| cookie.replace("__Host-", ""));
    ann.ask(&format!("{post}\r\n{FORM}"), &body)
        .is(403, "This form is out of date");
}

/// Nothing is kept, framed or loaded from elsewhere, and the cookie is this host's alone.
#[test]
fn every_page_closes_itself_up() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let mut ann = rig.browser();
        let told = ann.get("/");
        let cookie = told.header("set-cookie").unwrap();
        assert!(
            cookie.starts_with("pages=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
        ann.connect(ANN);
        for path in [
            "/",
            "/mailbox",
            "/device",
            "/problem",
            "/signed-in?code=a&state=b",
            "/invited?key=x",
            "/style.css",
            "/icon.svg",
        ] {
            let told = ann.get(path);
            for (name, value) in [
                (
                    "content-security-policy",
                    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
                ),
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
            ] {
                assert_eq!(told.header(name), Some(value), "{path}");
            }
            if !path.contains('.') {
                assert_eq!(told.header("cache-control"), Some("no-store"), "{path}");
            }
            for foreign in ["<script", "style=", "onclick", "https://"] {
                assert!(!told.body.contains(foreign), "{path}: {foreign}");
            }
        }
    }
}

/// Everything that comes from outside is text.
#[test]
fn what_people_write_is_text() {
    let rig = Rig::new(RUNTIMES[0]);
    let mut ann = rig.browser();
    let told = ann.get("/invited?key=%22%3E%3Cscript%3E");
    assert!(
        told.body.contains("value=\"&quot;&gt;&lt;script&gt;\""),
        "{told:?}"
    );
    let token = ann.get("/").field("token");
    let told = ann.post(
        "/connect",
        &[("token", &token), ("address", "\"><script>@example.net")],
    );
    assert!(!told.body.contains("<script"), "{told:?}");
    ann.connect(ANN);
    let (name, _) = ann.device("\"><img src=x>\u{202e}\u{7}", "read-only");
    assert_eq!(name, ANN);
    let list = ann.get("/mailbox").body;
    assert!(
        list.contains("&quot;&gt;&lt;img src=x&gt;") && !list.contains("<img src=x"),
        "{list}"
    );
}
