//! `[log]` and `[transcript]`: what is written down.

use std::path::PathBuf;

use crate::setting::error::Problem;
use crate::setting::rows;
use crate::setting::value::Word;

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

rows! {
    /// `[log]`
    pub(crate) ROWS: Log = Log::default();

    /// "human" or "json".
    told "format" r#""human""# => (format),
    /// "error", "warn", "info" (one line a session), "debug" or "trace". RUST_LOG goes before it.
    told "level" r#""info""# => (level),
}

rows! {
    /// `[transcript]`
    pub(crate) TRANSCRIPT: Option<PathBuf> = None;

    /// A file for every session with both dialogues, POP3 and IMAP, secrets and messages left out, in this folder.
    own "dir" r#""/var/log/pop3-gateway/transcripts""# => (itself),
}

impl Log {
    /// What `check` says of it.
    pub(super) fn told(self) -> String {
        format!("{}, {}", self.format.word(), self.level.word())
    }
}

/// The folder has to be said.
pub(super) fn check_transcript(dir: &mut Option<PathBuf>) -> Result<(), Problem> {
    let remedy = "write dir = \"FOLDER\", or leave [transcript] out";
    match dir {
        Some(_) => Ok(()),
        None => Err(Problem::new("dir", "the folder is missing", remedy)),
    }
}
