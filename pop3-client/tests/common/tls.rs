//! A certificate of its own, and both sides of TLS with it.

use std::io::Write as _;
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};

#[derive(Debug)]
pub(crate) struct Certificate {
    /// Believe this file, and you believe the server.
    pub(crate) file: tempfile::NamedTempFile,
    pub(crate) config: Arc<ServerConfig>,
}

/// Shows its certificate whatever is asked for.
#[derive(Debug)]
struct Only(Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let key = made.signing_key.serialize_der();
        Self::of(made.cert.der(), &key, rustls::DEFAULT_VERSIONS)
    }

    /// With this certificate and this key, which need not belong together.
    pub(crate) fn of(
        certificate: &[u8],
        key: &[u8],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = super::base64(certificate);
        write!(
            file,
            "-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
        )
        .unwrap();
        let key = PrivateKeyDer::try_from(key.to_vec()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = provider.key_provider.load_private_key(key).unwrap();
        let shown = CertifiedKey::new(vec![certificate.to_vec().into()], key);
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Only(Arc::new(shown))));
        Self {
            file,
            config: Arc::new(config),
        }
    }
}
