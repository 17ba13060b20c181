//! Byte-stuffing against a naive oracle, and back.
#![allow(clippy::unwrap_used, reason = "tests")]

use bytes::BytesMut;
use pop3_proto::stuffing::{Stuffer, Unstuffer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// The lines of a message: CRLF and LF each end one, a bare CR is a part of one. An end of input in mid-line
/// ends it too.
fn lines(message: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = message
        .split(|&octet| octet == b'\n')
        .map(Vec::from)
        .collect();
    let last = lines.pop().unwrap();
    for line in &mut lines {
        line.pop_if(|octet| *octet == b'\r');
    }
    if !last.is_empty() {
        lines.push(last);
    }
    lines
}

fn top_lines(message: &[u8], wanted: u64) -> Vec<Vec<u8>> {
    let lines = lines(message);
    let header = lines
        .iter()
        .position(Vec::is_empty)
        .map_or(lines.len(), |at| at + 1);
    let end = header.saturating_add(usize::try_from(wanted).unwrap_or(usize::MAX));
    lines[..end.min(lines.len())].to_vec()
}

fn normalised(lines: &[Vec<u8>]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| [line, &b"\r\n"[..]].concat())
        .collect()
}

fn stuffed_naively(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend(line);
        out.extend(b"\r\n");
    }
    out.extend(b".\r\n");
    out
}

fn pieces<'a>(mut input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &cut in cuts {
        let (piece, rest) = input.split_at(cut.min(input.len()));
        pieces.push(piece);
        input = rest;
    }
    pieces.push(input);
    pieces
}

fn stuff(mut stuffer: Stuffer, message: &[u8], cuts: &[usize]) -> (Vec<u8>, u64) {
    let mut out = BytesMut::new();
    for piece in pieces(message, cuts) {
        let before = out.len();
        stuffer.stuff(piece, &mut out);
        assert!(out.len() - before <= Stuffer::MAX_GROWTH * piece.len());
    }
    let before = out.len();
    stuffer.finish(&mut out);
    assert!(out.len() - before <= Stuffer::MAX_FINISH);
    (out.to_vec(), stuffer.octets())
}

/// The message, and how many octets of the input belonged to it; `None` if it did not end.
fn unstuff(wire: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<usize>) {
    let mut unstuffer = Unstuffer::new();
    let mut message = Vec::new();
    let mut total = 0;
    for mut piece in pieces(wire, cuts) {
        while !piece.is_empty() {
            let step = unstuffer.unstuff(piece);
            assert!(
                step.end || step.consumed > 0 || !step.bytes.is_empty(),
                "stuck"
            );
            message.extend(step.bytes);
            total += step.consumed;
            piece = &piece[step.consumed..];
            if step.end {
                return (message, Some(total));
            }
        }
    }
    (message, None)
}

fn whole(message: &[u8]) -> Vec<u8> {
    stuff(Stuffer::whole(), message, &[]).0
}

fn top(message: &[u8], lines: u64) -> Vec<u8> {
    stuff(Stuffer::top(lines), message, &[]).0
}

#[test]
fn p007_every_leading_dot_is_doubled() {
    assert_eq!(whole(b".\r\n"), b"..\r\n.\r\n");
    assert_eq!(whole(b"..\r\n.x\r\na.b\r\n"), b"...\r\n..x\r\na.b\r\n.\r\n");
    assert_eq!(whole(b".first\r\n\r\n.\r\n"), b"..first\r\n\r\n..\r\n.\r\n");
}

#[test]
fn p008_terminator_stands_on_its_own_line() {
    assert_eq!(whole(b""), b".\r\n");
    assert_eq!(whole(b"no end"), b"no end\r\n.\r\n");
    assert_eq!(whole(b"ends in cr\r"), b"ends in cr\r\r\n.\r\n");
    assert_eq!(whole(b"."), b"..\r\n.\r\n");
}

/// qC1, qC2, V28
#[test]
fn qc2_v28_qc1_dots_after_bare_line_ends_are_stuffed() {
    assert_eq!(whole(b"a\n.\nb\n"), b"a\r\n..\r\nb\r\n.\r\n");
    assert_eq!(whole(b"a\r\r\n.\nb"), b"a\r\r\n..\r\nb\r\n.\r\n");
    assert_eq!(whole(b"a\n\rb"), b"a\r\n\rb\r\n.\r\n");
}

