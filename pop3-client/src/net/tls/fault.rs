//! What went wrong with TLS, in words that say what to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use pop3_proto::trouble::{Doubt, Place, Trouble, Words};
use rustls::{AlertDescription, CertificateError};

use super::certificate::date;
use super::verify::Disbelief;

/// TLS did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file of authorities cannot be used.
    #[error("cannot use the certificates in {}: {cause}", file.display())]
    Authorities {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The host cannot stand in a certificate.
    #[error("'{0}' is no name that a certificate could prove")]
    Name(String),
    /// The certificate is not believed, or the handshake failed: the place, the cause, the remedy.
    #[error("{0}")]
    Failed(String),
}

/// An error of the handshake.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "of many errors a few count here"
)]
pub(super) fn failure(error: &io::Error, place: Place<'_>, patience: Duration) -> TlsError {
    let text = |trouble: Trouble<'_>| TlsError::Failed(trouble.text(place, &Words::COMMAND_LINE));
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(error) => TlsError::Failed(library(error, place)),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                text(Trouble::TlsClosed)
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                text(Trouble::TlsSilent { waited: patience })
            }
            _ => text(Trouble::Tls {
                cause: &error.to_string(),
            }),
        },
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "of many errors a few count here"
)]
fn library(error: &rustls::Error, place: Place<'_>) -> String {
    let trouble = match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            if let Some(disbelief) = other.0.downcast_ref() {
                return disbelieved(disbelief, place);
            }
            Trouble::Tls {
                cause: "the certificate cannot be read",
            }
        }
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => Trouble::Tls {
            cause: "the server does not have the key of the certificate that it shows, or the key is of a kind \
                    that this program does not know",
        },
        // what a server says in the clear is no record of TLS
        rustls::Error::InvalidMessage(_) => Trouble::NoTls,
        rustls::Error::PeerIncompatible(_) => Trouble::TlsTooOld,
        rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity,
        ) => Trouble::TlsTooOld,
        error => {
            return Trouble::Tls {
                cause: &error.to_string(),
            }
            .text(place, &Words::COMMAND_LINE);
        }
    };
    trouble.text(place, &Words::COMMAND_LINE)
}

fn disbelieved(disbelief: &Disbelief, place: Place<'_>) -> String {
    let fingerprint = disbelief.fingerprint.to_string();
    let (begins, ends) = disbelief.facts.valid;
    let (begins, ends) = (date(begins), date(ends));
    let (wanted, other);
    let doubt = match &disbelief.reason {
        None => Doubt::Other("it is not the one that was pinned (was it renewed?)"),
        Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            Doubt::Expired { since: &ends }
        }
        Some(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            Doubt::NotYet { until: &begins }
        }
        Some(CertificateError::NotValidForNameContext { expected, .. }) => {
            wanted = expected.to_str();
            Doubt::Name {
                wanted: &wanted,
                shown: &disbelief.facts.names,
            }
        }
        // the latter: an authority of the same name, with another key
        Some(CertificateError::UnknownIssuer | CertificateError::BadSignature) => Doubt::Unknown,
        Some(CertificateError::BadEncoding) => {
            Doubt::Other("it has an old form that proves nothing")
        }
        Some(CertificateError::Other(reason)) => {
            other = in_words(&reason.0.to_string());
            Doubt::Other(&other)
        }
        Some(reason) => {
            other = reason.to_string();
            Doubt::Other(&other)
        }
    };
    let trouble = Trouble::Certificate {
        doubt,
        fingerprint: Some(&fingerprint),
    };
    trouble.text(place, &Words::COMMAND_LINE)
}

/// The verifier's names of its errors are words that a person can read only here and there.
fn in_words(reason: &str) -> String {
    let known = [
        (
            "CaUsedAsEndEntity",
            "it is that of an authority, not of a server",
        ),
        (
            "UnsupportedCertVersion",
            "it has an old form (X.509 version 1) that proves no name",
        ),
        (
            "UnsupportedSignatureAlgorithm",
            "it is signed in a way that is not safe any more (SHA-1, perhaps)",
        ),
        ("RequiredEkuNotFound", "it is not meant for servers"),
        (
            "UnsupportedCriticalExtension",
            "it has a critical extension that this program does not know",
        ),
    ];
    known
        .iter()
        .find(|(name, _)| reason.contains(name))
        .map_or_else(|| spaced(reason), |(_, words)| (*words).into())
}

/// Words out of a name: `InvalidSerialNumber` is `invalid serial number`.
fn spaced(name: &str) -> String {
    if name.contains(|c: char| !c.is_ascii_alphabetic()) {
        return name.into();
    }
    let mut words = String::with_capacity(name.len() + 8);
    for (position, c) in name.char_indices() {
        if position > 0 && c.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn w078_names_of_errors_become_words() {
        let table = [
            (
                "CaUsedAsEndEntity",
                "it is that of an authority, not of a server",
            ),
            (
                "UnsupportedCriticalExtension",
                "it has a critical extension that this program does not know",
            ),
            ("InvalidSerialNumber", "invalid serial number"),
            ("bad DER", "bad DER"),
        ];
        for (name, expected) in table {
            assert_eq!(in_words(name), expected);
        }
    }
}
