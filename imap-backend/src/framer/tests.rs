//! Lines and literals, however they are cut.
#![allow(clippy::unwrap_used, reason = "tests")]

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{Expected, Frame, Framer, LIMIT, MEDIUM, SMALL, State, TooLong};

/// What to do with a literal.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Collect,
    Skip,
    Lend,
    Discard,
}

/// All frames of some bytes in words, fed in chunks.
fn frames(bytes: &[u8], chunks: &[usize], fates: &[Fate]) -> Vec<String> {
    let mut framer = Framer::new();
    let mut said = Vec::new();
    let mut fates = fates.iter().cycle();
    let mut lent = Vec::new();
    let (mut rest, mut chunks) = (bytes, chunks.iter().cycle());
    loop {
        // as a connection does: the end of a literal is lent once the line after it was seen
        framer.behind();
        lent.extend_from_slice(framer.lent(usize::MAX));
        let fate = match framer.next() {
            Err(TooLong(start)) => {
                said.push(format!("too long {}", start.len()));
                return said;
            }
            Ok(Some(Frame::Line { bytes, tail })) => {
                if tail {
                    said.push(format!("lent {:?}", String::from_utf8_lossy(&lent)));
                    lent.clear();
                }
                said.push(format!("line {:?}", String::from_utf8_lossy(bytes)));
                continue;
            }
            Ok(Some(Frame::Literal { size, .. })) => {
                said.push(format!("literal {size}"));
                *fates.next().unwrap()
            }
            Ok(None) => {
                if framer.can_lend() {
                    continue;
                }
                if rest.is_empty() {
                    return said;
                }
                let room = framer.room(Expected::Line);
                let n = room.len().min(rest.len()).min(*chunks.next().unwrap());
                assert!(n > 0, "no room");
                room[..n].copy_from_slice(&rest[..n]);
                framer.filled(n);
                rest = &rest[n..];
                continue;
            }
        };
        match fate {
            Fate::Collect => framer.collect(),
            Fate::Skip => framer.skip(),
            Fate::Lend => framer.lend(),
            Fate::Discard => framer.discard(),
        }
    }
}

#[test]
fn literals_stand_in_data_alone() {
    for line in [
        "* OK your quota is {5}",
        "*  no {5}",
        "* BYE {5}",
        "* PREAUTH {5}",
        "A1 OK {5}",
        "+ {5}",
        "* 1 FETCH (FLAGS (a{5}",
        "* 1 FETCH ({}",
        "* 1 FETCH {5",
    ] {
        let text = format!("{line}\r\nA2 OK\r\n");
        let expected = [format!("line {line:?}"), "line \"A2 OK\"".into()];
        assert_eq!(frames(text.as_bytes(), &[3], &[Fate::Skip]), expected);
    }
}

#[test]
fn a_long_literal_becomes_nil_in_its_line() {
    let long = "x".repeat(100_000);
    let text = format!("* 1 FETCH (X {{100000}}\r\n{long} UID 4)\r\n* 2 EXISTS\r\n");
    for chunk in [7, 1000, 100_000] {
        let frames = frames(text.as_bytes(), &[chunk], &[Fate::Collect]);
        let line = "line \"* 1 FETCH (X NIL UID 4)\"";
        assert_eq!(frames, ["literal 100000", line, "line \"* 2 EXISTS\""]);
    }
}

#[test]
fn a_short_literal_stays_in_its_line() {
    for (size, stays) in [(0, true), (8 * 1024, true), (8 * 1024 + 1, false)] {
        let literal = "x".repeat(size);
        // a line in front, so that this one does not begin where the buffer does
        let front = "y".repeat(40_000);
        let text = format!("* {front}\r\n* 1 FETCH (X {{{size}}}\r\n{literal} UID 4)\r\n");
        let expected = if stays {
            format!(
                "line {:?}",
                format!("* 1 FETCH (X {{{size}}}\r\n{literal} UID 4)")
            )
        } else {
            "line \"* 1 FETCH (X NIL UID 4)\"".into()
        };
        for chunk in [1, 1000, 100_000] {
            let frames = frames(text.as_bytes(), &[chunk], &[Fate::Collect]);
            assert_eq!(frames[1..], [format!("literal {size}"), expected.clone()]);
        }
    }
}

