//! The command line: names, help, and nothing that acts.
//!
//! Help, completions and man pages all come from the definitions here.

pub mod tools;

use std::path::{Path, PathBuf};

use crate::config::{Flags, explain, reference};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueHint};

/// The file that `serve` and `check` read if the command line names none: where packages put it.
pub const CONFIGURATION: &str = "/etc/pop3-gateway/pop3-gateway.toml";

/// `pop3-gateway`
#[derive(Debug, Parser)]
#[command(
    name = "pop3-gateway",
    version,
    about = "A POP3 server in front of IMAP mailboxes, files and databases",
    long_about = "A POP3 server in front of IMAP mailboxes: whatever speaks only POP3 (a ticket system, \
                  a scanner, an old mail client) reads a mailbox that an IMAP server keeps. Clients log \
                  in with their name and password of the IMAP server; the gateway keeps nothing. Mailboxes \
                  can also be kept here: in Maildirs, directories of message files and databases.",
    after_help = examples(),
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What follows the help of the whole.
fn examples() -> String {
    let demo = if cfg!(feature = "demo") {
        "  Try it out; needs no server and no configuration:\n    pop3-gateway demo\n"
    } else {
        ""
    };
    format!(
        "Examples:\n{demo}  Put it in front of an IMAP server, for programs on this machine:
    pop3-gateway serve --upstream imaps://imap.example.org
  The same for other machines, with TLS:
    pop3-gateway serve --upstream imaps://imap.example.org --listen 0.0.0.0:995 \\
        --tls implicit --tls-cert fullchain.pem --tls-key privkey.pem
  With a configuration file, for everything else:
    pop3-gateway check --config pop3-gateway.toml
    pop3-gateway serve --config pop3-gateway.toml
  A mailbox of its own, in a store that the configuration names:
    pop3-gateway account add --config pop3-gateway.toml --store local tim
    pop3-gateway message add --config pop3-gateway.toml --store local --user tim mail.eml

Exit codes: 0 all went well; 1 something failed while running; 2 the command line or the
configuration is wrong; 3 (tools for stores) there is no such thing, or it is there already."
    )
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway
    Serve(Box<Serve>),
    /// Say what a configuration would run, or what is wrong with it
    Check(Check),
    /// Ask the gateway that runs on this machine whether it takes logins
    #[cfg(feature = "http")]
    Ready(tools::Ready),
    /// Try it out: a small IMAP server with sample mail and the gateway in front of it
    #[cfg(feature = "demo")]
    Demo(Demo),
    /// Add, change, list and remove the accounts of a store
    #[command(subcommand, after_help = TOOLS)]
    Account(tools::Account),
    /// Write a configuration for a mailbox whose provider takes tokens, to begin with
    #[cfg(feature = "oauth")]
    Setup(Box<tools::Setup>),
    /// Sign in for a mailbox at its provider, in the place of a password
    #[cfg(feature = "oauth")]
    SignIn(tools::SignIn),
    /// Try each step from the configuration to an open mailbox, and name the one that is missing
    #[cfg(feature = "oauth")]
    Doctor(tools::Doctor),
    /// Say which mailboxes are signed in for, who may log in to them, and what ends when
    #[cfg(any(feature = "oauth", feature = "cluster"))]
    Status(tools::Status),
    /// What is done about the key of the state: another one, or none that opens it
    #[cfg(feature = "oauth")]
    #[command(subcommand)]
    State(tools::State),
    /// Add, list and remove the messages of a store
    #[command(subcommand, after_help = TOOLS)]
    Message(tools::Message),
    /// Prepare a store
    #[command(subcommand, after_help = TOOLS)]
    Store(tools::Store),
    /// Make a hash of a password, for a file or a table of accounts
    HashPassword(tools::HashPassword),
    /// Print completions for a shell
    #[command(after_help = "\
Example:
  pop3-gateway completions bash > ~/.local/share/bash-completion/completions/pop3-gateway")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all of them into a folder
    Man {
        /// Write pop3-gateway.1, a page for every command and pop3-gateway.toml.5 here
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
        /// Print the reference of the configuration, as Markdown
        #[arg(long, conflicts_with = "dir")]
        reference: bool,
    },
}

/// What the tools for stores have in common.
const TOOLS: &str = "\
Exit codes: 0 done; 1 something failed; 2 the command line or the configuration is wrong; 3 there
is no such account or message, or it is there already.";

/// `serve`
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "\
Examples:
  pop3-gateway serve --upstream imaps://imap.example.org --listen 127.0.0.1:1100
  pop3-gateway serve --upstream imap+starttls://mail.example.org --tls-self-signed tls --listen [::]:110
  pop3-gateway serve --config pop3-gateway.toml --runtime smol

Signals: SIGTERM and SIGINT finish the responses that run, refuse the next command and end without
deleting anything that no QUIT confirmed; a second one ends at once. SIGHUP reads the configuration
and the certificates again; everything but the runtime follows it, addresses too, and sessions go on.

RUST_LOG=debug (or RUST_LOG=pop3_server=trace, ...) goes before --log-level.",
    group = clap::ArgGroup::new("what").args(["config", "upstream"])
)]
pub struct Serve {
    /// Read everything from a file [default without --upstream: /etc/pop3-gateway/pop3-gateway.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Become this user once the sockets listen, by name or number; for a start as root without a service manager
    #[arg(long, value_name = "USER", value_hint = ValueHint::Username)]
    pub user: Option<String>,

    /// And this group, in the place of the user's own
    #[arg(long, value_name = "GROUP", requires = "user")]
    pub group: Option<String>,

