//! The envelope of every request (RFC 8555 section 6.2).
//!
//! Owns signatures and thumbprints. Decides nothing about who may ask what.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value as Json;

/// What came in an envelope.
pub(crate) struct Opened {
    /// The protected header.
    pub(crate) head: Json,
    /// What is said; null for a question alone.
    pub(crate) said: Json,
    signed: String,
    signature: Vec<u8>,
}

impl Opened {
    /// Opens it, whoever sealed it.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let envelope: Json = serde_json::from_slice(body).ok()?;
        let part = |name: &str| envelope[name].as_str();
        let (head, said) = (part("protected")?, part("payload")?);
        let plain = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        Some(Self {
            head: serde_json::from_slice(&plain(head)?).ok()?,
            said: match said {
                "" => Json::Null,
                said => serde_json::from_slice(&plain(said)?).ok()?,
            },
            signed: format!("{head}.{said}"),
            signature: plain(part("signature")?)?,
        })
    }

    /// Whether this key sealed it.
    pub(crate) fn is_by(&self, jwk: &Json) -> bool {
        let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).ok();
        let (Some(x), Some(y)) = (coordinate("x"), coordinate("y")) else {
            return false;
        };
        let point = [&[4][..], &x, &y].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        self.head["alg"] == "ES256" && key.verify(self.signed.as_bytes(), &self.signature).is_ok()
    }

    /// Whether this key of a customer sealed it.
    pub(crate) fn is_by_customer(&self, key: &[u8]) -> bool {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        self.head["alg"] == "HS256"
            && ring::hmac::verify(&key, self.signed.as_bytes(), &self.signature).is_ok()
    }
}

/// The thumbprint of a key (RFC 7638).
pub(crate) fn thumbprint(jwk: &Json) -> String {
    let text = format!(
        "{{\"crv\":{},\"kty\":{},\"x\":{},\"y\":{}}}",
        jwk["crv"], jwk["kty"], jwk["x"], jwk["y"]
    );
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
