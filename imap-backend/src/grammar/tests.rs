//! Lines that real servers send, and some that no server should.
#![allow(clippy::unwrap_used, reason = "tests")]

use alloc::vec::Vec;

use proptest::prelude::*;

use super::{Body, Code, Data, Fetch, Kind, Response, Section, body_ahead, response, tail};

fn fetch(line: &str) -> Fetch<'_> {
    match response(line.as_bytes()) {
        Some(Response::Data(Data::Fetch(fetch))) => fetch,
        other => panic!("{line}: {other:?}"),
    }
}

fn status(line: &[u8]) -> (Kind, Code, Vec<u8>) {
    match response(line) {
        Some(Response::Status(status) | Response::Tagged(_, status)) => {
            (status.kind, status.code, status.text.to_vec())
        }
        other => panic!("{line:?}: {other:?}"),
    }
}

#[test]
fn i034_statuses_with_and_without_text() {
    for (line, kind, code, text) in [
        ("* OK ready", Kind::Ok, Code::Other, "ready"),
        ("* OK", Kind::Ok, Code::Other, ""),
        ("* BYE", Kind::Bye, Code::Other, ""),
        ("*   ok   spaced", Kind::Ok, Code::Other, "spaced"),
        ("A1 OK", Kind::Ok, Code::Other, ""),
        ("A1 OK ", Kind::Ok, Code::Other, ""),
        ("A1  NO  x", Kind::No, Code::Other, "x"),
        ("A1 bad x", Kind::Bad, Code::Other, "x"),
        ("A1 OK [READ-WRITE]", Kind::Ok, Code::ReadWrite, ""),
        ("A1 OK [read-only] done", Kind::Ok, Code::ReadOnly, "done"),
        ("A1 OK[READ-ONLY]done", Kind::Ok, Code::ReadOnly, "done"),
        (
            "* OK [UIDVALIDITY 4294967295] x",
            Kind::Ok,
            Code::UidValidity(u64::from(u32::MAX)),
            "x",
        ),
        (
            "* OK [UIDVALIDITY 4294967296] x",
            Kind::Ok,
            Code::UidValidity(1 << 32),
            "x",
        ),
        ("* OK [UIDVALIDITY] x", Kind::Ok, Code::Other, "x"),
        (
            "* OK [PERMANENTFLAGS (\\Deleted [Gmail] \\*)] ok",
            Kind::Ok,
            Code::Other,
            " \\*)] ok",
        ),
        (
            "A1 NO [Error=\"a ] b\" X=1] later",
            Kind::No,
            Code::Other,
            "later",
        ),
        ("A1 NO [not closed", Kind::No, Code::Other, "[not closed"),
        (
            "A1 NO [AUTHENTICATIONFAILED] no",
            Kind::No,
            Code::AuthenticationFailed,
            "no",
        ),
        (
            "A1 OK [MESSAGELIMIT 1000 23221] x",
            Kind::Ok,
            Code::MessageLimit(Some(23221)),
            "x",
        ),
        (
            "* OK your quota is {5}",
            Kind::Ok,
            Code::Other,
            "your quota is {5}",
        ),
        ("* OK [] x", Kind::Ok, Code::Other, "x"),
    ] {
        let (read_kind, read_code, read_text) = status(line.as_bytes());
        assert_eq!((read_kind, read_code), (kind, code), "{line}");
        assert!(read_text.ends_with(text.as_bytes()), "{line}");
        assert!(line.as_bytes().ends_with(&read_text), "{line}");
    }
    // 8-bit text of no known charset
    assert_eq!(status(b"A1 NO d\xe9nied").2, b"d\xe9nied");
    assert_eq!(
        status("A1 NO \u{5bc6}\u{7801}".as_bytes()).2,
        "\u{5bc6}\u{7801}".as_bytes()
    );
}

