//! Signed statements: JSON Web Tokens as RFC 7523 has them.
//!
//! Owns the keys it signs with and the form of what is signed. Verifies nothing: that is the provider's part.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pop3_proto::secret::Secret;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// How a statement is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with PSS, as Microsoft wants it.
    Ps256,
    /// RSA with PKCS #1 v1.5, as Google wants it.
    Rs256,
}

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file of the key cannot be read or is none.
    #[error("{}: the private key cannot be used: {cause}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The file of the certificate cannot be read or is none.
    #[error("{0}")]
    Certificate(String),
    /// Signing failed.
    #[error("the assertion cannot be signed")]
    Sign,
}

impl SignerError {
    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Key { .. } => {
                "name an RSA key of 2048 bits or more, in PEM, without a passphrase"
            }
            Self::Certificate(_) => "name the certificate that was uploaded to the app, in PEM",
            Self::Sign => "make a new RSA key of 2048 bits or more",
        }
    }
}

/// A key, and what tells the provider which one it is.
#[derive(Debug)]
pub struct Signer {
    key: RsaKeyPair,
    /// The certificate's digest, for `x5t#S256`.
    digest: Option<String>,
    /// The key's name, for `kid`.
    id: Option<String>,
}

impl Signer {
    /// From a certificate and its key, both PEM.
    pub fn certificate(certificate: &Path, key: &Path) -> Result<Self, SignerError> {
        let chain = peer_trust::pem::certificates(certificate)
            .map_err(|error| SignerError::Certificate(error.to_string()))?;
        let first = chain.first().ok_or_else(|| {
            SignerError::Certificate(format!(
                "{}: there is no certificate",
                certificate.display()
            ))
        })?;
        let wrong = |cause: String| SignerError::Key {
            file: key.to_owned(),
            cause,
        };
        let pem = peer_trust::pem::read(key).map_err(|error| wrong(error.to_string()))?;
        let pem = Secret::new(pem);
        Ok(Self {
            key: rsa(pem.expose()).map_err(wrong)?,
            digest: Some(URL_SAFE_NO_PAD.encode(digest(&SHA256, first))),
            id: None,
        })
    }

    /// From the PEM text of a key; `file` is for messages.
    pub fn key(pem: &[u8], id: Option<String>, file: &Path) -> Result<Self, SignerError> {
        let key = rsa(pem).map_err(|cause| SignerError::Key {
            file: file.to_owned(),
            cause,
        })?;
        Ok(Self {
            key,
            digest: None,
            id,
        })
    }

    /// Signs these claims.
    pub fn sign(&self, algorithm: Algorithm, claims: &Value) -> Result<Secret, SignerError> {
        let (name, padding): (_, &'static dyn ring::signature::RsaEncoding) = match algorithm {
            Algorithm::Ps256 => ("PS256", &RSA_PSS_SHA256),
            Algorithm::Rs256 => ("RS256", &RSA_PKCS1_SHA256),
        };
        let mut head = json!({ "alg": name, "typ": "JWT" });
        if let Some(digest) = &self.digest {
            head["x5t#S256"] = json!(digest);
        }
        if let Some(id) = &self.id {
            head["kid"] = json!(id);
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut text = format!("{}.{}", part(&head), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                padding,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .map_err(|_| SignerError::Sign)?;
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(Secret::new(text.into_bytes()))
    }
}

fn rsa(pem: &[u8]) -> Result<RsaKeyPair, String> {
    let key = PrivateKeyDer::from_pem_slice(pem)
        .map_err(|error| format!("there is no private key in it ({error})"))?;
    let pair = match &key {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(_) => return Err("it is no RSA key".into()),
        _ => return Err("its form is unknown".into()),
    };
    pair.map_err(|error| error.to_string())
}
