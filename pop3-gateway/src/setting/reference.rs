//! What all rows say, for people: the reference in the book, and the manual page of the file's format.
//!
//! Owns how a key is shown there. Says nothing by itself: words and values are those of the rows, and what a key
//! takes is what it answers to a value that it refuses.

use std::fmt::Write as _;
use std::path::Path;

use roff::{Roff, bold, roman};
use toml::de::{DeTable, DeValue};

use super::row::{Mark, Row};

/// A table of the file.
pub(crate) struct Section {
    /// As it is written in the file.
    heading: &'static str,
    /// What it is for.
    about: &'static str,
    keys: Vec<Key>,
}

/// A key of a table.
struct Key {
    name: &'static str,
    /// Empty where the key before it says it too.
    doc: &'static [&'static str],
    takes: String,
    example: &'static str,
    is_default: bool,
}

impl Section {
    /// A table without any row so far.
    pub(crate) const fn new(heading: &'static str, about: &'static str) -> Self {
        Self {
            heading,
            about,
            keys: Vec::new(),
        }
    }

    /// With these rows after those before.
    pub(crate) fn with<S>(mut self, rows: &[Row<S>]) -> Self {
        self.keys.extend(rows.iter().map(Key::of));
        self
    }

    /// The keys that it shows.
    #[cfg(test)]
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

impl Key {
    fn of<S>(row: &Row<S>) -> Self {
        Self {
            name: row.key,
            doc: row.doc,
            takes: takes(row),
            example: row.example,
            is_default: !row.marks.contains(&Mark::NoDefault),
        }
    }

    /// The words as paragraphs, and lists in them line by line.
    fn paragraphs(&self) -> Vec<(bool, String)> {
        let mut found: Vec<(bool, String)> = Vec::new();
        for line in self.doc {
            let is_item = line.starts_with("  ");
            match found.last_mut() {
                Some((false, text)) if !is_item => {
                    *text += " ";
                    *text += line.trim();
                }
                Some(_) | None => {
                    let line = line.trim();
                    let text = match line.split_once("  ") {
                        Some((word, meaning)) => format!("{word}: {}", meaning.trim_start()),
                        None => line.to_owned(),
                    };
                    found.push((is_item, text));
                }
            }
        }
        found
    }

    /// `Default: 50. Takes a whole number, without quotes.` An example in brackets is of a key that takes lists.
    fn value(&self, code: impl Fn(&str) -> String) -> String {
        let word = match self.is_default {
            true => "Default",
            false => "For example",
        };
        let or_list = match self.example.starts_with('[') {
            true => ", or a list of such",
            false => "",
        };
        let (example, takes) = (code(self.example), &self.takes);
        format!("{word}: {example}. Takes {takes}{or_list}.")
    }
}

/// What a key takes, as it answers to a table, which none takes, and to a text that means nothing.
fn takes<S>(row: &Row<S>) -> String {
    let ask = |value: &DeValue<'_>| {
        let set = (row.set)(&mut (row.fresh)(), value, Path::new(""));
        set.err().map(|bad| bad.remedy)
    };
    let of_kind = ask(&DeValue::Table(DeTable::new()));
    let of_words = ask(&DeValue::String("\u{1}".into()));
    let answer = of_words.filter(|remedy| remedy.starts_with("write \""));
    let answer = answer.or(of_kind).unwrap_or_default();
    let answer = answer.strip_prefix("write ").unwrap_or(&answer);
    answer.to_owned()
}

/// As a page of the book.
pub(crate) fn markdown(intro: &str, sections: &[Section]) -> String {
    let mut page = String::from(intro);
    for section in sections {
        let _ = write!(page, "\n## {}\n\n{}\n", section.heading, section.about);
        for key in &section.keys {
            let _ = writeln!(page, "\n### `{}`\n", key.name);
            let mut was_item = false;
            for (is_item, text) in key.paragraphs() {
                let (sign, space) = match (is_item, was_item) {
                    (true, false) => ("* ", "\n"),
                    (true, true) => ("* ", ""),
                    (false, _) => ("", ""),
                };
                let _ = writeln!(page, "{space}{sign}{}", escaped(&text));
                was_item = is_item;
            }
            let space = if key.doc.is_empty() { "" } else { "\n" };
            let _ = writeln!(page, "{space}{}", key.value(|text| format!("`{text}`")));
        }
    }
    page
}

/// Nothing in it is a sign of Markdown.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars() {
        if "\\<*`".contains(letter) {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe
}

/// As a manual page of section 5.
pub(crate) fn manual(name: &str, about: &str, intro: &str, sections: &[Section]) -> String {
    let mut page = Roff::new();
    page.control(
        "TH",
        [&name.to_uppercase(), "5", "", env!("CARGO_PKG_VERSION"), ""],
    );
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {about}"))]);
    page.control("SH", ["DESCRIPTION"]);
    for paragraph in intro.split("\n\n") {
        page.control("PP", []);
        page.text([roman(paragraph.replace('\n', " "))]);
    }
    for section in sections {
        page.control("SH", [section.heading]);
        page.text([roman(section.about)]);
        for key in &section.keys {
            page.control("TP", []);
            page.text([bold(key.name)]);
            for (at, (is_item, text)) in key.paragraphs().into_iter().enumerate() {
                if is_item || at > 0 {
                    page.control("br", []);
                }
                page.text([roman(text)]);
            }
            if !key.doc.is_empty() {
                page.control("br", []);
            }
            page.text([roman(key.value(str::to_owned))]);
        }
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("pop3-gateway"),
        roman("(1), "),
        bold("pop3-gateway-check"),
        roman("(1)"),
    ]);
    page.to_roff()
}
