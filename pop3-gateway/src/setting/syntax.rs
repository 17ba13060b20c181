//! Finding all the mistakes in the syntax of a text, not only the first.
//!
//! Works by parts: a part is a table with the tables below it, from a header without a dot to the next one. The lines of
//! a part up to a mistake are blanked, and the text is looked at again; places stay what they were. Of a part
//! with a mistake in its syntax no other mistake is reported, since that table cannot be read as it was meant.

use std::ops::Range;

use toml::de::{DeTable, Error};

use super::error::Mistake;

/// A text with more mistakes is no configuration at all.
const MOST: usize = 20;

/// A text of which only TOML is left.
pub(crate) struct Mended {
    /// What is left, everything at its place.
    pub(crate) text: String,
    /// What was wrong, one mistake for a line.
    pub(crate) mistakes: Vec<Mistake>,
    /// The parts that are not whole.
    spoilt: Vec<Range<usize>>,
}

impl Mended {
    /// Looks for what is not TOML, and blanks it.
    pub(crate) fn new(text: &str) -> Self {
        let mut mended = Self {
            text: text.to_owned(),
            mistakes: Vec::new(),
            spoilt: Vec::new(),
        };
        let mut last = None;
        while let Some((at, what)) = first_mistake(&mended.text) {
            let line = line_of(text, at);
            let again = last.replace(line.start) == Some(line.start);
            if !again {
                mended.mistakes.push(Mistake {
                    at: Some(at),
                    key: String::new(),
                    what: format!("this is not TOML: {what}"),
                    remedy: String::new(),
                });
            }
            // a header that cannot be read may be good, and what comes before it without an end
            let before = is_header(text, line.start) && !again;
            let part = part_of(
                text,
                if before {
                    line.start.saturating_sub(1)
                } else {
                    at
                },
            );
            let header = match is_header(text, part.start) {
                true => line_of(text, part.start).end,
                false => part.start,
            };
            let start = if again { line.start } else { header };
            let end = if before { line.start } else { line.end };
            let changed = mended.blank(start..end);
            mended.spoilt.push(part);
            if mended.mistakes.len() == MOST || !changed && !before {
                mended.text.clear();
                break;
            }
        }
        mended
    }

    /// Whether a mistake in a setting may come of the syntax, and is none.
    pub(crate) fn explains(&self, mistake: &Mistake) -> bool {
        let at = mistake.at.unwrap_or(0);
        self.spoilt.iter().any(|part| part.contains(&at))
    }

    /// Says whether there was something.
    fn blank(&mut self, range: Range<usize>) -> bool {
        let Some(old) = self.text.get(range.clone()) else {
            return false;
        };
        let new: String = old
            .bytes()
            .map(|octet| if octet == b'\n' { '\n' } else { ' ' })
            .collect();
        let changed = new != old;
        self.text.replace_range(range, &new);
        changed
    }
}

/// The mistake whose place comes first; the parser tells those of values after those of lines.
fn first_mistake(text: &str) -> Option<(usize, String)> {
    let (_, errors) = DeTable::parse_recoverable(text);
    let place = |error: &Error| error.span().map_or(0, |span| span.start);
    let first = errors.into_iter().min_by_key(place)?;
    Some((place(&first), first.message().to_owned()))
}

/// The line that this is in, its end included.
fn line_of(text: &str, at: usize) -> Range<usize> {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = after
        .find('\n')
        .map_or(text.len(), |newline| before.len() + newline + 1);
    start..end
}

/// The part that this is in.
fn part_of(text: &str, at: usize) -> Range<usize> {
    let begins =
        |start: &usize| is_header(text, *start) && !text[line_of(text, *start)].contains('.');
    let mut start = line_of(text, at).start;
    while start > 0 && !begins(&start) {
        start = line_of(text, start - 1).start;
    }
    let mut end = line_of(text, at).end;
    while end < text.len() && !begins(&end) {
        end = line_of(text, end).end;
    }
    start..end.max(start + 1)
}

/// Whether the line that starts here looks like the header of a table.
fn is_header(text: &str, start: usize) -> bool {
    text[start..]
        .trim_start_matches([' ', '\t'])
        .starts_with('[')
}
