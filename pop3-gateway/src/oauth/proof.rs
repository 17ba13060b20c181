//! How this program proves to a provider which app it is.
//!
//! Owns the ways there are, and reads the files they name at each use, so that a secret can be replaced without
//! a restart. Sends nothing.

use std::fmt;
use std::path::{Path, PathBuf};

use pop3_proto::secret::Secret;

use super::assertion::{Algorithm, Signer, SignerError};
use super::refusal::Refusal;

/// How the app is proven.
#[derive(Clone, Debug, Default)]
pub enum Proof {
    /// Not at all: a public client, which PKCE protects.
    #[default]
    None,
    /// A secret that stands in a file.
    SecretFile(PathBuf),
    /// A secret.
    Secret(Secret),
    /// A certificate and its key (`private_key_jwt`, RFC 7523).
    Certificate {
        /// The certificate, PEM.
        certificate: PathBuf,
        /// Its key, PEM.
        key: PathBuf,
    },
    /// Somebody else's statement about us, in a file that somebody else keeps fresh (federated identity).
    AssertionFile(PathBuf),
    /// A service account's key, as Google's console gives it out: JSON.
    ServiceAccount(PathBuf),
}

/// What goes into a request.
pub(super) enum Shown {
    Nothing,
    Secret(Secret),
    /// For `client_assertion`.
    Assertion(Secret),
}

/// How long a signed statement may be used, in seconds.
pub(super) const LIFE: u64 = 300;

/// A file that is longer is none of these.
const MAX_FILE: u64 = 256 * 1024;

impl Proof {
    /// Reads and signs what a request to `audience` (the token endpoint) needs.
    pub(super) fn show(&self, client: &str, audience: &str, now: u64) -> Result<Shown, Refusal> {
        match self {
            Self::None | Self::ServiceAccount(_) => Ok(Shown::Nothing),
            Self::Secret(secret) => Ok(Shown::Secret(secret.clone())),
            Self::SecretFile(path) => Ok(Shown::Secret(one_line(path, "client secret")?)),
            Self::AssertionFile(path) => Ok(Shown::Assertion(one_line(path, "assertion")?)),
            Self::Certificate { certificate, key } => {
                let signer = Signer::certificate(certificate, key)
                    .map_err(|error| Refusal::here(error.to_string(), error.remedy()))?;
                let claims = serde_json::json!({
                    "iss": client,
                    "sub": client,
                    "aud": audience,
                    "jti": one_shot()?,
                    "iat": now,
                    "nbf": now.saturating_sub(60),
                    "exp": now + LIFE,
                });
                let signed = signer.sign(Algorithm::Ps256, &claims);
                let signed = signed.map_err(|error: SignerError| {
                    Refusal::here(error.to_string(), error.remedy())
                })?;
                Ok(Shown::Assertion(signed))
            }
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Secret(_) => "Secret",
            Self::Assertion(_) => "Assertion",
        })
    }
}

/// A name that is used once.
pub(super) fn one_shot() -> Result<String, Refusal> {
    let mut octets = [0; 24];
    getrandom::fill(&mut octets).map_err(|error| {
        Refusal::here(
            format!("the system gives no random octets: {error}"),
            "look at the kernel's log",
        )
    })?;
    Ok(base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        octets,
    ))
}

/// Reads a file of secrets.
pub(super) fn file(path: &Path, what: &str) -> Result<Secret, Refusal> {
    let failed = |error: &dyn fmt::Display| {
        Refusal::here(
            format!("{}: the {what} cannot be read: {error}", path.display()),
            "check the file's name and who may read it",
        )
    };
    let length = std::fs::metadata(path)
        .map_err(|error| failed(&error))?
        .len();
    if length > MAX_FILE {
        return Err(failed(&format!("it has {length} octets")));
    }
    std::fs::read(path)
        .map(Secret::new)
        .map_err(|error| failed(&error))
}

/// The only line of a file.
fn one_line(path: &Path, what: &str) -> Result<Secret, Refusal> {
    let content = file(path, what)?;
    let line = content.expose().trim_ascii();
    let printable = line.iter().all(|octet| (b' '..=b'~').contains(octet));
    if line.is_empty() || !printable {
        return Err(Refusal::here(
            format!("{}: there is no {what} in it", path.display()),
            "put it into the file as one line of ASCII",
        ));
    }
    Ok(Secret::from(line))
}
