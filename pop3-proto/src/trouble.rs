//! What can go wrong on the way to a server, in words: one text for each trouble, with the place, the
//! cause and the remedy.
//!
//! Shared by everything that connects: a gateway to its upstream, a client to its server. Only the names
//! of the settings differ, and [`Words`] has them. Pure text: it examines nothing itself.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::trouble::{Place, Trouble, Words};
//!
//! let place = Place { host: "imap.example.org", port: 143 };
//! assert_eq!(
//!     Trouble::NoTls.text(place, &Words::CONFIGURATION),
//!     "imap.example.org port 143 does not speak TLS from the first byte; if it offers STARTTLS, write \
//!      url = \"imap+starttls://…\", else look at the port of the url"
//! );
//! ```

mod reason;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// Where a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// A host name or an address.
    pub host: &'a str,
    /// The TCP port.
    pub port: u16,
}

impl core::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} port {}", self.host, self.port)
    }
}

/// How a program calls the settings that a remedy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// What chooses host and port.
    pub place: &'static str,
    /// What asks for TLS from the first byte.
    pub implicit: &'static str,
    /// What asks for TLS by STARTTLS or STLS.
    pub upgrade: &'static str,
    /// How the upgrade is called.
    pub upgrade_command: &'static str,
    /// What names a file of certificates to trust.
    pub authorities: &'static str,
    /// What names one certificate by its fingerprint.
    pub fingerprint: &'static str,
    /// What to say of a certificate that no fingerprint names, and what to do then.
    pub not_named: &'static str,
    /// What names the host that the certificate is for.
    pub name: &'static str,
    /// What sets how long connecting may take.
    pub patience: &'static str,
}

impl Words {
    /// The keys of the gateway's configuration.
    pub const CONFIGURATION: Self = Self {
        place: "url",
        implicit: "url = \"imaps://…\"",
        upgrade: "url = \"imap+starttls://…\"",
        upgrade_command: "STARTTLS",
        authorities: "ca_file",
        fingerprint: "certificate_sha256",
        not_named: "none of those that certificate_sha256 names; if the server's certificate was renewed, write \
                    the new fingerprint there",
        name: "server_name",
        patience: "connect_timeout",
    };

    /// The flags of the command-line client.
    pub const COMMAND_LINE: Self = Self {
        place: "address",
        implicit: "--tls implicit",
        upgrade: "--tls starttls",
        upgrade_command: "STLS",
        authorities: "--ca-file",
        fingerprint: "--pin",
        not_named: "not the one that was pinned (was it renewed?); if it is the right one, name exactly this one \
                    with --ca-file or --pin",
        name: "host",
        patience: "--timeout",
    };
}

/// Something that went wrong before the login. The caller makes texts of others printable and short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble<'a> {
    /// The name has no address, or the name service did not answer.
    Resolve {
        /// What the system said.
        cause: &'a str,
    },
    /// No address took the connection.
    Connect {
        /// What the system said.
        cause: &'a str,
    },
    /// Nothing answered.
    ConnectSilent {
        /// For how long.
        waited: Duration,
    },
    /// The answer is not TLS.
    NoTls,
    /// The handshake did not finish.
    TlsSilent {
        /// For how long.
        waited: Duration,
    },
    /// The other end closed the connection during the handshake.
    TlsClosed,
    /// Both ends have no version or cipher suite in common.
    TlsTooOld,
    /// Anything else about TLS.
    Tls {
        /// What the TLS library said.
        cause: &'a str,
    },
    /// The certificate is not believed.
    Certificate {
        /// Why not.
        doubt: Doubt<'a>,
        /// The certificate's SHA-256 fingerprint, if it is known.
        fingerprint: Option<&'a str>,
    },
    /// The connection is open, and no greeting comes.
    GreetingSilent {
        /// For how long.
        waited: Duration,
        /// Whether the connection is under TLS.
        tls: bool,
    },
    /// The connection was closed before a greeting came.
    GreetingClosed {
        /// Whether the connection was under TLS.
        tls: bool,
    },
    /// The first line is not the greeting of such a server.
    GreetingForeign {
        /// The line, printable.
        line: &'a str,
    },
    /// The server greets with a refusal.
    GreetingRefused {
        /// The line, printable.
        line: &'a str,
    },
    /// The server will not start TLS.
    UpgradeRefused {
        /// The line, printable; empty if it does not offer it at all.
        line: &'a str,
    },
    /// The server refuses the login.
    Login {
        /// The line, printable.
        line: &'a str,
    },
    /// The server refuses to open the mailbox.
    Mailbox {
        /// Its name, printable.
        name: &'a str,
        /// The line, printable.
        line: &'a str,
    },
    /// Nothing came while something was due.
    Silent {
        /// For how long.
        waited: Duration,
        /// What was due: `the answer to LOGIN`.
        due: &'a str,
    },
}

/// Why a certificate is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt<'a> {
    /// It has expired.
    Expired {
        /// When, as a date.
        since: &'a str,
    },
    /// It is not valid yet.
    NotYet {
        /// When it will be, as a date.
        until: &'a str,
    },
    /// It is for other names.
    Name {
        /// The name that it should be for.
        wanted: &'a str,
        /// The names that it is for, with commas between them.
        shown: &'a str,
    },
    /// No trusted authority vouches for it.
    Unknown,
    /// It is none of those that were named by fingerprint.
    NotNamed,
    /// Anything else; names of the verifier's errors are put into words.
    Other(&'a str),
}

