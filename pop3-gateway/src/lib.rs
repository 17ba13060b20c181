//! The program `pop3-gateway`: a POP3 server in front of IMAP mailboxes.
//!
//! It owns what no library of the project may know: the command line, the log, the choice of a runtime
//! and the wiring of everything else. The protocol, the loop and the sockets are in the crates below.
//!
//! | module | what |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`serve`], [`reload`] | `serve`: bind and run; read the configuration again |
//! | `running` | what those two share |
//! | [`check`], [`probe`] | `check`: what would run, and what an upstream says to it |
//! | `cluster` | this process as one of several; with the feature of that name |
//! | `demo` | `demo`: everything in one process; with the feature of that name |
//! | `doctor` | `doctor`: which step to a mailbox is missing; with the feature `oauth` |
//! | `setup` | `setup`: a configuration for one mailbox; with the feature `oauth` |
//! | [`runtime`] | which runtime drives the sockets |
//! | [`config`] | the configuration file, and the flags that stand in its place |
//! | `sockets`, `privileges` | where it listens, and the rights that it gives up after that |
//! | `systemd` | what a service manager hears, and what it gives |
//! | [`certificates`], [`self_signed`] | the certificates that clients are shown; one for the first start |
//! | `acme` | certificates from an ACME CA; with the feature of that name |
//! | `outbound` | requests to servers elsewhere: how they are bounded |
//! | `setting` | how a setting is written, read and shown |
//! | [`wiring`] | from the configuration to what runs |
//! | [`service`], [`layer`] | the backend of a login, and what stands around it |
//! | `http` | what is served beside POP3: health; with the feature of that name |
//! | [`mailbox`] | kinds of mailboxes, one file each |
//! | `metrics` | what is counted, for Prometheus; with the feature `http` |
//! | [`listed`], [`monitor`], [`mail`] | mail that is made here |
//! | `oauth` | tokens of OAuth 2 providers; with the feature of that name |
//! | `pages` | pages for people: mailboxes and devices; with the features `http` and `oauth` |
//! | [`tools`] | accounts and messages of stores |
//! | [`transcript`], [`logging`], [`queue`] | what is written down |
//! | [`descriptors`] | how many files and sockets the process may have open |

#[cfg(not(any(feature = "tokio", feature = "smol")))]
compile_error!(
    "pop3-gateway needs something to drive its sockets: build it with the feature `tokio`, `smol` or both"
);

#[cfg(feature = "acme")]
pub mod acme;
mod advice;
pub mod backoffs;
pub mod certificates;
pub mod check;
pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod descriptors;
#[cfg(feature = "oauth")]
pub mod doctor;
#[cfg(feature = "http")]
pub mod http;
pub mod layer;
pub mod listed;
pub mod logging;
pub mod mail;
pub mod mailbox;
#[cfg(feature = "http")]
pub mod metrics;
pub mod monitor;
#[cfg(feature = "oauth")]
pub mod oauth;
#[cfg(any(feature = "acme", feature = "oauth"))]
mod outbound;
#[cfg(all(feature = "http", feature = "oauth"))]
pub mod pages;
mod privileges;
pub mod probe;
pub mod queue;
pub mod reload;
mod running;
pub mod runtime;
pub mod self_signed;
pub mod serve;
pub mod service;
mod setting;
#[cfg(feature = "oauth")]
pub mod setup;
mod sockets;
mod systemd;
pub mod tools;
pub mod transcript;
pub mod wiring;

/// The example of the book is compiled and run with the tests.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../docs/book/start/developer.md")]
struct Book;

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::config::ConfigError;

use cli::{Cli, Command};
use wiring::WiringError;

/// Why the program ends without having done what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code: 1 if something failed, 2 if the command line or the configuration is wrong, 3 if
    /// something is not there, or there already.
    pub code: u8,
    /// What to tell the operator.
    pub message: String,
}

impl Failure {
    /// Something failed that may work another time.
    pub fn running(message: impl fmt::Display) -> Self {
        Self {
            code: 1,
            message: message.to_string(),
        }
    }

    /// The operator has to change something.
    pub fn configuration(message: impl fmt::Display) -> Self {
        Self {
            code: 2,
            message: message.to_string(),
        }
    }
}

impl Failure {
    /// What is to be worked on is not there, or it is there already.
    pub fn presence(message: impl fmt::Display) -> Self {
        Self {
            code: 3,
            message: message.to_string(),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::configuration(error)
    }
}

impl From<WiringError> for Failure {
    fn from(error: WiringError) -> Self {
        Self::configuration(error)
    }
}

/// Does what the command line says.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Check(check) => check::run(&check),
        #[cfg(feature = "http")]
        Command::Ready(ready) => tools::ready::run(&ready),
        #[cfg(feature = "demo")]
        Command::Demo(demo) => demo::run(&demo),
        #[cfg(feature = "oauth")]
        Command::Setup(setup) => setup::run(&setup),
        #[cfg(feature = "oauth")]
        Command::SignIn(sign_in) => tools::sign_in::run(&sign_in),
        #[cfg(feature = "oauth")]
        Command::Doctor(doctor) => doctor::run(&doctor),
        #[cfg(feature = "cluster")]
        Command::Status(status) if status.cluster => cluster::status::run(&status),
        #[cfg(feature = "oauth")]
        Command::Status(status) => tools::status::run(&status),
        #[cfg(all(feature = "cluster", not(feature = "oauth")))]
        Command::Status(_) => Err(Failure::configuration(
            "this pop3-gateway was built without grants; add --cluster",
        )),
        #[cfg(feature = "oauth")]
        Command::State(state) => tools::state::run(&state),
        Command::Account(account) => tools::account(&account),
        Command::Message(message) => tools::message(message),
        Command::Store(store) => tools::store(&store),
        Command::HashPassword(hash) => tools::hash_password(&hash),
        Command::Completions { shell } => print(&cli::completions(shell)),
        Command::Man {
            reference: true, ..
        } => print(config::reference::page().as_bytes()),
        Command::Man { dir: None, .. } => cli::man_page()
            .map_err(Failure::running)
            .and_then(|page| print(&page)),
        Command::Man { dir: Some(dir), .. } => cli::man_pages(&dir).map_err(Failure::running),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// To standard error, but not for long: one that is not read must not keep the process from its end.
fn complain(message: String) {
    let (done, wait) = std::sync::mpsc::channel();
    let told = std::thread::Builder::new().spawn(move || {
        // there is no one left to tell if this fails
        let text = format!("pop3-gateway: {message}");
        let text = match systemd::is_journal() {
            true => systemd::prioritised(&text),
            false => text,
        };
        let _ = writeln!(io::stderr(), "{text}");
        let _ = done.send(());
    });
    if told.is_ok() {
        let _ = wait.recv_timeout(std::time::Duration::from_secs(2));
    }
}

/// To standard output; a reader that has seen enough, such as `head`, is no failure.
fn print(octets: &[u8]) -> Result<(), Failure> {
    match io::stdout().write_all(octets) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::running(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
