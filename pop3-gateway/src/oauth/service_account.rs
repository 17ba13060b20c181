//! Service accounts, as a provider gives out their keys.
//!
//! Owns the reading of the file. Signs and sends nothing itself.

use std::path::Path;

use serde_json::Value;

use super::assertion::Signer;
use super::proof;
use super::refusal::Refusal;

/// A service account, as its file has it.
pub(super) struct ServiceAccount {
    pub(super) email: String,
    pub(super) endpoint: Option<String>,
    pub(super) signer: Signer,
}

impl ServiceAccount {
    pub(super) fn read(file: &Path) -> Result<Self, Refusal> {
        let content = proof::file(file, "service account")?;
        let account: Value = serde_json::from_slice(content.expose())
            .map_err(|_| unusable(file, "it is no JSON"))?;
        let field = |key: &str| account.get(key)?.as_str();
        let email =
            field("client_email").ok_or_else(|| unusable(file, "client_email is missing"))?;
        let key = field("private_key").ok_or_else(|| unusable(file, "private_key is missing"))?;
        let id = field("private_key_id").map(str::to_owned);
        let signer = Signer::key(key.as_bytes(), id, file)
            .map_err(|error| Refusal::here(error.to_string(), error.remedy()))?;
        Ok(Self {
            email: email.into(),
            endpoint: field("token_uri").map(str::to_owned),
            signer,
        })
    }
}

pub(super) fn unusable(file: &Path, what: &str) -> Refusal {
    Refusal::here(
        format!("{}: {what}", file.display()),
        "name the JSON file of the service account's key, as the console gives it out",
    )
}
