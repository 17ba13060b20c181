//! What becomes of users' names on their way: domains, cases, separators, routes.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use pop3_gateway::config::Config;
use pop3_gateway::wiring::{self, Absent, Surroundings};
use pop3_proto::backend::Login;
use pop3_proto::secret::Secret;
use pop3_server::service::{Peer, Service as _};

const MAIN: &str = "[[listener]]\nlisten = \"127.0.0.1:0\"\n\
    [[upstream]]\nname = \"main\"\nurl = \"imap://127.0.0.1:143\"\n";
const OTHER: &str = "[[upstream]]\nname = \"other\"\nurl = \"imap://127.0.0.1:144\"\n";

/// Where this name goes: the upstream, and the name that its lock has, which is in lower case.
fn routed(config: &str, user: &str) -> Option<(String, String)> {
    let config = Config::parse(config, Path::new("g.toml")).unwrap();
    let settings = wiring::wire(&config, &Surroundings::default(), Absent::Leave)
        .unwrap()
        .listeners;
    let login = Login::Password {
        user: user.into(),
        password: Secret::from(&b"secret"[..]),
    };
    let mut peer = Peer::new(
        "192.0.2.1:1024".parse().unwrap(),
        "192.0.2.2:110".parse().unwrap(),
    );
    peer.encrypted = true;
    let routed = settings[0].service.route(&login, &peer).ok()?;
    let name = routed
        .maildrop
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned();
    Some((routed.upstream.to_string(), name))
}

#[test]
fn w027_names_compare_without_case() {
    let config = format!(
        "{MAIN}{OTHER}[routing]\ndefault = \"main\"\n[routing.domain]\n\"Example.NET\" = \"other\"\n\
         [routing.user]\n\"Scanner\" = \"other\"\n\"JÖRG\" = \"other\"\n"
    );
    for user in [
        "scanner",
        "Scanner",
        "SCANNER",
        "jörg",
        "Jörg",
        "tim@example.net",
        "tim@EXAMPLE.NET",
    ] {
        let (upstream, name) = routed(&config, user).unwrap();
        assert_eq!(
            (upstream.as_str(), name),
            ("other", user.to_lowercase()),
            "{user}"
        );
    }
    assert_eq!(routed(&config, "tim").unwrap().0, "main");
}

#[test]
fn w027_the_monitor_is_no_route_in_any_case() {
    let monitor = "[monitor]\nuser = \"Watch\"\nsecret = \"twelve letters\"\n";
    let config = format!("{MAIN}{monitor}");
    assert_eq!(routed(&config, "watch").unwrap().0, "monitor");
    assert_eq!(routed(&config, "WATCH").unwrap().0, "monitor");
    let twice = format!("{MAIN}{monitor}[routing.user]\nwATCH = \"main\"\n");
    let error = Config::parse(&twice, Path::new("g.toml")).unwrap_err();
    assert!(
        error.to_string().contains("has a route of its own"),
        "{error}"
    );
}

#[test]
fn w053_the_default_domain_counts_for_routes_and_for_the_upstream() {
    let config = format!(
        "{MAIN}{OTHER}[routing]\ndefault = \"main\"\ndefault_domain = \"example.org\"\nseparators = \"%/\"\n\
         [routing.domain]\n\"example.org\" = \"other\"\n[routing.user]\nfax = {{ upstream = \"main\", user = \"office\" }}\n"
    );
    for (user, upstream, name) in [
        ("tim", "other", "tim@example.org"),
        ("tim@example.org", "other", "tim@example.org"),
        ("tim%example.org", "other", "tim@example.org"),
        ("tim/example.net", "main", "tim@example.net"),
        ("fax", "main", "office"),
        ("FAX@Example.Org", "main", "office"),
        ("fax@example.net", "main", "fax@example.net"),
    ] {
        let expected = (upstream.to_owned(), name.to_owned());
        assert_eq!(routed(&config, user), Some(expected), "{user}");
    }
}

#[test]
fn w053_upstreams_and_domains_have_rules_for_names() {
    let config = format!(
        "{MAIN}user_domain = \"strip\"\n{OTHER}user_separator = \"%\"\n\
         [routing]\ndefault = \"main\"\n[routing.domain]\n\"b.example\" = \"other\"\n\
         \"c.example\" = {{ upstream = \"other\", user_domain = \"replace:d.example\" }}\n\
         [routing.user]\nbare = \"main\"\n\"exact@b.example\" = {{ upstream = \"other\", user = \"x@y\" }}\n"
    );
    for (user, upstream, name) in [
        ("tim@a.example", "main", "tim"),
        ("tim", "main", "tim"),
        ("tim@b.example", "other", "tim%b.example"),
        ("tim@c.example", "other", "tim@d.example"),
        ("bare", "main", "bare"),
        ("exact@b.example", "other", "x@y"),
        (
            "%d${USER}{user}@b.example",
            "other",
            "%d${user}{user}%b.example",
        ),
    ] {
        let expected = (upstream.to_owned(), name.to_owned());
        assert_eq!(routed(&config, user), Some(expected), "{user}");
    }
}

