#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::{Renderer, Template, date};
use crate::value::Cell;

fn fields(values: &[(&str, &str)]) -> Vec<(String, Cell)> {
    let field = |(name, value): &(&str, &str)| ((*name).into(), Cell::Text((*value).into()));
    values.iter().map(field).collect()
}

fn template() -> Template {
    Template::default()
        .from("{host} daemon <{program}@{host}.example.org>")
        .to("{user}@example.org")
        .subject("[{level}] {title}")
        .date("Logged")
        .message_id_domain("log.example.org")
        .header("X-Level", "{level}")
}

fn render(template: &Template, values: &[(&str, &str)]) -> String {
    let renderer = Renderer::new(template).unwrap();
    String::from_utf8(renderer.render(fields(values), "tim", "7", &["7".into()])).unwrap()
}

#[test]
fn a_row_becomes_a_message() {
    let message = render(
        &template(),
        &[
            ("host", "alpha"),
            ("program", "cron"),
            ("level", "warn"),
            ("title", "disk nearly full"),
            ("logged", "2026-11-20 08:30:00"),
            ("body", "91 %\nof /var\n"),
        ],
    );
    assert_eq!(
        message,
        "From: alpha daemon\r\n <cron@alpha.example.org>\r\n\
         To: tim@example.org\r\n\
         Subject: [warn] disk nearly full\r\n\
         Date: Fri, 20 Nov 2026 08:30:00 +0000\r\n\
         Message-ID: <7@log.example.org>\r\n\
         X-Level: warn\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n91 %\r\nof /var\r\n"
    );
}

#[test]
fn a_value_is_not_expanded_again() {
    let message = render(&template(), &[("title", "{host} {user}"), ("host", "x")]);
    assert!(
        message.contains("Subject: [] {host} {user}\r\n"),
        "{message}"
    );
}

#[test]
fn bodies_are_encoded_where_it_is_needed() {
    let long = format!("{}=\t\n{}", "x".repeat(2000), "y ".repeat(3));
    let message = render(&Template::default(), &[("body", &long)]);
    assert!(message.contains("quoted-printable"));
    assert!(message.lines().all(|line| line.len() <= 76), "{message}");
    assert!(message.contains("=3D=09\r\n") && message.ends_with("y y y=20\r\n"));

    let message = render(&Template::default(), &[("body", "Größe\r\n")]);
    assert!(
        message.contains("utf-8") && message.contains("8bit") && message.ends_with("Größe\r\n")
    );

    let renderer = Renderer::new(&Template::default()).unwrap();
    let body = vec![(
        "body".to_owned(),
        Cell::Bytes(b"Gr\xF6\xDFe\0\x01\x02".to_vec()),
    )];
    let message = String::from_utf8(renderer.render(body, "", "1", &["1".into()])).unwrap();
    assert!(message.contains("iso-8859-1") && message.contains("base64"));
}

#[test]
fn dates_are_read_as_they_come() {
    let moment = |text: &str| date::moment(&Cell::Text(text.into()));
    let at = 1_795_163_400;
    for text in [
        "2026-11-20 08:30:00",
        "2026-11-20T08:30:00Z",
        "2026-11-20 08:30",
        "2026-11-20 10:30:00.25+02:00",
        "2026-11-20T07:30:00-0100",
        "1795163400",
    ] {
        assert_eq!(moment(text), Some(at), "{text}");
    }
    assert_eq!(moment("2026-11-20"), Some(at - 30_600));
    for text in [
        "",
        "yesterday",
        "2026-13-01",
        "2026-11-20 25:00",
        "20-11",
        "-",
        "2026-11-20 1+",
    ] {
        assert_eq!(moment(text), None, "{text}");
    }
    assert_eq!(
        pop3_proto::date::rfc5322(at),
        "Fri, 20 Nov 2026 08:30:00 +0000"
    );
    assert_eq!(
        pop3_proto::date::rfc5322(951_782_400),
        "Tue, 29 Feb 2000 00:00:00 +0000"
    );
    assert_eq!(
        pop3_proto::date::rfc5322(-1),
        "Wed, 31 Dec 1969 23:59:59 +0000"
    );
}

/// W064: whatever a table counts, of its size is seen what it is; fractions and text alike.
#[test]
fn w064_dates_are_numbers_too() {
    let at = 1_795_163_400;
    let text = |text: &str| date::moment(&Cell::Text(text.into()));
    for number in [at, at * 1_000 + 999, at * 1_000_000 + 1, at * 1_000_000_000] {
        assert_eq!(date::moment(&Cell::Int(number)), Some(at), "{number}");
        assert_eq!(text(&number.to_string()), Some(at), "{number}");
    }
    for fraction in [
        "1795163400.25",
        "1795163400.0",
        "1.7951634e9",
        "1795163400123.5",
        "1795163400000.0",
        "1.7951634e+12",
        "1.7951634e+18",
        // julianday('2026-11-20 08:30:00')
        "2461364.85416667",
        " 1795163400 ",
    ] {
        assert_eq!(text(fraction), Some(at), "{fraction}");
    }
    for mail in [
        "Fri, 20 Nov 2026 08:30:00 +0000",
        "20 Nov 2026 08:30 GMT",
        "Fri, 20 Nov 2026 10:30:00 +0200",
        "2026/11/20 08:30:00 UTC",
    ] {
        assert_eq!(text(mail), Some(at), "{mail}");
    }
    // before 1973 there are seconds only
    assert_eq!(date::moment(&Cell::Int(-1)), Some(-1));
    assert_eq!(date::moment(&Cell::Int(0)), Some(0));
    for none in [
        "nan",
        "inf",
        "1e400",
        "-",
        "+",
        ".",
        "e",
        "0x10",
        "1.2.3",
        "Fri, 20 Foo 2026",
    ] {
        assert_eq!(text(none), None, "{none}");
    }
}

