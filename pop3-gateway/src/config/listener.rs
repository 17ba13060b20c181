//! `[[listener]]`: where clients connect, and what they may do there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use pop3_proto::backend::Mechanism;
use pop3_proto::server::{Policy, ReadOnly, TlsOffer};
use pop3_server::tls::Identity;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::sasl::is_relayed;
use crate::self_signed;
use crate::setting::document::Table;
use crate::setting::error::{Fault, Origin, Problem};
use crate::setting::value::{BadValue, Value, Word};
use crate::setting::{row, rows};

/// One `[[listener]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name in logs; the first address if none was given.
    pub name: String,
    /// Where it listens; not empty.
    pub addresses: Vec<SocketAddr>,
    /// Certificates from files, chosen by the name that the client asks for; the first is the
    /// default.
    pub certificates: Vec<Identity>,
    /// The folder of a self-signed certificate, made at the first start.
    pub self_signed: Option<PathBuf>,
    /// The names in it, before this machine's.
    pub self_signed_names: Vec<String>,
    /// The names of a certificate that `[acme]` gets.
    pub acme: Vec<String>,
    /// The networks of balancers, which say by the PROXY protocol who their client is; without any, clients connect
    /// themselves.
    pub proxies: Vec<IpNet>,
    /// The rules of its sessions.
    pub policy: Policy,
}

rows! {
    /// `[[listener]]`, but for its certificates.
    pub(crate) ROWS: Listener =
        Listener::new(vec![SocketAddr::from(([127, 0, 0, 1], 1110))], &Policy::default());

    /// One address or a list: IP address and port, IPv6 in brackets.
    own "listen" r#"["127.0.0.1:1110", "[::1]:1110"]"# => (with set_addresses, show_addresses),
    /// The name in logs. Left out: the first address.
    told own "name" r#""local""# => (name),
    /// The networks of the balancers in front. Each connection has to begin with a header of the PROXY protocol,
    /// version 1 or 2, which says who the client is; connections from elsewhere are closed. Left out: clients connect
    /// themselves.
    told own "proxy_protocol" r#"["10.0.0.0/8", "2001:db8::7"]"# => (with set_proxies, show_proxies),
    /// "none"; "stls": the client may start TLS; "implicit": TLS from the first byte (port 995).
    told "tls" r#""none""# => (policy.tls),
    /// A self-signed certificate, made in this folder at the first start. For tests, or for clients that
    /// can be told to trust it.
    told own "self_signed" r#""tls""# => (self_signed),
    /// The names and addresses that it is for, before those of this machine. It is made once: remove it for others.
    own "self_signed_names" r#"["pop.example.org"]"# => (self_signed_names),
    /// The names of a certificate that the gateway gets by itself: see [acme]. Until it comes, one is shown that is
    /// self-signed.
    told own "acme" r#"["pop.example.org", "mail.example.org"]"# => (acme),
    /// Whether clients may log in without TLS: everybody on the way can read the passwords then. Left out: only if
    /// every address is loopback, and no balancer is in front.
    told "allow_clear_login" "true" => (policy.clear_login),
    /// The text after the first +OK, without "<", ">" and a leading "[".
    "greeting" r#""POP3 ready""# => (policy.greeting),
    /// Whether USER and PASS work.
    "user_pass" "true" => (policy.user_pass),
    /// Whether APOP works: for accounts of stores that have a stored secret, with tls = "implicit" or on loopback.
    own "apop" "true" => (policy.apop),
    /// The mechanisms of AUTH. PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER are known to the gateway, which logs in
    /// upstream with what it is given. CRAM-MD5 is for accounts of stores that have a stored secret,
    /// and like apop offered only as long as all accounts of all routes have one. Others, such
    /// as "SCRAM-SHA-256", are handed through to the upstream step by step, so that the gateway never sees the
    /// password; that needs a default route to an upstream.
    told "sasl" r#"["PLAIN", "LOGIN"]"# => (policy.mechanisms),
    /// What CAPA says about the implementation; "" says nothing.
    "implementation" r#""pop3-gateway""# => (with set_implementation, show_implementation),
    /// Whether UTF8 and LANG (RFC 6856) are offered. Some clients cannot cope with it: the Evolution of Debian 12
    /// hangs at login, and clients with a strict list of capabilities give up.
    "utf8" "false" => (policy.utf8),
    /// Who gets read-only access: "never", "on-request" (with XPRO), "always".
    "read_only" r#""on-request""# => (policy.read_only),
}

