//! Reading a TOML text table by table, with the place of everything at hand.
//!
//! Every key that is asked for is thereby a known key: a table that is [`finish`](Table::finish)ed with
//! other keys in it is refused, with the nearest known key as a suggestion. So the keys are named once,
//! where they are read. Values that cannot be read are collected, and `finish` reports them together.

use std::path::Path;

use strsim::osa_distance;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Fault, Mistake, Problem};
use super::row::Row;
use super::value::{BadValue, Value, expected};

/// A table of the document, and the keys that were asked for.
#[derive(Debug)]
pub(crate) struct Table<'d> {
    /// What relative paths are relative to.
    base: &'d Path,
    /// The path of the table, empty for the root.
    path: String,
    at: Option<usize>,
    entries: &'d DeTable<'d>,
    asked: Vec<&'static str>,
    /// Values that cannot be read; reported once all known keys were asked for.
    fault: Fault,
}

/// One entry of a table whose keys are the operator's own.
#[derive(Debug)]
pub(crate) struct Entry<'d> {
    /// The key.
    pub(crate) name: &'d str,
    base: &'d Path,
    path: String,
    at: usize,
    value: &'d DeValue<'d>,
}

impl<'d> Table<'d> {
    /// The whole document.
    pub(crate) fn root(entries: &'d DeTable<'d>, base: &'d Path) -> Self {
        Self {
            base,
            path: String::new(),
            at: None,
            entries,
            asked: Vec::new(),
            fault: Fault::default(),
        }
    }

    /// Reads the settings of these rows, where the keys are there. Those that cannot be read stay as they are,
    /// and [`finish`](Self::finish) reports them.
    pub(crate) fn rows<S>(&mut self, rows: &[Row<S>], section: &mut S) {
        for row in rows {
            if let Some((_, value)) = self.ask(row.key) {
                let set = (row.set)(section, value.get_ref(), self.base);
                self.note(row.key, value.span().start, set);
            }
        }
    }

    /// Whether this key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// How many tables `[[key]]` there are, good or not.
    #[cfg(feature = "oauth")]
    pub(crate) fn count(&self, key: &str) -> usize {
        let tables = self
            .entries
            .get(key)
            .and_then(|value| value.get_ref().as_array());
        tables.map_or(0, |tables| tables.len())
    }

    /// Reads the table `[key]` that has these settings and no others, then looks at them together; says whether it is
    /// there and good.
    pub(crate) fn section<S>(
        &mut self,
        key: &'static str,
        rows: &[Row<S>],
        section: &mut S,
        check: impl FnOnce(&mut S) -> Result<(), Problem>,
    ) -> bool {
        let read = self
            .table(key)
            .map(|mut table| table.read(rows, section, check));
        read.is_some_and(|read| self.fault.note(read).is_some())
    }

