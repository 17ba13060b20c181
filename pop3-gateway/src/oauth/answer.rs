//! What a provider's answers say.
//!
//! Owns their forms, read with tolerance: numbers may be texts, fields may be missing. Keeps no octet of an answer
//! that it could not read: a token may stand in it.

use std::fmt;
use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, ErrorResponse, RefreshToken, Scope, TokenResponse};
use pop3_proto::secret::Secret;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::refusal::Refusal;

/// A token and what came with it.
#[derive(Clone, Debug)]
pub struct Obtained {
    /// The access token: printable ASCII without blanks.
    pub access: Secret,
    /// How long it lives.
    pub life: Duration,
    /// The refresh token, if there is a new one.
    pub refresh: Option<Secret>,
    /// What it is for, where that is not what was asked.
    pub scope: Option<String>,
    /// Who signed in, as the provider tells with OpenID Connect; not verified beyond the connection it came over.
    pub id_token: Option<Secret>,
}

/// The life of a token whose provider tells none: RFC 6749 section 5.1 leaves it open, all known ones say an hour.
const ASSUMED_LIFE: u64 = 3600;

/// A longer life is not believed: a number that went wrong must not keep a dead token in use.
pub(super) const MAX_LIFE: u64 = 7 * 24 * 3600;

/// Tokens are not longer; the widest known ones have 3 KiB.
const MAX_TOKEN: usize = 15 * 1024;

/// A longer scope is left out, in octets.
const MAX_SCOPE: usize = 16 * 1024;

/// A token endpoint's answer (RFC 6749 section 5.1).
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct TokenAnswer {
    access_token: AccessToken,
    #[serde(default = "bearer", deserialize_with = "kind")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
    #[serde(default)]
    scope: Option<Value>,
    #[serde(default, skip_serializing)]
    id_token: Option<AccessToken>,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasicTokenType, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(match text.eq_ignore_ascii_case("bearer") {
        true => BasicTokenType::Bearer,
        false => BasicTokenType::Extension(text),
    })
}

/// A number of seconds, as a number or as text; what is neither is as if it were not there.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64().or_else(|| {
            let whole = number.as_f64().filter(|n| n.is_finite() && *n >= 0.0);
            // beyond what is believed anyway
            whole.map(|n| {
                if n > MAX_LIFE as f64 {
                    MAX_LIFE
                } else {
                    n as u64
                }
            })
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    })
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl TokenAnswer {
    /// Looks whether it can be used.
    pub(super) fn read(self) -> Result<Obtained, Refusal> {
        if !matches!(self.token_type, BasicTokenType::Bearer) {
            let what = "the provider gave a token that is no bearer token";
            return Err(Refusal::here(
                what,
                "choose another provider profile or app",
            ));
        }
        let usable = |token: String, what: &str| {
            // wiped, whatever it is
            let token = Secret::new(token.into_bytes());
            let octets = token.expose();
            let fine = octets.iter().all(|octet| (b'!'..=b'~').contains(octet));
            match octets.len() {
                1..=MAX_TOKEN if fine => Ok(token),
                // nothing of it must reach the IMAP server
                _ => Err(Refusal::later(
                    format!(
                        "the provider gave {what} that cannot be used: it is empty, too long or has octets that no token has"
                    ),
                    None,
                )),
            }
        };
        let access = usable(self.access_token.into_secret(), "an access token")?;
        let refresh = self
            .refresh_token
            .map(RefreshToken::into_secret)
            .filter(|token| !token.is_empty())
            .map(|token| usable(token, "a refresh token"))
            .transpose()?;
        let scope = match self.scope {
            // one that no record can hold would lose the tokens
            Some(Value::String(scope))
                if scope.len() <= MAX_SCOPE && !scope.contains(char::is_control) =>
            {
                Some(scope)
            }
            Some(_) | None => None,
        };
        let id_token = self.id_token.map(|token| token.into_secret().into_bytes());
        Ok(Obtained {
            access,
            life: Duration::from_secs(self.expires_in.unwrap_or(ASSUMED_LIFE).min(MAX_LIFE)),
            refresh,
            scope,
            id_token: id_token.map(Secret::new),
        })
    }
}

/// What a provider says no with (RFC 6749 section 5.2), with what Microsoft and Google add.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct ErrorAnswer {
    error: Value,
    #[serde(default)]
    error_description: Option<Value>,
    #[serde(default)]
    error_subtype: Option<Value>,
    #[serde(default)]
    suberror: Option<Value>,
    #[serde(default)]
    error_codes: Option<Value>,
}

impl ErrorAnswer {
    pub(super) fn refusal(&self) -> Refusal {
        // some answer {"error": {"status": "…", "message": "…"}}
        let within = |value: &Value, key: &str| {
            let text = value.as_str().or_else(|| value.get(key)?.as_str());
            text.map(str::to_owned)
        };
        let code =
            within(&self.error, "status").unwrap_or_else(|| "an error without a name".into());
        let description = self.error_description.as_ref().and_then(Value::as_str);
        let description = description.map(str::to_owned);
        let description =
            description.or_else(|| self.error.get("message")?.as_str().map(str::to_owned));
        let subtype = self.error_subtype.as_ref().or(self.suberror.as_ref());
        let subtype = subtype.and_then(Value::as_str);
        let numbers = self.error_codes.as_ref().and_then(Value::as_array);
        let numbers: Vec<_> = numbers
            .into_iter()
            .flatten()
            .filter_map(Value::as_u64)
            .collect();
        Refusal::said(&code, description.as_deref(), subtype, &numbers)
    }
}

impl ErrorResponse for ErrorAnswer {}

impl fmt::Display for ErrorAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.refusal().what)
    }
}

/// A device code (RFC 8628 section 3.2).
#[derive(Deserialize)]
pub(super) struct DeviceAnswer {
    pub(super) device_code: String,
    pub(super) user_code: String,
    #[serde(default)]
    verification_uri: Option<String>,
    #[serde(default)]
    verification_uri_complete: Option<String>,
    /// An older name, which some have beside the other.
    #[serde(default)]
    verification_url: Option<String>,
    #[serde(default)]
    verification_url_complete: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    pub(super) expires_in: Option<u64>,
    #[serde(default, deserialize_with = "seconds")]
    pub(super) interval: Option<u64>,
}

impl DeviceAnswer {
    pub(super) fn address(&self) -> Option<&str> {
        let address = self.verification_uri.as_deref();
        address.or(self.verification_url.as_deref())
    }

    pub(super) fn complete_address(&self) -> Option<&str> {
        let address = self.verification_uri_complete.as_deref();
        address.or(self.verification_url_complete.as_deref())
    }
}

/// What an issuer says of itself (RFC 8414, OpenID Connect Discovery).
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    #[serde(default)]
    pub(super) authorization_endpoint: Option<String>,
    #[serde(default)]
    pub(super) token_endpoint: Option<String>,
    #[serde(default)]
    pub(super) device_authorization_endpoint: Option<String>,
    #[serde(default)]
    pub(super) revocation_endpoint: Option<String>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}
