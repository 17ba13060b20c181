//! An account: user, server and secret, put together from the configuration file and the command line.

mod access;
mod file;
mod prompt;
mod secret;

use std::path::PathBuf;
use std::time::Duration;

pub use access::Access;
pub use file::{ConfigError, ConfigFile, DownloadDefaults, Settings};
pub use prompt::{prompt_name, prompt_secret};
pub use secret::{SecretError, Source};

use pop3_proto::secret::Secret;

use pop3_client_io::{
    Endpoint, Fingerprint, Identity, Preference, SecretKind, TlsMode, Trust, Words,
};

/// A mailbox, the way to it and the right to it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The way to the server.
    pub endpoint: Endpoint,
    /// The user's name.
    pub user: String,
    /// Where the secret is.
    pub source: Source,
    /// Whether it is a password or a token.
    pub kind: SecretKind,
    /// How to log in.
    pub preference: Preference,
    /// Whether a password may go in clear.
    pub allow_clear: bool,
    /// Whether the first SASL message may stand in the AUTH line.
    pub initial_response: bool,
}

impl Account {
    /// Puts an account together; a host and a user must be there.
    pub fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let host = settings.host.clone().filter(|host| !host.is_empty());
        let host = host.ok_or(ConfigError::NoHost)?;
        let user = settings.user.clone().filter(|user| !user.is_empty());
        let user = user.ok_or(ConfigError::NoUser)?;
        let (source, kind) = match (&settings.password_from, &settings.token_from) {
            (Some(_), Some(_)) => return Err(ConfigError::TwoSecrets),
            (Some(source), None) => (source.clone(), SecretKind::Password),
            (None, Some(source)) => (source.clone(), SecretKind::Token),
            (None, None) => (Source::Prompt, SecretKind::Password),
        };
        Ok(Self {
            endpoint: endpoint(host, settings)?,
            user,
            source,
            kind,
            preference: settings.auth.unwrap_or_default(),
            allow_clear: settings.allow_clear_password.unwrap_or(false),
            initial_response: settings.initial_response.unwrap_or(true),
        })
    }

    /// `user@host`, to tell accounts apart.
    pub fn label(&self) -> String {
        format!("{}@{}", self.user, self.endpoint.host)
    }

    /// The mailbox in a state file: the label, and the port where it is not the usual one. Two ports of one
    /// host, tunnels for instance, lead to two mailboxes.
    pub fn mailbox(&self) -> String {
        match self.endpoint.port {
            110 | 995 => self.label(),
            port => format!("{} port {port}", self.label()),
        }
    }

    /// Fetches the secret from its place.
    pub fn secret(&self) -> Result<Secret, SecretError> {
        self.source.fetch(&self.user, &self.endpoint.host)
    }

    /// The identity for the login, with this secret.
    pub fn identity(&self, secret: Secret) -> Identity {
        Identity {
            user: self.user.clone(),
            secret,
            kind: self.kind,
            preference: self.preference,
            allow_clear: self.allow_clear,
            initial_response: self.initial_response,
        }
    }
}

/// Only the way to a server; it needs no user.
pub fn endpoint(host: String, settings: &Settings) -> Result<Endpoint, ConfigError> {
    let (host, port) = split_port(host, settings.port)?;
    // a user who names the port of clear POP3 wants to use it, but not to be overheard
    let tls = settings.tls.unwrap_or(match port {
        Some(110) => TlsMode::Starttls,
        Some(_) | None => TlsMode::Implicit,
    });
    let trust = match (
        &settings.pin,
        &settings.ca_file,
        settings.accept_any_certificate,
    ) {
        (Some(pin), _, _) => Trust::Pin(
            pin.parse::<Fingerprint>()
                .map_err(|reason| ConfigError::Value("pin", reason.to_string()))?,
        ),
        (None, _, Some(true)) => Trust::Anybody,
        (None, Some(file), _) => Trust::File(home(file)),
        (None, None, _) => Trust::System,
    };
    let patience = match &settings.timeout {
        Some(text) => humantime::parse_duration(text)
            .ok()
            .filter(|patience| !patience.is_zero())
            .ok_or_else(|| {
                ConfigError::Value("timeout", format!("'{text}' is not a duration like 60s"))
            })?,
        None => Duration::from_secs(60),
    };
    let mut endpoint = Endpoint::new(host).tls(tls).trust(trust).patience(patience);
    endpoint.port = port.unwrap_or(endpoint.port);
    endpoint.window = settings.pipeline.unwrap_or(50).max(1);
    endpoint.words = Words::COMMAND_LINE;
    Ok(endpoint)
}

/// Splits `host:port`; an IPv6 address needs brackets for it.
fn split_port(host: String, port: Option<u16>) -> Result<(String, Option<u16>), ConfigError> {
    let Some((name, digits)) = host.rsplit_once(':') else {
        return Ok((host, port));
    };
    if name.contains(':') && !name.ends_with(']') {
        return Ok((host, port));
    }
    let written = digits
        .parse()
        .map_err(|_| ConfigError::Value("host", format!("'{digits}' is no port")))?;
    Ok((name.into(), port.or(Some(written))))
}

/// A path that may begin with `~/`.
pub(crate) fn home(path: &std::path::Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        (Ok(_) | Err(_), _) => path.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn settings(host: &str) -> Settings {
        Settings {
            host: Some(host.into()),
            user: Some("u".into()),
            ..Settings::default()
        }
    }

    #[test]
    fn ports_follow_tls_and_tls_follows_ports() {
        let of = |settings: &Settings| {
            let endpoint = Account::new(settings).unwrap().endpoint;
            (endpoint.host, endpoint.port, endpoint.tls)
        };
        assert_eq!(of(&settings("h")), ("h".into(), 995, TlsMode::Implicit));
        assert_eq!(of(&settings("h:110")), ("h".into(), 110, TlsMode::Starttls));
        assert_eq!(
            of(&settings("[::1]:99")),
            ("[::1]".into(), 99, TlsMode::Implicit)
        );
        assert_eq!(of(&settings("::1")), ("::1".into(), 995, TlsMode::Implicit));
        let none = Settings {
            tls: Some(TlsMode::None),
            ..settings("h")
        };
        assert_eq!(of(&none), ("h".into(), 110, TlsMode::None));
    }

    #[test]
    fn what_is_missing_is_said() {
        assert!(matches!(
            Account::new(&Settings::default()),
            Err(ConfigError::NoHost)
        ));
        let nobody = Settings {
            user: None,
            ..settings("h")
        };
        assert!(matches!(Account::new(&nobody), Err(ConfigError::NoUser)));
    }
}