    /// Show both dialogues of every session on standard output, without passwords, tokens and messages; for trying things
    #[arg(long)]
    pub show_dialogue: bool,

    /// What is said without a file.
    #[command(flatten)]
    pub flags: Flags,
}

impl Serve {
    /// The file to read, unless flags say everything.
    pub fn file(&self) -> Option<&Path> {
        let named = self.config.as_deref();
        named.or_else(|| {
            self.flags
                .upstream
                .is_none()
                .then(|| Path::new(CONFIGURATION))
        })
    }
}

/// The configuration of every command but `serve`, which may have flags in its place.
#[derive(Debug, Args)]
pub struct Named {
    /// The configuration
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = CONFIGURATION)]
    pub config: PathBuf,
}

/// `check`
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the configuration, and the certificates, authorities and accounts that it names; looks
whether the folders of stores are there and asks their databases. Connects to no IMAP server unless
--connect or --login says so, and changes nothing. Exit code 0: it would run; 1: a server does not do
what it should; 2: it would not run, and the message says why.

Examples:
  pop3-gateway check --config pop3-gateway.toml --connect
  pop3-gateway check --config pop3-gateway.toml --login tim@example.org")]
pub struct Check {
    /// The configuration
    #[command(flatten)]
    pub file: Named,

    /// Answer in JSON
    #[arg(long, conflicts_with_all = ["connect", "login"])]
    pub json: bool,

    /// Connect to every upstream: its address, TLS and certificate, greeting, capabilities and ways to log in
    #[arg(long)]
    pub connect: bool,

    /// Log this user in as a client would, and open the mailbox for reading; asks for the password
    #[arg(long, value_name = "USER")]
    pub login: Option<String>,

    /// Read the password from the first line of standard input
    #[arg(long, requires = "login")]
    pub password_stdin: bool,
}

/// `demo`
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
#[command(after_help = "\
Everything stays on this machine and is gone at the end. Shows what the client and the gateway say to
each other beside what the gateway and the IMAP server say to each other. Ctrl-C ends it.")]
pub struct Demo {
    /// The port for POP3; if it is taken, a free one
    #[arg(long, value_name = "PORT", default_value_t = 1110)]
    pub port: u16,

    /// What drives the sockets [default: tokio]
    #[arg(long, value_parser = ["tokio", "smol"])]
    pub runtime: Option<String>,

    /// Run one POP3 session by itself, show it, and end
    #[arg(long, visible_alias = "self-test")]
    pub once: bool,
}

impl Cli {
    /// What the command line says; ends the process with a message where it says nothing that makes sense.
    pub fn of_process() -> Self {
        let matches = command().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// The definitions, with the flags of `serve` explained by the settings that they stand for.
fn command() -> clap::Command {
    Cli::command().mut_subcommand("serve", |serve| serve.mut_args(explain))
}

/// The completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "pop3-gateway", &mut script);
    script
}

/// The main manual page.
pub fn man_page() -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command()).render(&mut page)?;
    Ok(page)
}

/// Writes the manual pages of all commands into a folder.
pub fn man_pages(dir: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command(), dir)?;
    std::fs::write(dir.join("pop3-gateway.toml.5"), reference::manual_page())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, clap::Error> {
        let matches = command().try_get_matches_from(line.split(' '))?;
        Ok(Cli::from_arg_matches(&matches)?.command)
    }

    fn file(line: &str) -> Option<PathBuf> {
        use tools::{Account, Message, Store};
        match parsed(line).unwrap() {
            Command::Serve(serve) => return serve.file().map(Path::to_owned),
            Command::Check(check) => Some(check.file),
            Command::Account(Account::List { store, .. })
            | Command::Message(Message::List { store, .. })
            | Command::Store(Store::Migrate { store }) => Some(store.file),
            #[cfg(feature = "oauth")]
            Command::SignIn(sign_in) => Some(sign_in.file),
            #[cfg(feature = "oauth")]
            Command::Doctor(doctor) => Some(doctor.file),
            #[cfg(feature = "oauth")]
            Command::Status(status) => Some(status.file),
            #[cfg(feature = "oauth")]
            Command::State(
                tools::State::Reseal { file, .. } | tools::State::ForgetGrants { file },
            ) => Some(file),
            _ => None,
        }
        .map(|named| named.config)
    }

    #[test]
    fn the_file_of_packages_is_read_where_nothing_else_is_said() {
        for line in [
            "pop3-gateway serve",
            "pop3-gateway serve --runtime smol",
            "pop3-gateway check",
            "pop3-gateway account list",
            "pop3-gateway message list",
            "pop3-gateway store migrate",
            #[cfg(feature = "oauth")]
            "pop3-gateway sign-in ann@example.org",
            #[cfg(feature = "oauth")]
            "pop3-gateway doctor",
            #[cfg(feature = "oauth")]
            "pop3-gateway status",
            #[cfg(feature = "oauth")]
            "pop3-gateway state reseal",
            #[cfg(feature = "oauth")]
            "pop3-gateway state forget-grants",
        ] {
            assert_eq!(
                file(line).as_deref(),
                Some(Path::new(CONFIGURATION)),
                "{line}"
            );
        }
        assert_eq!(file("pop3-gateway serve --config a"), Some("a".into()));
        assert_eq!(file("pop3-gateway serve --upstream imaps://a"), None);
    }

    #[test]
    fn flags_that_stand_for_a_file_do_not_go_with_one_that_is_not_named() {
        let error = parsed("pop3-gateway serve --listen 127.0.0.1:1").unwrap_err();
        assert!(error.to_string().contains("--upstream <URL>"), "{error}");
    }
}
