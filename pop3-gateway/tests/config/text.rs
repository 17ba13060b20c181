//! Text that is not TOML, unknown keys, files that cannot be read.

use std::path::Path;

use pop3_gateway::config::Config;
use proptest::prelude::*;

use super::{LISTENER, UPSTREAM, error, error_with, parse};

#[test]
fn w054_all_mistakes_are_reported_at_once() {
    let said = error_with(
        "lisen = \"127.0.0.1:1\"\ntls = \"maybe\"",
        "delete = \"burn\"\nfolder = 3",
        "[[upstream]]\nname = \"other\"\nurl = \"ftp://x\"\n[limits]\nconnections = \"many\"\n[timer]\n",
    );
    let lines: Vec<_> = said.lines().collect();
    let expected = [
        "listener[1].lisen: unknown key",
        "listener[1].tls: ",
        "upstream[1].delete: ",
        "upstream[1].folder: ",
        "upstream[2].url: ",
        "limits.connections: ",
        "timer: unknown key",
    ];
    assert_eq!(lines.len(), expected.len(), "{said}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(
            line.starts_with("/etc/g.toml:") && line.contains(expected),
            "{line}"
        );
    }
}

#[test]
fn unknown_keys_are_refused_with_place_and_nearest_key() {
    for (listener, upstream, rest, expected) in [
        (
            "tsl = \"stls\"",
            "",
            "",
            "/etc/g.toml:3:1: listener[1].tsl: unknown key; did you mean \"tls\"?",
        ),
        (
            "  Greeting = \"hi\"",
            "",
            "",
            "/etc/g.toml:3:3: listener[1].Greeting: unknown key; did you mean \"greeting\"?",
        ),
        (
            "",
            "ca-file = \"x\"",
            "",
            "/etc/g.toml:7:1: upstream[1].ca-file: unknown key; did you mean \"ca_file\"?",
        ),
        (
            "",
            "",
            "[limit]\nconnections = 1",
            "/etc/g.toml:8:2: limit: unknown key; did you mean \"limits\"?",
        ),
        (
            "",
            "",
            "[timers]\nauto_logout = \"10m\"",
            "/etc/g.toml:9:1: timers.auto_logout: unknown key; did you mean \"autologout\"?",
        ),
        (
            "",
            "",
            "[log]\ncolour = true",
            "/etc/g.toml:9:1: log.colour: unknown key; known here: format, level",
        ),
        (
            "",
            "",
            "[routing]\ndefualt = \"main\"",
            "/etc/g.toml:9:1: routing.defualt: unknown key; did you mean \"default\"?",
        ),
        (
            "",
            "",
            "[routing.user]\nbob = { upstraem = \"main\" }",
            "/etc/g.toml:9:9: routing.user.\"bob\".upstraem: unknown key; did you mean \"upstream\"?",
        ),
        (
            "",
            "",
            "[transcript]\nfolder = \"x\"",
            "/etc/g.toml:9:1: transcript.folder: unknown key; known here: dir",
        ),
        (
            "[[listener.certificate]]\ncrt = \"x\"",
            "",
            "",
            "/etc/g.toml:4:1: listener[1].certificate[1].crt: unknown key; did you mean \"cert\"?",
        ),
    ] {
        assert_eq!(error_with(listener, upstream, rest), expected);
    }
}

/// A slip in the name of a key that must be there is called a slip, not a missing key.
#[test]
fn a_slip_goes_before_what_is_missing() {
    let message = error(&format!(
        "{LISTENER}[[upstream]]\nname = \"main\"\nulr = \"imaps://a\"\n"
    ));
    assert!(
        message.ends_with("upstream[1].ulr: unknown key; did you mean \"url\"?"),
        "{message}"
    );
}

#[test]
fn what_is_not_toml_is_refused_with_its_place() {
    assert!(
        error("[[listener]\nlisten = 1").starts_with("/etc/g.toml:1:"),
        "broken header"
    );
    let twice = error(&format!("{LISTENER}listen = \"127.0.0.1:1\"\n{UPSTREAM}"));
    assert!(
        twice.contains("g.toml:3:1: this is not TOML: duplicate key"),
        "{twice}"
    );
}

/// A mistake in the syntax hides neither another one nor one in a setting of another table. In its own table nothing
/// is reported as missing or unknown: it is not clear what stood there.
#[test]
fn mistakes_in_the_syntax_are_reported_together_with_others() {
    let said = error(
        "[[listener]]\nlisten \"127.0.0.1:1110\"\ntls = maybe\n\
         [[upstream]\nname = \"main\"\nurl = \"imaps://a\"\n\
         [limits]\nconnections = 0\n[timers]\nautologout = 3\n[log]\nlevel = \"loud\nfromat = 1\n[monitor]\n",
    );
    let lines: Vec<_> = said.lines().collect();
    let expected = [
        ":2:8: this is not TOML: ",
        ":3:",
        ":4:12: this is not TOML: ",
        ":8:1: limits.connections: 0 would shut everybody out",
        ":10:14: timers.autologout: this is a number",
        ":12:",
        ":14:2: monitor.user: the account needs a name",
    ];
    assert_eq!(lines.len(), expected.len(), "{said}");
    for (line, expected) in lines.iter().zip(expected) {
        let told = line.strip_prefix("/etc/g.toml");
        assert!(
            told.is_some_and(|told| told.starts_with(expected)),
            "{line}"
        );
    }
}

/// A file that is not a configuration at all is not reported line by line.
#[test]
fn a_text_that_is_no_configuration_is_refused_in_few_lines() {
    let said = error(&"Dear operator, this is prose.\n".repeat(1000));
    assert!(said.lines().count() <= 20, "{said}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = Config::load(Path::new("/nonexistent/g.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        missing.starts_with("/nonexistent/g.toml: cannot be read: "),
        "{missing}"
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("g.toml");
    std::fs::write(&file, b"\xff\xfe").unwrap();
    let message = Config::load(&file).unwrap_err().to_string();
    assert!(
        message.ends_with("is not UTF-8 text; save it as UTF-8"),
        "{message}"
    );
    std::fs::write(&file, format!("{LISTENER}{UPSTREAM}")).unwrap();
    assert!(Config::load(&file).is_ok());
}

proptest! {
    /// No text makes the reader panic, and every refusal fits on a line.
    #[test]
    fn any_text_is_taken_or_refused(text in "(\\[\\[?(listener|upstream|store|store\\.message|store\\.queries|monitor|limits|routing\\.user)\\]\\]?\n|(listen|url|name|tls|delete|kind|path|accounts|date|users|x) = (\"([^\"]{0,12}|maildir|list|sql|directory|each)\"|[0-9]{1,3}|[0-9]{4}-1[0-2]-[0-2][1-8]|\\[\\])\n|[ -~\n]){0,12}") {
        if let Err(message) = parse(&text) {
            prop_assert!(!message.is_empty());
        }
    }
}