/// A bare CR is passed on and counted as what it is, and starts no line.
#[test]
fn w049_a_bare_cr_passes_as_it_is() {
    for (message, sent) in [
        (&b"a\r.\rb\r\n"[..], &b"a\r.\rb\r\n"[..]),
        (b"\r.\r\n.\r\n", b"\r.\r\n..\r\n"),
        (b"\r\r\n", b"\r\r\n"),
        (b"A: 1\r\r\n\r\nbody\n", b"A: 1\r\r\n\r\nbody\r\n"),
        (b"\r", b"\r\r\n"),
    ] {
        assert_eq!(whole(message), [sent, b".\r\n"].concat());
        for cuts in [&[1][..], &[1, 1], &[1, 1, 1], &[2, 1], &[3]] {
            let (cut, octets) = stuff(Stuffer::whole(), message, cuts);
            assert_eq!(cut, whole(message));
            assert_eq!(octets, unstuff(&cut, &[]).0.len() as u64);
        }
    }
    // a line of a CR alone is not blank
    assert_eq!(
        top(b"A: 1\n\r\r\nB: 2\n\nbody\n", 0),
        b"A: 1\r\n\r\r\nB: 2\r\n\r\n.\r\n"
    );
}

#[test]
fn p043_top_counts_body_lines() {
    let message = b"A: 1\r\nB: 2\r\n\r\none\r\n.two\r\nthree";
    assert_eq!(top(message, 0), b"A: 1\r\nB: 2\r\n\r\n.\r\n");
    assert_eq!(top(message, 1), b"A: 1\r\nB: 2\r\n\r\none\r\n.\r\n");
    assert_eq!(
        top(message, 2),
        b"A: 1\r\nB: 2\r\n\r\none\r\n..two\r\n.\r\n"
    );
    assert_eq!(top(message, 3), whole(message));
    assert_eq!(top(message, 4), whole(message), "P044");
    assert_eq!(top(message, u64::MAX), whole(message), "qC7");
}

#[test]
fn p045_top_of_a_message_without_blank_line_is_all_of_it() {
    assert_eq!(top(b"A: 1\r\nB: 2", 0), b"A: 1\r\nB: 2\r\n.\r\n");
    assert_eq!(top(b"", 0), b".\r\n");
    assert_eq!(
        top(b"\r\nbody\r\n", 0),
        b"\r\n.\r\n",
        "the blank line may come first"
    );
}

#[test]
fn top_says_when_it_has_enough() {
    let mut out = BytesMut::new();
    let mut stuffer = Stuffer::top(1);
    assert!(!stuffer.stuff(b"A: 1\r\n\r\n", &mut out));
    assert!(!stuffer.stuff(b"one", &mut out));
    assert!(!stuffer.stuff(b"\r", &mut out));
    assert!(stuffer.stuff(b"\ntwo\r\n", &mut out));
    stuffer.finish(&mut out);
    assert_eq!(&out[..], b"A: 1\r\n\r\none\r\n.\r\n");
    assert_eq!(stuffer.octets(), 13);
    assert!(!Stuffer::whole().stuff(b"a\r\n\r\n", &mut out));
}

#[test]
fn p063_octets_count_crlf_and_not_the_stuffing() {
    assert_eq!(stuff(Stuffer::whole(), b".a\n.b", &[]).1, 8);
    assert_eq!(stuff(Stuffer::whole(), b"", &[]).1, 0);
}

#[test]
fn nul_and_8_bit_pass() {
    let all: Vec<u8> = (0..=255).filter(|octet| !b"\r\n".contains(octet)).collect();
    assert_eq!(whole(&all), [&all[..], b"\r\n.\r\n"].concat());
}

#[test]
fn unstuffer_ends_at_crlf_dot_crlf_only() {
    assert_eq!(unstuff(b"a\r\n.\r\n+OK", &[]), (b"a\r\n".to_vec(), Some(6)));
    assert_eq!(
        unstuff(b".\r\n+OK", &[]),
        (Vec::new(), Some(3)),
        "an empty body"
    );
    for open in [
        &b"a\n.\n"[..],
        b"a\r\n.\n",
        b"a\n.\r\n",
        b"a\r.\r\n",
        b"a\r\n.\r",
        b"a\r\n.",
        b"a.\r\n",
        b"a\r\n.\r\r\n",
        b"a\r\n..\r\n",
        b"a\r\n. \r\n",
    ] {
        for cuts in [&[][..], &[1], &[2], &[1, 2, 3]] {
            let cuts: Vec<usize> = cuts.iter().copied().cycle().take(20).collect();
            let end = unstuff(open, &cuts).1;
            assert_eq!(end, None, "{:?} {cuts:?}", open.escape_ascii());
        }
    }
}

