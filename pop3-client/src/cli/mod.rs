//! The command line: its options and commands, and what they call.
//!
//! Exit codes: 0 all went well, 1 something failed, 2 the command line or the configuration is wrong,
//! 3 the login was refused, 4 `check` found faults.

mod output;
mod progress;
mod scripted;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::account::{ConfigError, ConfigFile, Settings};
use crate::download::DownloadError;
use output::Output;
use pop3_client_io::{Error, Transcript};

/// A POP3 client for people and for scripts
///
/// Without a command it opens a console. Accounts can be named in the configuration file
/// (~/.config/pop3-client/config.toml); options on the command line override it. Passwords are never
/// given on the command line, see --password-from.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// The account of the configuration file
    #[arg(long, short, global = true, value_name = "NAME")]
    pub account: Option<String>,
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write the dialogue with the server to this file, or to the error output (-), without secrets
    #[arg(long, global = true, value_name = "FILE|-")]
    pub transcript: Option<PathBuf>,
    /// Write JSON instead of text
    #[arg(long, global = true)]
    pub json: bool,
    #[command(flatten, next_help_heading = "Server and login")]
    #[allow(missing_docs, reason = "its fields say it")]
    pub settings: Settings,
    #[command(subcommand)]
    #[allow(missing_docs, reason = "its variants say it")]
    pub command: Option<Command>,
}

const AFTER_HELP: &str = "Exit codes: 0 all went well, 1 something failed, 2 the command line or the \
configuration is wrong, 3 the login was refused, 4 'check' found faults.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the console (as without a command)
    Console,
    /// List messages: number, size, date, sender, subject
    List {
        /// Numbers and ranges like 1-5,9 or 7-; all of them if left out
        messages: Vec<String>,
    },
    /// Show a message: the important header lines, and the text
    Show {
        /// Its number
        message: u32,
        /// The whole header as it came, without the text
        #[arg(long, conflicts_with = "source")]
        headers: bool,
        /// The message as it came, octet for octet
        #[arg(long)]
        source: bool,
    },
    /// Fetch what is new into a Maildir, an mbox or files
    Download(DownloadArgs),
    /// Delete messages
    Delete {
        /// Numbers and ranges like 1-5,9 or 7-
        #[arg(required = true)]
        messages: Vec<String>,
    },
    /// Show how many messages there are, and their total size
    Stat,
    /// List unique-ids
    Uidl {
        /// Numbers and ranges; all of them if left out
        messages: Vec<String>,
    },
    /// Show what the server announces, without logging in
    Capa,
    /// Probe a server and report what it does right and wrong
    ///
    /// Nothing is deleted. A few messages are fetched. Without a user only what comes before the login
    /// is probed. With STLS (--tls starttls) the border to TLS is probed as well. This sends the
    /// user's name in clear, as every client does that sends USER too early.
    Check(CheckArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all of them into a folder
    Man {
        /// Write pop3-client.1 and a page for every command here
        #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// How to download.
#[derive(Debug, clap::Args)]
pub struct DownloadArgs {
    /// Where to: maildir:PATH, mbox:PATH or files:PATH
    #[arg(long, value_name = "DESTINATION")]
    pub to: Option<String>,
    /// The file that records what was fetched before [default: beside the mail]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Remove from the server what was fetched
    #[arg(long, conflicts_with = "keep_days")]
    pub delete_after: bool,
    /// Remove from the server what was fetched so many days ago
    #[arg(long, value_name = "DAYS")]
    pub keep_days: Option<u32>,
    /// How often to try again when the connection breaks
    #[arg(long, default_value_t = 3, value_name = "TIMES")]
    pub retries: u32,
}

/// What to probe.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The server's name or address (as --host)
    #[arg(value_name = "HOST")]
    pub server: Option<String>,
    /// Also mark a message as deleted and take the mark back, and log in with wrong passwords
    #[arg(long)]
    pub intrusive: bool,
    /// How many messages to fetch to compare sizes
    #[arg(long, default_value_t = 8, value_name = "COUNT")]
    pub sample: usize,
}

/// Why the program ends without having done everything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Session(#[from] Error),
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error("{0}")]
    Partly(String),
    /// The report has said it already.
    #[error("the server has faults")]
    Faults,
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Does what the command line says.
pub fn run(cli: &Cli) -> ExitCode {
    let mut output = Output::new(cli.json);
    match dispatch(cli, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        // the reader has seen enough
        Err(Failure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure @ Failure::Faults) => failure.code(),
        Err(failure) => {
            output.failure(&failure.to_string());
            failure.code()
        }
    }
}

impl Failure {
    fn code(&self) -> ExitCode {
        let session = match self {
            Self::Config(_) | Self::Usage(_) => return ExitCode::from(2),
            Self::Session(error) | Self::Download(DownloadError::Session(error)) => error,
            Self::Faults => return ExitCode::from(4),
            Self::Download(_) | Self::Partly(_) | Self::Write(_) => return ExitCode::FAILURE,
        };
        ExitCode::from(if session.is_bad_login() { 3 } else { 1 })
    }
}

fn dispatch(cli: &Cli, output: &mut Output) -> Result<(), Failure> {
    if let Some(Command::Completions { shell }) = &cli.command {
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut Cli::command(), "pop3-client", &mut script);
        return Ok(io::stdout().write_all(&script)?);
    }
    if let Some(Command::Man { dir }) = &cli.command {
        return Ok(man(dir.as_deref())?);
    }
    let file = ConfigFile::load(cli.config.as_deref())?;
    let mut given = cli.settings.clone();
    if let Some(Command::Check(args)) = &cli.command {
        given.host = args.server.clone().or(given.host);
    }
    let settings = file.settings(cli.account.as_deref(), &given)?;
    let transcript = transcript(cli)?;
    scripted::run(cli, &settings, transcript, output)
}

fn man(dir: Option<&Path>) -> io::Result<()> {
    if let Some(dir) = dir {
        fs::create_dir_all(dir)?;
        return clap_mangen::generate_to(Cli::command(), dir);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    io::stdout().write_all(&page)
}

fn transcript(cli: &Cli) -> Result<Transcript, Failure> {
    match &cli.transcript {
        None => Ok(Transcript::default()),
        Some(path) if path.as_os_str() == "-" => Ok(Transcript::to(io::stderr())),
        Some(path) => {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path)
                .map_err(|error| {
                    Failure::Usage(format!(
                        "cannot write the transcript {}: {error}",
                        path.display()
                    ))
                })?;
            Ok(Transcript::to(file))
        }
    }
}
