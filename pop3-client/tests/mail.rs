//! Mails of all kinds are readable, and none of them is dangerous.
#![allow(clippy::unwrap_used, reason = "tests")]

use pop3_client::mail::Mail;
use proptest::prelude::*;

fn shown(raw: &[u8]) -> String {
    let mail = Mail::parse(raw);
    format!("{}\n{}", mail.short_head(), mail.text())
}

#[test]
fn utf8_in_base64_and_quoted_printable() {
    let raw = b"From: =?UTF-8?B?SsO8cmdlbg==?= <j@x.de>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_?=\r\n =?utf-8?Q?aus_K=C3=B6ln?=\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSch=C3=B6ne Gr=\r\n=C3=BC=C3=9Fe\r\n";
    assert_eq!(
        shown(raw),
        "Date: 2026-11-20 10:00:00+01:00\nFrom: Jürgen <j@x.de>\nSubject: Grüße aus Köln\n\nSchöne Grüße\n"
    );
}

#[test]
fn koi8_r() {
    let raw = b"Subject: =?koi8-r?B?8NLJ18XU?=\r\nContent-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xf0\xd2\xc9\xd7\xc5\xd4, \xcd\xc9\xd2\r\n";
    assert_eq!(shown(raw), "Subject: Привет\n\nПривет, мир\n");
}

#[test]
fn koi8_r_in_a_header_that_does_not_say_so() {
    let raw = b"From: \xf0\xd2\xc9\xd7\xc5\xd4 <a@b>\r\nSubject: \xf0\xd2\xc9\xd7\xc5\xd4\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\nx\r\n";
    let summary = Mail::parse(raw).summary();
    assert_eq!(summary.subject, "Привет");
    assert!(summary.from.contains("Привет"), "{}", summary.from);
}

#[test]
fn iso_2022_jp() {
    let raw = b"Subject: =?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=\r\nContent-Type: text/plain; charset=ISO-2022-JP\r\n\r\n\x1b$BF|K\\8l\x1b(B\r\n";
    assert_eq!(shown(raw), "Subject: 日本語\n\n日本語\n");
}

const NESTED: &str = "From: a@b\r\nSubject: nested\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\npreamble\r\n--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw6TDtsO8IGZyb20gYmFzZTY0Cg==\r\n--a\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--a--\r\n--m\r\nContent-Type: application/pdf; name=\"../../evil\x1b[2J.pdf\"\r\nContent-Disposition: attachment; filename=\"../../evil\x1b[2J.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--m--\r\n";

#[test]
fn nested_multipart_with_attachments() {
    let mail = Mail::parse(NESTED.as_bytes());
    assert!(
        mail.text().starts_with("äöü from base64\n"),
        "{}",
        mail.text()
    );
    let attachments = mail.attachments();
    assert_eq!(attachments.len(), 2);
    assert_eq!(attachments[0].octets, b"%PDF");
    assert_eq!(attachments[0].kind, "application/pdf");
    assert!(!attachments[0].name.contains(['/', '\x1b']) && attachments[0].name.ends_with(".pdf"));
    assert_eq!(attachments[1].kind, "message/rfc822");
    assert!(attachments[1].octets.starts_with(b"Subject: inner"));
}

#[test]
fn html_alone_becomes_text() {
    let raw = b"Subject: h\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><head><style>p{}</style></head><body><p>Hello &amp; <b>you</b></p><script>x()</script></body></html>\r\n";
    let text = shown(raw);
    assert!(text.contains("Hello & you"), "{text}");
    assert!(!text.contains('<'), "{text}");
}

#[test]
fn broken_headers_are_shown_as_well_as_may_be() {
    let raw = b"this is no header\r\nSubject: =?utf-8?Q?half=C3\r\nFrom: =?x-unknown?B?####?= <a@b>\r\nDate: yesterday\r\nContent-Type: multipart/mixed\r\nContent-Transfer-Encoding: nonsense\r\n\r\nthe text\r\n";
    let text = shown(raw);
    assert!(text.contains("the text"), "{text}");
    assert!(text.contains("half"), "{text}");
    assert!(text.contains("a@b"), "{text}");
    assert!(shown(b"").is_empty() || shown(b"") == "\n");
    assert!(shown(b"only text, no header").contains("only text"));
}

#[test]
fn escape_sequences_are_neutralised() {
    let evil = "\x1b]0;pwned\x07\x1b[2J\u{9b}31m\u{202e}";
    let encoded = "=?utf-8?Q?=1B=5D0=3Bpwned=07=1B=5B2J=C2=9B31m?=";
    let raw = format!(
        "From: {evil}<a@b>\r\nSubject: {evil} {encoded}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{evil}body\r\n"
    );
    let mail = Mail::parse(raw.as_bytes());
    for text in [mail.short_head(), mail.text(), mail.raw_head()] {
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "{text:?}"
        );
        assert!(!text.contains('\u{202e}'));
    }
    assert!(mail.text().contains("body") && mail.short_head().contains("pwned"));
}

proptest! {
    #[test]
    fn whatever_comes_is_harmless(raw in proptest::collection::vec(any::<u8>(), 0..2000), cut in 0..NESTED.len()) {
        for raw in [raw.clone(), [&NESTED.as_bytes()[..cut], &raw].concat()] {
            let mail = Mail::parse(&raw);
            let names: String = mail.attachments().iter().map(|a| a.name.clone() + &a.kind).collect();
            for text in [mail.short_head(), mail.text(), mail.raw_head(), names] {
                prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
            }
        }
    }
}
