//! The command line: names, help, and nothing that acts.
//!
//! Help, completions and man pages all come from the definitions here.

pub mod tools;

use std::path::PathBuf;

use crate::config::Flags;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueHint};

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
    /// Try it out: a small IMAP server with sample mail and the gateway in front of it
    #[cfg(feature = "demo")]
    Demo(Demo),
    /// Add, change, list and remove the accounts of a store
    #[command(subcommand, after_help = TOOLS)]
    Account(tools::Account),
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
        /// Write pop3-gateway.1 and a page for every command here
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
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
and the certificates again; sessions go on.

RUST_LOG=debug (or RUST_LOG=pop3_server=trace, ...) goes before --log-level.",
    group = clap::ArgGroup::new("what").required(true).args(["config", "upstream"])
)]
pub struct Serve {
    /// Read everything from a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// The IMAP server: imaps://HOST, imap+starttls://HOST or imap://HOST, where HOST may be HOST:PORT
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,

    /// What drives the sockets
    #[arg(long, value_parser = ["tokio", "smol"])]
    pub runtime: Option<String>,

    /// Where clients connect; may be repeated [default: 127.0.0.1:1100]
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        conflicts_with = "config",
        help_heading = "Clients"
    )]
    pub listen: Vec<String>,

    /// How clients get TLS [default: stls if there is a certificate, else none]
    #[arg(long, value_parser = ["none", "stls", "implicit"], conflicts_with = "config", help_heading = "Clients")]
    pub tls: Option<String>,

    /// The certificate chain as PEM, the server's own first
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "config", help_heading = "Clients")]
    pub tls_cert: Option<PathBuf>,

    /// The private key as PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "config", help_heading = "Clients")]
    pub tls_key: Option<PathBuf>,

    /// Use a self-signed certificate from this folder, made at the first start
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "config", help_heading = "Clients")]
    pub tls_self_signed: Option<PathBuf>,

    /// Let clients of other machines log in without TLS: everybody on the way can read the passwords
    #[arg(long, conflicts_with = "config", help_heading = "Clients")]
    pub allow_clear_login: bool,

    /// Trust these certificates (PEM) instead of the system's: authorities', or the server's own
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "config", help_heading = "IMAP server")]
    pub ca_file: Option<PathBuf>,

    /// Trust exactly the certificate with this SHA-256 fingerprint; may be repeated
    #[arg(
        long,
        value_name = "FINGERPRINT",
        conflicts_with = "config",
        help_heading = "IMAP server"
    )]
    pub certificate_sha256: Vec<String>,

    /// The name that its certificate must prove [default: the host of the URL]
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "config",
        help_heading = "IMAP server"
    )]
    pub server_name: Option<String>,

    /// The domain of users who log in without one
    #[arg(
        long,
        value_name = "DOMAIN",
        conflicts_with = "config",
        help_heading = "IMAP server"
    )]
    pub default_domain: Option<String>,

    /// What becomes of the domain in users' names: keep, strip, add:DOMAIN or replace:DOMAIN [default: keep]
    #[arg(
        long,
        value_name = "RULE",
        conflicts_with = "config",
        help_heading = "IMAP server"
    )]
    pub user_domain: Option<String>,

    /// Let imap:// go to another machine: everybody on the way can read the passwords
    #[arg(long, conflicts_with = "config", help_heading = "IMAP server")]
    pub allow_clear_upstream: bool,

    /// The server is your own: tell it where clients connect from
    #[arg(long, conflicts_with = "config", help_heading = "IMAP server")]
    pub own: bool,

    /// How users are logged in [default: auto, with what the server offers]
    #[arg(long, value_parser = ["auto", "login", "plain"], conflicts_with = "config", help_heading = "IMAP server")]
    pub login: Option<String>,

    /// Tell the server who the gateway is (ID); 163.com and a few others want that
    #[arg(long, conflicts_with = "config", help_heading = "IMAP server")]
    pub send_id: bool,

    /// Do not use this capability though the server announces it; may be repeated
    #[arg(
        long,
        value_name = "CAPABILITY",
        conflicts_with = "config",
        help_heading = "IMAP server"
    )]
    pub without: Vec<String>,

    /// The folder that is shown [default: INBOX]
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "config",
        help_heading = "IMAP server"
    )]
    pub folder: Option<String>,

    /// What becomes of deleted messages at QUIT: expunge, trash, move:FOLDER, seen, keyword:WORD or keep [default: expunge]
    #[arg(
        long,
        value_name = "POLICY",
        conflicts_with = "config",
        help_heading = "IMAP server"
    )]
    pub delete: Option<String>,

    /// Mark retrieved messages \Seen at QUIT
    #[arg(long, conflicts_with = "config", help_heading = "IMAP server")]
    pub mark_seen: bool,

    /// How much may be fetched ahead of a client [default: "1 MiB"]
    #[arg(
        long,
        value_name = "SIZE",
        conflicts_with = "config",
        help_heading = "IMAP server"
    )]
    pub read_ahead: Option<String>,

    /// Log for people or for programs [default: human]
    #[arg(long, value_parser = ["human", "json"], help_heading = "Logs")]
    pub log: Option<String>,

    /// How much is logged [default: info]
    #[arg(long, value_parser = ["error", "warn", "info", "debug", "trace"], help_heading = "Logs")]
    pub log_level: Option<String>,

    /// Write both dialogues of every session, POP3 and IMAP, into a file of this folder; secrets and
    /// messages are left out
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Logs")]
    pub transcript: Option<PathBuf>,
}

impl Serve {
    /// The flags as the configuration understands them.
    pub fn flags(&self) -> Flags {
        Flags {
            upstream: self.upstream.clone().unwrap_or_default(),
            listen: self.listen.clone(),
            tls: self.tls.clone(),
            tls_cert: self.tls_cert.clone(),
            tls_key: self.tls_key.clone(),
            tls_self_signed: self.tls_self_signed.clone(),
            allow_clear_login: self.allow_clear_login,
            ca_file: self.ca_file.clone(),
            certificate_sha256: self.certificate_sha256.clone(),
            server_name: self.server_name.clone(),
            default_domain: self.default_domain.clone(),
            user_domain: self.user_domain.clone(),
            own: self.own,
            login: self.login.clone(),
            send_id: self.send_id,
            without: self.without.clone(),
            allow_clear_upstream: self.allow_clear_upstream,
            folder: self.folder.clone(),
            delete: self.delete.clone(),
            mark_seen: self.mark_seen,
            read_ahead: self.read_ahead.clone(),
            runtime: self.runtime.clone(),
            log: self.log.clone(),
            log_level: self.log_level.clone(),
            transcript: self.transcript.clone(),
        }
    }
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
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,

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

/// The completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pop3-gateway", &mut script);
    script
}

/// The main manual page.
pub fn man_page() -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    Ok(page)
}

/// Writes the manual pages of all commands into a folder.
pub fn man_pages(dir: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(Cli::command(), dir)
}
