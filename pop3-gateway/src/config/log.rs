//! `[log]` and `[transcript]`: what is written down.

use std::path::PathBuf;

use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem};
use crate::setting::value::Word;
use crate::setting::{Row, rows};

/// `[log]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// For whose eyes.
    pub format: LogFormat,
    /// How much.
    pub level: LogLevel,
}

/// For whose eyes the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// And what may need one.
    Warn,
    /// And one line for every session.
    #[default]
    Info,
    /// And what sessions do.
    Debug,
    /// And every detail.
    Trace,
}

impl Word for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("human", Self::Human), ("json", Self::Json)];
}

impl Word for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

/// `[log]`
pub(crate) const ROWS: &[Row<Log>] = rows! { Log:
    /// "human" or "json".
    told "format" r#""human""# => (format),
    /// "error", "warn", "info" (one line a session), "debug" or "trace". RUST_LOG goes before it.
    told "level" r#""info""# => (level),
};

impl Log {
    pub(super) fn read(mut table: Table<'_>) -> Result<Self, Fault> {
        let mut log = Self::default();
        table.rows(ROWS, &mut log);
        table.finish()?;
        Ok(log)
    }
}

/// `[transcript]`: the folder for a file with both dialogues of every session.
pub(super) fn read_transcript(mut table: Table<'_>) -> Result<PathBuf, Fault> {
    let dir = table.get("dir")?;
    table.finish()?;
    dir.ok_or_else(|| {
        let remedy = "write dir = \"FOLDER\", or leave [transcript] out";
        table.fault(Problem::new("dir", "the folder is missing", remedy))
    })
}
