//! What a certificate says of itself, whether it is trusted or not.
//!
//! Reads what the verifier cannot read: forms of X.509 that are too old for it, certificates of
//! authorities, and those with wrong names or dates. Decides nothing.

use std::net::IpAddr;
use std::time::SystemTime;

use rustls::pki_types::ServerName;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use x509_parser::x509::AttributeTypeAndValue;

/// The facts of a certificate that people look at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFacts {
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// Who vouches for it, as it says itself: common name and organisation.
    pub issuer: String,
    /// Whether it says so of itself.
    pub self_issued: bool,
    /// The first moment at which it is valid, in seconds since 1970.
    pub not_before: i64,
    /// The last moment at which it is valid, in seconds since 1970.
    pub not_after: i64,
}

impl CertificateFacts {
    /// Reads a certificate in DER; `None` if it is not one.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Self {
            names: names(&certificate),
            issuer: issuer(&certificate),
            self_issued: certificate.issuer() == certificate.subject(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }

    /// What is wrong with it at this moment for this name, in words; empty if it is good.
    pub fn oddities(&self, name: &ServerName<'_>, now: SystemTime) -> Vec<String> {
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
            });
        let mut oddities = Vec::new();
        if now > self.not_after {
            oddities.push(format!("it expired on {}", day(self.not_after)));
        }
        if now < self.not_before {
            oddities.push(format!("it is not valid before {}", day(self.not_before)));
        }
        let wanted = name.to_str();
        if !self.names.iter().any(|own| covers(own, &wanted)) {
            let own = if self.names.is_empty() {
                "no name at all".to_owned()
            } else {
                self.names.join(", ")
            };
            oddities.push(format!("it is not for \"{wanted}\" but for {own}"));
        }
        oddities
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
        for name in &alternative.value.general_names {
            if let GeneralName::DNSName(name) = name {
                names.push(visible(name));
            } else if let GeneralName::IPAddress(octets) = name {
                names.extend(address(octets));
            }
        }
    }
    if names.is_empty() {
        // it proves nothing any more, but people look for it
        let common = certificate.subject().iter_common_name();
        names.extend(common.filter_map(|name| Some(visible(name.as_str().ok()?))));
    }
    names.truncate(100);
    names
}

fn issuer(certificate: &X509Certificate<'_>) -> String {
    let issuer = certificate.issuer();
    let first = |mut names: X509Names<'_>| Some(visible(names.next()?.as_str().ok()?));
    let common = first(Box::new(issuer.iter_common_name()));
    let organisation = first(Box::new(issuer.iter_organization()));
    match (common, organisation) {
        (Some(common), Some(organisation)) => format!("{common} ({organisation})"),
        (Some(name), None) | (None, Some(name)) => name,
        (None, None) => visible(&issuer.to_string()),
    }
}

type X509Names<'a> = Box<dyn Iterator<Item = &'a AttributeTypeAndValue<'a>> + 'a>;

fn address(octets: &[u8]) -> Option<String> {
    let address = match octets.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    Some(address.to_string())
}

/// A name that is safe to show: invisible characters are replaced.
fn visible(text: &str) -> String {
    let is_seen = |c: char| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric();
    let shown = text.chars().take(253);
    shown
        .map(|c| if is_seen(c) { c } else { '\u{fffd}' })
        .collect()
}

/// RFC 6125: a name, or a star in the place of its first label.
fn covers(own: &str, wanted: &str) -> bool {
    let parent = || wanted.split_once('.').map(|(_, parent)| parent);
    match own.strip_prefix("*.") {
        Some(domain) => parent().is_some_and(|parent| parent.eq_ignore_ascii_case(domain)),
        None => own.eq_ignore_ascii_case(wanted),
    }
}

/// The day, in UTC, of a moment in seconds since 1970: `2026-11-30`. Empty for a moment outside of the calendar.
pub fn day(seconds: i64) -> String {
    ASN1Time::from_timestamp(seconds)
        .map(|moment| moment.to_datetime().date().to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    fn certificate(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
    }

    /// Whether its key signed nothing, which it did not.
    fn signed_by(der: &[u8]) -> bool {
        let known = crate::provider().signature_verification_algorithms;
        let scheme = rustls::SignatureScheme::RSA_PSS_SHA256;
        crate::key::signed(der, scheme, b"", b"", &known)
    }

    const MADE: [&str; 2] = [
        include_str!("../tests/certificates/version1.crt"),
        include_str!("../tests/certificates/req-x509.crt"),
    ];

    /// W040: old forms and authorities are read as any other.
    #[test]
    fn w040_certificates_of_all_forms_are_read() {
        for pem in MADE {
            let der = certificate(pem);
            let facts = CertificateFacts::read(&der).expect("facts");
            assert_eq!(facts.names, ["store.example"]);
            assert_eq!(
                (facts.issuer.as_str(), facts.self_issued),
                ("store.example", true)
            );
            let name = ServerName::try_from("STORE.example").expect("a name");
            let oddities = |seconds| {
                let at = std::time::Duration::from_secs(seconds);
                facts.oddities(&name, SystemTime::UNIX_EPOCH + at)
            };
            let made = u64::try_from(facts.not_before).expect("a date");
            assert_eq!(oddities(made + 1), [""; 0]);
            assert_eq!(oddities(made - 1).len(), 1);
            assert_eq!(oddities(made + 200 * 366 * 86_400).len(), 1);
        }
    }

    /// Whatever a server shows instead, there is an answer and no panic.
    #[test]
    fn v12_damaged_certificates_are_read_or_not() {
        for pem in MADE {
            let der = certificate(pem).to_vec();
            for cut in 0..der.len() {
                assert_eq!(CertificateFacts::read(&der[..cut]), None);
            }
            for place in 0..der.len() {
                for octet in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut damaged = der.clone();
                    damaged[place] = octet;
                    let _ = (CertificateFacts::read(&damaged), signed_by(&damaged));
                }
            }
        }
    }

    #[test]
    fn names_are_covered_as_rfc_6125_says() {
        for (own, wanted, covered) in [
            ("a.example", "A.EXAMPLE", true),
            ("*.a.example", "b.a.example", true),
            ("*.a.example", "c.b.a.example", false),
            ("*.a.example", "a.example", false),
            ("a.example", "b.a.example", false),
        ] {
            assert_eq!(covers(own, wanted), covered, "{own} {wanted}");
        }
    }
}
