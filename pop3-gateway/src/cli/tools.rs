//! The command line of the tools for stores.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::Named;

/// Which store a tool works on.
#[derive(Debug, Args)]
pub struct StoreName {
    /// The configuration
    #[command(flatten)]
    pub file: Named,

    /// The store; may be left out where there is only one
    #[arg(long, value_name = "NAME")]
    pub store: Option<String>,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// Where a password comes from, and what is made of it.
#[derive(Debug, Args)]
pub struct NewPassword {
    /// Read the password from standard input, its first line, instead of asking for it
    #[arg(long)]
    pub password_stdin: bool,

    /// How it is hashed
    #[arg(long, value_name = "NAME", value_parser = ["argon2id", "bcrypt", "scrypt", "sha512-crypt"], default_value = "argon2id")]
    pub algorithm: String,

    /// Store the secret as it is, so that APOP and CRAM-MD5 work; anyone who can read the accounts can read it
    #[arg(long, conflicts_with = "algorithm")]
    pub stored_secret: bool,
}

/// An account for a mailbox that a grant reaches: it is kept in the state, with a password of its own.
#[cfg(feature = "oauth")]
#[derive(Debug, Args)]
pub struct Device {
    /// For this mailbox of an upstream with a grant: the password is made and shown once
    #[arg(long, value_name = "MAILBOX", conflicts_with = "store")]
    pub mailbox: Option<String>,

    /// The upstream; may be left out where only one has a grant
    #[arg(long, value_name = "NAME", requires = "mailbox")]
    pub upstream: Option<String>,

    /// Whose grant opens the mailbox, where that is somebody else's: a shared mailbox
    #[arg(long, value_name = "MAILBOX", requires = "mailbox")]
    pub grant_of: Option<String>,

    /// What it may do
    #[arg(long, value_name = "WORD", requires = "mailbox", value_parser = ["read-write", "read-only", "no-delete"],
          default_value = "read-write")]
    pub access: String,

    /// From which network it may be used, such as 192.0.2.0/24; from several, if it is given several times
    #[arg(long, value_name = "NETWORK", requires = "mailbox")]
    pub network: Vec<String>,

    /// The first day, in UTC, on which it does not work any more
    #[arg(long, value_name = "YYYY-MM-DD", requires = "mailbox")]
    pub expires: Option<String>,

    /// What its owner calls the device
    #[arg(long, value_name = "TEXT", requires = "mailbox")]
    pub label: Option<String>,
}

/// `sign-in`
#[cfg(feature = "oauth")]
#[derive(Debug, Args)]
#[command(after_help = "\
A person signs in at the provider, so that the gateway may open the mailbox from now on. What the
provider gives is kept in the state, sealed. The gateway may run or not; it need not be restarted.

Examples:
  pop3-gateway sign-in --config pop3-gateway.toml ann@example.org
  pop3-gateway sign-in --config pop3-gateway.toml --device scanner@example.org")]
pub struct SignIn {
    /// The configuration
    #[command(flatten)]
    pub file: Named,

    /// The upstream; may be left out where only one has a grant of persons
    #[arg(long, value_name = "NAME")]
    pub upstream: Option<String>,

    /// With a code that is entered on any other device, where the provider has that
    #[arg(long)]
    pub device: bool,

    /// Where the provider sends the browser back to, as it is registered with the app: an address of this machine, or any
    /// other one that is then pasted here [default: http://127.0.0.1 with a free port]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "device")]
    pub redirect: Option<String>,

    /// Prints a link for the mailbox's owner, who signs in with it at the pages (see `[pages]` in the configuration); it works
    /// once, within a day
    #[cfg(feature = "http")]
    #[arg(long, conflicts_with_all = ["device", "redirect"])]
    pub link: bool,

    /// The mailbox
    pub mailbox: String,
}

/// `setup`
#[cfg(feature = "oauth")]
#[derive(Debug, Args)]
#[command(after_help = "\
Finds the provider by the address' domain, or asks the domain's own web server for its IMAP server
(autoconfig). MX and SRV records are not looked at: for a domain of your own at a big provider say
--profile. Writes a new configuration with comments, never over another one, and says what comes next.

