//! Mails from the field, and what has to be seen of them. `mails/expect.json` says for each file of
//! `mails/` what `show` must print, and what it must not.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use pop3_client::mail::Mail;
use pop3_client::text;

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
    for expected in expected() {
        if !kinds.iter().any(|kind| expected.file.starts_with(kind)) {
            continue;
        }
        let octets = std::fs::read(folder().join(&expected.file)).unwrap();
        for octets in [with_crlf(&octets), octets] {
            let shown = shown(&octets);
            for must in &expected.must {
                assert!(
                    shown.contains(must),
                    "{}: no {must:?} in\n{shown}",
                    expected.file
                );
            }
            for mustnot in &expected.mustnot {
                assert!(
                    !shown.contains(mustnot),
                    "{}: {mustnot:?} in\n{shown}",
                    expected.file
                );
            }
        }
        checked += 1;
    }
    assert!(checked > 0, "no mails of {kinds:?}");
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
