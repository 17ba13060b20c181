//! Holds the example file against the rows of the settings.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use toml::de::DeTable;

use super::{Bounds, Listener, Log, bounds, listener, log};
#[cfg(feature = "maildir")]
use crate::mailbox::files::{self, Files};
use crate::mailbox::imap::{self, Upstream};
#[cfg(feature = "sql")]
use crate::mailbox::sql::{self, Sql};
use crate::setting::Row;

const EXAMPLE: &str = include_str!("../../../pop3-gateway.example.toml");

/// What the example shows of a section: each row with its own words, and the default where there is one.
fn shown<S>(rows: &[Row<S>], section: impl Fn() -> S, without_default: &[&str]) {
    for row in rows {
        let doc: String = row.doc.iter().map(|line| format!("#{line}\n")).collect();
        let line = format!("{} = {}\n", row.key, row.example);
        let is_there = ["", "# "].map(|sign| EXAMPLE.contains(&format!("\n{doc}{sign}{line}")));
        assert!(is_there.contains(&true), "{doc}{line}");
        if !without_default.contains(&row.key) {
            let mut read = section();
            let table = DeTable::parse(&line).unwrap();
            let value = table.get_ref().values().next().unwrap().get_ref();
            (row.set)(&mut read, value, Path::new("")).unwrap();
            assert_eq!((row.show)(&read), (row.show)(&section()), "{line}");
        }
    }
}

#[test]
fn the_example_says_what_the_rows_say() {
    let own = ["name", "listen", "self_signed", "apop"];
    let listener = || {
        Listener::new(
            vec!["127.0.0.1:1110".parse().unwrap()],
            &Bounds::default().policy,
        )
    };
    shown(listener::ROWS, listener, &own);
    let own = [
        "name",
        "url",
        "ca_file",
        "certificate_sha256",
        "server_name",
        "user_separator",
    ];
    shown(imap::ROWS, || Upstream::new("main"), &own);
    shown(bounds::LIMITS, Bounds::default, &[]);
    shown(bounds::TIMERS, Bounds::default, &[]);
    shown(log::ROWS, Log::default, &[]);
    #[cfg(feature = "maildir")]
    {
        shown(files::ROWS, Files::new, &[]);
        shown(files::MAILDIR, Files::new, &[]);
        shown(files::DIRECTORY, Files::new, &["suffix"]);
    }
    #[cfg(feature = "sql")]
    shown(sql::ROWS, || Sql::new(""), &["password_file"]);
}