Examples:
  pop3-gateway setup ann@gmail.com --client-id ID --client-secret-file google.secret
  pop3-gateway setup ann@example.org --profile microsoft --tenant example.org --client-id ID
  pop3-gateway setup ann@example.org --issuer https://login.example.org --client-id ID")]
pub struct Setup {
    /// The configuration that is made
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "pop3-gateway.toml")]
    pub config: PathBuf,

    /// The provider, where the domain does not tell
    #[arg(long, value_name = "WORD",
          value_parser = ["microsoft", "google", "fastmail", "yandex", "mailru", "yahoo", "oidc"])]
    pub profile: Option<String>,

    /// The IMAP server, such as imaps://imap.example.org
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,

    /// Where clients find their mail
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1110")]
    pub listen: String,

    /// Which app the gateway is at the provider
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,

    /// Microsoft: the directory, by a domain or its id
    #[arg(long, value_name = "DIRECTORY")]
    pub tenant: Option<String>,

    /// An issuer that tells its endpoints, for a provider of your own
    #[arg(long, value_name = "ADDRESS", conflicts_with = "tenant")]
    pub issuer: Option<String>,

    /// How tokens come about; left out: the provider's best way
    #[arg(long, value_name = "WORD", value_parser = ["code", "device", "app", "service-account"])]
    pub flow: Option<String>,

    /// The app's secret, in a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "certificate")]
    pub client_secret_file: Option<PathBuf>,

    /// In its place: a certificate that was uploaded to the app, PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "private_key")]
    pub certificate: Option<PathBuf>,

    /// Its key, PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "certificate")]
    pub private_key: Option<PathBuf>,

    /// Google: the key of a service account, as the console gives it out
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
          conflicts_with_all = ["client_secret_file", "certificate"])]
    pub service_account_file: Option<PathBuf>,

    /// The mail address
    pub address: String,
}

/// `doctor`
#[cfg(feature = "oauth")]
#[derive(Debug, Args)]
#[command(after_help = "\
Goes the way of a login step by step: the configuration, the state and its key, the proof of the app,
the provider and its clock, a token, what the token says of itself, the mailbox by IMAP, and who may
log in to it. Says what is missing and what to do about it, with an administrator's commands where
there are such. Opens the mailbox for reading; what it asks of the provider is kept as the gateway
keeps it. Removes nothing. Exit code 0: all is well; 1: a step failed.

Examples:
  pop3-gateway doctor --config pop3-gateway.toml ann@example.org
  pop3-gateway doctor --config pop3-gateway.toml --json")]
pub struct Doctor {
    /// The configuration
    #[command(flatten)]
    pub file: Named,

    /// The upstream; may be left out where only one has a grant
    #[arg(long, value_name = "NAME")]
    pub upstream: Option<String>,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,

    /// The mailbox; every one that is signed in for or has accounts, if it is left out
    pub mailbox: Option<String>,
}

/// `status`
#[cfg(any(feature = "oauth", feature = "cluster"))]
#[derive(Debug, Args)]
pub struct Status {
    /// Which nodes there are, and how many maildrops each holds, in the place of grants and accounts
    #[cfg(feature = "cluster")]
    #[arg(long)]
    pub cluster: bool,

    /// The configuration
    #[command(flatten)]
    pub file: Named,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// `ready`
#[cfg(feature = "http")]
#[derive(Debug, Args)]
#[command(after_help = "\
Asks the first [[http]] without TLS that serves \"health\" for /readyz, on this machine. For supervisors that
start a program where others would ask by HTTP, such as the health check of a container.

Exit codes: 0 it takes logins; 1 it does not, or does not answer within 5 seconds; 2 the configuration is
wrong, or there is no such [[http]].")]
pub struct Ready {
    /// The configuration
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = super::CONFIGURATION)]
    pub config: PathBuf,
}