rows! {
    /// `[[listener.certificate]]`
    pub(super) CERTIFICATE: Identity = no_certificate();

    /// The chain as PEM, the server's own certificate first.
    own "cert" r#""/etc/letsencrypt/live/pop.example.org/fullchain.pem""# => (chain),
    /// The private key as PEM.
    own "key" r#""/etc/letsencrypt/live/pop.example.org/privkey.pem""# => (key),
}

fn no_certificate() -> Identity {
    Identity::new("", "")
}

/// Makes it a listener at these addresses; the rows after this one change it.
fn set_addresses(
    listener: &mut Listener,
    value: &DeValue<'_>,
    base: &Path,
) -> Result<(), BadValue> {
    *listener = Listener::new(Value::read(value, base)?, &listener.policy);
    Ok(())
}

fn show_addresses(listener: &Listener) -> Json {
    listener.addresses.show()
}

/// Clients are not on this machine then; a row after this one may say that they need no TLS all the same.
fn set_proxies(listener: &mut Listener, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    listener.proxies = Value::read(value, base)?;
    if listener.proxies.is_empty() {
        let remedy = "name at least one, or leave it out";
        return Err(BadValue::new("no network may connect", remedy));
    }
    listener.policy.clear_login = false;
    Ok(())
}

fn show_proxies(listener: &Listener) -> Json {
    listener.proxies.show()
}

fn set_implementation(
    listener: &mut Listener,
    value: &DeValue<'_>,
    base: &Path,
) -> Result<(), BadValue> {
    let text = String::read(value, base)?;
    listener.policy.implementation = (!text.is_empty()).then_some(text);
    Ok(())
}

fn show_implementation(listener: &Listener) -> Json {
    listener.policy.implementation.show()
}

impl Word for TlsOffer {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("stls", Self::Stls),
        ("implicit", Self::Implicit),
    ];
}

impl Word for ReadOnly {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("never", Self::Refused),
        ("on-request", Self::OnRequest),
        ("always", Self::Always),
    ];
}

impl Listener {
    /// A listener at these addresses, everything else as by default; `policy` says what all sessions may take.
    pub(super) fn new(addresses: Vec<SocketAddr>, policy: &Policy) -> Self {
        let loopback = addresses.iter().all(|address| address.ip().is_loopback());
        Self {
            name: addresses
                .first()
                .map(ToString::to_string)
                .unwrap_or_default(),
            addresses,
            certificates: Vec::new(),
            self_signed: None,
            self_signed_names: Vec::new(),
            acme: Vec::new(),
            proxies: Vec::new(),
            policy: policy
                .clone()
                .greeting("POP3 ready".into())
                .implementation(Some("pop3-gateway".into()))
                .clear_login(loopback)
                .read_only(ReadOnly::OnRequest),
        }
    }

    /// Reads a listener that comes after others; `policy` says what all sessions may take.
    pub(super) fn read(
        table: &mut Table<'_>,
        policy: &Policy,
        others: &[Self],
    ) -> Result<Self, Fault> {
        let mut listener = Self::new(Vec::new(), policy);
        table.rows(ROWS, &mut listener);
        listener.certificates = certificates(table)?;
        table.finish()?;
        let checked = listener.check(Origin::File).and_then(|()| {
            let taken = others.iter().flat_map(|other| other.addresses.iter());
            collision(taken, &listener.addresses).map_or(Ok(()), Err)
        });
        checked.map_err(|problem| table.fault(problem))?;
        Ok(listener)
    }

    /// What would make this listener useless or unsafe.
    pub(super) fn check(&self, origin: Origin) -> Result<(), Problem> {
        if self.addresses.is_empty() {
            let remedy = format!(
                "write for example {}",
                origin.setting("listen", "127.0.0.1:1110")
            );
            return Err(Problem::new(
                "listen",
                "there is no address to listen at",
                remedy,
            ));
        }
        self.check_tls(origin)?;
        self.check_login(origin)?;
        check_text("greeting", &self.policy.greeting)?;
        if let Some(implementation) = &self.policy.implementation {
            check_text("implementation", implementation)?;
        }
        check_text("name", &self.name)?;
        if self.policy.greeting.contains(['<', '>']) || self.policy.greeting.starts_with('[') {
            return Err(Problem::new(
                "greeting",
                "clients read angle brackets as an APOP timestamp and a leading bracket as a code",
                "leave out \"<\", \">\" and a leading \"[\"",
            ));
        }
        Ok(())
    }

