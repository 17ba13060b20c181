//! The configuration file: named accounts in TOML.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Source;
use pop3_client_io::{Preference, TlsMode};

/// The configuration file as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConfigFile {
    /// The account that is used when none is named.
    pub default: Option<String>,
    /// The accounts by name.
    #[serde(default)]
    pub account: BTreeMap<String, Settings>,
}

/// The settings of an account, in the file or on the command line; all of them may be left out.
#[derive(Clone, Debug, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The server's name or address, optionally with a colon and a port
    #[arg(long, global = true, value_name = "NAME")]
    pub host: Option<String>,
    /// The server's port; 995 with implicit TLS, 110 otherwise
    #[arg(long, global = true)]
    pub port: Option<u16>,
    /// When TLS begins [default: implicit; starttls on port 110]
    #[arg(long, global = true, value_enum, value_name = "WHEN")]
    pub tls: Option<TlsMode>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Trust the certificate with this fingerprint and no other (sha256:...)
    #[arg(long, global = true, value_name = "FINGERPRINT")]
    pub pin: Option<String>,
    /// Trust any certificate: somebody in between goes unnoticed
    #[arg(long, global = true, num_args = 0, default_missing_value = "true")]
    pub accept_any_certificate: Option<bool>,
    /// The user's name
    #[arg(long, short, global = true, value_name = "NAME")]
    pub user: Option<String>,
    /// Where the password is: prompt, env:NAME, file:PATH, shared-file:PATH, pass:NAME, keyring, keyring:SERVICE, command:COMMAND
    #[arg(long, global = true, value_name = "SOURCE")]
    pub password_from: Option<Source>,
    /// Where the OAuth 2 access token is, in the same form
    #[arg(long, global = true, value_name = "SOURCE")]
    pub token_from: Option<Source>,
    /// How to log in
    #[arg(long, global = true, value_enum, value_name = "METHOD")]
    pub auth: Option<Preference>,
    /// Let the password go over the network in clear
    #[arg(long, global = true, num_args = 0, default_missing_value = "true")]
    pub allow_clear_password: Option<bool>,
    /// Whether the first SASL message may stand in the AUTH line; Microsoft wants 'false'
    #[arg(long, global = true, value_name = "BOOL")]
    pub initial_response: Option<bool>,
    /// How long to wait for the server
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// How many commands to send ahead where the server allows it
    #[arg(long, global = true, value_name = "COUNT")]
    pub pipeline: Option<usize>,
    /// How this account is downloaded.
    #[arg(skip)]
    pub download: Option<DownloadDefaults>,
}

/// How an account is downloaded, unless the command line says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DownloadDefaults {
    /// `maildir:PATH`, `mbox:PATH` or `files:PATH`.
    pub to: Option<String>,
    /// Where downloads are recorded.
    pub state: Option<PathBuf>,
    /// Remove downloaded messages from the server.
    pub delete_after: Option<bool>,
    /// Remove them this many days after the download.
    pub keep_days: Option<u32>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The file cannot be understood.
    #[error("{}: {cause}", file.display())]
    Parse {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// There is no such account.
    #[error("there is no account '{name}'{}", named(.known))]
    NoAccount {
        /// Its name.
        name: String,
        /// The accounts that exist.
        known: Vec<String>,
    },
    /// No host.
    #[error(
        "which server? Name it with --host, or choose an account of the configuration file with --account"
    )]
    NoHost,
    /// No user.
    #[error("which user? Name it with --user, or in the configuration file")]
    NoUser,
    /// A password and a token.
    #[error("password-from and token-from exclude each other")]
    TwoSecrets,
    /// A value is wrong.
    #[error("{0}: {1}")]
    Value(&'static str, String),
}

impl ConfigFile {
    /// The default place of the file.
    pub fn default_path() -> Option<PathBuf> {
        let folder = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .or_else(|| Some(std::env::home_dir()?.join(".config")))?;
        Some(folder.join("pop3-client").join("config.toml"))
    }

