//! The header of a mail or of a part, taken apart into fields (RFC 5322 section 2.2). It owns where the
//! header ends. It decodes nothing.

/// More octets of one field than this are not looked at.
const MAX_FIELD: usize = 1024 * 1024;

/// A header's fields in their order, as they came.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    fields: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Fields<'a> {
    /// Reads a header, and says where the body begins and where the header ends before that. `stop`
    /// knows lines that end it at once.
    pub(super) fn parse(text: &'a [u8], stop: impl Fn(&[u8]) -> bool) -> (Self, usize, usize) {
        let mut fields: Vec<(&[u8], &[u8])> = Vec::new();
        // where the value of the last field begins, and the end of the last line of a field
        let mut open: Option<(&[u8], usize)> = None;
        let start = mark(text);
        let (mut position, mut end) = (start, start);
        let mut junk = false;
        let mut body = None;
        for line in text[start..].split_inclusive(|octet| *octet == b'\n') {
            let next = position + line.len();
            if matches!(line, b"\n" | b"\r\n") {
                body = Some(next);
                break;
            }
            if stop(line) {
                body = Some(position);
                break;
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                // a line that continues something that is not a field is not one either
                if open.is_some() && !junk {
                    end = next;
                }
            } else if let Some(colon) = colon(line) {
                if let Some((name, value)) = open.take() {
                    fields.push((name, &text[value..end]));
                }
                let name = unmarked(&line[..colon]).trim_ascii_end();
                open = Some((name, position + colon + 1));
                (end, junk) = (next, false);
            } else {
                if let Some((name, value)) = open.take() {
                    fields.push((name, &text[value..end]));
                }
                junk = true;
            }
            position = next;
        }
        if let Some((name, value)) = open {
            fields.push((name, &text[value..end]));
        }
        let body = match body {
            // there is no header at all
            _ if fields.is_empty() && junk => start,
            // a text follows without an empty line
            _ if junk => end,
            Some(body) => body,
            None => text.len(),
        };
        (Self { fields }, body, end.min(body))
    }

    /// The first field of this name, unfolded.
    pub(super) fn first(&self, name: &str) -> Option<Vec<u8>> {
        self.all(name).next()
    }

    /// All fields of this name, unfolded.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = Vec<u8>> {
        self.fields
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| unfolded(value))
    }
}

/// What comes before the first field: a byte order mark, the line of an mbox.
fn mark(text: &[u8]) -> usize {
    let mut start = 0;
    if text.starts_with("\u{feff}".as_bytes()) {
        start = 3;
    }
    let rest = &text[start..];
    let of_mbox = rest
        .strip_prefix(b">")
        .unwrap_or(rest)
        .strip_prefix(b"From ");
    // `From : ann@example.org` is a field
    if of_mbox.is_some_and(|rest| !rest.trim_ascii_start().starts_with(b":")) {
        let line = rest.iter().position(|octet| *octet == b'\n');
        start += line.map_or(0, |end| end + 1);
    }
    start
}

/// Where the name of a field ends, if the line begins with one.
fn colon(line: &[u8]) -> Option<usize> {
    let colon = line.iter().take(256).position(|octet| *octet == b':')?;
    let name = unmarked(&line[..colon]).trim_ascii_end();
    let named = !name.is_empty() && name.iter().all(|octet| matches!(octet, 33..=126));
    named.then_some(colon)
}

/// Without the byte order mark of what was put together from files.
fn unmarked(line: &[u8]) -> &[u8] {
    line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line)
}

fn unfolded(value: &[u8]) -> Vec<u8> {
    value[..value.len().min(MAX_FIELD)]
        .trim_ascii()
        .iter()
        .copied()
        .filter(|octet| !matches!(octet, b'\r' | b'\n'))
        .collect()
}