    /// What `check` says of it.
    pub(super) fn told(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        let addresses = addresses.join(", ");
        let tls = match self.policy.tls {
            TlsOffer::None => "no TLS",
            TlsOffer::Stls => "STLS",
            TlsOffer::Implicit => "TLS from the first byte",
        };
        let clear = match (self.policy.tls, self.policy.clear_login) {
            (TlsOffer::Implicit, _) => "",
            (TlsOffer::None | TlsOffer::Stls, true) => ", logins in the clear allowed",
            (TlsOffer::None | TlsOffer::Stls, false) => ", no login before TLS",
        };
        let certificate = match (&self.self_signed, self.certificates.len()) {
            _ if !self.acme.is_empty() => {
                format!(", certificate of a CA for {}", self.acme.join(" "))
            }
            (Some(folder), _) if self_signed::is_there(folder) => {
                ", self-signed certificate".to_owned()
            }
            (Some(folder), _) => {
                format!(
                    ", self-signed certificate to be made in {}",
                    folder.display()
                )
            }
            (None, 0) => String::new(),
            (None, 1) => ", one certificate".to_owned(),
            (None, several) => format!(", {several} certificates"),
        };
        let read_only = match self.policy.read_only {
            ReadOnly::Always => ", read-only",
            ReadOnly::OnRequest | ReadOnly::Refused => "",
        };
        let proxies: Vec<_> = self.proxies.iter().map(ToString::to_string).collect();
        let proxies = match proxies.is_empty() {
            true => String::new(),
            false => format!(", PROXY protocol from {}", proxies.join(", ")),
        };
        let place = match self.name == addresses {
            true => addresses,
            false => format!("{} at {addresses}", self.name),
        };
        format!("{place}: {tls}{clear}{certificate}{read_only}{proxies}")
    }

    /// The same for programs.
    pub(super) fn told_json(&self) -> Json {
        let mut told = row::told(ROWS, self);
        let certificates = self.certificates.iter().map(|files| &files.chain);
        told.insert("addresses".into(), self.addresses.show());
        told.insert(
            "certificates".into(),
            json!(certificates.collect::<Vec<_>>()),
        );
        told.into()
    }

    /// Whether its clients are on this machine.
    fn is_local(&self) -> bool {
        let loopback = |address: &SocketAddr| address.ip().is_loopback();
        self.proxies.is_empty() && self.addresses.iter().all(loopback)
    }

    fn check_tls(&self, origin: Origin) -> Result<(), Problem> {
        let sources = [
            (!self.certificates.is_empty(), "certificate"),
            (self.self_signed.is_some(), "self_signed"),
            (!self.acme.is_empty(), "acme"),
        ];
        let has_certificate = one_of(sources)?;
        if self.self_signed.is_none() && !self.self_signed_names.is_empty() {
            let what = "there is no self-signed certificate to have these names";
            let remedy = format!("write {}", origin.setting("self_signed", "tls"));
            return Err(Problem::new("self_signed_names", what, remedy));
        }
        match (self.policy.tls, has_certificate) {
            (TlsOffer::None, false) | (TlsOffer::Stls | TlsOffer::Implicit, true) => Ok(()),
            (TlsOffer::None, true) => Err(Problem::new(
                "tls",
                "there is a certificate, but TLS is off",
                format!(
                    "write {} or {}",
                    origin.setting("tls", "stls"),
                    origin.setting("tls", "implicit")
                ),
            )),
            (TlsOffer::Stls | TlsOffer::Implicit, false) => {
                let files = match origin {
                    Origin::File => {
                        "add [[listener.certificate]] with cert and key, or self_signed = \"FOLDER\""
                    }
                    Origin::Flags => {
                        "add --tls-cert FILE and --tls-key FILE, or --tls-self-signed FOLDER"
                    }
                };
                Err(Problem::new(
                    "tls",
                    "TLS needs a certificate, and there is none",
                    files,
                ))
            }
        }
    }

    /// The first mechanism that is handed through to the upstream, if there is one.
    pub(super) fn relayed(&self) -> Option<&Mechanism> {
        self.policy.mechanisms.iter().find(|name| is_relayed(name))
    }

    /// The first way to log in that needs accounts with a stored secret, as its key and its name.
    pub(super) fn digest(&self) -> Option<(&'static str, &'static str)> {
        match self.policy.apop {
            true => Some(("apop", "APOP")),
            false if self.policy.offers_digests() => Some(("sasl", "CRAM-MD5")),
            false => None,
        }
    }

