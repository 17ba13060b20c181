//! Files within a text, uuencoded (POSIX `uuencode`, with and without `-m`). It owns finding them: what
//! only looks like one stays in the text.

use super::transfer;

/// A file that was in a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) octets: Vec<u8>,
}

/// The text without the files in it, and these.
pub(super) fn split(text: &str) -> (String, Vec<File>) {
    let mut files = Vec::new();
    if !text.contains("begin") {
        return (text.into(), files);
    }
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = next(rest);
        let found = begin(line).and_then(|(name, base64)| {
            let (octets, after) = if base64 { encoded(after) } else { body(after) }?;
            let name = name.trim().trim_matches('"').into();
            Some((File { name, octets }, after))
        });
        rest = match found {
            Some((file, after)) => {
                files.push(file);
                after
            }
            None => {
                left.push_str(&rest[..rest.len() - after.len()]);
                after
            }
        };
    }
    (left, files)
}

fn next(text: &str) -> (&str, &str) {
    match text.find('\n') {
        Some(end) => (text[..end].trim_end_matches('\r'), &text[end + 1..]),
        None => (text, ""),
    }
}

/// `begin MODE NAME`
fn begin(line: &str) -> Option<(&str, bool)> {
    let (rest, base64) = match line.strip_prefix("begin-base64 ") {
        Some(rest) => (rest, true),
        None => (line.strip_prefix("begin ")?, false),
    };
    let (mode, name) = rest.trim_start().split_once(' ')?;
    let octal = mode.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    (octal && matches!(mode.len(), 3..=5) && !name.trim().is_empty()).then_some((name, base64))
}

/// The octets until the line `end`, or until the text ends: a file that was cut. The first line that is
/// none makes it no file at all, so nothing is read twice.
fn body(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut octets = Vec::new();
    let mut rest = text;
    let mut lines = 0_usize;
    while !rest.is_empty() {
        let (line, after) = next(rest);
        if line.trim_end() == "end" {
            return Some((octets, after));
        }
        // spaces at the end may have been lost on the way, and stand for zero
        let bytes = line.as_bytes();
        if line.trim().is_empty() || bytes == b"`" {
            rest = after;
            continue;
        }
        let Some(count) = sextet(bytes[0]).map(usize::from) else {
            return (lines > 0).then_some((octets, rest));
        };
        let data = &bytes[1..];
        let most = count.div_ceil(3) * 4;
        // a checksum may follow; half a line of spaces may be lost, but not more
        if data.len() > most + 2
            || data.len() * 2 < most
            || !data.iter().all(|octet| sextet(*octet).is_some())
        {
            return (lines > 0).then_some((octets, rest));
        }
        let start = octets.len();
        for group in data[..data.len().min(most)].chunks(4) {
            let six = |at: usize| group.get(at).and_then(|octet| sextet(*octet)).unwrap_or(0);
            octets.push(six(0) << 2 | six(1) >> 4);
            octets.push(six(1) << 4 | six(2) >> 2);
            octets.push(six(2) << 6 | six(3));
        }
        octets.resize(start + count, 0);
        lines += 1;
        rest = after;
    }
    (lines > 0).then_some((octets, rest))
}

const fn sextet(octet: u8) -> Option<u8> {
    match octet {
        b' '..=b'`' => Some((octet - b' ') & 0x3F),
        _ => None,
    }
}

/// The base64 until the line `====`.
fn encoded(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut data = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = next(rest);
        let alphabet =
            |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
        match line.trim_end() {
            "====" => return Some((transfer::base64_word(&data), after)),
            line if line.bytes().all(alphabet) => data.extend_from_slice(line.as_bytes()),
            _ => break,
        }
        rest = after;
    }
    (!data.is_empty()).then(|| (transfer::base64_word(&data), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (String, Vec<(String, String)>) {
        let (left, files) = split(text);
        let files = files.into_iter();
        let files = files.map(|file| (file.name, String::from_utf8_lossy(&file.octets).into()));
        (left, files.collect())
    }

    #[test]
    fn w080_uuencoded_files_are_taken_out() {
        let file = |name: &str, octets: &str| vec![(name.to_string(), octets.to_string())];
        let table = [
            (
                "before\n\nbegin 644 note.txt\n#86)C\n`\nend\nafter\n",
                "before\n\nafter\n",
                file("note.txt", "abc"),
            ),
            (
                "begin 644 my note.txt\r\n#86)C\r\n \r\nend\r\n",
                "",
                file("my note.txt", "abc"),
            ),
            ("begin 644 cat\n#0V%T\n\nend", "", file("cat", "Cat")),
            ("begin 0755 cut\n#0V%T\n", "", file("cut", "Cat")),
            ("begin-base64 644 b\nQ2F0\n====\nx", "x", file("b", "Cat")),
            ("begin 644 empty\n`\nend\n", "", file("empty", "")),
        ];
        for (text, left, files) in table {
            assert_eq!(of(text), (left.into(), files), "{text:?}");
        }
        for text in [
            "begin with me\nplease\n",
            "begin 644 x\nThis is a sentence, and no file of any kind.\n",
            "begin 999 x\n#86)C\n`\nend\n",
            "begin 644 \n#86)C\nend\n",
            "begin",
        ] {
            assert_eq!(of(text), (text.into(), vec![]), "{text:?}");
        }
    }
}
