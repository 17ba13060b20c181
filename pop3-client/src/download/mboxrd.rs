//! How a message looks in an mbox (the form that is called mboxrd): a line before it, `>` before lines that
//! look like that line, an empty line after it.

use mail_parser::DateTime;

/// The line that begins a message. No two are alike, so a message can be found again after a break-off.
pub(super) fn from_line(at: u64, count: u64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let date = DateTime::from_timestamp(i64::try_from(at).unwrap_or(0));
    let day = DAYS[usize::from(date.day_of_week() % 7)];
    let month = MONTHS[usize::from(date.month.clamp(1, 12) - 1)];
    format!(
        "From pop3-client.{at}.{}.{count} {day} {month} {:>2} {:02}:{:02}:{:02} {}\n",
        std::process::id(),
        date.day,
        date.hour,
        date.minute,
        date.second,
        date.year
    )
}

/// Puts `>` before lines that begin with `From `, with or without `>` already.
#[derive(Debug)]
pub(super) struct Quoter {
    /// How much of `From ` stands at the start of the line; `None` in the rest of it.
    matched: Option<usize>,
    /// The last octet was a line end (or there was none).
    fresh: bool,
}

const FROM: &[u8] = b"From ";

impl Default for Quoter {
    fn default() -> Self {
        Self {
            matched: Some(0),
            fresh: true,
        }
    }
}

impl Quoter {
    /// Appends the octets that are settled to `out`.
    pub(super) fn quote(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for &octet in octets {
            self.fresh = octet == b'\n';
            match self.matched {
                // one more `>` gives the same line at any of these places
                Some(0) if octet == b'>' => out.push(octet),
                Some(matched) if octet == FROM[matched] => {
                    if matched + 1 == FROM.len() {
                        out.push(b'>');
                        out.extend_from_slice(FROM);
                        self.matched = None;
                    } else {
                        self.matched = Some(matched + 1);
                    }
                }
                Some(matched) => {
                    out.extend_from_slice(&FROM[..matched]);
                    out.push(octet);
                    self.matched = self.fresh.then_some(0);
                }
                None => {
                    out.push(octet);
                    self.matched = self.fresh.then_some(0);
                }
            }
        }
    }

    /// The message ends: with a line end and an empty line.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(matched) = self.matched {
            out.extend_from_slice(&FROM[..matched]);
        }
        if !self.fresh {
            out.push(b'\n');
        }
        out.push(b'\n');
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &[u8], chunk: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut quoter = Quoter::default();
        for piece in text.chunks(chunk) {
            quoter.quote(piece, &mut out);
        }
        quoter.finish(&mut out);
        out
    }

    #[test]
    fn from_lines_are_quoted_however_they_come() {
        let text = b"From a\n>From b\nFro\nFFrom c\n>>From d\n > From\nFromage\nFrom ";
        for chunk in 1..text.len() {
            assert_eq!(
                quoted(text, chunk),
                b">From a\n>>From b\nFro\nFFrom c\n>>>From d\n > From\nFromage\n>From \n\n"
            );
        }
        assert_eq!(quoted(b"x\nFro", 2), b"x\nFro\n\n");
        assert_eq!(quoted(b"", 1), b"\n");
    }
}