#[test]
fn i034_fetch_lines_of_many_servers() {
    let of = |uid, size| (Some(uid), Some(size));
    for (line, expected) in [
        ("* 1 FETCH (UID 2 RFC822.SIZE 3)", of(2, 3)),
        ("* 1 FETCH (RFC822.SIZE 3 UID 2)", of(2, 3)),
        ("* 1 FETCH (UID 2 RFC822.SIZE 3 )", of(2, 3)),
        ("* 1 FETCH (UID 2 RFC822.SIZE 3) ", of(2, 3)),
        ("* 1 FETCH ( UID 2   RFC822.SIZE   3)", of(2, 3)),
        ("*  1  fetch(uid 2 rfc822.size 3)", of(2, 3)),
        ("* 1 FETCH UID 2 RFC822.SIZE 3", of(2, 3)),
        (
            "* 1 FETCH (UID 4294967295 RFC822.SIZE 18446744073709551615)",
            of(4_294_967_295, u64::MAX),
        ),
        (
            "* 1 FETCH (UID 2 RFC822.SIZE 5000000000)",
            of(2, 5_000_000_000),
        ),
        ("* 1 FETCH (UID 2 RFC822.SIZE -1)", (Some(2), None)),
        ("* 1 FETCH (UID 2 RFC822.SIZE NIL)", (Some(2), None)),
        (
            "* 1 FETCH (UID 4294967296 RFC822.SIZE 3)",
            of(4_294_967_296, 3),
        ),
        (
            "* 1 FETCH (FLAGS (\\Seen $X [Gmail]/x \\*) UID 2 RFC822.SIZE 3)",
            of(2, 3),
        ),
        ("* 1 FETCH (FLAGS () UID 2 RFC822.SIZE 3)", of(2, 3)),
        ("* 1 FETCH (FLAGS \\Seen UID 2 RFC822.SIZE 3)", of(2, 3)),
        (
            "* 1 FETCH (X-GM-LABELS (\"\\\\Inbox\" \"a (b\") UID 2 RFC822.SIZE 3)",
            of(2, 3),
        ),
        (
            "* 1 FETCH (MODSEQ (17) UID 2 INTERNALDATE \"1-Jan-2020\" RFC822.SIZE 3)",
            of(2, 3),
        ),
        ("* 1 FETCH (INTERNALDATE NIL UID 2 RFC822.SIZE 3)", of(2, 3)),
        (
            "* 1 FETCH (ENVELOPE (((\"a)\")) NIL {2}\r\n)) NIL) UID 2 RFC822.SIZE 3)",
            of(2, 3),
        ),
        (
            "* 1 FETCH (BODY[HEADER.FIELDS (\"X ]\")] NIL UID 2 RFC822.SIZE 3)",
            of(2, 3),
        ),
        (
            "* 1 FETCH (BODY[1.HEADER.FIELDS (] X)]<0> NIL UID 2 RFC822.SIZE 3)",
            of(2, 3),
        ),
        (
            "* 1 FETCH (BODY[HEADER.FIELDS (X] NIL UID 2 RFC822.SIZE 3)",
            of(2, 3),
        ),
        (
            "* 1 FETCH (EMAILID (M1) THREADID NIL UID 2 RFC822.SIZE 3)",
            of(2, 3),
        ),
        ("* 1 FETCH (UID 2)", (Some(2), None)),
        ("* 1 FETCH ()", (None, None)),
        ("* 1 FETCH", (None, None)),
    ] {
        let fetch = fetch(line);
        assert_eq!((fetch.uid, fetch.size), expected, "{line}");
    }
    assert_eq!(
        fetch("* 1 FETCH (FLAGS (\\Seen  \\Deleted ))").flags,
        Some(&b"\\Seen  \\Deleted "[..])
    );
    assert_eq!(fetch("* 1 FETCH (UID 1 BODY[] NIL)").body, Some(Body::Nil));
    assert_eq!(fetch("* 1 FETCH (UID 1 BODY[TEXT] \"x\")").body, None);
}

