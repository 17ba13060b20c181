//! A setting in one row: its key, what it means, an example, and how it is read and shown.
//!
//! A table of rows is read from a file, set by flags, shown by `check`, and held against the example file. The
//! default is that of the type that is read into, so it is stated only once.

use std::path::Path;

use serde_json::{Map, Value as Json};
use toml::de::DeValue;

use super::value::BadValue;

/// Puts a value into its place. Relative paths start at the folder.
type Set<S> = fn(&mut S, &DeValue<'_>, &Path) -> Result<(), BadValue>;

/// One setting of a section that is read into `S`.
pub(crate) struct Row<S> {
    pub(crate) key: &'static str,
    /// What it means, as the lines of the example say it. None: a row beside it says it too.
    pub(crate) doc: &'static [&'static str],
    /// A value as it is written in the example: the default, unless it is marked as no default.
    pub(crate) example: &'static str,
    pub(crate) set: Set<S>,
    pub(crate) show: fn(&S) -> Json,
    /// A section without any setting.
    pub(crate) fresh: fn() -> S,
    pub(crate) marks: &'static [Mark],
}

/// What is special about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// `check` shows it.
    Told,
    /// Its example is not the default.
    NoDefault,
}

/// What `check` shows of a section.
pub(crate) fn told<S>(rows: &[Row<S>], section: &S) -> Map<String, Json> {
    let told = rows.iter().filter(|row| row.marks.contains(&Mark::Told));
    told.map(|row| (row.key.to_owned(), (row.show)(section)))
        .collect()
}

/// A table of [`Row`]s, and a test that holds the example file against it.
///
/// ```text
/// rows! {
///     /// `[[upstream]]`
///     pub(crate) ROWS: Upstream = Upstream::new("main");
///
///     /// The folder that is shown.
///     told "folder" r#""INBOX""# => (imap.folder),
///     /// Where it is.
///     told own "url" r#""imaps://imap.example.org""# => (with set_url, show_url),
/// }
/// ```
///
/// What follows `=` is a section without any setting, to try values with. `check` shows `told` rows; `own` values are
/// the operator's, so that the example is no default. The place is a field of the section, `itself` for the section,
/// or two functions.
macro_rules! rows {
    (
        $(#[doc = $head:literal])* $vis:vis $name:ident: $section:ty = $fresh:expr;
        $($(#[doc = $doc:literal])* $($mark:ident)* $key:literal $example:literal => ($($how:tt)+),)*
    ) => {
        $(#[doc = $head])*
        $vis const $name: &[$crate::setting::Row<$section>] = &[$($crate::setting::Row {
            key: $key,
            doc: &[$($doc),*],
            example: $example,
            set: $crate::setting::row::set!($($how)+),
            show: $crate::setting::row::show!($($how)+),
            fresh: || $fresh,
            marks: &[$($crate::setting::row::mark!($mark)),*],
        }),*];

        #[cfg(test)]
        #[allow(non_snake_case, reason = "a test for the table, by its name")]
        mod $name {
            #[test]
            fn the_example_says_what_the_rows_say() {
                $crate::setting::example::shown(super::$name);
            }
        }
    };
}

macro_rules! mark {
    (told) => {
        $crate::setting::row::Mark::Told
    };
    (own) => {
        $crate::setting::row::Mark::NoDefault
    };
}

macro_rules! set {
    (with $set:path, $show:path) => {
        $set
    };
    (itself) => {
        |section, value, base| {
            *section = $crate::setting::value::Value::read(value, base)?;
            Ok(())
        }
    };
    ($($field:ident).+) => {
        |section, value, base| {
            section.$($field).+ = $crate::setting::value::Value::read(value, base)?;
            Ok(())
        }
    };
}

macro_rules! show {
    (with $set:path, $show:path) => {
        $show
    };
    (itself) => {
        |section| $crate::setting::value::Value::show(section)
    };
    ($($field:ident).+) => {
        |section| $crate::setting::value::Value::show(&section.$($field).+)
    };
}

pub(crate) use {mark, rows, set, show};
