//! The mechanisms of AUTH that a listener may name.

use std::path::Path;

use pop3_proto::backend::Mechanism;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::setting::document::nearest;
use crate::setting::value::{BadValue, Value};

/// The mechanisms that the gateway knows itself.
const KNOWN: &[&str] = &["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "CRAM-MD5"];

/// Mechanisms that an upstream may know: those of IANA's registry that need no channel of their own. Any
/// other name is most likely a typing mistake, and no client could log in with it.
const RELAYED: &[&str] = &[
    "9798-M-DSA-SHA1",
    "9798-M-ECDSA-SHA1",
    "9798-M-RSA-SHA1-ENC",
    "9798-U-DSA-SHA1",
    "9798-U-ECDSA-SHA1",
    "9798-U-RSA-SHA1-ENC",
    "ANONYMOUS",
    "DIGEST-MD5",
    "ECDH-X25519-CHALLENGE",
    "ECDSA-NIST256P-CHALLENGE",
    "EAP-AES128",
    "GS2-KRB5",
    "GSS-SPNEGO",
    "GSSAPI",
    "KERBEROS_V4",
    "KERBEROS_V5",
    "NMAS_AUTHEN",
    "NMAS_LOGIN",
    "NMAS-SAMBA-AUTH",
    "NTLM",
    "OAUTH10A",
    "OPENID20",
    "OTP",
    "PASSDSS-3DES-1",
    "PASSDSS-BLOWFISH-1",
    "SAML20",
    "SCRAM-SHA-1",
    "SCRAM-SHA-224",
    "SCRAM-SHA-256",
    "SCRAM-SHA-384",
    "SCRAM-SHA-512",
    "SCRAM-SHA3-512",
    "SECURID",
    "SKEY",
    "SRP",
    "SXOVER",
    "XYMCOOKIE",
    "XYMPKI",
];

/// Whether it is handed through to the upstream.
pub(super) fn is_relayed(mechanism: &Mechanism) -> bool {
    !KNOWN.contains(&mechanism.as_str())
}

impl Value for Mechanism {
    fn show(&self) -> Json {
        json!(self.as_str())
    }

    fn read(value: &DeValue<'_>, base: &Path) -> Result<Self, BadValue> {
        let name = String::read(value, base)?;
        let mechanism = Self::new(&name).ok_or_else(|| {
            BadValue::new(
                format!("{name:?} is not the name of a SASL mechanism"),
                "write up to 20 of A-Z, 0-9, - and _, such as \"PLAIN\"",
            )
        })?;
        let refused = |what: &str| BadValue::new(format!("{name:?} {what}"), "leave it out");
        match mechanism.as_str() {
            "EXTERNAL" => Err(refused(
                "needs client certificates, which are not asked for",
            )),
            plus if plus.ends_with("-PLUS") => Err(refused(
                "is bound to a TLS channel that ends at the gateway",
            )),
            private if private.starts_with("X-") => Ok(mechanism),
            known if KNOWN.contains(&known) || RELAYED.contains(&known) => Ok(mechanism),
            unknown => {
                let all = [KNOWN, RELAYED].concat();
                let remedy = nearest(unknown, &all).map_or_else(
                    || {
                        "write for example \"PLAIN\", \"LOGIN\", \"XOAUTH2\" or \"SCRAM-SHA-256\""
                            .into()
                    },
                    |near| format!("did you mean {near:?}?"),
                );
                let what = format!("{name:?} is not a known SASL mechanism");
                Err(BadValue::new(what, remedy))
            }
        }
    }
}
