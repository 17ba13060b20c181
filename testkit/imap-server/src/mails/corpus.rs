//! The difficult mails.

use super::Mail;
use crate::content::Content;

const HEADER: &str = "From: Tim <tim@example.org>\r\n\
                      To: Kim <kim@example.org>\r\n\
                      Date: Fri, 17 Jul 2026 02:44:25 +0000\r\n\
                      Message-ID: <corpus@example.org>\r\n\
                      Subject: test\r\n";

/// A line of base64, 76 characters and CRLF.
const BASE64: &str =
    "TG9yZW0gaXBzdW0gZG9sb3Igc2l0IGFtZXQsIGNvbnNlY3RldHVyIGFkaXBpc2NpbmcgZWxpdC4g\r\n";

/// Mails that stores, gateways and clients have stumbled over.
pub fn corpus() -> Vec<Mail> {
    let mut mails = vec![
        Mail::new("simple", body("Hello!\r\n")),
        Mail::new("empty", ""),
    ];
    mails.extend(dots());
    mails.extend(shapes());
    mails.extend(line_ends());
    mails.extend(octets());
    mails.extend(chunk_borders());
    mails.extend(charsets());
    mails.extend(structures());
    mails.extend(sizes());
    mails
}

fn body(text: &str) -> Content {
    Content::new(format!("{HEADER}\r\n{text}"))
}

fn raw(text: &[u8]) -> Content {
    Content::new([HEADER.as_bytes(), b"\r\n", text].concat())
}

fn dots() -> Vec<Mail> {
    vec![
        Mail::new(
            "leading-dots",
            body(".one\r\n..two\r\n...three\r\n. and a space\r\n"),
        ),
        Mail::new("lone-dot", body("before\r\n.\r\nafter\r\n")),
        Mail::new("lone-dot-first", body(".\r\nafter\r\n")),
        Mail::new("lone-dots", body(".\r\n.\r\n.\r\n..\r\n.\r\n")),
        Mail::new("ends-with-lone-dot", body("before\r\n.\r\n")),
        Mail::new("ends-with-dot-without-newline", body("before\r\n.")),
        Mail::new(
            "terminator-in-the-middle",
            body("before\r\n\r\n.\r\n\r\n+OK 2 messages\r\n"),
        ),
        Mail::new(
            "looks-like-replies",
            body("+OK\r\n-ERR no\r\n+ \r\n* BYE\r\nA1 OK done\r\n)\r\n{5}\r\n"),
        ),
        Mail::new(
            "leading-dot-in-header",
            format!(".Dot: first\r\n{HEADER}.Dot: last\r\n\r\nbody\r\n").into_bytes(),
        ),
        Mail::new(
            "dot-lines",
            Content::repeated(header(), ".\r\n", 20_000, ""),
        ),
        Mail::new(
            "dot-x-lines",
            Content::repeated(header(), ".x\r\n..\r\n", 10_000, "."),
        ),
        Mail::new("dots-only", body(&".".repeat(3000))),
    ]
}

fn shapes() -> Vec<Mail> {
    vec![
        Mail::new("no-final-newline", body("The last line goes on")),
        Mail::new("header-only", HEADER),
        Mail::new("header-and-blank-line", body("")),
        Mail::new("header-only-without-newline", "Subject: alone"),
        Mail::new(
            "no-blank-line",
            "Subject: none\r\nthis is no header field\r\nnor is this\r\n",
        ),
        Mail::new("blank-line-first", "\r\nA body without a header\r\n"),
        Mail::new("only-crlf", "\r\n"),
        Mail::new("only-crlfs", "\r\n\r\n\r\n\r\n"),
        Mail::new("only-a-dot", "."),
        Mail::new("one-octet", "x"),
        Mail::new(
            "many-blank-lines",
            Content::repeated(header(), "\r\n", 5000, "end\r\n"),
        ),
        Mail::new(
            "blank-line-of-spaces",
            format!("{HEADER}  \t\r\nstill the header, some say\r\n\r\nbody\r\n").into_bytes(),
        ),
        Mail::new(
            "trailing-spaces",
            body("one   \r\n   \r\ntabs\t\t\r\n -- \r\n"),
        ),
        Mail::new(
            "mbox-from-lines",
            body(
                "From here on\r\n>From there\r\n\r\nFrom tim@example.org Fri Jul 17 02:44:25 2026\r\n",
            ),
        ),
        Mail::new(
            "mbox-from-first",
            format!("From tim@example.org Fri Jul 17 02:44:25 2026\r\n{HEADER}\r\nbody\r\n")
                .into_bytes(),
        ),
    ]
}