/// `account`
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Add an account; makes the file of accounts if there is none
    Add {
        /// The store
        #[command(flatten)]
        store: StoreName,
        /// The password
        #[command(flatten)]
        password: NewPassword,
        /// For which device
        #[cfg(feature = "oauth")]
        #[command(flatten)]
        device: Device,
        /// The name to log in with; with --mailbox the mailbox's, if it is left out
        #[cfg_attr(feature = "oauth", arg(required_unless_present = "mailbox"))]
        #[cfg_attr(not(feature = "oauth"), arg(required = true))]
        user: Option<String>,
    },
    /// Give an account another password
    Passwd {
        /// The store
        #[command(flatten)]
        store: StoreName,
        /// The password
        #[command(flatten)]
        password: NewPassword,
        /// The account
        user: String,
    },
    /// List the accounts
    List {
        /// The store
        #[command(flatten)]
        store: StoreName,
        /// Those for this mailbox of an upstream with a grant
        #[cfg(feature = "oauth")]
        #[arg(long, value_name = "MAILBOX", conflicts_with = "store")]
        mailbox: Option<String>,
    },
    /// Remove an account; its messages stay, unless --with-messages
    Remove {
        /// The store
        #[command(flatten)]
        store: StoreName,
        /// Remove its messages too; databases only
        #[arg(long)]
        with_messages: bool,
        /// One that "account add --mailbox" made for this mailbox
        #[cfg(feature = "oauth")]
        #[arg(long, value_name = "MAILBOX", conflicts_with_all = ["store", "with_messages"])]
        mailbox: Option<String>,
        /// The account
        user: String,
    },
}

/// `message`
#[derive(Debug, Subcommand)]
pub enum Message {
    /// Add a message
    #[command(after_help = "\
Examples:
  pop3-gateway message add --config g.toml --user tim mail.eml
  df -h | pop3-gateway message add --config g.toml --user tim --subject 'disk space'

Without --subject the file is a message, with its header. With it, it is a plain text in UTF-8, and a
message is made of it.")]
    Add {
        /// The store
        #[command(flatten)]
        store: StoreName,
        /// The account, unless all share one maildrop
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Make a message of a plain text, with this subject
        #[arg(long, value_name = "TEXT")]
        subject: Option<String>,
        /// Its sender
        #[arg(
            long,
            value_name = "ADDRESS",
            requires = "subject",
            default_value = "pop3-gateway@localhost"
        )]
        from: String,
        /// Its recipient
        #[arg(long, value_name = "ADDRESS", requires = "subject")]
        to: Option<String>,
        /// Take the file as it is, even if it does not begin like a message
        #[arg(long, conflicts_with = "subject")]
        unchecked: bool,
        /// The message or text; standard input if it is left out or -
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// List the messages
    List {
        /// The store
        #[command(flatten)]
        store: StoreName,
        /// The account, unless all share one maildrop
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// Remove a message for good
    Remove {
        /// The store
        #[command(flatten)]
        store: StoreName,
        /// The account, unless all share one maildrop
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Its unique-id, as "message list" and UIDL show it
        unique_id: String,
    },
}

/// `store`
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Make the tool's own tables in a database, or bring them to this version
    Migrate {
        /// The store
        #[command(flatten)]
        store: StoreName,
    },
}

/// `state`
#[cfg(feature = "oauth")]
#[derive(Debug, Subcommand)]
pub enum State {
    /// Seal every grant with the first key of the key's file, so that the other keys can go
    #[command(after_help = "\
A key's file has a key on each line. The first one seals, all of them open. To change the key, put the new one before
the old one, restart the gateway, run this, and remove the old one:
  (umask 077; openssl rand -base64 32 | cat - state.key >state.key.new)

Exit codes: 0 all is sealed with the first key; 1 something is not, and why is said; 2 the command line or the
configuration is wrong.")]
    Reseal {
        /// The configuration
        #[command(flatten)]
        file: Named,

        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove the grants of a state whose key is lost; the accounts stay
    #[command(after_help = "\
Without its key nothing opens a grant any more. Make another key where the lost one was, run this, and let people sign in
again; their devices keep their passwords:
  (umask 077; openssl rand -base64 32 >state.key)

If the key is the right one, nothing is removed.

Exit codes: 0 done; 1 something failed; 2 the command line or the configuration is wrong.")]
    ForgetGrants {
        /// The configuration
        #[command(flatten)]
        file: Named,
    },
}

/// `hash-password`
#[derive(Debug, Args)]
pub struct HashPassword {
    /// The password
    #[command(flatten)]
    pub password: NewPassword,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}