#[test]
fn the_body_is_known_by_its_item() {
    let whole = |uid, origin| Some((Section::Whole, uid, origin));
    let header = |uid| Some((Section::Header, uid, None));
    for (head, expected) in [
        ("* 1 FETCH (UID 2 BODY[] {5}", whole(Some(2), None)),
        ("* 1 FETCH (BODY[] {5}", whole(None, None)),
        ("* 1 FETCH (UID 2 BODY[]<10> {5}", whole(Some(2), Some(10))),
        ("* 1 FETCH (UID 2 BINARY[] ~{5}", whole(Some(2), None)),
        ("* 1 FETCH (UID 2 RFC822 {5}", whole(Some(2), None)),
        (
            "* 1 FETCH (X {3}\r\na)b UID 2 BODY[] {5}",
            whole(Some(2), None),
        ),
        ("* 1 FETCH (UID 2 BODY[HEADER] {5}", header(Some(2))),
        ("* 1 FETCH (body[ header ] ~{5}", header(None)),
        (
            "* 1 FETCH (UID 2 BODY[HEADER] NIL BODY[]<3> {5}",
            whole(Some(2), Some(3)),
        ),
        (
            "* 1 FETCH (UID 2 BODY[HEADER] {2}\r\n)( BODY[] {5}",
            whole(Some(2), None),
        ),
        ("* 1 FETCH (UID 2 BODY[HEADER]<0> {5}", None),
        ("* 1 FETCH (UID 2 BODY[1.HEADER] {5}", None),
        ("* 1 FETCH (UID 2 BODY[HEADER.FIELDS ({5}", None),
        ("* 1 FETCH (UID 2 RFC822.HEADER {5}", None),
        ("* 1 FETCH (UID 2 X (BODY[] {5}", None),
        ("* LIST () \"/\" {5}", None),
        ("* 1 XFETCH (BODY[] {5}", None),
        ("* FETCH (BODY[] {5}", None),
    ] {
        let read = body_ahead(head.as_bytes());
        let read = read.map(|(section, fetch)| (section, fetch.uid, fetch.origin));
        assert_eq!(read, expected, "{head}");
    }
    let read = fetch("* 1 FETCH (BODY[HEADER] NIL BODY[]<3> \"x\")");
    assert_eq!(read.header, Some(Body::Nil));
    assert!(matches!(read.body, Some(Body::Inline(_))));
    assert_eq!(read.origin, Some(3));
    assert_eq!(fetch("* 1 FETCH (BODY[HEADER]<0> NIL)").header, None);
    assert_eq!(tail(b" FLAGS (\\Seen) UID 7)").uid, Some(7));
    assert_eq!(tail(b")").uid, None);
    assert_eq!(tail(b"").uid, None);
}

#[test]
fn v19_nesting_and_quotes_cost_no_more_than_their_length() {
    let lines = [
        "(".repeat(60_000),
        "\"\\".repeat(30_000),
        "\"\\\"".repeat(20_000),
        "((\"".repeat(20_000),
        "{1}".repeat(20_000),
        "[".repeat(60_000),
        "[\"".repeat(30_000),
        "BODY[".repeat(12_000),
        "BODY[] ".repeat(9_000),
        "UID ".repeat(15_000),
    ];
    for text in lines {
        for start in [
            "* 1 FETCH (",
            "* LIST ",
            "* OK [",
            "* CAPABILITY ",
            "* 1 FETCH (X ",
            "A1 NO [",
        ] {
            let line = [start, &text].concat();
            let _ = response(line.as_bytes());
            let _ = body_ahead(line.as_bytes());
            let _ = tail(line.as_bytes());
        }
    }
}

#[test]
fn v19_nesting_ends_at_a_depth() {
    for (depth, read) in [(1, true), (64, true), (65, false), (1000, false)] {
        let line = format!(
            "* 1 FETCH (X {}{} UID 2)",
            "(".repeat(depth),
            ")".repeat(depth)
        );
        assert_eq!(fetch(&line).uid.is_some(), read, "{depth}");
    }
}

#[test]
fn what_no_imap_server_says_is_no_response() {
    for line in [
        "HTTP/1.1 200 OK",
        "+OK",
        "A OK",
        "B1 OK",
        "A1",
        "A1 HELLO",
        "A99999999999 OK",
        "x",
    ] {
        let read = response(line.as_bytes());
        assert!(read.is_none() || line.starts_with('+'), "{line}: {read:?}");
    }
    for line in ["", " ", "\t "] {
        assert_eq!(response(line.as_bytes()), Some(Response::Blank));
    }
}

proptest! {
    #[test]
    fn any_line_is_read_without_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = response(&line);
        let _ = body_ahead(&line);
        let _ = tail(&line);
    }

    #[test]
    fn any_fetch_is_read_without_panic(
        items in "[ ()\\[\\]<>\"{}0-9~+\\\\]{0,20}(UID|BODY\\[\\]|FLAGS|X)?[ ()\\[\\]<>\"{}0-9~\r\n]{0,40}",
    ) {
        let line = ["* 1 FETCH (", &items].concat();
        let _ = response(line.as_bytes());
        let _ = body_ahead(line.as_bytes());
        let _ = tail(items.as_bytes());
    }
}