fn line_ends() -> Vec<Mail> {
    let unix = |text: &str| Content::new(format!("{HEADER}\r\n{text}").replace("\r\n", "\n"));
    vec![
        Mail::new("bare-lf", unix("one\r\ntwo\r\n\r\nthree\r\n")),
        Mail::new("bare-lf-dots", unix(".one\r\n.\r\n..\r\n")),
        Mail::new("bare-cr", body("one\rtwo\r.three\r\r\nfour\r\n")),
        Mail::new(
            "mixed-line-ends",
            body("one\ntwo\r\nthree\rfour\n\r\n\r\r\n\n.\n.\r.\r\n"),
        ),
        Mail::new("ends-with-cr", body("one\r\ntwo\r")),
    ]
}

fn octets() -> Vec<Mail> {
    let all: Vec<u8> = (0..=255).cycle().take(4096).collect();
    vec![
        Mail::new("nul-in-body", raw(b"before\0after\r\n\0\r\n.\0\r\n")),
        Mail::new(
            "nul-in-header",
            format!("X-Nul: a\0b\r\n{HEADER}\r\nbody\r\n").into_bytes(),
        ),
        Mail::new("all-octets", raw(&all)),
        Mail::new(
            "control-characters",
            raw(b"bell \x07 escape \x1b[31m form \x0c vertical \x0b delete \x7f end \x1a\r\n"),
        ),
        Mail::new(
            "high-octets",
            raw(&[
                &[0xff, 0xfe, 0xfd, 0x80, b'\r', b'\n'][..],
                &[0xff; 500],
                b"\r\n",
            ]
            .concat()),
        ),
    ]
}

/// A dot at the line start falls on, just before and just after the borders of usual buffers.
fn chunk_borders() -> Vec<Mail> {
    let bordered = |border: usize, tail: &str| {
        let mut text = format!("{HEADER}\r\n");
        while text.len() + 80 < border {
            text.push_str(&"x".repeat(70));
            text.push_str("\r\n");
        }
        text.push_str(&"y".repeat(border.saturating_sub(text.len() + 2)));
        text.push_str("\r\n");
        Content::new(text + tail)
    };
    vec![
        Mail::new("dot-at-4k", bordered(4096, ".\r\n.dot\r\n")),
        Mail::new("dot-at-8k", bordered(8192, ".\r\n.dot\r\n")),
        Mail::new("dot-at-16k", bordered(16 * 1024, ".\r\n.dot\r\n")),
        Mail::new("dot-before-16k", bordered(16 * 1024 - 1, ".\r\n.dot\r\n")),
        Mail::new(
            "line-end-across-16k",
            bordered(16 * 1024 + 1, ".\r\n.dot\r\n"),
        ),
        Mail::new("dot-at-64k", bordered(64 * 1024, ".\r\n.dot\r\n")),
        Mail::new("dot-before-64k", bordered(64 * 1024 - 1, ".\r\n.dot\r\n")),
        Mail::new(
            "line-end-across-64k",
            bordered(64 * 1024 + 1, ".\r\n.dot\r\n"),
        ),
        Mail::new("exactly-64k", bordered(64 * 1024, "")),
    ]
}

