//! Makes lines of the content of HTML. It owns white space, margins and the numbers of links.

use std::collections::HashMap;

use pop3_proto::controls::dropped;

use super::element::Shape;
use crate::text::{is_invisible, joins};

/// Deeper lists and quotes are not moved further to the right.
const MAX_MARGIN: usize = 8;
/// Links that get a number, and how long an address may be.
const MAX_LINKS: usize = 10_000;
const MAX_ADDRESS: usize = 4000;

/// A list that is open, with the number of its next item.
type List = Option<i64>;

/// A text as it is written.
#[derive(Default)]
pub(super) struct Writer {
    text: String,
    /// The line that is not ended, without its margin.
    line: String,
    /// A space is due before the next word.
    space: bool,
    /// The next word is in another cell.
    cell: bool,
    /// An empty line is due before the next line.
    apart: bool,
    preformatted: usize,
    quotes: usize,
    /// How deep the last line was quoted.
    quoted: usize,
    lists: Vec<List>,
    deeper_lists: usize,
    bullet: Option<String>,
    link: Option<Link>,
    /// The number of a link was the last that was written.
    numbered: bool,
    numbers: HashMap<String, usize>,
    links: Vec<String>,
    images: Vec<String>,
}

/// A link that is open.
struct Link {
    target: String,
    said: String,
}

impl Writer {
    /// Words.
    pub(super) fn text(&mut self, text: &str) {
        for c in text.chars() {
            if self.preformatted > 0 {
                match c {
                    '\n' => self.line_break(),
                    '\r' => {}
                    c => self.push(c),
                }
            } else if c.is_whitespace() {
                self.space = true;
            } else if !is_invisible(c) || joins(c, self.before()) {
                self.push(c);
            }
        }
    }

    /// What the next character follows.
    fn before(&self) -> Option<char> {
        if self.space {
            return Some(' ');
        }
        self.line.chars().next_back()
    }

    fn push(&mut self, c: char) {
        if self.line.is_empty() && self.preformatted == 0 {
            (self.space, self.cell) = (false, false);
        }
        if std::mem::take(&mut self.cell) {
            self.line.push_str(" | ");
            self.space = false;
        }
        let space = std::mem::take(&mut self.space);
        if space || (self.numbered && c.is_alphanumeric()) {
            self.line.push(' ');
        }
        self.numbered = false;
        self.line.push(c);
        if let Some(link) = &mut self.link
            && link.said.len() < MAX_ADDRESS
        {
            if space {
                link.said.push(' ');
            }
            link.said.push(c);
        }
    }

    /// Ends the line, be it empty.
    pub(super) fn line_break(&mut self) {
        if self.line.is_empty() && self.preformatted == 0 {
            self.apart = !self.text.is_empty();
            return;
        }
        self.write_line();
    }

