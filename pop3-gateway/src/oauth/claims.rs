//! What a token says of itself.
//!
//! Owns the reading of a JSON Web Token's middle part, for people who look for a fault. Verifies no signature, so
//! nothing that is found here may open anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pop3_proto::secret::Secret;
use serde_json::Value;

use super::refusal::clean;

/// The claims with the name of who signed in.
const PERSON: &[&str] = &["email", "upn", "preferred_username", "unique_name"];

/// The claims that tell what a token is good for; all unverified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Whom it is for (`aud`).
    pub audience: Option<String>,
    /// What it may (`scp`, `scope`).
    pub scopes: Vec<String>,
    /// What the app may (`roles`).
    pub roles: Vec<String>,
    /// Microsoft's directory (`tid`).
    pub tenant: Option<String>,
    /// The app (`appid`, `azp`).
    pub app: Option<String>,
    /// Microsoft's object id of who acts (`oid`): for an app, the one of its service principal.
    pub object: Option<String>,
    /// Who signed in (`email`, `upn`, `preferred_username`, `unique_name`).
    pub person: Option<String>,
    /// All names that it gives who signed in; an address that the provider did not verify is none.
    pub names: Vec<String>,
    /// When it ends, in seconds since 1970 (`exp`).
    pub expires: Option<u64>,
}

impl Claims {
    /// Reads them; nothing if it is no such token. Google's and outlook.com's are not.
    pub fn read(token: &Secret) -> Option<Self> {
        let text = std::str::from_utf8(token.expose()).ok()?;
        let mut parts = text.split('.');
        let (_, middle, _) = (parts.next()?, parts.next()?, parts.next()?);
        let octets = URL_SAFE_NO_PAD.decode(middle.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&octets).ok()?;
        let one = |key: &str| claims.get(key)?.as_str().map(|text| clean(text, 200));
        let is_verified = claims.get("email_verified") != Some(&Value::Bool(false));
        let first = |keys: &[&str]| keys.iter().find_map(|key| one(key));
        let words = |keys: &[&str]| -> Vec<String> {
            let found = keys.iter().find_map(|key| claims.get(*key));
            match found {
                Some(Value::String(text)) => text.split(' ').map(|word| clean(word, 200)).collect(),
                Some(Value::Array(list)) => list
                    .iter()
                    .filter_map(|word| Some(clean(word.as_str()?, 200)))
                    .collect(),
                Some(_) | None => Vec::new(),
            }
        };
        Some(Self {
            audience: one("aud").or_else(|| {
                let several = claims.get("aud")?.as_array()?;
                several.first()?.as_str().map(|text| clean(text, 200))
            }),
            scopes: words(&["scp", "scope"]),
            roles: words(&["roles"]),
            tenant: one("tid"),
            app: first(&["appid", "azp", "client_id"]),
            object: one("oid"),
            person: first(PERSON),
            names: PERSON
                .iter()
                .filter(|key| is_verified || **key != "email")
                .filter_map(|key| one(key))
                .collect(),
            expires: claims.get("exp").and_then(Value::as_u64),
        })
    }
}
