//! Makes a message from a text: RFC 5322 and MIME, only as much of them as mail programs need.
//!
//! Not by mail-builder: it folds and encodes in its own way, which changes the octets and the sizes that clients
//! have seen, and may do so with each release. What a row of a table needs beyond this (other charsets,
//! quoted-printable, addresses from any text) is in sql-backend's `template`.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pop3_proto::controls::blanked;

/// RFC 5322 section 2.1.1, without the line end.
const LONGEST_LINE: usize = 998;

/// What goes into a message.
#[derive(Clone, Debug)]
pub struct Mail {
    /// An address.
    pub from: String,
    /// An address.
    pub to: Option<String>,
    /// One line.
    pub subject: String,
    /// Seconds since 1970.
    pub date: i64,
    /// Without its angle brackets.
    pub message_id: String,
    /// The text, with any line ends.
    pub text: String,
}

impl Mail {
    /// The message, with CRLF line ends.
    pub fn octets(&self) -> Vec<u8> {
        let mut head = String::new();
        let mut field = |name: &str, value: &str| {
            // writing to a string cannot fail
            let _ = write!(head, "{name}: {value}\r\n");
        };
        field("From", &words(&self.from));
        if let Some(to) = &self.to {
            field("To", &words(to));
        }
        field("Subject", &words(&self.subject));
        field("Date", &date(self.date));
        field("Message-ID", &format!("<{}>", self.message_id));
        field("MIME-Version", "1.0");
        field("Content-Type", "text/plain; charset=utf-8");
        let body = crlf(&self.text);
        let plain = |line: &str| {
            line.is_ascii() && line.len() <= LONGEST_LINE && !line.contains(['\0', '\r'])
        };
        if body.split("\r\n").all(plain) {
            field("Content-Transfer-Encoding", "7bit");
            return [head.as_bytes(), b"\r\n", body.as_bytes()].concat();
        }
        field("Content-Transfer-Encoding", "base64");
        let mut message = (head + "\r\n").into_bytes();
        // 57 octets are 76 characters
        for line in body.as_bytes().chunks(57) {
            message.extend_from_slice(STANDARD.encode(line).as_bytes());
            message.extend_from_slice(b"\r\n");
        }
        message
    }
}

/// A date as in RFC 5322 section 3.3, in UTC. What was before 1970 counts as its first second.
pub fn date(seconds: i64) -> String {
    pop3_proto::date::rfc5322(seconds.max(0))
}

/// A value of a header field: encoded words (RFC 2047) if it is not plain, a few to a line.
fn words(value: &str) -> String {
    let value: String = blanked(value.chars()).collect();
    if value.is_ascii() && value.len() <= 900 && !value.contains("=?") {
        return value;
    }
    let mut encoded = Vec::new();
    let mut rest = value.as_str();
    while !rest.is_empty() {
        // 45 octets are 60 characters, and 75 are allowed
        let cut = rest.floor_char_boundary(45);
        let (word, behind) = rest.split_at(cut);
        encoded.push(format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
        rest = behind;
    }
    encoded.join("\r\n ")
}

/// Every line end as CRLF, and one at the end.
fn crlf(text: &str) -> String {
    let mut lines = text.replace("\r\n", "\n");
    if !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines.replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(subject: &str, text: &str) -> String {
        let octets = Mail {
            from: "a@example.org".into(),
            to: None,
            subject: subject.into(),
            date: 1_792_313_400,
            message_id: "1@localhost".into(),
            text: text.into(),
        }
        .octets();
        String::from_utf8_lossy(&octets).into_owned()
    }

    #[test]
    fn a_plain_text_stays_plain() {
        assert_eq!(
            mail("hello", "one\ntwo\r\n.\nthree"),
            "From: a@example.org\r\nSubject: hello\r\nDate: Sun, 18 Oct 2026 08:50:00 +0000\r\n\
             Message-ID: <1@localhost>\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
             one\r\ntwo\r\n.\r\nthree\r\n"
        );
    }

    #[test]
    fn what_is_not_plain_is_encoded() {
        let text = mail("grüße\r\nBcc: x", "ä\n");
        assert!(
            text.contains("Subject: =?UTF-8?B?Z3LDvMOfZSAgQmNjOiB4?=\r\nDate"),
            "{text}"
        );
        assert!(
            text.ends_with("Content-Transfer-Encoding: base64\r\n\r\nw6QNCg==\r\n"),
            "{text}"
        );
        let long = mail(&"ö".repeat(200), &"x".repeat(2000));
        assert!(long.lines().all(|line| line.len() <= 90), "{long}");
    }

    #[test]
    fn dates() {
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(date(951_782_400), "Tue, 29 Feb 2000 00:00:00 +0000");
        assert_eq!(date(-1), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(date(i64::MAX), "Fri, 31 Dec 9999 23:59:59 +0000");
    }
}