fn charsets() -> Vec<Mail> {
    let typed = |kind: &str, encoding: &str, text: &[u8]| {
        let fields = format!(
            "MIME-Version: 1.0\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        );
        Content::new([HEADER.as_bytes(), fields.as_bytes(), text].concat())
    };
    let quoted = "K=C3=B6nnen Sie=20=\r\n=2Edot\r\n=\r\n.soft\r\nspace =20\r\n";
    let koi8 = b"\xf0\xf2\xe9\xf7\xe5\xf4, \xcd\xc9\xd2!\r\n";
    let japanese = b"\x1b$B$3$s$K$A$O\x1b(B\r\n\x1b$B.!.!\x1b(B\r\n.\x1b$B@$3&\x1b(B\r\n";
    vec![
        Mail::new(
            "utf-8",
            typed(
                "text/plain; charset=utf-8",
                "8bit",
                "Grüße, 世界! Ζεὺς 🐦\r\n.ω\r\n".as_bytes(),
            ),
        ),
        Mail::new(
            "utf-8-header",
            format!("X-Name: Jörg Müller <jörg@example.org>\r\n{HEADER}\r\nbody\r\n").into_bytes(),
        ),
        Mail::new(
            "latin-1-header",
            [
                b"X-Name: J\xf6rg M\xfcller\r\n",
                HEADER.as_bytes(),
                b"\r\nbody \xe9\r\n",
            ]
            .concat(),
        ),
        Mail::new("koi8-r", typed("text/plain; charset=koi8-r", "8bit", koi8)),
        Mail::new(
            "iso-2022-jp",
            typed("text/plain; charset=iso-2022-jp", "7bit", japanese),
        ),
        Mail::new(
            "utf-16",
            typed(
                "text/plain; charset=utf-16le",
                "8bit",
                b"h\x01i\x02\r\n.\x03\r\n",
            ),
        ),
        Mail::new(
            "encoded-words",
            format!(
                "{HEADER}X-A: =?utf-8?B?R3LDvMOfZQ==?= =?iso-8859-1?Q?J=F6rg?=\r\n\r\nbody\r\n"
            )
            .into_bytes(),
        ),
        Mail::new(
            "quoted-printable",
            typed(
                "text/plain; charset=utf-8",
                "quoted-printable",
                quoted.as_bytes(),
            ),
        ),
        Mail::new(
            "base64",
            typed(
                "application/octet-stream",
                "base64",
                BASE64.repeat(50).as_bytes(),
            ),
        ),
    ]
}

fn structures() -> Vec<Mail> {
    let nested = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n\
                  --a\r\nContent-Type: multipart/alternative; boundary=\"b b\"\r\n\r\n\
                  --b b\r\n\r\n.text\r\n--b b\r\nContent-Type: text/html\r\n\r\n<p>.html</p>\r\n--b b--\r\n\
                  --a\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n.inner\r\n.\r\n\
                  --a\r\nContent-Type: image/gif; name=.gif\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                  R0lGODlhAQABAAAAACw=\r\n--a--\r\nepilogue\r\n";
    let broken = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\r\n\r\n--\r\n\r\n--x\r\n----\r\n";
    let deep: String = (0..200)
        .map(|level| {
            format!(
                "--{level}\r\nContent-Type: multipart/mixed; boundary={}\r\n\r\n",
                level + 1
            )
        })
        .collect();
    let open = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=0\r\n\r\n";
    vec![
        Mail::new("nested-multipart", format!("{HEADER}{nested}").into_bytes()),
        Mail::new("broken-mime", format!("{HEADER}{broken}").into_bytes()),
        Mail::new("deep-multipart", format!("{HEADER}{open}{deep}").into_bytes()),
        Mail::new("folded-header", format!("{HEADER}X-Folded: one\r\n two\r\n\tthree\r\n .four\r\n\r\nbody\r\n").into_bytes()),
        Mail::new("folded-blank", format!("{HEADER}X-Folded: one\r\n \r\n two\r\n\r\nbody\r\n").into_bytes()),
        Mail::new("odd-header", format!("no colon\r\n: no name\r\nSp ace : x\r\n{HEADER}X-Empty:\r\nX-Empty:\r\n\r\nbody\r\n").into_bytes()),
        Mail::new("no-message-id", "From: a@example.org\r\nSubject: nothing else\r\n\r\nbody\r\n"),
        Mail::new("same-message-id-twice", format!("Message-ID: <other@example.org>\r\n{HEADER}\r\nbody\r\n").into_bytes()),
    ]
}

fn sizes() -> Vec<Mail> {
    let attachment = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=cut\r\n\r\n\
                      --cut\r\nContent-Type: text/plain\r\n\r\nSee attachment.\r\n\
                      --cut\r\nContent-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let lines = 25 * 1024 * 1024 / BASE64.len() as u64;
    vec![
        Mail::new("long-line", body(&("x".repeat(100_000) + "\r\nshort\r\n"))),
        Mail::new("long-line-without-newline", body(&"x".repeat(100_000))),
        Mail::new("long-line-of-dots", body(&(".".repeat(100_000) + "\r\n"))),
        Mail::new(
            "long-header-field",
            format!("X-Long: {}\r\n{HEADER}\r\nbody\r\n", "x".repeat(70_000)).into_bytes(),
        ),
        Mail::new(
            "long-folded-header",
            Content::repeated(
                "X-Long: a\r\n",
                format!(" {}\r\n", "x".repeat(75)),
                2000,
                format!("{HEADER}\r\nbody\r\n"),
            ),
        ),
        Mail::new(
            "many-header-lines",
            Content::repeated(
                HEADER,
                "Received: from a by b; Fri, 17 Jul 2026 02:44:25 +0000\r\n",
                8000,
                "\r\nbody\r\n",
            ),
        ),
        Mail::new(
            "many-short-lines",
            Content::repeated(header(), "a\r\n", 50_000, ""),
        ),
        Mail::new(
            "attachment-1-mib",
            Content::repeated(
                format!("{HEADER}{attachment}"),
                BASE64,
                lines / 25,
                "--cut--\r\n",
            ),
        ),
        Mail::new(
            "attachment-25-mib",
            Content::repeated(
                format!("{HEADER}{attachment}"),
                BASE64,
                lines,
                "--cut--\r\n",
            ),
        ),
    ]
}

fn header() -> Vec<u8> {
    format!("{HEADER}\r\n").into_bytes()
}