/// W064: the same row number in two stores, and for two users, is two messages.
#[test]
fn w064_message_ids_name_the_store() {
    let renderer = Renderer::new(&Template::default()).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for names in [
        &["7"][..],
        &["7", "log"],
        &["7", "log2"],
        &["7", "tim", "log"],
        &["7", "tim.log"],
        &["7.tim", "log"],
        &["7", "tim@example.org", "log"],
    ] {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let mail = renderer.render(fields(&[]), "tim", "7", &names);
        let mail = String::from_utf8(mail).unwrap();
        let id = mail.lines().find(|line| line.starts_with("Message-ID: <7"));
        let id = id.unwrap().to_owned();
        assert!(
            id.ends_with("@localhost>") && id.matches('@').count() == 1,
            "{id}"
        );
        assert!(seen.insert(id.clone()), "{id}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |change: &dyn Fn(&mut Template)| {
        let mut template = Template::default();
        change(&mut template);
        template.check().unwrap_err().to_string()
    };
    assert!(wrong(&|t| t.subject = "{".into()).starts_with("template.subject"));
    assert!(wrong(&|t| t.subject = "a } b".into()).contains("}}"));
    assert!(wrong(&|t| t.from = String::new()).starts_with("template.from"));
    assert!(wrong(&|t| t.from = "a> b>".into()).contains("Name <address>"));
    assert!(wrong(&|t| t.content_type = "text/plain\r\nX: y".into()).contains("content_type"));
    assert!(
        wrong(&|t| t.headers = vec![("Subject".into(), String::new())]).contains("headers.Subject")
    );
    assert!(wrong(&|t| t.headers = vec![("X\n".into(), String::new())]).contains("headers."));
}

proptest! {
    /// Whatever is in a row: the header has the fields it must have, each line is short enough and ASCII,
    /// and the body begins where it must.
    #[test]
    fn nothing_in_a_row_makes_a_header_field(
        title in any::<String>(), host in "\\PC{0,40}|[\r\n:<>@\", a]{0,30}", program in any::<String>(),
        level in "[\r\n\u{2028}\u{85} \tX:a-]{0,20}", logged in any::<String>(), body in any::<String>(),
        id in any::<String>(),
    ) {
        let values = [
            ("title", title.as_str()), ("host", &host), ("program", &program), ("level", &level),
            ("logged", &logged), ("body", &body),
        ];
        let renderer = Renderer::new(&template()).unwrap();
        let unique_id = pop3_proto::unique_id::from_name(id.as_bytes());
        let message = renderer.render(fields(&values), &title, &id, std::slice::from_ref(&unique_id));
        let again = renderer.render(fields(&values), &title, &id, std::slice::from_ref(&unique_id));
        prop_assert_eq!(&message, &again);

        let end = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let header = std::str::from_utf8(&message[..end]).unwrap();
        prop_assert!(header.is_ascii());
        let mut names = Vec::new();
        for line in header.split("\r\n") {
            prop_assert!(line.len() <= 998 && !line.contains(['\r', '\n', '\0']), "{line:?}");
            if line.starts_with(' ') {
                prop_assert!(!line.trim().is_empty(), "{header}");
            } else {
                names.push(line.split(':').next().unwrap());
            }
        }
        prop_assert_eq!(names, [
            "From", "To", "Subject", "Date", "Message-ID", "X-Level", "MIME-Version", "Content-Type",
            "Content-Transfer-Encoding",
        ]);
        for line in message[end + 4..].split(|octet| *octet == b'\n') {
            prop_assert!(line.len() <= 999 && !line.contains(&0));
        }
    }

    /// W064: whatever a column holds, it is a date or it is none.
    #[test]
    fn w064_any_value_is_a_date_or_none(
        text in "\\PC{0,40}|[-+0-9.eE:/ TZ]{0,30}|[0-9]{1,2} [A-Za-zé]{0,4} [0-9]{2,4} [-+0-9:A-Za-z ]{0,14}",
        number in any::<i64>(),
    ) {
        for cell in [Cell::Text(text), Cell::Int(number), Cell::Moment(number)] {
            if let Some(seconds) = date::moment(&cell) {
                let written = pop3_proto::date::rfc5322(seconds);
                prop_assert_eq!(date::moment(&Cell::Text(written)), Some(seconds));
            }
        }
    }

    /// An address stays one, whatever is in it.
    #[test]
    fn an_address_is_one(text in "\\PC{0,40}") {
        let template = Template::default().from("{a}");
        let message = render(&template, &[("a", &text)]);
        let address = message.split("\r\n").next().unwrap().strip_prefix("From: ").unwrap().to_owned();
        let (local, host) = address.rsplit_once('@').unwrap();
        prop_assert!(!local.is_empty() && !host.is_empty());
        let clean = |c: char| c.is_ascii_graphic() && !"()<>[]:;,\\\"".contains(c);
        prop_assert!(address.chars().all(clean), "{address}");
    }
}
