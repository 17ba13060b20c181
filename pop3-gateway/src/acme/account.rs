//! The account at a CA: the one that is kept, or a new one.
//!
//! Owns its file's content, and shows nothing of its key.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use instant_acme::{Account, Error, ExternalAccountKey, NewAccount};
use serde_json::Value as Json;

use super::client::Client;
use super::place;
use crate::config::Acme;

/// The account that is kept; `None` without one, or if it is that of another CA.
pub(super) async fn kept(
    client: &Client,
    settings: &Acme,
    folder: &Path,
) -> Result<Option<Account>, Error> {
    let Ok(kept) = fs::read(place::account(folder)) else {
        return Ok(None);
    };
    let told: Json = serde_json::from_slice(&kept)?;
    if told["directory"] != settings.directory.as_str() {
        return Ok(None);
    }
    let builder = Account::builder_with_http(Box::new(client.clone()));
    let credentials = serde_json::from_slice(&kept)?;
    builder.from_credentials(credentials).await.map(Some)
}

/// The account that is kept, or a new one.
pub(super) async fn opened(
    client: &Client,
    settings: &Acme,
    folder: &Path,
) -> Result<Account, Error> {
    if let Some(account) = kept(client, settings, folder).await? {
        return Ok(account);
    }
    let contact: Vec<_> = settings.contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: settings.terms_accepted,
        only_return_existing: false,
    };
    let binding = binding(settings).map_err(|error| Error::Other(error.into()))?;
    let directory = settings.directory.clone();
    let builder = Account::builder_with_http(Box::new(client.clone()));
    let (account, credentials) = builder.create(&new, directory, binding.as_ref()).await?;
    let kept = serde_json::to_vec(&credentials)?;
    place::keep_account(folder, &kept).map_err(|error| Error::Other(error.into()))?;
    Ok(account)
}

/// The key that a customer of the CA has, if one is named.
fn binding(settings: &Acme) -> Result<Option<ExternalAccountKey>, String> {
    let (Some(id), Some(file)) = (&settings.eab_kid, &settings.eab_key_file) else {
        return Ok(None);
    };
    let wrong = |what: String| format!("eab_key_file {}: {what}", file.display());
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let text = text.trim().trim_end_matches('=');
    let key = URL_SAFE_NO_PAD.decode(text);
    let key = key.or_else(|_| STANDARD_NO_PAD.decode(text));
    let key = key.map_err(|_| wrong("it is not base64".into()))?;
    Ok(Some(ExternalAccountKey::new(id.clone(), &key)))
}
