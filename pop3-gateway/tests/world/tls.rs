//! The other end of a TLS connection, whichever side it is, and the one certificate of this world.

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock};

use pop3_gateway::self_signed;
use pop3_server::tls::{Identity, ServerTls, Trust, UpstreamTls};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
};
use tempfile::TempDir;

/// The name that the certificate proves.
pub(crate) const NAME: &str = "localhost";

/// Everything that is made of the certificate.
pub(crate) struct Tls {
    pub(crate) server: ServerTls,
    pub(crate) upstream: Arc<UpstreamTls>,
    client_config: Arc<ClientConfig>,
    server_config: Arc<ServerConfig>,
    _folder: TempDir,
}

/// Made once.
pub(crate) fn tls() -> &'static Tls {
    static TLS: LazyLock<Tls> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let (identity, _) = self_signed::ensure(folder.path(), &[NAME.to_owned()]).unwrap();
        Tls::new(&identity, folder)
    });
    &TLS
}

impl Tls {
    fn new(identity: &Identity, folder: TempDir) -> Self {
        let provider = Arc::new(ring::default_provider());
        let chain = vec![CertificateDer::from_pem_file(&identity.chain).unwrap()];
        let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(chain[0].clone()).unwrap();
        let client_config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server_config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self {
            server: ServerTls::load(std::slice::from_ref(identity)).unwrap(),
            upstream: Arc::new(UpstreamTls::load(&Trust::File(identity.chain.clone())).unwrap()),
            client_config: Arc::new(client_config),
            server_config: Arc::new(server_config),
            _folder: folder,
        }
    }
}

/// One end.
pub(crate) struct TlsEnd {
    connection: Connection,
    /// What was received and is not taken yet.
    pub(crate) plaintext: Vec<u8>,
    /// What is to be sent.
    pub(crate) wire: Vec<u8>,
    /// The other end said good-bye.
    pub(crate) closed: bool,
    /// What the other end did wrong.
    pub(crate) error: Option<String>,
}

impl TlsEnd {
    pub(crate) fn client() -> Self {
        let config = Arc::clone(&tls().client_config);
        let name = ServerName::try_from(NAME).unwrap();
        Self::new(ClientConnection::new(config, name).unwrap().into())
    }

    pub(crate) fn server() -> Self {
        let config = Arc::clone(&tls().server_config);
        Self::new(ServerConnection::new(config).unwrap().into())
    }

    fn new(mut connection: Connection) -> Self {
        connection.set_buffer_limit(None);
        let mut end = Self {
            connection,
            plaintext: Vec::new(),
            wire: Vec::new(),
            closed: false,
            error: None,
        };
        end.flush();
        end
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.connection.is_handshaking()
    }

    pub(crate) fn receive(&mut self, mut bytes: &[u8]) {
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
        self.flush();
    }

    pub(crate) fn send(&mut self, plaintext: &[u8]) {
        self.connection.writer().write_all(plaintext).unwrap();
        self.flush();
    }

    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
        self.flush();
    }

    fn flush(&mut self) {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.wire).unwrap();
        }
    }
}