    /// Ends the line if there is one.
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.write_line();
        }
        (self.space, self.cell) = (false, false);
    }

    fn write_line(&mut self) {
        let quotes = self.quotes.min(MAX_MARGIN);
        let before = std::mem::replace(&mut self.quoted, quotes);
        if std::mem::take(&mut self.apart) && !self.text.is_empty() {
            // between two quotes the line belongs to the outer one
            let margin = "> ".repeat(quotes.min(before));
            self.text.push_str(margin.trim_end());
            self.text.push('\n');
        }
        self.text.push_str(&"> ".repeat(quotes));
        let depth = self.lists.len().min(MAX_MARGIN);
        match self.bullet.take() {
            Some(bullet) => {
                self.text.push_str(&"  ".repeat(depth.saturating_sub(1)));
                self.text.push_str(&bullet);
            }
            None => self.text.push_str(&"  ".repeat(depth)),
        }
        self.text.push_str(self.line.trim_end());
        self.text.push('\n');
        self.line.clear();
        (self.space, self.cell, self.numbered) = (false, false, false);
    }

    pub(super) fn begin(&mut self, shape: Shape) {
        match shape {
            Shape::Block => self.end_line(),
            Shape::Paragraph => {
                self.end_line();
                // an item's first paragraph begins at its mark
                self.apart |= self.bullet.is_none();
            }
            Shape::Item => {
                self.end_line();
                self.bullet = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let bullet = format!("{number}. ");
                        *number = number.saturating_add(1);
                        bullet
                    }
                    Some(None) | None => "* ".into(),
                });
            }
            Shape::Cell => self.cell = !self.line.is_empty(),
        }
    }

    pub(super) fn end(&mut self, shape: Shape) {
        match shape {
            Shape::Block => self.end_line(),
            Shape::Paragraph => {
                self.end_line();
                self.apart = true;
            }
            Shape::Item => {
                self.end_line();
                self.bullet = None;
            }
            // the next one begins with a mark; what follows without one is no part of it either
            Shape::Cell => self.cell = !self.line.is_empty(),
        }
    }

    pub(super) fn preformatted(&mut self, begins: bool) {
        if begins {
            self.preformatted = self.preformatted.saturating_add(1);
        } else {
            self.end_line();
            self.preformatted = self.preformatted.saturating_sub(1);
        }
    }

    pub(super) fn rule(&mut self) {
        self.end_line();
        self.line.push_str("--------");
        self.end_line();
    }

    /// A list begins; `first` is the number of its first item, if it has numbers.
    pub(super) fn list(&mut self, first: Option<i64>) {
        self.end_line();
        self.apart |= self.lists.is_empty();
        if self.lists.len() < 1000 {
            self.lists.push(first);
        } else {
            self.deeper_lists += 1;
        }
    }

    /// The next item of the list has this number.
    pub(super) fn number(&mut self, number: i64) {
        if let Some(Some(next)) = self.lists.last_mut() {
            *next = number;
        }
    }

    pub(super) fn list_end(&mut self) {
        self.end_line();
        self.bullet = None;
        if self.deeper_lists > 0 {
            self.deeper_lists -= 1;
        } else {
            self.lists.pop();
        }
        self.apart |= self.lists.is_empty();
    }

    pub(super) fn quote(&mut self) {
        self.end_line();
        self.apart = true;
        self.quotes = self.quotes.saturating_add(1);
    }

    pub(super) fn quote_end(&mut self) {
        self.end_line();
        self.quotes = self.quotes.saturating_sub(1);
        self.apart = true;
    }

    pub(super) fn link(&mut self, target: &str) {
        // links do not nest
        self.link_end();
        // as browsers do, and as addresses that were broken over lines need it
        let target: String = dropped(target.trim().chars())
            .take(MAX_ADDRESS + 1)
            .collect();
        let scheme = target
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let nowhere = matches!(scheme.as_str(), "javascript" | "data" | "cid" | "about");
        if nowhere
            || target.is_empty()
            || target.starts_with('#')
            || target.chars().count() > MAX_ADDRESS
        {
            return;
        }
        let said = String::new();
        self.link = Some(Link { target, said });
    }

    pub(super) fn link_end(&mut self) {
        let Some(link) = self.link.take() else {
            return;
        };
        if same(&link.said, &link.target) {
            return;
        }
        let number = match self.numbers.get(&link.target) {
            Some(number) => *number,
            None if self.links.len() >= MAX_LINKS => return,
            None => {
                self.links.push(link.target.clone());
                let number = self.links.len();
                self.numbers.insert(link.target, number);
                number
            }
        };
        // the space that follows the words stays after the number
        let space = std::mem::take(&mut self.space);
        if self.line.is_empty() {
            self.line.push_str(&format!("[{number}]"));
        } else {
            self.line.push_str(&format!(" [{number}]"));
        }
        (self.space, self.numbered) = (space, true);
    }

    pub(super) fn image(&mut self, alternative: &str, source: &str) {
        let known = alternative.trim();
        if known.is_empty() {
            let shown = !source.is_empty() && !source.starts_with("data:");
            if shown && self.images.len() < MAX_LINKS {
                self.images.push(source.chars().take(MAX_ADDRESS).collect());
            }
            return;
        }
        self.text(&format!("[{known}]"));
    }

    /// The whole text. Where there are no words, images and links are named.
    pub(super) fn finish(mut self) -> String {
        self.link_end();
        self.end_line();
        if self.text.trim().is_empty() && self.links.is_empty() {
            for image in &self.images {
                self.text.push_str(&format!("[image: {image}]\n"));
            }
        }
        for (position, link) in self.links.iter().enumerate() {
            if position == 0 {
                self.text.push('\n');
            }
            self.text.push_str(&format!("[{}]: {link}\n", position + 1));
        }
        self.text
    }
}

/// Whether the words of a link are its address.
fn same(said: &str, target: &str) -> bool {
    let bare = |text: &str| {
        let text = text.trim().trim_end_matches('/').to_ascii_lowercase();
        ["mailto:", "tel:", "https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme).map(str::to_string))
            .unwrap_or(text)
    };
    bare(said) == bare(target)
}
