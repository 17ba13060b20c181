//! `[monitor]`: an account for those who watch the gateway, with mail that was never sent.

use std::path::PathBuf;

use pop3_proto::secret::Secret;

use crate::setting::document::Table;
use crate::setting::error::{Fault, Problem};

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

impl Monitor {
    pub(super) fn read(mut table: Table<'_>) -> Result<Self, Fault> {
        let user: String = table.get("user")?.unwrap_or_default();
        let secret: Option<String> = table.get("secret")?;
        let file = table.get("secret_file")?;
        table.finish()?;
        if user.is_empty() || user.len() > 255 || user.chars().any(char::is_control) {
            let remedy = "write user = \"...\", a name that no other account has";
            return Err(table.fault(Problem::new("user", "the account needs a name", remedy)));
        }
        let secret = match (secret, file) {
            (Some(secret), None) if secret.len() < SHORTEST || secret == user => {
                let remedy =
                    "write at least 12 characters, or secret_file = \"FILE\", which is made";
                return Err(table.fault(Problem::new("secret", "this would be guessed", remedy)));
            }
            (Some(secret), None) if secret.contains(['\0', '\r', '\n']) => {
                let what = "no client could send this";
                return Err(table.fault(Problem::new("secret", what, "write one line")));
            }
            (Some(secret), None) => MonitorSecret::Here(Secret::from(secret.as_bytes())),
            (None, Some(file)) => MonitorSecret::File(file),
            (Some(_), Some(_)) => {
                let what = "there is a secret here too";
                let problem = Problem::new("secret_file", what, "keep secret or secret_file");
                return Err(table.fault(problem));
            }
            (None, None) => {
                let remedy = "write secret_file = \"FILE\", which is made at the first start";
                return Err(table.fault(Problem::new("secret", "the secret is missing", remedy)));
            }
        };
        Ok(Self { user, secret })
    }
}