    fn check_login(&self, origin: Origin) -> Result<(), Problem> {
        let mut names: Vec<_> = self
            .policy
            .mechanisms
            .iter()
            .map(Mechanism::as_str)
            .collect();
        names.sort_unstable();
        if let Some([twice, _]) = names.array_windows().find(|[one, next]| one == next) {
            let what = format!("{twice} is named twice");
            return Err(Problem::new("sasl", what, "name each mechanism once"));
        }
        if self.policy.apop && self.policy.tls != TlsOffer::Implicit && !self.is_local() {
            let what = "an APOP digest in the clear gives the secret away, bit by bit";
            let remedy = "write tls = \"implicit\", or leave apop out";
            return Err(Problem::new("apop", what, remedy));
        }
        if !self.policy.user_pass && !self.policy.apop && self.policy.mechanisms.is_empty() {
            return Err(Problem::new(
                "user_pass",
                "no login is possible: USER is off and there is no mechanism for AUTH",
                "write user_pass = true, or name mechanisms in sasl",
            ));
        }
        if self.policy.tls == TlsOffer::None && !self.policy.clear_login {
            let public = self
                .addresses
                .iter()
                .find(|address| !address.ip().is_loopback());
            let place = public.map_or_else(String::new, |address| format!(" at {address}"));
            return Err(Problem::new(
                "allow_clear_login",
                format!(
                    "no login is possible{place}: there is no TLS, and logins in the clear are not allowed"
                ),
                format!(
                    "write {} and give a certificate, or, if everybody may read the passwords, {}",
                    origin.setting("tls", "stls"),
                    origin.setting("allow_clear_login", "true"),
                ),
            ));
        }
        Ok(())
    }
}

/// Whether there is a certificate, of the ways to have one; why there are too many.
pub(super) fn one_of(sources: [(bool, &'static str); 3]) -> Result<bool, Problem> {
    let mut named = sources.iter().filter(|(is_there, _)| *is_there);
    let (first, second) = (named.next(), named.next());
    match (first, second) {
        (Some((_, "certificate")), Some((_, key))) => Err(Problem::new(
            key,
            "there is a certificate from files too",
            "keep one of the two",
        )),
        (Some((_, first)), Some((_, key))) => {
            let what = format!("there is {first} too");
            Err(Problem::new(key, what, "keep one of the two"))
        }
        (first, None) => Ok(first.is_some()),
        (None, Some(_)) => Ok(true),
    }
}

/// Reads the certificates of a listener.
pub(super) fn certificates(table: &mut Table<'_>) -> Result<Vec<Identity>, Fault> {
    let mut certificates = Vec::new();
    for mut files in table.tables("certificate") {
        let mut identity = no_certificate();
        files.read(CERTIFICATE, &mut identity, |_| Ok(()))?;
        if [&identity.chain, &identity.key].map(|file| file.as_os_str().is_empty()) != [false; 2] {
            let what = "a certificate is two files";
            let remedy = "give both cert = \"FILE.pem\" and key = \"FILE.pem\"";
            return Err(table.fault(Problem::new("certificate", what, remedy)));
        }
        certificates.push(identity);
    }
    Ok(certificates)
}

/// An address that could not be bound because it is taken by another listener, or named twice.
pub(super) fn collision<'a>(
    taken: impl Iterator<Item = &'a SocketAddr>,
    addresses: &'a [SocketAddr],
) -> Option<Problem> {
    let mut taken: Vec<_> = taken.collect();
    for address in addresses {
        if let Some(other) = taken.iter().find(|other| overlap(***other, *address)) {
            let what = format!("{address} is taken: another listener is at {other}");
            return Some(Problem::new(
                "listen",
                what,
                "give each its own address or port",
            ));
        }
        taken.push(address);
    }
    None
}

fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let all = |ip: IpAddr| ip == Ipv4Addr::UNSPECIFIED || ip == Ipv6Addr::UNSPECIFIED;
    let same_place = a.ip() == b.ip() || all(a.ip()) || all(b.ip());
    a.port() != 0 && a.port() == b.port() && a.is_ipv4() == b.is_ipv4() && same_place
}

/// Text that goes to clients or into logs: one short printable line.
fn check_text(key: &'static str, text: &str) -> Result<(), Problem> {
    if text.len() > 200 || text.chars().any(char::is_control) {
        let remedy = "write one line of at most 200 octets without control characters";
        return Err(Problem::new(
            key,
            "this cannot be sent in one short line",
            remedy,
        ));
    }
    Ok(())
}