#[test]
fn unstuffer_leaves_bare_line_ends_as_they_are() {
    assert_eq!(
        unstuff(b"a\n..b\r.\rc\r\n..\n\r\n.\r\n", &[]).0,
        b"a\n..b\r.\rc\r\n.\n\r\n"
    );
    assert_eq!(
        unstuff(b".\rx\r\n.\r\n", &[]).0,
        b"\rx\r\n",
        "a lone dot before a bare CR is stuffing"
    );
}

/// Mail as the devil writes it, a few long stretches included.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let tokens: Vec<Vec<u8>> = [
        &b"\r\n"[..],
        b"\r\n",
        b"\r\n.",
        b"\n",
        b"\r",
        b".",
        b"a",
        b"\0\xff",
        b"\r\n\r\n",
    ]
    .map(<[u8]>::to_vec)
    .into_iter()
    .chain([b"some text\r\n".repeat(3000), vec![b'x'; 20_000]])
    .collect();
    prop_oneof![
        vec(select(tokens[..9].to_vec()), 0..40).prop_map(|tokens| tokens.concat()),
        vec(select(tokens), 0..12).prop_map(|tokens| tokens.concat()),
        vec(any::<u8>(), 0..100),
    ]
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(0..4_usize, 0..60), vec(0..20_000_usize, 0..6)]
}

proptest! {
    #[test]
    fn stuffing_agrees_with_the_naive_way(message in message(), cuts in cuts()) {
        let (wire, octets) = stuff(Stuffer::whole(), &message, &cuts);
        let lines = lines(&message);
        prop_assert!(wire == stuffed_naively(&lines));
        prop_assert_eq!(octets, normalised(&lines).len() as u64);
    }

    #[test]
    fn unstuffing_gives_the_normalised_message_back(message in message(), cut in cuts(), uncut in cuts()) {
        let (mut wire, _) = stuff(Stuffer::whole(), &message, &cut);
        let length = wire.len();
        wire.extend(b".\r\n+OK the next response\r\n");
        let (back, end) = unstuff(&wire, &uncut);
        prop_assert!(back == normalised(&lines(&message)));
        prop_assert_eq!(end, Some(length), "the terminator never appears inside");
    }

    #[test]
    fn stuffed_text_has_no_bare_lf_and_every_cr_of_the_message(message in message(), cuts in cuts()) {
        let (wire, _) = stuff(Stuffer::whole(), &message, &cuts);
        let crlfs = wire.windows(2).filter(|pair| pair == b"\r\n").count();
        let bare_crs = |text: &[u8]| {
            let crs = text.iter().filter(|octet| **octet == b'\r').count();
            crs - text.windows(2).filter(|pair| pair == b"\r\n").count()
        };
        prop_assert_eq!(bare_crs(&wire), bare_crs(&message));
        prop_assert_eq!(wire.iter().filter(|octet| **octet == b'\n').count(), crlfs);
    }

    #[test]
    fn top_agrees_with_the_naive_way(message in message(), cuts in cuts(), wanted in 0..20_u64, many in any::<bool>()) {
        let wanted = if many { wanted * 700 } else { wanted };
        let (wire, octets) = stuff(Stuffer::top(wanted), &message, &cuts);
        let lines = top_lines(&message, wanted);
        prop_assert!(wire == stuffed_naively(&lines));
        prop_assert_eq!(octets, normalised(&lines).len() as u64);
    }

    #[test]
    fn unstuffing_does_not_see_the_chunks(wire in message(), end in any::<Index>(), cuts in cuts()) {
        let mut wire = wire;
        let at = end.index(wire.len() + 1);
        wire.splice(at..at, *b"\r\n.\r\n");
        prop_assert!(unstuff(&wire, &cuts) == unstuff(&wire, &[]));
    }
}

/// Text comes out in one piece, however the piece before it ended.
#[test]
fn unstuffer_lends_text_in_one_piece() {
    for before in ["x", "x\r", "x\r\n", "\r\n.x", ""] {
        for text in ["y", "one\r\ntwo\nthree", "\none", "y\n.z", "\r\r\ny"] {
            let mut unstuffer = Unstuffer::new();
            let mut rest = before.as_bytes();
            while !rest.is_empty() {
                rest = &rest[unstuffer.unstuff(rest).consumed..];
            }
            assert_eq!(unstuffer.unstuff(text.as_bytes()).bytes, text.as_bytes());
        }
    }
}
