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
            other = reason.0.to_string();
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