    /// Reads this file, or that at the default place if there is one.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let path = match file {
            Some(file) => file.to_path_buf(),
            None => match Self::default_path() {
                Some(path) => path,
                None => return Ok(Self::default()),
            },
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(cause) => return Err(ConfigError::Read { file: path, cause }),
        };
        // the byte order mark of some editors is not part of the first line
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        // the line itself is not repeated: it may hold a misplaced secret
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(0, |before| before.matches('\n').count()) + 1;
            ConfigError::Parse {
                file: path,
                cause: format!("line {line}: {}", error.message()),
            }
        })
    }

    /// The settings of an account: the one that is named, the default, or the only one. If the command
    /// line names a host and no account, none.
    pub fn settings(&self, name: Option<&str>, given: &Settings) -> Result<Settings, ConfigError> {
        let only = || {
            self.account
                .keys()
                .next()
                .filter(|_| self.account.len() == 1)
        };
        let name = match name {
            Some(name) => Some(name),
            None if given.host.is_some() => None,
            None => self.default.as_ref().or_else(only).map(String::as_str),
        };
        let Some(name) = name else {
            return Ok(given.clone());
        };
        let account = self
            .account
            .get(name)
            .ok_or_else(|| ConfigError::NoAccount {
                name: name.into(),
                known: self.account.keys().cloned().collect(),
            })?;
        Ok(given.over(account))
    }
}

impl Settings {
    /// These settings, completed by those of the file.
    fn over(&self, file: &Self) -> Self {
        // a secret of one kind replaces one of the other kind
        let secret_given = self.password_from.is_some() || self.token_from.is_some();
        let from_file = |source: &Option<Source>| source.clone().filter(|_| !secret_given);
        // one rule of trust replaces the others
        let trust_given =
            self.pin.is_some() || self.ca_file.is_some() || self.accept_any_certificate.is_some();
        Self {
            host: self.host.clone().or_else(|| file.host.clone()),
            port: self.port.or(file.port),
            tls: self.tls.or(file.tls),
            ca_file: self
                .ca_file
                .clone()
                .or_else(|| file.ca_file.clone().filter(|_| !trust_given)),
            pin: self
                .pin
                .clone()
                .or_else(|| file.pin.clone().filter(|_| !trust_given)),
            accept_any_certificate: self
                .accept_any_certificate
                .or_else(|| file.accept_any_certificate.filter(|_| !trust_given)),
            user: self.user.clone().or_else(|| file.user.clone()),
            password_from: self
                .password_from
                .clone()
                .or_else(|| from_file(&file.password_from)),
            token_from: self
                .token_from
                .clone()
                .or_else(|| from_file(&file.token_from)),
            auth: self.auth.or(file.auth),
            allow_clear_password: self.allow_clear_password.or(file.allow_clear_password),
            initial_response: self.initial_response.or(file.initial_response),
            timeout: self.timeout.clone().or_else(|| file.timeout.clone()),
            pipeline: self.pipeline.or(file.pipeline),
            download: self.download.clone().or_else(|| file.download.clone()),
        }
    }
}

fn named(known: &[String]) -> String {
    if known.is_empty() {
        "; the configuration file has none".into()
    } else {
        format!("; there are: {}", known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const FILE: &str = r#"
        default = "work"
        [account.work]
        host = "pop.example.org"
        user = "me"
        token-from = "command:token"
        [account.work.download]
        to = "maildir:~/Mail"
        keep-days = 14
        [account.home]
        host = "mail.home"
        tls = "starttls"
    "#;

    #[test]
    fn the_command_line_wins() {
        let file: ConfigFile = toml::from_str(FILE).unwrap();
        let given = Settings {
            password_from: Some(Source::Prompt),
            ..Settings::default()
        };
        let work = file.settings(None, &given).unwrap();
        assert_eq!(work.host.as_deref(), Some("pop.example.org"));
        assert_eq!(work.token_from, None);
        assert_eq!(work.download.unwrap().keep_days, Some(14));
        let home = file.settings(Some("home"), &Settings::default()).unwrap();
        assert_eq!(home.tls, Some(TlsMode::Starttls));
        let other = Settings {
            host: Some("elsewhere".into()),
            ..Settings::default()
        };
        assert_eq!(file.settings(None, &other).unwrap().user, None);
        let error = file.settings(Some("x"), &given).unwrap_err().to_string();
        assert!(error.contains("home, work"), "{error}");
    }

    #[test]
    fn what_is_unknown_is_an_error() {
        assert!(toml::from_str::<ConfigFile>("[account.a]\nhots = 'x'").is_err());
        let secret = toml::from_str::<ConfigFile>("[account.a]\npassword = 'hunter2'");
        assert!(secret.is_err());
    }
}