    /// Reads the tables `[[key]]`, each beside those before it.
    pub(crate) fn each<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Self, &[T]) -> Result<T, Fault>,
    ) -> Vec<T> {
        let mut all = Vec::new();
        for mut table in self.tables(key) {
            all.extend(self.fault.note(read(&mut table, &all)));
        }
        all
    }

    /// Reads these settings, refuses others, and looks at all of them together.
    pub(crate) fn read<S>(
        &mut self,
        rows: &[Row<S>],
        section: &mut S,
        check: impl FnOnce(&mut S) -> Result<(), Problem>,
    ) -> Result<(), Fault> {
        self.rows(rows, section);
        // unknown keys first: one of them may be what is missing
        self.finish()?;
        check(section).map_err(|problem| self.fault(problem))
    }

    /// The table `[key]`.
    pub(crate) fn table(&mut self, key: &'static str) -> Option<Self> {
        let (at, value) = self.ask(key)?;
        let path = self.path_of(key);
        let DeValue::Table(entries) = value.get_ref() else {
            let wanted = format!("a table: [{path}]");
            let bad = expected(value.get_ref(), &wanted);
            return self.note(key, at, Err(bad));
        };
        Some(self.child(path, at, entries))
    }

    /// The tables `[[key]]`.
    pub(crate) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let Some((at, value)) = self.ask(key) else {
            return Vec::new();
        };
        let path = self.path_of(key);
        let wanted = format!("tables, each under its own [[{path}]]");
        let DeValue::Array(items) = value.get_ref() else {
            self.note::<()>(key, at, Err(expected(value.get_ref(), &wanted)));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let at = item.span().start;
            match item.get_ref() {
                DeValue::Table(entries) => {
                    tables.push(self.child(format!("{path}[{}]", number + 1), at, entries));
                }
                other @ (DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)) => {
                    self.note::<()>(key, at, Err(expected(other, &wanted)));
                }
            }
        }
        tables
    }

    /// The entries of the table `[key]`, whose own keys are the operator's.
    pub(crate) fn entries(&mut self, key: &'static str) -> Vec<Entry<'d>> {
        let Some(table) = self.table(key) else {
            return Vec::new();
        };
        let entry = |(name, value): (&'d Spanned<_>, &'d Spanned<DeValue<'d>>)| Entry {
            name: name_of(name),
            base: self.base,
            path: format!("{}.{:?}", table.path, name_of(name)),
            at: name.span().start,
            value: value.get_ref(),
        };
        table.entries.iter().map(entry).collect()
    }

    /// Refuses what could not be read so far, for tables whose other keys depend on it.
    pub(crate) fn so_far(&mut self) -> Result<(), Fault> {
        self.fault.found()
    }

    /// Refuses what was not asked for, and what could not be read.
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        let keys = self.entries.keys();
        for key in keys.filter(|key| !self.asked.contains(&name_of(key))) {
            let name = name_of(key);
            let remedy = nearest(name, &self.asked).map_or_else(
                || format!("known here: {}", self.asked.join(", ")),
                |near| format!("did you mean {near:?}?"),
            );
            let unknown = BadValue::new("unknown key", remedy);
            let mistake = mistake(self.path_of(name), key.span().start, unknown);
            self.fault.note::<()>(Err(mistake.into()));
        }
        self.fault.found()
    }

    /// Gives a problem its place: the key's if it is there, else the table's.
    pub(crate) fn fault(&self, problem: Problem) -> Fault {
        let found = self.entries.get_key_value(problem.key);
        Fault::from(Mistake {
            at: found.map(|(key, _)| key.span().start).or(self.at),
            key: self.path_of(problem.key),
            what: problem.what,
            remedy: problem.remedy,
        })
    }

    fn note<T>(&mut self, key: &str, at: usize, read: Result<T, BadValue>) -> Option<T> {
        let path = self.path_of(key);
        self.fault
            .note(read.map_err(|bad| mistake(path, at, bad).into()))
    }

    fn ask(&mut self, key: &'static str) -> Option<(usize, &'d Spanned<DeValue<'d>>)> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.entries
            .get_key_value(key)
            .map(|(key, value)| (key.span().start, value))
    }

    fn child(&self, path: String, at: usize, entries: &'d DeTable<'d>) -> Self {
        Table {
            base: self.base,
            path,
            at: Some(at),
            entries,
            asked: Vec::new(),
            fault: Fault::default(),
        }
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.into(),
            path => format!("{path}.{key}"),
        }
    }
}

impl<'d> Entry<'d> {
    /// The table that the value is, if it is one.
    pub(crate) fn table(&self) -> Option<Table<'d>> {
        let DeValue::Table(entries) = self.value else {
            return None;
        };
        let (at, path) = (Some(self.at), self.path.clone());
        Some(Table {
            base: self.base,
            path,
            at,
            entries,
            asked: Vec::new(),
            fault: Fault::default(),
        })
    }

    /// The value.
    pub(crate) fn get<T: Value>(&self) -> Result<T, Fault> {
        T::read(self.value, self.base).map_err(|bad| self.fault(bad.what, bad.remedy))
    }

    /// A fault of this entry.
    pub(crate) fn fault(&self, what: impl Into<String>, remedy: impl Into<String>) -> Fault {
        mistake(self.path.clone(), self.at, BadValue::new(what, remedy)).into()
    }
}

fn mistake(key: String, at: usize, bad: BadValue) -> Mistake {
    Mistake {
        at: Some(at),
        key,
        what: bad.what,
        remedy: bad.remedy,
    }
}

fn name_of<'k>(key: &'k Spanned<std::borrow::Cow<'_, str>>) -> &'k str {
    key.get_ref()
}

/// The candidate that was most likely meant by a misspelt word.
pub(crate) fn nearest<'a>(written: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let written = plain(written);
    candidates
        .iter()
        .map(|candidate| (osa_distance(&written, &plain(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("tls", "tls", 0),
            ("tsl", "tls", 1),
            ("", "abc", 3),
            ("lisen", "listen", 1),
        ] {
            assert_eq!(osa_distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_key_is_suggested() {
        let keys = ["listen", "tls", "allow_clear_login", "greeting"];
        assert_eq!(nearest("lisen", &keys), Some("listen"));
        assert_eq!(nearest("tsl", &keys), Some("tls"));
        assert_eq!(
            nearest("allow-clear-login", &keys),
            Some("allow_clear_login")
        );
        assert_eq!(nearest("Greetings", &keys), Some("greeting"));
        assert_eq!(nearest("colour", &keys), None);
    }
}
