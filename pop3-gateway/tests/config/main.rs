//! The configuration as an operator meets it: what is taken, and what each mistake is answered with.
#![allow(clippy::unwrap_used, reason = "tests")]

mod flags;
mod listeners;
#[cfg(all(
    feature = "http",
    feature = "oauth",
    feature = "maildir",
    feature = "sql"
))]
mod shown;
mod stores;
mod text;
mod upstreams;
mod whole;

use std::path::Path;

use pop3_gateway::config::Config;

const LISTENER: &str = "[[listener]]\nlisten = \"127.0.0.1:1110\"\n";

const UPSTREAM: &str = "[[upstream]]\nname = \"main\"\nurl = \"imaps://imap.example.org\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/etc/g.toml")).map_err(|error| error.to_string())
}

fn error(text: &str) -> String {
    match parse(text) {
        Ok(_) => panic!("this was accepted:\n{text}"),
        Err(message) => message,
    }
}

/// The error of the two smallest tables with these lines after them.
fn error_with(listener: &str, upstream: &str, rest: &str) -> String {
    error(&format!(
        "{LISTENER}{listener}\n{UPSTREAM}{upstream}\n{rest}\n"
    ))
}
