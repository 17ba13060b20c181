//! The other end of a TLS connection, for either side.

use std::io::{Read, Write};
use std::sync::Arc;

use pop3_server::tls::Identity;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
};

/// A TLS end without a socket: ciphertext in `wire_in` order, plaintext collected.
pub struct TlsPeer {
    pub connection: Connection,
    pub plaintext: Vec<u8>,
    /// The other end sent close_notify.
    pub closed: bool,
    pub error: Option<String>,
}

impl TlsPeer {
    pub fn client(identity: &Identity, name: &str, alpn: &[&str]) -> Self {
        let connection = ClientConnection::new(
            Arc::new(client_config(identity, alpn)),
            ServerName::try_from(name.to_string()).unwrap(),
        )
        .unwrap();
        Self::new(connection.into())
    }

    pub fn server(identity: &Identity) -> Self {
        Self::server_of(identity, rustls::ALL_VERSIONS)
    }

    /// A server that shows any certificate that it has.
    pub fn server_of(
        identity: &Identity,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&identity.chain)
            .unwrap()
            .collect();
        let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        let key = CertifiedKey::new(chain.unwrap(), key);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        Self::new(ServerConnection::new(Arc::new(config)).unwrap().into())
    }

    fn new(connection: Connection) -> Self {
        Self {
            connection,
            plaintext: Vec::new(),
            closed: false,
            error: None,
        }
    }

    pub fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.error.is_none() && !self.closed {
            self.connection.read_tls(&mut bytes).unwrap();
            match self.connection.process_new_packets() {
                Ok(state) => {
                    let mut piece = vec![0; state.plaintext_bytes_to_read()];
                    self.connection.reader().read_exact(&mut piece).unwrap();
                    self.plaintext.extend_from_slice(&piece);
                    self.closed = state.peer_has_closed();
                }
                Err(error) => self.error = Some(error.to_string()),
            }
        }
    }

    pub fn send(&mut self, plaintext: &[u8]) {
        self.connection.set_buffer_limit(None);
        self.connection.writer().write_all(plaintext).unwrap();
    }

    /// Ciphertext for the other end.
    pub fn wire(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut wire).unwrap();
        }
        wire
    }
}

pub fn client_config(identity: &Identity, alpn: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&identity.chain).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}
