//! The command line of the tools for stores.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// Which store a tool works on.
#[derive(Debug, Args)]
pub struct StoreName {
    /// The configuration
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,

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
        /// The name to log in with
        user: String,
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
    },
    /// Remove an account; its messages stay, unless --with-messages
    Remove {
        /// The store
        #[command(flatten)]
        store: StoreName,
        /// Remove its messages too; databases only
        #[arg(long)]
        with_messages: bool,
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
