//! `[[http]]`: where pages are served, and which.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use pop3_server::tls::Identity;
use serde_json::Value as Json;

use super::Listener;
use super::listener::{certificates, collision, one_of};
use crate::http::Serves;
use crate::self_signed;
use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem};
use crate::setting::value::{Value as _, Word};
use crate::setting::{row, rows};

/// One `[[http]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where it listens; not empty.
    pub addresses: Vec<SocketAddr>,
    /// What it serves; not empty.
    pub serve: Vec<Serves>,
    /// From where it is asked; from anywhere if there are none.
    pub networks: Vec<IpNet>,
    /// The most connections at once.
    pub connections: usize,
    /// Certificates from files; the first is the default.
    pub certificates: Vec<Identity>,
    /// The folder of a self-signed certificate, made at the first start.
    pub self_signed: Option<PathBuf>,
    /// The names of a certificate that `[acme]` gets.
    pub acme: Vec<String>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            serve: vec![Serves::Health, Serves::Metrics],
            networks: Vec::new(),
            connections: 256,
            certificates: Vec::new(),
            self_signed: None,
            acme: Vec::new(),
        }
    }
}

rows! {
    /// `[[http]]`, but for its certificates.
    pub(super) ROWS: Http = Http::default();

    /// One address or a list.
    told own "listen" r#""127.0.0.1:9110""# => (addresses),
    /// What is served there. "health": /healthz says that the process lives, /readyz whether it takes logins.
    /// "metrics": /metrics. "pages": see [pages]; with TLS, or on loopback alone. "acme": see [acme].
    told "serve" r#"["health", "metrics"]"# => (serve),
    /// From where it may be asked. Left out: from anywhere.
    told own "networks" r#"["192.0.2.0/24", "::1"]"# => (networks),
    /// The most connections at once; those of POP3 are others.
    "connections" "256" => (connections),
    /// TLS, with a self-signed certificate that is made in this folder, or with [[http.certificate]] as at a listener.
    told own "self_signed" r#""tls-http""# => (self_signed),
    /// Or with a certificate that the gateway gets by itself for these names: see [acme].
    told own "acme" r#"["mail.example.org"]"# => (acme),
}

impl Word for Serves {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("health", Self::Health),
        ("metrics", Self::Metrics),
        #[cfg(feature = "acme")]
        ("acme", Self::Acme),
        #[cfg(feature = "oauth")]
        ("pages", Self::Pages),
    ];
}

impl Http {
    /// Reads one that comes after others.
    pub(super) fn read(
        table: &mut Table<'_>,
        listeners: &[Listener],
        others: &[Self],
    ) -> Result<Self, Fault> {
        let mut own = Self::default();
        table.rows(ROWS, &mut own);
        own.certificates = certificates(table)?;
        table.finish()?;
        let taken = listeners.iter().flat_map(|other| &other.addresses);
        let taken = taken.chain(others.iter().flat_map(|other| &other.addresses));
        own.check()
            .and_then(|()| collision(taken, &own.addresses).map_or(Ok(()), Err))
            .map_err(|problem| table.fault(problem))?;
        Ok(own)
    }

    fn check(&self) -> Result<(), Problem> {
        if self.addresses.is_empty() {
            let remedy = "write for example listen = \"127.0.0.1:9110\"";
            let what = "there is no address to listen at";
            return Err(Problem::new("listen", what, remedy));
        }
        if self.serve.is_empty() {
            let remedy = "write serve = [\"health\"], or leave it out";
            return Err(Problem::new("serve", "nothing is served here", remedy));
        }
        #[cfg(feature = "oauth")]
        if self.serve.contains(&Serves::Pages) {
            let public = self.addresses.iter().find(|own| !own.ip().is_loopback());
            if let (Some(public), false) = (public, self.has_tls()) {
                let what = format!(
                    "passwords are shown at {public}, and everybody on the way could read them"
                );
                let remedy = "add [[http.certificate]] or self_signed, or listen at 127.0.0.1 behind a web server with TLS";
                return Err(Problem::new("serve", what, remedy));
            }
        }
        if self.connections == 0 {
            let remedy = "write 1 or more, or leave it out";
            return Err(Problem::new("connections", "nobody could connect", remedy));
        }
        one_of([
            (!self.certificates.is_empty(), "certificate"),
            (self.self_signed.is_some(), "self_signed"),
            (!self.acme.is_empty(), "acme"),
        ])?;
        Ok(())
    }

    /// Its name in logs: the first address.
    pub fn name(&self) -> String {
        self.addresses
            .first()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// Whether it speaks TLS.
    pub const fn has_tls(&self) -> bool {
        !self.certificates.is_empty() || self.self_signed.is_some() || !self.acme.is_empty()
    }

    /// What `check` says of it.
    pub(super) fn told(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        let serve: Vec<_> = self.serve.iter().map(|serves| serves.word()).collect();
        let tls = match &self.self_signed {
            _ if !self.has_tls() => "no TLS".into(),
            Some(folder) if !self_signed::is_there(folder) => format!(
                "TLS, self-signed certificate to be made in {}",
                folder.display()
            ),
            Some(_) => "TLS, self-signed certificate".into(),
            None => "TLS".to_owned(),
        };
        let networks: Vec<_> = self.networks.iter().map(ToString::to_string).collect();
        let from = match networks.is_empty() {
            true => String::new(),
            false => format!(", from {}", networks.join(" ")),
        };
        let (addresses, serve) = (addresses.join(", "), serve.join(", "));
        format!("{addresses}: {serve}, {tls}{from}")
    }

    /// The same for programs.
    pub(super) fn told_json(&self) -> Json {
        let mut told = row::told(ROWS, self);
        told.insert("addresses".into(), self.addresses.show());
        told.into()
    }
}
