//! `[state]`: where grants, accounts that tools make, and sign-ins under way are kept.

use std::path::{Path, PathBuf};

use gateway_state::StateUrl;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::setting::error::Problem;
use crate::setting::rows;
use crate::setting::value::{BadValue, Value};

/// `[state]`
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Which engine, and where.
    pub url: Option<StateUrl>,
    /// The file that it is, if it is one.
    pub file: Option<PathBuf>,
    /// What tokens are sealed with, in a file.
    pub key_file: Option<PathBuf>,
    /// The same, as a credential of systemd.
    pub key_credential: Option<String>,
    /// The same, as what a command prints.
    pub key_command: Vec<String>,
}

rows! {
    /// `[state]`
    pub(super) ROWS: State = State::default();

    /// "sqlite:FILE", or "postgres://USER@HOST/DATABASE" for several gateways. The file is made at the first start.
    told own "url" r#""sqlite:state.db""# => (with set_url, show_url),
    /// What tokens are sealed with: 32 random octets in a file that only the gateway may read, made along with the
    /// state. A thief of both the state and the key has the mailboxes; without the key, people sign in anew. In its place
    /// a credential of systemd (LoadCredential, LoadCredentialEncrypted), by its name: key_credential = "state-key". Or a
    /// command that prints the key: key_command = ["pass", "show", "pop3-gateway"].
    told own "key_file" r#""state.key""# => (key_file),
    told own "key_credential" r#""state-key""# => (key_credential),
    own "key_command" r#"["pass", "show", "pop3-gateway"]"# => (key_command),
}

fn set_url(state: &mut State, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    let text = String::read(value, base)?;
    // a file beside the configuration, as everywhere else
    let file = text
        .strip_prefix("sqlite:")
        .map(|file| base.join(file.strip_prefix("//").unwrap_or(file)));
    let text = match &file {
        Some(file) => format!(
            "sqlite://{}",
            std::path::absolute(file)
                .unwrap_or_else(|_| file.clone())
                .display()
        ),
        None => text,
    };
    // the text is not repeated: a password may stand in it
    let url = text.parse().map_err(|error| {
        BadValue::new(
            format!("this is no place for the state: {error}"),
            "write for example \"sqlite:state.db\" or \"postgres://gateway@db.example.org/gateway\"",
        )
    })?;
    state.url = Some(url);
    state.file = file;
    Ok(())
}

fn show_url(state: &State) -> Json {
    json!(state.url.as_ref().map(ToString::to_string))
}

impl State {
    /// What `check` says of it.
    pub(super) fn told(&self) -> String {
        let place = self
            .url
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        let key = match (&self.key_file, &self.key_credential) {
            (Some(file), _) => format!("its key in {}", file.display()),
            (None, Some(name)) => format!("its key the credential {name:?}"),
            (None, None) => "its key from a command".into(),
        };
        format!("{place}, {key}")
    }

    pub(super) fn check(&mut self) -> Result<(), Problem> {
        if self.url.is_none() {
            let remedy = "write url = \"sqlite:state.db\"";
            return Err(Problem::new(
                "url",
                "where the state is, is missing",
                remedy,
            ));
        }
        let keys = [
            self.key_file.is_some(),
            self.key_credential.is_some(),
            !self.key_command.is_empty(),
        ];
        match keys.iter().filter(|named| **named).count() {
            1 => Ok(()),
            0 => Err(Problem::new(
                "key_file",
                "there is no key to seal tokens with",
                "write key_file = \"state.key\", which is made, or key_credential or key_command",
            )),
            _ => Err(Problem::new(
                "key_file",
                "there are several keys",
                "keep one of key_file, key_credential and key_command",
            )),
        }
    }
}
