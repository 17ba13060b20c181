//! The commands that list messages: all of them, those that are named, those that hold a text.

use std::ops::Range;

use super::page::Lines;
use super::{Console, numbers_of};
use crate::listing;
use pop3_client_io::Error;

/// How many headers are fetched together.
const TOGETHER: usize = 200;

/// Messages in a list.
struct Messages {
    numbers: Vec<u32>,
    rows: usize,
}

impl Lines for Messages {
    fn count(&self) -> usize {
        self.numbers.len()
    }

    fn end(&self, start: usize) -> usize {
        start.saturating_add(self.rows).min(self.numbers.len())
    }

    fn show(&mut self, console: &mut Console<'_>, lines: Range<usize>) -> Result<(), Error> {
        let columns = console.columns();
        let shown = self.numbers.get(lines).unwrap_or_default();
        for numbers in shown.chunks(TOGETHER) {
            console.learn(numbers)?;
            for number in numbers {
                let marked = console.marked.contains(number);
                let line = console.line(*number).show(columns, marked);
                console.say(&line)?;
            }
        }
        Ok(())
    }

    fn find(
        &mut self,
        console: &mut Console<'_>,
        text: &str,
        from: usize,
    ) -> Result<Option<usize>, Error> {
        let mut place = from;
        for numbers in self
            .numbers
            .get(from..)
            .unwrap_or_default()
            .chunks(TOGETHER)
        {
            console.learn(numbers)?;
            for number in numbers {
                if console.holds(*number, text) {
                    return Ok(Some(place));
                }
                place += 1;
            }
        }
        Ok(None)
    }
}

impl Console<'_> {
    pub(super) fn list(&mut self, words: &[&str]) -> Result<(), Error> {
        let words = if words.is_empty() { &["all"] } else { words };
        if self.sizes.is_empty() {
            return self.say("there are no messages");
        }
        let Some(numbers) = self.chosen(words)? else {
            return Ok(());
        };
        let rows = self.rows();
        self.turn_pages(&mut Messages { numbers, rows })
    }

    pub(super) fn find(&mut self, text: &str) -> Result<(), Error> {
        let wanted = text.to_lowercase();
        let all = numbers_of(&self.sizes);
        let mut numbers = Vec::new();
        for some in all.chunks(TOGETHER) {
            self.learn(some)?;
            let found = some.iter().filter(|number| self.holds(**number, &wanted));
            numbers.extend(found.copied());
        }
        if numbers.is_empty() {
            return self.say("no date, sender or subject has it");
        }
        let rows = self.rows();
        self.turn_pages(&mut Messages { numbers, rows })
    }

    /// Whether a message's line in a list has this text in it.
    fn holds(&self, number: u32, text: &str) -> bool {
        let line = self.line(number);
        let shown = line.show(usize::MAX, false).to_lowercase();
        let address = line.summary.map(|summary| summary.from_address);
        shown.contains(text) || address.is_some_and(|address| address.to_lowercase().contains(text))
    }

    fn line(&self, number: u32) -> listing::Line {
        let unknown = || listing::Line {
            number,
            size: self.sizes.get(&number).copied().unwrap_or(0),
            summary: None,
        };
        self.known.get(&number).cloned().unwrap_or_else(unknown)
    }

    /// Fetches the headers that are not known. The server sends nothing of messages that are marked.
    fn learn(&mut self, numbers: &[u32]) -> Result<(), Error> {
        let new: Vec<_> = numbers
            .iter()
            .filter(|number| !self.marked.contains(number) && !self.known.contains_key(number))
            .map(|number| (*number, self.sizes.get(number).copied().unwrap_or(0)))
            .collect();
        let lines = self.with(|session| listing::fetch(session, &new))?;
        self.known
            .extend(lines.into_iter().map(|line| (line.number, line)));
        Ok(())
    }
}