impl Trouble<'_> {
    /// The whole text: place, cause, remedy.
    pub fn text(&self, place: Place<'_>, words: &Words) -> String {
        let at = words.place;
        match *self {
            Self::Resolve { cause } => format!(
                "cannot find the address of {}: {cause}; is the name in the {at} right, and does the name \
                 service answer?",
                place.host
            ),
            Self::Connect { cause } => format!(
                "cannot connect to {place}: {cause}; does the server run there, is the port of the {at} right, \
                 and does a firewall let it through?"
            ),
            Self::ConnectSilent { waited } => format!(
                "no connection to {place} within {}; is the port of the {at} right, and does a firewall let it \
                 through? ({} is how long it may take)",
                seconds(waited),
                words.patience
            ),
            Self::NoTls => format!(
                "{place} does not speak TLS from the first byte; if it offers {}, write {}, else look at the \
                 port of the {at}",
                words.upgrade_command, words.upgrade
            ),
            Self::TlsSilent { waited } => format!(
                "{place} took the connection and did not finish the TLS handshake within {}; if it wants {}, \
                 write {}, else look at the port of the {at}",
                seconds(waited),
                words.upgrade_command,
                words.upgrade
            ),
            Self::TlsClosed => format!(
                "{place} closed the connection within the TLS handshake; if it wants {}, write {}, else look \
                 at its own log",
                words.upgrade_command, words.upgrade
            ),
            Self::TlsTooOld => format!(
                "{place} and this program have no version of TLS in common; this one speaks TLS 1.2 and 1.3 \
                 with forward secrecy: update the server, or give it an RSA or ECDSA (P-256, P-384) certificate and \
                 such cipher suites"
            ),
            Self::Tls { cause } => format!("TLS with {place} failed: {cause}"),
            Self::Certificate { doubt, fingerprint } => {
                let which = fingerprint.map_or_else(String::new, |print| format!(" ({print})"));
                let why = doubt.text(words);
                format!("the certificate of {place}{which} is not believed: {why}")
            }
            Self::GreetingSilent { waited, tls: false } => format!(
                "{place} took the connection and sent no greeting within {}; if it wants TLS from the first \
                 byte, write {}",
                seconds(waited),
                words.implicit
            ),
            Self::GreetingSilent { waited, tls: true } => format!(
                "{place} speaks TLS and sent no greeting within {}; is the port of the {at} right?",
                seconds(waited)
            ),
            Self::GreetingClosed { tls: false } => format!(
                "{place} closed the connection before its greeting; if it wants TLS from the first byte, write \
                 {}, else look at its own log: it may refuse this machine's address",
                words.implicit
            ),
            Self::GreetingClosed { tls: true } => format!(
                "{place} closed the connection before its greeting; look at its own log: it may refuse this \
                 machine's address"
            ),
            Self::GreetingForeign { line } => format!(
                "{place} is no such server: it greets with {line:?}; look at the port of the {at}{}",
                if line.starts_with(['\u{15}', '\u{16}']) || line.starts_with("\\u{15}") {
                    format!("; it looks like TLS: write {}", words.implicit)
                } else {
                    String::new()
                }
            ),
            Self::GreetingRefused { line } => format!(
                "{place} turns this machine away: {line}; look at its own log and at its limits for one address"
            ),
            Self::UpgradeRefused { line: "" } => format!(
                "{place} does not offer {}; if it wants TLS from the first byte, write {}",
                words.upgrade_command, words.implicit
            ),
            Self::UpgradeRefused { line } => format!(
                "{place} refuses {}: {line}; if it wants TLS from the first byte, write {}",
                words.upgrade_command, words.implicit
            ),
            Self::Login { line } => format!("{place} refuses the login: {line}"),
            Self::Mailbox { name, line } => {
                format!("{place} does not open the folder {name:?}: {line}")
            }
            Self::Silent { waited, due } => {
                format!(
                    "{place} is silent: {due} did not come within {}",
                    seconds(waited)
                )
            }
        }
    }
}

impl Doubt<'_> {
    fn text(&self, words: &Words) -> String {
        let (name, file, print) = (words.name, words.authorities, words.fingerprint);
        match *self {
            Self::Expired { since } => format!(
                "it expired on {since}; renew it, or name exactly this one with {file} or {print}"
            ),
            Self::NotYet { until } => format!(
                "it is not valid before {until}; is the clock of this machine right? If so, name exactly this \
                 one with {file} or {print}"
            ),
            Self::Name { wanted, shown } => {
                let shown: Vec<_> = shown.split(", ").take(8).collect();
                let shown = match shown.as_slice() {
                    [] | [""] => "no name at all".into(),
                    shown => shown.join(", "),
                };
                format!(
                    "it is not for {wanted:?} but for {shown}; set {name} to a name that it is for, or name \
                     exactly this one with {file} or {print}"
                )
            }
            Self::Unknown => format!(
                "no authority that is trusted vouches for it; if it is the right one, put it or its authority \
                 into a file and set {file}, or set {print} to its fingerprint"
            ),
            Self::NotNamed => format!("it is {}", words.not_named),
            Self::Other(cause) => {
                let cause = reason::in_words(cause);
                format!(
                    "{cause}; if it is the right one, name exactly this one with {file} or {print}"
                )
            }
        }
    }
}

fn seconds(span: Duration) -> String {
    if span.subsec_millis() == 0 {
        format!("{} s", span.as_secs())
    } else {
        format!("{:.1} s", span.as_secs_f64())
    }
}
