//! When a CA suggests that a certificate is renewed (RFC 9773).
//!
//! Owns the question and its answer. Decides nothing: the keeper does, and goes by the certificate's life where there
//! is no suggestion.

use std::path::Path;

use futures_lite::future::block_on;
use instant_acme::{CertificateIdentifier, Error};
use peer_trust::Fingerprint;
use pop3_server::rustls::pki_types::CertificateDer;

use super::account;
use super::client::Client;
use super::trouble::clean;
use crate::certificates::now;
use crate::config::Acme;

/// After how many seconds a CA is asked again that gave no suggestion (RFC 9773 section 4.3.3).
const LATER: i64 = 6 * 3600;
/// How early and how late a CA may want to be asked again (RFC 9773 section 4.3.2).
const BOUNDS: (i64, i64) = (60, 24 * 3600);

/// What a CA has said of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suggestion {
    /// Of which.
    pub(super) of: Fingerprint,
    /// From when to when it is to be renewed, in seconds since 1970; `None` if nothing is suggested.
    pub(super) window: Option<(i64, i64)>,
    /// When the CA is asked again, in seconds since 1970.
    pub(super) again: i64,
}

impl Suggestion {
    /// Asks the CA.
    pub(super) fn ask(settings: &Acme, folder: &Path, certificate: &CertificateDer<'_>) -> Self {
        let (window, pause) = match block_on(asked(settings, folder, certificate)) {
            Ok((window, pause)) => (Some(window), pause.clamp(BOUNDS.0, BOUNDS.1)),
            Err(error) => {
                tracing::debug!(error, "the CA suggests no moment for a renewal");
                (None, LATER)
            }
        };
        Self {
            of: Fingerprint::of(certificate),
            window,
            again: now().saturating_add(pause),
        }
    }
}

/// What names a certificate at its CA.
pub(super) fn identifier(
    certificate: &CertificateDer<'_>,
) -> Option<CertificateIdentifier<'static>> {
    let own = CertificateIdentifier::try_from(certificate).ok()?;
    Some(own.into_owned())
}

/// The window, and for how many seconds it holds.
async fn asked(
    settings: &Acme,
    folder: &Path,
    certificate: &CertificateDer<'_>,
) -> Result<((i64, i64), i64), String> {
    let failed = |error: Error| clean(&error.to_string());
    let client = Client::new(settings).map_err(|trouble| trouble.what)?;
    let account = account::kept(&client, settings, folder).await;
    let account = account.map_err(failed)?.ok_or("there is no account")?;
    let own = identifier(certificate).ok_or("the certificate does not say which key signed it")?;
    let (info, pause) = account.renewal_info(&own).await.map_err(failed)?;
    let window = info.suggested_window;
    let (start, end) = (window.start.unix_timestamp(), window.end.unix_timestamp());
    if end <= start {
        return Err("its window ends before it begins".into());
    }
    if let Some(why) = info.explanation_url {
        tracing::info!(
            why = clean(&why),
            "the CA explains when it wants a certificate renewed"
        );
    }
    Ok((
        (start, end),
        i64::try_from(pause.as_secs()).unwrap_or(i64::MAX),
    ))
}
