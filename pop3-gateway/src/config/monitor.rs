//! `[monitor]`: an account for those who watch the gateway, with mail that was never sent.

use std::path::{Path, PathBuf};

use pop3_proto::secret::Secret;
use serde_json::Value as Json;
use toml::de::DeValue;

use crate::setting::error::Problem;
use crate::setting::rows;
use crate::setting::value::{BadValue, Value};

/// A shorter secret would be guessed.
const SHORTEST: usize = 12;

/// `[monitor]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// The name it logs in with.
    pub user: String,
    /// Its secret.
    pub secret: MonitorSecret,
}

/// Where the secret is. There is no default one (V35).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MonitorSecret {
    /// In the configuration.
    Here(Secret),
    /// In this file, which is made at the first start.
    File(PathBuf),
}

rows! {
    /// `[monitor]`
    pub(super) ROWS: Monitor = Monitor::nobody();

    /// A name that no other account has.
    own "user" r#""monitor""# => (user),
    own "secret" r#""...""# => (with set_secret, hide),
    /// The secret: in a file, which is made at the first start and readable for its owner alone, or right
    /// here: secret = "..." of 12 characters or more.
    own "secret_file" r#""monitor.secret""# => (with set_file, hide),
}

fn set_secret(monitor: &mut Monitor, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    let secret = String::read(value, base)?;
    if secret.len() < SHORTEST || secret == monitor.user {
        let remedy = "write at least 12 characters, or secret_file = \"FILE\", which is made";
        return Err(BadValue::new("this would be guessed", remedy));
    }
    if secret.contains(['\0', '\r', '\n']) {
        return Err(BadValue::new("no client could send this", "write one line"));
    }
    monitor.secret = MonitorSecret::Here(Secret::from(secret.as_bytes()));
    Ok(())
}

fn set_file(monitor: &mut Monitor, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    let file = Value::read(value, base)?;
    if !monitor.has_no_secret() {
        return Err(BadValue::new(
            "there is a secret here too",
            "keep secret or secret_file",
        ));
    }
    monitor.secret = MonitorSecret::File(file);
    Ok(())
}

/// A secret is never shown, nor where it is.
fn hide(_: &Monitor) -> Json {
    Json::Null
}

impl Monitor {
    /// An account that cannot log in.
    pub(super) fn nobody() -> Self {
        Self {
            user: String::new(),
            secret: MonitorSecret::Here(Secret::default()),
        }
    }

    fn has_no_secret(&self) -> bool {
        matches!(&self.secret, MonitorSecret::Here(secret) if secret.is_empty())
    }

    pub(super) fn check(&mut self) -> Result<(), Problem> {
        if self.user.is_empty() || self.user.len() > 255 || self.user.chars().any(char::is_control)
        {
            let remedy = "write user = \"...\", a name that no other account has";
            return Err(Problem::new("user", "the account needs a name", remedy));
        }
        if self.has_no_secret() {
            let remedy = "write secret_file = \"FILE\", which is made at the first start";
            return Err(Problem::new("secret", "the secret is missing", remedy));
        }
        Ok(())
    }

    /// What `check` says of it.
    pub(super) fn told(&self) -> String {
        let secret = match &self.secret {
            MonitorSecret::Here(_) => "secret in the configuration".to_owned(),
            MonitorSecret::File(file) if file.exists() => format!("secret in {}", file.display()),
            MonitorSecret::File(file) => format!("secret to be made in {}", file.display()),
        };
        let user = &self.user;
        format!(
            "{user}: {secret}; goes before every route; a mailbox of that name cannot be reached"
        )
    }
}
