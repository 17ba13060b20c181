//! Compares announced sizes with the messages that are sent.

use std::io;

use super::book::Book;
use super::contents::Contents;
use super::wire::Wire;
use super::{Probe, has};

/// Larger messages are left alone.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

pub(super) fn probe(
    probe: &Probe<'_>,
    wire: &mut Wire,
    after: &[String],
    contents: &Contents,
    book: &mut Book,
) -> io::Result<()> {
    let title = "announced sizes and octets sent";
    if after.iter().any(|line| line.starts_with("EXPIRE 0")) {
        let why = "EXPIRE 0: what is fetched is removed";
        book.untried(&["P028"], title, why);
        return Ok(());
    }
    let mut sample: Vec<(u32, u64)> = contents
        .sizes
        .iter()
        .map(|(number, size)| (*number, *size))
        .filter(|(_, size)| *size <= MAX_SIZE)
        .collect();
    if sample.is_empty() {
        book.untried(
            &["P028", "P043"],
            title,
            "there is no message, or only large ones",
        );
        return Ok(());
    }
    // spread over the mailbox
    let step = sample.len().div_ceil(probe.plan.sample.max(1));
    sample = sample.into_iter().step_by(step).collect();

    let mut wrong_list = Vec::new();
    let mut wrong_status = Vec::new();
    let mut bare = Vec::new();
    let mut tops = Tops::default();
    for &(number, size) in &sample {
        let (reply, message) = wire.ask_body(&format!("RETR {number}"))?;
        if !reply.is_ok() {
            wrong_status.push(format!("RETR {number} gives {}", reply.line));
            continue;
        }
        let sent = message.len() as u64;
        if sent != size {
            wrong_list.push(format!("message {number}: LIST says {size}, {sent} come"));
        }
        let told = reply
            .text
            .split(' ')
            .next()
            .and_then(|word| word.parse::<u64>().ok());
        if told.is_some_and(|told| told != sent) {
            wrong_status.push(format!("message {number}: '{}', {sent} come", reply.line));
        }
        if !lines_end_properly(&message) {
            bare.push(number.to_string());
        }
        tops.probe(wire, number, &message)?;
    }
    let count = crate::text::count(sample.len() as u64, "message");
    book.judge(
        &["P028", "P063", "F17"],
        &format!("LIST gives the octets that RETR sends ({count})"),
        wrong_list.is_empty(),
        || wrong_list.join(", "),
    );
    book.judge(
        &["P028", "F17"],
        "RETR announces the octets that it sends",
        wrong_status.is_empty(),
        || wrong_status.join(", "),
    );
    book.judge(
        &["P005", "G13"],
        "lines end with CRLF",
        bare.is_empty(),
        || format!("a bare LF in message {}", bare.join(", ")),
    );
    if has(after, "TOP") || tops.refused.is_none() {
        tops.judge(book);
    } else {
        book.remark(&["P041"], "TOP", "the server has none".into());
    }
    Ok(())
}

/// What TOP sent that it should not have.
#[derive(Default)]
struct Tops {
    wrong: Vec<String>,
    refused: Option<String>,
}

impl Tops {
    fn probe(&mut self, wire: &mut Wire, number: u32, message: &[u8]) -> io::Result<()> {
        for lines in [0, 1, 3, 99_999_999] {
            let command = format!("TOP {number} {lines}");
            let (reply, top) = wire.ask_body(&command)?;
            if !reply.is_ok() {
                self.refused
                    .get_or_insert_with(|| format!("{command} gives {}", reply.line));
                return Ok(());
            }
            let wanted = head_and(message, lines);
            // some servers add the empty line that a message without body lacks
            let padded = top.strip_suffix(b"\r\n") == Some(wanted) && wanted.len() == message.len();
            if top != wanted && !padded {
                self.wrong.push(format!(
                    "{command} sends {} octets instead of {}",
                    top.len(),
                    wanted.len()
                ));
            }
        }
        Ok(())
    }

    fn judge(self, book: &mut Book) {
        let Self { wrong, refused } = self;
        let title = "TOP sends the header and that many lines";
        book.judge(
            &["P042", "P043", "P044", "F14"],
            title,
            wrong.is_empty() && refused.is_none(),
            || {
                refused
                    .into_iter()
                    .chain(wrong)
                    .collect::<Vec<_>>()
                    .join(", ")
            },
        );
    }
}

/// The header, the empty line, and that many lines of the body.
fn head_and(message: &[u8], lines: u64) -> &[u8] {
    let mut end = 0;
    let mut left = None;
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        match &mut left {
            Some(0) => break,
            Some(left) => *left -= 1,
            None if matches!(line, b"\r\n" | b"\n") => left = Some(lines),
            None => {}
        }
        end += line.len();
    }
    &message[..end]
}

/// Whether no LF comes without its CR. A bare CR is an octet like any other.
fn lines_end_properly(message: &[u8]) -> bool {
    let mut before = b'\n';
    for &octet in message {
        if octet == b'\n' && before != b'\r' {
            return false;
        }
        before = octet;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_as_it_should_be() {
        let message = b"A: b\r\nC: d\r\n\r\n1\r\n2\r\n3";
        assert_eq!(head_and(message, 0), b"A: b\r\nC: d\r\n\r\n");
        assert_eq!(head_and(message, 2), b"A: b\r\nC: d\r\n\r\n1\r\n2\r\n");
        assert_eq!(head_and(message, 9), message);
        assert_eq!(head_and(b"A: b\r\n", 0), b"A: b\r\n");
    }

    #[test]
    fn line_ends() {
        for right in [b"a\r\n\r\nb".as_slice(), b"a\rb\r\n", b"a\r\r\n", b""] {
            assert!(lines_end_properly(right), "{right:?}");
        }
        for wrong in [b"a\nb".as_slice(), b"\n", b"a\r\n\n"] {
            assert!(!lines_end_properly(wrong), "{wrong:?}");
        }
    }
}