/// What `check` says of these lines after the usual ones, and its exit code.
fn checked(lines: &str) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.toml");
    std::fs::write(
        &file,
        format!("{MAIN}{OTHER}[routing]\ndefault = \"main\"\n{lines}"),
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"))
        .args(["check", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

#[test]
fn w053_check_refuses_rules_that_would_make_two_users_one() {
    let domain = |name: &str, rule: &str| {
        format!("\"{name}.example\" = {{ upstream = \"other\", {rule} }}\n")
    };
    let two = |one: &str, next: &str| {
        format!(
            "[routing.domain]\n{}{}",
            domain("a", one),
            domain("b", next)
        )
    };
    let (strip, to_b, to_c) = (
        "user_domain = \"strip\"",
        "user_domain = \"replace:b.example\"",
        "user_domain = \"replace:C.example\"",
    );
    let refused = "would have the same names there";
    for lines in [
        two(strip, strip),
        two(to_c, to_c),
        two(to_b, "user_domain = \"keep\""),
        two(to_b, "user_separator = \"%\""),
        format!("[routing.domain]\n\"a.example\" = {{ upstream = \"main\", {to_b} }}\n"),
    ] {
        let (code, said) = checked(&lines);
        assert!(
            code == 2 && said.contains(refused) && said.contains("same_users"),
            "{lines}{said}"
        );
    }
    for lines in [
        two(strip, "user_domain = \"keep\""),
        two(to_c, "user_domain = \"keep\""),
        two(
            &format!("{to_b}, same_users = true"),
            "user_domain = \"keep\", same_users = true",
        ),
        format!(
            "[routing.domain]\n{}\"b.example\" = {{ upstream = \"main\", {strip} }}\n",
            domain("a", strip)
        ),
        format!(
            "[routing.domain]\n\"a.example\" = {{ upstream = \"main\", {to_b}, same_users = true }}\n"
        ),
    ] {
        let (code, said) = checked(&lines);
        assert_eq!(code, 0, "{lines}{said}");
    }
}

#[test]
fn w053_check_refuses_forms_that_match_nobody() {
    for (lines, expected) in [
        (
            "[routing.domain]\n\"*\" = \"main\"",
            "a pattern is no domain",
        ),
        (
            "[routing.domain]\n\"*.example.org\" = \"main\"",
            "this is not a domain",
        ),
        (
            "[routing.domain]\n\".example.org\" = \"main\"",
            "this is not a domain",
        ),
        (
            "[routing.domain]\n\"a b\" = \"main\"",
            "this is not a domain",
        ),
        (
            "[routing.domain]\n\"a\" = { upstream = \"main\", user_domain = \"lower\" }",
            "is not a rule for domains",
        ),
        ("default_domain = \"@example.org\"", "is not a domain"),
        ("default_domain = \"%d\"", "is not a domain"),
        ("separators = \"a\"", "cannot separate"),
        ("separators = \".\"", "cannot separate"),
        (
            "[routing.user]\nTim = \"main\"\ntim = \"other\"",
            "another entry for this name",
        ),
        (
            "default_domain = \"a.example\"\n[routing.user]\ntim = \"main\"\n\"tim@A.example\" = \"other\"",
            "another entry for this name",
        ),
    ] {
        let (code, said) = checked(lines);
        assert!(code == 2 && said.contains(expected), "{lines}\n{said}");
    }
}

#[test]
fn w053_check_warns_where_all_domains_become_one() {
    let said = |rule: &str| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("g.toml");
        std::fs::write(&file, format!("{MAIN}user_domain = \"{rule}\"\n")).unwrap();
        let mut check = Command::new(env!("CARGO_BIN_EXE_pop3-gateway"));
        let output = check
            .args(["check", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    for rule in ["strip", "replace:a.example"] {
        assert!(said(rule).contains("are one user there"), "{rule}");
    }
    for rule in ["keep", "add:a.example"] {
        assert!(!said(rule).contains("are one user there"), "{rule}");
    }
}

#[test]
fn w053_the_monitor_and_stores_with_a_default_domain() {
    let config = format!(
        "{MAIN}{OTHER}user_domain = \"strip\"\n[monitor]\nuser = \"Watch\"\nsecret = \"twelve letters\"\n\
         [routing]\ndefault = \"main\"\ndefault_domain = \"Example.org\"\nseparators = \"%\"\n\
         [routing.domain]\n\"example.ORG\" = \"other\"\n\
         [routing.user]\n\"Fax@example.net\" = \"other\"\n"
    );
    for (user, upstream, name) in [
        ("watch", "monitor", ""),
        ("tim", "other", "tim"),
        ("Tim@EXAMPLE.org", "other", "tim"),
        ("tim%example.org", "other", "tim"),
        ("tim%x@example.net", "main", "tim%x@example.net"),
        ("fax%example.net", "other", "fax"),
        ("FAX@EXAMPLE.NET", "other", "fax"),
        ("fax", "other", "fax"),
        ("tim@a@example.org", "other", "tim@a"),
        ("%example.org", "other", "%example.org"),
        ("tim%", "other", "tim%"),
        ("@example.org", "other", "@example.org"),
        ("tim@", "main", "tim@"),
        ("watch@example.net", "main", "watch@example.net"),
    ] {
        let (to, as_name) = routed(&config, user).unwrap();
        assert_eq!(to, upstream, "{user}");
        if upstream != "monitor" {
            assert_eq!(as_name, name, "{user}");
        }
    }
}
