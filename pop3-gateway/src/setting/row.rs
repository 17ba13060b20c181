//! A setting in one row: its key, what it means, an example, and how it is read and shown.
//!
//! A table of rows is read from a file, set by flags, shown by `check`, and held against the example file. The
//! default is that of the type that is read into, so it is stated only once.

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Map, Value as Json};
use toml::de::DeValue;

use super::error::Problem;
use super::value::BadValue;

/// Puts a value into its place. Relative paths start at the folder.
type Set<S> = fn(&mut S, &DeValue<'_>, &Path) -> Result<(), BadValue>;

/// One setting of a section that is read into `S`.
pub(crate) struct Row<S> {
    pub(crate) key: &'static str,
    /// What it means, as the lines of the example say it. None: the row before says it too.
    #[cfg(test)]
    pub(crate) doc: &'static [&'static str],
    /// A value as it is written in the example: the default, where there is one.
    #[cfg(test)]
    pub(crate) example: &'static str,
    pub(crate) set: Set<S>,
    pub(crate) show: fn(&S) -> Json,
    /// Whether `check` shows it.
    pub(crate) told: bool,
}

/// What `check` shows of a section.
pub(crate) fn told<S>(rows: &[Row<S>], section: &S) -> Map<String, Json> {
    let told = rows.iter().filter(|row| row.told);
    told.map(|row| (row.key.to_owned(), (row.show)(section)))
        .collect()
}

/// Sets what was typed as a flag; what was not typed stays.
pub(crate) fn typed<S>(
    rows: &[Row<S>],
    section: &mut S,
    typed: &[(&str, Option<&str>)],
) -> Result<(), Problem> {
    for row in rows {
        let own = typed.iter().find(|(key, _)| *key == row.key);
        if let Some((_, Some(text))) = own {
            let value = DeValue::String(Cow::Borrowed(text));
            (row.set)(section, &value, Path::new(""))
                .map_err(|bad| Problem::new(row.key, bad.what, bad.remedy))?;
        }
    }
    Ok(())
}

/// A table of [`Row`]s.
///
/// ```text
/// rows! { Upstream:
///     /// The folder that is shown.
///     told "folder" r#""INBOX""# => (imap.folder),
///     /// Where it is.
///     "url" r#""imaps://imap.example.org""# => (with set_url, show_url),
/// }
/// ```
macro_rules! rows {
    ($section:ty: $(
        $(#[doc = $doc:literal])* $($told:ident)? $key:literal $example:literal => ($($how:tt)+),
    )*) => {
        &[$($crate::setting::Row::<$section> {
            key: $key,
            #[cfg(test)]
            doc: &[$($doc),*],
            #[cfg(test)]
            example: $example,
            set: $crate::setting::row::set!($($how)+),
            show: $crate::setting::row::show!($($how)+),
            told: !<[&str]>::is_empty(&[$(stringify!($told))?]),
        }),*]
    };
}

macro_rules! set {
    (with $set:path, $show:path) => {
        $set
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
    ($($field:ident).+) => {
        |section| $crate::setting::value::Value::show(&section.$($field).+)
    };
}

pub(crate) use {rows, set, show};
