//! What an operator decides about sessions: what is offered, how long things may take, how much may
//! be stored. Plain data; the transitions read it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::backend::Mechanism;

/// How TLS stands on a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsOffer {
    /// There is none.
    #[default]
    None,
    /// The client may ask for it with STLS (RFC 2595).
    Stls,
    /// It comes before the greeting (RFC 8314).
    Implicit,
}

/// Who gets read-only access (XPRO).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadOnly {
    /// Nobody: XPRO is refused.
    #[default]
    Refused,
    /// Clients that ask with XPRO.
    OnRequest,
    /// Everybody.
    Always,
}

/// What EXPIRE announces (RFC 2449 section 6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expire {
    /// Messages stay until they are deleted.
    #[default]
    Never,
    /// Messages are removed after this many days; 0: once they were retrieved.
    Days(u32),
}

/// The rules of a session. Lengths in octets.
///
/// Each field has a setter of its name, too:
///
/// ```
/// use pop3_proto::server::{Policy, TlsOffer};
///
/// let policy = Policy::default().tls(TlsOffer::Stls).utf8(true);
/// # assert!(policy.utf8);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The greeting's text. An angle bracket or a leading `[` would be taken for something else by
    /// clients (X004); such characters are left out.
    pub greeting: String,
    /// IMPLEMENTATION's text; `None` hides it.
    pub implementation: Option<String>,
    /// How TLS stands.
    pub tls: TlsOffer,
    /// Whether secrets may come in the clear: USER, PASS, AUTH PLAIN, AUTH LOGIN without TLS.
    pub clear_login: bool,
    /// Whether USER and PASS are offered at all.
    pub user_pass: bool,
    /// The SASL mechanisms offered, strongest first. PLAIN, LOGIN, XOAUTH2, OAUTHBEARER and CRAM-MD5
    /// are understood; others are passed through to the backend.
    pub mechanisms: Vec<Mechanism>,
    /// Whether APOP is offered: only with a backend that holds the secrets.
    pub apop: bool,
    /// Whether UTF8 and LANG are offered (RFC 6856). Off by default: the Evolution of Debian 12 sends UTF8
    /// without its line end as soon as CAPA lists it, and waits for ever.
    pub utf8: bool,
    /// Who gets read-only access.
    pub read_only: ReadOnly,
    /// What EXPIRE announces.
    pub expire: Expire,
    /// All the time from the greeting until the credentials are found good. A login that runs is
    /// answered within it. Listing the maildrop does not count.
    pub login_grace: Duration,
    /// Inactivity in the TRANSACTION state before the session ends without update; RFC 1939 wants at
    /// least ten minutes.
    pub autologout: Duration,
    /// How long a client may leave waiting octets unread.
    pub stalled_reader: Duration,
    /// How long a backend may stay silent with a request outstanding.
    pub backend_silence: Duration,
    /// How long a session that had something under way when it was shut down waits for the command that it will
    /// refuse.
    pub shutdown_grace: Duration,
    /// Failed logins, for any reason, until the connection is closed.
    pub failed_logins: u32,
    /// Bad commands in a row before login, until the connection is closed.
    pub bad_commands_before_login: u32,
    /// Bad commands in a row after login, until the connection is closed.
    pub bad_commands: u32,
    /// The longest command line without its line end.
    pub command_line: usize,
    /// The longest line of a SASL exchange without its line end, AUTH with initial response included.
    pub sasl_line: usize,
}

setters! { Policy:
    greeting: String,
    implementation: Option<String>,
    tls: TlsOffer,
    clear_login: bool,
    user_pass: bool,
    mechanisms: Vec<Mechanism>,
    apop: bool,
    utf8: bool,
    read_only: ReadOnly,
    expire: Expire,
    login_grace: Duration,
    autologout: Duration,
    stalled_reader: Duration,
    backend_silence: Duration,
    shutdown_grace: Duration,
    failed_logins: u32,
    bad_commands_before_login: u32,
    bad_commands: u32,
    command_line: usize,
    sasl_line: usize,
}

/// The mechanism that, as APOP does, needs a stored secret.
const CRAM_MD5: &str = "CRAM-MD5";

impl Policy {
    /// Whether there is a way to log in that only a backend with the secrets can serve: APOP or CRAM-MD5.
    pub fn offers_digests(&self) -> bool {
        self.apop || self.mechanisms.iter().any(is_cram_md5)
    }

    /// The same rules without APOP and CRAM-MD5; `None` if they leave no way to log in.
    pub fn without_digests(&self) -> Option<Self> {
        let mut without = self.clone();
        without.apop = false;
        without.mechanisms.retain(|name| !is_cram_md5(name));
        (without.user_pass || !without.mechanisms.is_empty()).then_some(without)
    }
}

fn is_cram_md5(mechanism: &Mechanism) -> bool {
    mechanism.as_str() == CRAM_MD5
}

impl Default for Policy {
    /// Everything that is safe without knowing the backend, and the timers and limits of the design.
    fn default() -> Self {
        Self {
            greeting: "POP3 server ready".into(),
            implementation: Some("pop3-proto".into()),
            tls: TlsOffer::None,
            clear_login: false,
            user_pass: true,
            mechanisms: ["PLAIN", "LOGIN"]
                .into_iter()
                .filter_map(Mechanism::new)
                .collect(),
            apop: false,
            utf8: false,
            read_only: ReadOnly::Refused,
            expire: Expire::Never,
            login_grace: Duration::from_secs(180),
            autologout: Duration::from_secs(600),
            stalled_reader: Duration::from_secs(600),
            backend_silence: Duration::from_secs(600),
            shutdown_grace: Duration::from_secs(5),
            failed_logins: 3,
            bad_commands_before_login: 10,
            bad_commands: 50,
            command_line: 1024,
            sasl_line: 16 * 1024,
        }
    }
}
