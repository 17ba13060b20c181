//! One screen at a time, forwards and backwards, with search; or the user's own pager.

use std::ops::Range;

use super::{Console, Input};
use pop3_client_io::Error;

const KEYS: &str = "return: on, b: back, g: begin, /TEXT: search, q: end";

/// Something with many lines.
pub(super) trait Lines {
    /// How many there are.
    fn count(&self) -> usize;
    /// Where a page ends that begins at this line.
    fn end(&self, start: usize) -> usize;
    /// Shows these lines.
    fn show(&mut self, console: &mut Console<'_>, lines: Range<usize>) -> Result<(), Error>;
    /// The first line from `from` on that has this text (lower case) in it.
    fn find(
        &mut self,
        console: &mut Console<'_>,
        text: &str,
        from: usize,
    ) -> Result<Option<usize>, Error>;
}

/// A text.
struct Text<'t> {
    lines: Vec<&'t str>,
    rows: usize,
    columns: usize,
}

impl Lines for Text<'_> {
    fn count(&self) -> usize {
        self.lines.len()
    }

    fn end(&self, start: usize) -> usize {
        let mut room = self.rows;
        for (place, line) in self.lines.iter().enumerate().skip(start) {
            // a long line takes several rows
            let taken = 1 + line.chars().count().saturating_sub(1) / self.columns.max(1);
            if room < taken && place > start {
                return place;
            }
            room = room.saturating_sub(taken);
        }
        self.lines.len()
    }

    fn show(&mut self, console: &mut Console<'_>, lines: Range<usize>) -> Result<(), Error> {
        let shown = self.lines.get(lines).unwrap_or_default();
        shown.iter().try_for_each(|line| console.say(line))
    }

    fn find(
        &mut self,
        _: &mut Console<'_>,
        text: &str,
        from: usize,
    ) -> Result<Option<usize>, Error> {
        let mut rest = self.lines.iter().enumerate().skip(from);
        let found = rest.find(|(_, line)| line.to_lowercase().contains(text));
        Ok(found.map(|(place, _)| place))
    }
}

impl Console<'_> {
    /// Shows a text that is harmless already.
    pub(super) fn page(&mut self, text: &str) -> Result<(), Error> {
        let mut text_lines = Text {
            lines: text.lines().collect(),
            rows: self.rows(),
            columns: self.columns(),
        };
        let is_long = text_lines.end(0) < text_lines.count();
        if is_long && self.terminal.page(text).map_err(Error::Local)? {
            return Ok(());
        }
        self.turn_pages(&mut text_lines)
    }

    pub(super) fn turn_pages(&mut self, lines: &mut dyn Lines) -> Result<(), Error> {
        let mut wanted = String::new();
        // the pages before
        let mut before = Vec::new();
        let mut start = 0;
        loop {
            let end = lines.end(start);
            lines.show(self, start..end)?;
            if end >= lines.count() {
                return Ok(());
            }
            loop {
                let Some(answer) = self.wants_more()? else {
                    return Ok(());
                };
                match answer.trim() {
                    "b" | "B" | "-" => {
                        if let Some(page) = before.pop() {
                            start = page;
                            break;
                        }
                        self.say("this is the beginning")?;
                    }
                    "g" | "<" => {
                        before.clear();
                        start = 0;
                        break;
                    }
                    "h" | "?" => self.say(KEYS)?,
                    search if search.starts_with('/') => {
                        if search.len() > 1 {
                            wanted = search[1..].to_lowercase();
                        }
                        let found = match wanted.as_str() {
                            "" => None,
                            wanted => lines.find(self, wanted, start + 1)?,
                        };
                        if let Some(place) = found {
                            before.push(start);
                            start = place;
                            break;
                        }
                        self.say("not found further on")?;
                    }
                    _ => {
                        before.push(start);
                        start = end;
                        break;
                    }
                }
            }
        }
    }

    /// How many lines go before the user is asked.
    pub(super) fn rows(&self) -> usize {
        self.terminal
            .size()
            .map_or(usize::MAX, |(_, rows)| rows.saturating_sub(1).max(1))
    }

    pub(super) fn columns(&self) -> usize {
        self.terminal
            .size()
            .map_or(usize::MAX, |(columns, _)| columns)
    }

    /// The user's answer at the end of a page; `None` if they have seen enough.
    fn wants_more(&mut self) -> Result<Option<String>, Error> {
        match self
            .terminal
            .ask("-- more (return, b back, / search, q) -- ")
        {
            Ok(Input::Line(answer)) => {
                let ends = answer.trim_start().starts_with(['q', 'Q', 'n', 'N']);
                Ok((!ends).then_some(answer))
            }
            Ok(Input::Interrupted | Input::End) => Ok(None),
            Err(error) => Err(Error::Local(error)),
        }
    }
}
