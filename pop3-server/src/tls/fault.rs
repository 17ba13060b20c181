//! What the TLS library says of an upstream, in the words that all of this project share.

use pop3_proto::trouble::{Doubt, Place, Trouble, Words};
use rustls::{AlertDescription, CertificateError, Error};

use super::facts::date;
use super::verify::Disbelief;

/// The text about a failure of TLS with the upstream at this place.
pub(crate) fn describe(error: &Error, place: Place<'_>) -> String {
    let trouble = |trouble: Trouble<'_>| trouble.text(place, &Words::CONFIGURATION);
    let too_old = [
        AlertDescription::ProtocolVersion,
        AlertDescription::HandshakeFailure,
        AlertDescription::InsufficientSecurity,
    ];
    if let Error::InvalidCertificate(CertificateError::Other(other)) = error {
        return match other.0.downcast_ref::<Disbelief>() {
            Some(disbelief) => disbelieved(disbelief, place),
            None => trouble(Trouble::Tls {
                cause: &other.0.to_string(),
            }),
        };
    }
    if matches!(error, Error::InvalidMessage(_)) {
        // what comes from a port in the clear is no record
        return trouble(Trouble::NoTls);
    }
    let refused = |alert: &AlertDescription| too_old.contains(alert);
    if matches!(error, Error::PeerIncompatible(_))
        || matches!(error, Error::AlertReceived(alert) if refused(alert))
    {
        return trouble(Trouble::TlsTooOld);
    }
    trouble(Trouble::Tls {
        cause: &error.to_string(),
    })
}

fn disbelieved(disbelief: &Disbelief, place: Place<'_>) -> String {
    let fingerprint = disbelief.fingerprint.to_string();
    let facts = disbelief.facts.as_ref();
    let (expired, begins) = facts.map_or((0, 0), |facts| (facts.not_after, facts.not_before));
    let (expired, begins) = (date(expired), date(begins));
    let shown = facts.map_or_else(String::new, |facts| facts.names.join(", "));
    let other;
    let wanted;
    let doubt = match &disbelief.reason {
        None => Doubt::NotNamed,
        Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            Doubt::Expired { since: &expired }
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
        // the latter: an authority of the same name, with another key
        Some(CertificateError::UnknownIssuer | CertificateError::BadSignature) => Doubt::Unknown,
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
    trouble.text(place, &Words::CONFIGURATION)
}
