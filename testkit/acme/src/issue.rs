//! The authority: its own certificate, and those that it issues.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SignatureAlgorithm,
};
use time::OffsetDateTime;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer as _;

/// Signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate as PEM.
    pub(crate) pem: String,
}

/// The key of a request.
struct Key(Vec<u8>);

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "Made-up Authority");
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        Self {
            pem: own.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// The chain for a request that is for these names; why there is none.
    pub(crate) fn issue(
        &self,
        request: &[u8],
        names: &[String],
        ago: Duration,
        life: Duration,
    ) -> Result<String, String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let (_, request) =
            X509CertificationRequest::from_der(request).map_err(|error| failed(&error))?;
        let mut wanted: Vec<String> = request
            .requested_extensions()
            .into_iter()
            .flatten()
            .filter_map(|own| {
                if let ParsedExtension::SubjectAlternativeName(names) = own {
                    return Some(&names.general_names);
                }
                None
            })
            .flatten()
            .map(|name| {
                if let GeneralName::DNSName(name) = name {
                    (*name).to_owned()
                } else {
                    name.to_string()
                }
            })
            .collect();
        wanted.sort_unstable();
        let mut names = names.to_vec();
        names.sort_unstable();
        if wanted != names {
            return Err(format!("the request is for {wanted:?}"));
        }
        let key = &request.certification_request_info.subject_pki;
        let key = Key(key.subject_public_key.data.to_vec());
        let mut params = CertificateParams::new(names).map_err(|error| failed(&error))?;
        params.use_authority_key_identifier_extension = true;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        params.not_before = OffsetDateTime::UNIX_EPOCH + now.unwrap_or_default() - ago;
        params.not_after = params.not_before + life;
        let certificate = params.signed_by(&key, &self.issuer);
        let certificate = certificate.map_err(|error| failed(&error))?;
        Ok(format!("{}{}", certificate.pem(), self.pem))
    }
}

/// What names the first certificate of a chain (RFC 9773 section 4.1).
pub(crate) fn identifier(chain: &str) -> String {
    let (_, pem) = parse_x509_pem(chain.as_bytes()).expect("a certificate");
    let own = pem.parse_x509().expect("a certificate");
    let key = own.extensions().iter().find_map(|extension| {
        if let ParsedExtension::AuthorityKeyIdentifier(own) = extension.parsed_extension() {
            return own.key_identifier.as_ref();
        }
        None
    });
    let key = key.expect("the key of its authority");
    let text = |octets| URL_SAFE_NO_PAD.encode(octets);
    format!("{}.{}", text(key.0), text(own.raw_serial()))
}