/// Literals that are short one by one cannot make a line too long.
#[test]
fn a_line_of_short_literals_keeps_within_the_limit() {
    let start = "* 1 FETCH (X ";
    for last in 90..130 {
        // the last one begins at each place around the one where it just fits
        let pad = "p".repeat(LIMIT - 7 * 8020 - 8000 - 60 + last);
        let mut text = format!("{start}{pad}");
        let mut expected = text.clone();
        for _ in 0..7 {
            let literal = format!(" {{8000}}\r\n{}", "l".repeat(8000));
            text.push_str(&literal);
            expected.push_str(&literal);
        }
        let literal = format!(" {{8000}}\r\n{}", "l".repeat(8000));
        let room = LIMIT - expected.len();
        text.push_str(&literal);
        text.push_str(")\r\n");
        let all = frames(text.as_bytes(), &[5000], &[Fate::Collect]);
        let line = all.last().unwrap();
        if literal.len() < room {
            // it stays, and there is room for it, though perhaps none for what follows
            assert!(
                line.starts_with("too long") || line.ends_with("l)\""),
                "{last}"
            );
            assert!(literal.len() + 3 > room || line.ends_with("l)\""), "{last}");
        } else {
            assert!(
                line.ends_with("l NIL)\""),
                "{last}: {}",
                &line[line.len() - 40..]
            );
        }
    }
}

#[test]
fn a_line_without_end_is_too_long_at_the_limit() {
    let text = "x".repeat(2 * LIMIT);
    assert_eq!(
        frames(text.as_bytes(), &[1000], &[Fate::Skip]),
        [format!("too long {LIMIT}")]
    );
    let text = format!("* LIST {}\r\n", "(x ".repeat(20_000));
    assert_eq!(frames(text.as_bytes(), &[1000], &[Fate::Skip]).len(), 1);
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("* 1 FETCH (UID 4 BODY[] ".into()),
        Just("\r\n".into()),
        Just("\n".into()),
        Just("* OK x".into()),
        Just("* LIST () ".into()),
        (0..40_usize).prop_map(|n| format!(" {{{n}}}\r\n{}", "l".repeat(n))),
        (8000..9000_usize).prop_map(|n| format!(" ~{{{n}+}}\r\n{}", "\n".repeat(n))),
        "[a-z {}()0-9\r]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn chunks_do_not_show(
        parts in proptest::collection::vec(part(), 0..20),
        chunks in proptest::collection::vec(1..5000_usize, 1..6),
        fates in proptest::collection::vec(
            proptest::sample::select(
                [Fate::Collect, Fate::Skip, Fate::Lend, Fate::Discard].to_vec(),
            ),
            1..6,
        ),
    ) {
        let text = parts.concat();
        let whole = frames(text.as_bytes(), &[usize::MAX], &fates);
        let cut = frames(text.as_bytes(), &chunks, &fates);
        let bytewise = frames(text.as_bytes(), &[1], &fates);
        prop_assert_eq!(&whole, &cut);
        prop_assert_eq!(&whole, &bytewise);
    }
}

/// If less than half of the buffer is free, a little is moved to its front. Much is moved only if there is
/// no other room, and only if one line fills the whole buffer does it grow. What is lent stays where it is.
#[test]
fn room_is_made_without_moving_much() {
    for len in [SMALL, MEDIUM, LIMIT] {
        let quarter = len / 4;
        let places = [
            0,
            1,
            quarter - 1,
            quarter,
            quarter + 1,
            2 * quarter - 1,
            2 * quarter,
        ];
        let places =
            places
                .into_iter()
                .chain([2 * quarter + 1, 3 * quarter, 3 * quarter + 1, len - 1, len]);
        let places: Vec<usize> = places.collect();
        for (start, end) in places
            .iter()
            .flat_map(|s| places.iter().map(move |e| (*s, *e)))
        {
            let lend = State::Lend {
                left: u64::MAX,
                to: end,
                whole: true,
            };
            for state in [State::Line, lend].into_iter().filter(|_| start < end) {
                let mut framer = Framer::new();
                framer.buf = (0..len).map(|n| n as u8).collect();
                (framer.start, framer.end, framer.scanned) = (start, end, start);
                framer.state = state;
                let pending = framer.buf[start..end].to_vec();
                let room = framer.room(Expected::Line).len();
                let (roomy, full) = (len - end >= len / 2, end == len && state == State::Line);
                let moves = !roomy && (pending.len() <= quarter || full);
                let grows = full && start == 0;
                let (first, size) = (
                    if moves { 0 } else { start },
                    if grows { LIMIT } else { len },
                );
                let case = format!("{len} {start}..{end} {state:?}");
                assert_eq!((framer.start, framer.buf.len()), (first, size), "{case}");
                assert_eq!(room, size - first - pending.len(), "{case}");
                assert_eq!(framer.buf[framer.start..framer.end], pending, "{case}");
            }
        }
    }
}
