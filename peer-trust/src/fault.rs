//! Errors of the TLS library, in words.

use pop3_proto::trouble::{Doubt, Place, Trouble, Words};
use rustls::{AlertDescription, CertificateError, Error};

use crate::facts::day;
use crate::verify::Disbelief;

/// The text about a failure of TLS with the server at this place: the place, the cause, the remedy. `words`
/// says how the program calls the settings of the remedy.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "of many errors a few count here"
)]
pub fn describe(error: &Error, place: Place<'_>, words: &Words) -> String {
    let cause;
    let trouble = match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            if let Some(disbelief) = other.0.downcast_ref() {
                return disbelieved(disbelief, place, words);
            }
            cause = other.0.to_string();
            Trouble::Tls { cause: &cause }
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => Trouble::Tls {
            cause: "the server does not have the key of the certificate that it shows, or the key is of a kind \
                    that this program does not know",
        },
        // a port without TLS does not send a TLS record
        Error::InvalidMessage(_) => Trouble::NoTls,
        Error::PeerIncompatible(_)
        | Error::AlertReceived(
            AlertDescription::ProtocolVersion
            | AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity,
        ) => Trouble::TlsTooOld,
        error => {
            cause = error.to_string();
            Trouble::Tls { cause: &cause }
        }
    };
    trouble.text(place, words)
}

fn disbelieved(disbelief: &Disbelief, place: Place<'_>, words: &Words) -> String {
    let fingerprint = disbelief.fingerprint.to_string();
    let facts = disbelief.facts.as_ref();
    let (begins, ends) = facts.map_or((0, 0), |facts| (facts.not_before, facts.not_after));
    let (begins, ends) = (day(begins), day(ends));
    let shown = facts.map_or_else(String::new, |facts| facts.names.join(", "));
    let (wanted, other);
    let doubt = match &disbelief.reason {
        None => Doubt::NotNamed,
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
                shown: &shown,
            }
        }
        // the latter means an authority of the same name with another key
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
    trouble.text(place, words)
}
