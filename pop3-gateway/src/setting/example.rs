//! Holds the example file against the rows of the settings.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use toml::de::DeTable;

use super::row::{Mark, Row};

const EXAMPLE: &str = include_str!("../../../pop3-gateway.example.toml");

/// The example shows each row with its own words, and the default where there is one. A row without words may also
/// stand in a table in braces or in a sentence.
pub(crate) fn shown<S>(rows: &[Row<S>]) {
    for row in rows {
        let doc: String = row.doc.iter().map(|line| format!("#{line}\n")).collect();
        let line = format!("{} = {}\n", row.key, row.example);
        let by_itself = |sign| EXAMPLE.contains(&format!("\n{doc}{sign}{line}"));
        let in_line = |sign| EXAMPLE.contains(&format!("{sign} {}", line.trim_end()));
        let is_there = by_itself("")
            || by_itself("# ")
            || doc.is_empty() && ["{", ",", ":"].into_iter().any(in_line);
        assert!(is_there, "{doc}{line}");
        if !row.marks.contains(&Mark::NoDefault) {
            let mut read = (row.fresh)();
            let table = DeTable::parse(&line).unwrap();
            let value = table.get_ref().values().next().unwrap().get_ref();
            (row.set)(&mut read, value, Path::new("")).unwrap();
            assert_eq!((row.show)(&read), (row.show)(&(row.fresh)()), "{line}");
        }
    }
}
