//! What a CA is shown when it looks whether a name is ours.
//!
//! Owns the answers of challenges that are open, and nothing after that: a text under a path (RFC 8555 section 8.3),
//! a certificate for one protocol (RFC 8737). Opens no socket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::{Method, StatusCode};
use peer_trust::provider;
use pop3_server::rustls::pki_types::PrivateKeyDer;
use pop3_server::rustls::server::{ClientHello, ResolvesServerCert};
use pop3_server::rustls::sign::CertifiedKey;
use rcgen::{CertificateParams, CustomExtension, KeyPair};

use crate::http::page::{self, Page, Serves};

/// The protocol that a CA asks for by ALPN.
pub(crate) const PROTOCOL: &[u8] = b"acme-tls/1";
/// Where a CA looks for a text.
const PATH: &str = "/.well-known/acme-challenge/";

/// The answers of open challenges. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    /// By token.
    texts: HashMap<String, String>,
    /// By name.
    certificates: HashMap<String, Arc<CertifiedKey>>,
}

/// An answer that is given as long as this is there.
#[derive(Debug)]
pub(super) struct Given {
    answers: Answers,
    key: String,
}

impl Answers {
    /// Answers with a text.
    pub(super) fn text(&self, token: &str, text: &str) -> Given {
        self.open().texts.insert(token.into(), text.into());
        self.given(token)
    }

    /// Answers with a certificate for this name that has this digest in it (RFC 8737 section 3).
    pub(super) fn certificate(&self, name: &str, digest: &[u8]) -> Result<Given, String> {
        let make = || -> Result<_, rcgen::Error> {
            let mut params = CertificateParams::new([name.to_owned()])?;
            params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
            let key = KeyPair::generate()?;
            Ok((params.self_signed(&key)?, key))
        };
        let (certificate, key) = make().map_err(|error| error.to_string())?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let key = provider().key_provider.load_private_key(key);
        let key = key.map_err(|error| error.to_string())?;
        // not looked at any further: what it proves is unknown to all but CAs, and critical
        let own = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key));
        self.open().certificates.insert(name.into(), own);
        Ok(self.given(name))
    }

    fn given(&self, key: &str) -> Given {
        Given {
            answers: self.clone(),
            key: key.into(),
        }
    }

    /// The state is consistent after every statement, so a panic elsewhere cannot have spoilt it.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let mut open = self.answers.open();
        open.texts.remove(&self.key);
        open.certificates.remove(&self.key);
    }
}

/// For clients that ask for [`PROTOCOL`]; others are not asked about here.
impl ResolvesServerCert for Answers {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = client.server_name()?.to_ascii_lowercase();
        self.open().certificates.get(&name).cloned()
    }
}

/// The page where the texts are.
pub(crate) fn page(answers: &Answers) -> Page {
    let answers = answers.clone();
    let page = Page::now(Serves::Acme, Method::GET, PATH, move |asked| {
        let token = asked.head.uri.path().strip_prefix(PATH);
        match token.and_then(|token| answers.open().texts.get(token).cloned()) {
            Some(text) => page::answer(StatusCode::OK, "text/plain; charset=utf-8", text),
            None => page::text(StatusCode::NOT_FOUND, "There is nothing here.\n"),
        }
    });
    page.and_below()
}
