//! Mails from the field, and what has to be seen of them. `mails/expect.json` says for each file of
//! `mails/` what `show` must print, and what it must not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Behaviour, PASSWORD, Server, USER};
use pop3_client::mail::Mail;
use pop3_client::text;
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Expected {
    file: String,
    must: Vec<String>,
    mustnot: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mails")
}

fn expected() -> Vec<Expected> {
    let json = std::fs::read(folder().join("expect.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let lines = octets.split_inclusive(|octet| *octet == b'\n');
    lines
        .flat_map(|line| match line.strip_suffix(b"\n") {
            Some(line) => [line.strip_suffix(b"\r").unwrap_or(line), b"\r\n"].concat(),
            None => line.to_vec(),
        })
        .collect()
}

fn shown(octets: &[u8]) -> String {
    let mail = Mail::parse(octets);
    let mut shown = format!("{}\n{}", mail.short_head(), mail.text());
    for attachment in mail.attachments() {
        let size = text::size(attachment.size as u64);
        shown.push_str(&format!(
            "[attached: {}, {}, {size}]\n",
            attachment.name, attachment.kind
        ));
    }
    shown
}

/// Checks the mails whose names begin with one of these.
fn check(kinds: &[&str]) {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for expected in expected() {
        if !kinds.iter().any(|kind| expected.file.starts_with(kind)) {
            continue;
        }
        let octets = std::fs::read(folder().join(&expected.file)).unwrap();
        for octets in [with_crlf(&octets), octets] {
            let shown = shown(&octets);
            let missing = expected.must.iter().filter(|text| !shown.contains(*text));
            let present = expected.mustnot.iter().filter(|text| shown.contains(*text));
            for text in missing.chain(present) {
                wrong.push(format!("{}: {text:?} in\n{shown}", expected.file));
            }
        }
        checked += 1;
    }
    assert!(checked > 0, "no mails of {kinds:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn w070_a_blank_plain_text_beside_html() {
    check(&["blank-"]);
}

#[test]
fn w071_encoded_words_that_are_cut() {
    check(&["ew-"]);
}

#[test]
fn w072_html_becomes_lines_and_links_are_shown() {
    check(&["html-"]);
}

#[test]
fn w073_texts_messages_digests_and_reports_have_words() {
    check(&["ctype-", "dsn-", "digest-", "nested-"]);
}

#[test]
fn w074_base64_that_is_not_quite() {
    check(&["b64-", "cte-"]);
}

#[test]
fn w075_multiparts_that_are_not_closed() {
    check(&["inner-", "boundary-"]);
}

#[test]
fn w076_charsets_and_names_of_files() {
    check(&["cs-", "fn-", "no-charset-"]);
}

#[test]
fn w077_dates_addresses_and_marks() {
    check(&["date-", "bom-", "two-", "from-", "to-", "text-bom"]);
}

#[test]
fn w080_uuencode_flowed_winmail_and_reply_to() {
    check(&["uue-", "flowed", "winmail-", "reply-to"]);
}

#[test]
fn every_mail_is_expected_and_every_expected_mail_is_there() {
    let mut named: Vec<_> = expected()
        .into_iter()
        .map(|expected| expected.file)
        .collect();
    let mut there: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".eml"))
        .collect();
    named.sort();
    there.sort();
    assert_eq!(named, there);
}

/// What the program prints is what the other tests look at.
#[test]
fn w073_the_program_shows_what_is_expected() {
    let kinds = [
        "blank-plain-space.eml",
        "ew-split-jp.eml",
        "html-table.eml",
        "dsn-status.eml",
        "b64-list-footer.eml",
        "inner-not-closed.eml",
        "fn-2231-jp.eml",
        "cs-cp932.eml",
        "date-8.eml",
        "from-comma.eml",
        "winmail-mixed.eml",
        "reply-to.eml",
    ];
    let mails: Vec<_> = kinds
        .iter()
        .map(|kind| with_crlf(&std::fs::read(folder().join(kind)).unwrap()))
        .collect();
    let stored = kinds.iter().zip(&mails);
    let stored = stored.map(|(kind, octets)| (kind.to_string(), octets.clone()));
    let server = Server::start(Behaviour::default(), stored.collect());
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pop3-client"))
            .args(["--host", "localhost", "--tls", "starttls", "--user", USER])
            .args(["--port", &server.address.port().to_string()])
            .arg("--ca-file")
            .arg(server.shared.certificate.file.path())
            .args(["--password-from", "env:TEST_PASSWORD"])
            .args(arguments)
            .env("XDG_CONFIG_HOME", home.path())
            .env("XDG_STATE_HOME", home.path())
            .env("TEST_PASSWORD", PASSWORD)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (position, octets) in mails.iter().enumerate() {
        // a mail without a line end gets one on its way
        let octets = [octets.strip_suffix(b"\r\n").unwrap_or(octets), b"\r\n"].concat();
        let number = (position + 1).to_string();
        assert_eq!(
            run(&["show", &number]),
            shown(&octets),
            "{}",
            kinds[position]
        );
    }
    let json: serde_json::Value = serde_json::from_str(&run(&["--json", "show", "12"])).unwrap();
    assert_eq!(json["summary"]["reply_to"], "The List <list@example.org>");
}

fn is_harmless(text: &str) -> bool {
    let hidden = ['\u{202e}', '\u{202d}', '\u{feff}', '\u{200b}'];
    !text.contains(hidden) && text.chars().all(|c| c == '\n' || !c.is_control())
}

proptest! {
    /// Mails of all kinds, damaged and mixed: nothing fails, nothing grows, nothing is dangerous.
    #[test]
    fn w075_damaged_mails_do_no_harm(
        first in any::<prop::sample::Index>(),
        second in any::<prop::sample::Index>(),
        cuts in any::<[prop::sample::Index; 4]>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
    ) {
        let files = expected();
        let read = |index: &prop::sample::Index| {
            std::fs::read(folder().join(&index.get(&files).file)).unwrap()
        };
        let (first, second) = (read(&first), read(&second));
        let cut = |octets: &[u8], from: usize, to: usize| {
            let (from, to) = (cuts[from].index(octets.len()), cuts[to].index(octets.len()));
            octets[from.min(to)..from.max(to)].to_vec()
        };
        let mut mail = [&first[..], &cut(&second, 0, 1), &cut(&first, 2, 3)].concat();
        for (place, octet) in &changes {
            let place = place.index(mail.len());
            mail[place] = *octet;
        }
        let shown = shown(&mail);
        prop_assert!(is_harmless(&shown), "{shown:?}");
        prop_assert!(shown.len() < mail.len() * 10 + 10_000, "{}", shown.len());
        prop_assert!(is_harmless(&Mail::parse(&mail).raw_head()));
    }
}

/// Each takes time and room in proportion to its size: with something worse this would not end.
#[test]
fn w075_large_and_deep_mails_are_shown() {
    let line = "x".repeat(4_000_000);
    let head = "Subject: s\n";
    let nested: String = (0..3000)
        .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"))
        .collect();
    let messages = "Content-Type: message/rfc822\n\n".repeat(3000);
    let parts = format!(
        "{head}Content-Type: multipart/mixed; boundary=b\n\n{}",
        "--b\n\nx\n".repeat(50_000)
    );
    let digest = format!(
        "{head}Content-Type: multipart/digest; boundary=b\n\n{}",
        "--b\n\nSubject: x\n\nx\n".repeat(20_000)
    );
    let alternatives: String = (0..90)
        .map(|level| {
            format!("Content-Type: multipart/alternative; boundary=a{level}\n\n--a{level}\n")
        })
        .collect();
    let mails = [
        format!("{head}\n{line}"),
        format!("{line}: {line}"),
        format!("Subject: {}", "=?utf-8?q?=C3?= ".repeat(50_000)),
        format!("Subject: {}", "=?a?q?".repeat(50_000)),
        format!(
            "From: {}\nTo: {}\nCc: {}",
            "(".repeat(500_000),
            "a <b@c>, ".repeat(50_000),
            "\"".repeat(500_000)
        ),
        format!("Content-Type: a/b{}", "; a*0=b".repeat(50_000)),
        format!("Content-Type: a/b;{}", " ( ".repeat(200_000)),
        format!(
            "{head}Content-Transfer-Encoding: base64\n\n{}",
            "Q".repeat(4_000_000)
        ),
        format!(
            "{head}Content-Transfer-Encoding: quoted-printable\n\n{}",
            "=C3".repeat(1_000_000)
        ),
        format!(
            "{head}Content-Type: text/plain; format=flowed\n\n{}",
            "> \n".repeat(500_000)
        ),
        format!("{head}\n{}", "begin 644 x\n".repeat(100_000)),
        format!(
            "{head}Content-Type: text/plain; charset=iso-2022-jp\n\n{}",
            "\x1b$B".repeat(500_000)
        ),
        format!("{head}{nested}hello"),
        format!("{messages}hello"),
        format!("{alternatives}hello"),
        parts,
        digest,
        format!(
            "{head}Content-Type: multipart/mixed; boundary=b\n\n{}",
            "--\n".repeat(500_000)
        ),
        "\n".repeat(1_000_000),
        "a: b\n".repeat(300_000),
        "\u{200b}\u{202e}".repeat(300_000),
    ];
    for mail in &mails {
        let shown = shown(mail.as_bytes());
        let start: String = mail.chars().take(60).collect();
        assert!(
            shown.len() < mail.len() * 4 + 10_000,
            "{start}: {} of {}",
            shown.len(),
            mail.len()
        );
    }
}
