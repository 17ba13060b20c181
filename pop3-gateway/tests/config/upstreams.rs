//! Upstreams, and the routes to them.

use super::{LISTENER, error, error_with, parse};

#[test]
fn mistakes_in_upstreams() {
    let with = |line: &str| error_with("", line, "");
    let url = |url: &str| {
        error(&format!(
            "{LISTENER}[[upstream]]\nname = \"main\"\nurl = \"{url}\"\n"
        ))
    };
    for (message, part) in [
        (
            error(LISTENER),
            "upstream: there is no upstream; add [[upstream]]",
        ),
        (
            error(&format!("{LISTENER}[[upstream]]\nname = \"main\"")),
            "upstream[1].url: the URL is missing; write for example url = \"imaps://imap.example.org\"",
        ),
        (
            error(&format!("{LISTENER}[[upstream]]\nurl = \"imaps://a\"")),
            "upstream[1].name: an upstream needs a name",
        ),
        (
            url("imap.example.org"),
            "upstream[1].url: this is not the URL of an IMAP server: it does not start with imaps://, imap+starttls:// or imap://",
        ),
        (
            url("imap://imap.example.org"),
            "5:1: upstream[1].url: passwords would travel in the clear to another machine; write imaps:// or imap+starttls://, or, if everybody may read them, allow_clear = true",
        ),
        (url("imaps://a/INBOX"), "the folder is a setting of its own"),
        (
            with("delete = \"purge\""),
            "upstream[1].delete: \"purge\" is not a delete policy; write \"expunge\", \"trash\"",
        ),
        (with("delete = \"move:\""), "is not a delete policy"),
        (
            with("delete = \"move:inbox\""),
            "deleted messages would be moved to the folder that they are in",
        ),
        (
            with("delete = \"keyword:\\\\Seen\""),
            "is not a delete policy",
        ),
        (
            with("delete = \"keyword:two words\""),
            "is not a delete policy",
        ),
        (
            with("folder = \"\""),
            "upstream[1].folder: this cannot be the name of a folder",
        ),
        (
            with("server_name = \"a b\""),
            "upstream[1].server_name: this is not a host name",
        ),
        (
            with("read_ahead = 256"),
            "upstream[1].read_ahead: this is a number; write a size with its unit in quotes, such as \"256 KiB\"",
        ),
        (
            with("read_ahead = \"256 KB\""),
            "upstream[1].read_ahead: \"256 KB\" is not a size; write a number and its unit (B, KiB, MiB or GiB), such as \"256 KiB\"",
        ),
        (
            with("reply_timeout = \"0s\""),
            "upstream[1].reply_timeout: this is too short",
        ),
        (
            with("reply_timeout = \"5M\""),
            "upstream[1].reply_timeout: \"5M\" is not a time; write a number and its unit",
        ),
        (
            with("[[upstream]]\nname = \"main\"\nurl = \"imaps://b\""),
            "8:1: upstream[2].name: there is another upstream \"main\"; give each its own name",
        ),
        (
            with("[[upstream]]\nname = \"two\"\nurl = \"imaps://b\""),
            "routing: there are several upstreams, and no route says who goes where; add [routing]",
        ),
        (
            error(&format!(
                "{LISTENER}[[upstream]]\nname = \"m\"\nurl = \"imap://localhost\"\nca_file = \"x\""
            )),
            "upstream[1].ca_file: this upstream has no TLS",
        ),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
}

/// V33: a password that somebody put into the URL does not come back in the message.
#[test]
fn v33_a_password_in_the_url_is_not_repeated() {
    let message = error(&format!(
        "{LISTENER}[[upstream]]\nname = \"m\"\nurl = \"imaps://bob:hunter2@a\"\n"
    ));
    assert!(
        message.contains("it names a user") && !message.contains("hunter2"),
        "{message}"
    );
}

#[test]
fn mistakes_in_routes() {
    let with = |rest: &str| error_with("", "", rest);
    for (message, part) in [
        (
            with("[routing]\ndefault = \"mian\""),
            "routing.default: there is no upstream \"mian\"; did you mean \"main\"?",
        ),
        (
            with("[routing.domain]\n\"example.org\" = \"other\""),
            "routing.domain.\"example.org\": there is no upstream \"other\"; there are: main",
        ),
        (
            with("[routing.domain]\n\"@example.org\" = \"main\""),
            "this is not a domain; write it without \"@\"",
        ),
        (
            with("[routing.domain]\na = \"main\"\nA = \"main\""),
            "there is another entry that differs in case only",
        ),
        (
            with("[routing.user]\nbob = \"other\""),
            "routing.user.\"bob\": there is no upstream \"other\"",
        ),
        (
            with("[routing.user]\nbob = { user = \"b\" }"),
            "routing.user.\"bob\".upstream: the upstream is missing",
        ),
        (
            with("[routing.user]\nbob = { upstream = \"main\", user = \"\" }"),
            "this cannot be a user's name",
        ),
        (
            with("[routing.user]\nbob = 1"),
            "routing.user.\"bob\": this is a number; write a text in quotes",
        ),
        (with("[routing]"), "routing.default: no login has a route"),
    ] {
        assert!(message.contains(part), "{message}\nlacks\n{part}");
    }
}

/// W040: one or several, with colons or without.
#[test]
fn w040_fingerprints_in_the_configuration() {
    let plain = "0123456789abcdef".repeat(4);
    let pairs: Vec<_> = plain
        .as_bytes()
        .chunks(2)
        .map(String::from_utf8_lossy)
        .collect();
    let colons = pairs.join(":").to_uppercase();
    let expected = plain.parse().unwrap();
    for (written, count) in [
        (format!("{plain:?}"), 1),
        (format!("[{plain:?}]"), 1),
        (format!("[{plain:?}, {colons:?}]"), 2),
    ] {
        let config = parse(&format!(
            "{LISTENER}[[upstream]]\nname = \"main\"\nurl = \"imaps://a.example\"\ncertificate_sha256 = {written}\n"
        ));
        let named = config.unwrap().upstreams[0].certificate_sha256.clone();
        assert_eq!(named, vec![expected; count], "{written}");
    }
    for (line, part) in [
        (
            "certificate_sha256 = \"abc\"".to_owned(),
            "upstream[1].certificate_sha256: \"abc\" is not the SHA-256 fingerprint of a certificate; write the 64",
        ),
        (
            format!("ca_file = \"x\"\ncertificate_sha256 = {plain:?}"),
            "only these certificates count, so ca_file would have no effect; write one of the two",
        ),
    ] {
        let message = error_with("", &line, "");
        assert!(message.contains(part), "{message}");
    }
    let clear = error(&format!(
        "{LISTENER}[[upstream]]\nname = \"m\"\nurl = \"imap://localhost\"\ncertificate_sha256 = {plain:?}"
    ));
    assert!(clear.contains("this upstream has no TLS"), "{clear}");
}
