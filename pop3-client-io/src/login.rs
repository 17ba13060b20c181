//! Chooses how to log in: the strongest way that the server offers, and no password in clear.
//!
//! It only chooses; the protocol machine does the exchanges. A way that needs a secret of its own on
//! the server's side (CRAM-MD5, APOP) may be refused although the password is right, so the next is
//! tried then; with every other way a refusal is final, because each attempt counts against us.

use pop3_proto::capability::Capability;
use pop3_proto::client::{Credentials, Method};
use pop3_proto::secret::Secret;

use crate::error::Error;
use crate::words::Words;

/// The user and how to log in.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The user's name.
    pub user: String,
    /// The password or token.
    pub secret: Secret,
    /// Which of the two it is.
    pub kind: SecretKind,
    /// How to prove it.
    pub preference: Preference,
    /// Whether a password may go over a connection that can be listened to.
    pub allow_clear: bool,
    /// Whether the first SASL message may stand in the AUTH line; some servers do not take it (qD7).
    pub initial_response: bool,
}

/// What a secret is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretKind {
    /// A password.
    #[default]
    Password,
    /// An access token of OAuth 2.
    Token,
}

/// How the user wants to log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Preference {
    /// The strongest that the server offers.
    #[default]
    Auto,
    /// USER and PASS.
    User,
    /// APOP.
    Apop,
    /// AUTH PLAIN.
    Plain,
    /// AUTH LOGIN.
    Login,
    /// AUTH CRAM-MD5.
    CramMd5,
    /// AUTH XOAUTH2.
    Xoauth2,
    /// AUTH OAUTHBEARER.
    Oauthbearer,
}

impl Identity {
    /// Somebody with a password.
    pub fn password(user: impl Into<String>, password: impl AsRef<[u8]>) -> Self {
        Self {
            user: user.into(),
            secret: Secret::from(password.as_ref()),
            kind: SecretKind::Password,
            preference: Preference::Auto,
            allow_clear: false,
            initial_response: true,
        }
    }

    /// Somebody with an access token of OAuth 2.
    pub fn token(user: impl Into<String>, token: impl AsRef<[u8]>) -> Self {
        Self {
            kind: SecretKind::Token,
            ..Self::password(user, token)
        }
    }

    pub(crate) fn credentials(&self, method: Method) -> Credentials {
        Credentials::new(self.user.clone(), self.secret.clone(), method)
            .initial_response(self.initial_response)
    }
}

/// Whether the connection could be listened to.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) secure: bool,
    /// It does not leave this machine.
    pub(crate) loopback: bool,
}

/// The ways that the server offers and the account allows, strongest first.
pub(crate) fn choose(
    offer: &Offer<'_>,
    identity: &Identity,
    line: Line,
    words: &Words,
) -> Result<Vec<Method>, Error> {
    let wanted = match identity.preference {
        Preference::Auto => offer.strongest_first(identity.kind, line.secure),
        Preference::User => vec![Method::UserPass],
        Preference::Apop => vec![Method::Apop],
        Preference::Plain => vec![Method::Plain],
        Preference::Login => vec![Method::Login],
        Preference::CramMd5 => vec![Method::CramMd5],
        Preference::Xoauth2 => vec![Method::XOauth2],
        Preference::Oauthbearer => vec![Method::OauthBearer],
    };
    if wanted.is_empty() {
        return Err(Error::NoLogin(
            "the server offers no way to log in that this client knows".into(),
        ));
    }
    let may_tell = line.secure || line.loopback || identity.allow_clear;
    let is_quiet = |method: &Method| matches!(method, Method::Apop | Method::CramMd5);
    let allowed: Vec<_> = wanted
        .into_iter()
        .filter(|method| may_tell || is_quiet(method))
        .collect();
    if allowed.is_empty() {
        return Err(Error::NoLogin(format!(
            "without TLS the password would go over the network in clear; use {} or {}, or allow it with {}",
            words.remedies.implicit, words.remedies.upgrade, words.clear_password
        )));
    }
    Ok(allowed)
}

/// What the server offers.
pub(crate) struct Offer<'a> {
    mechanisms: Vec<&'a str>,
    user: bool,
    apop: bool,
    /// It announced anything at all.
    told: bool,
}

impl<'a> Offer<'a> {
    pub(crate) fn of(capabilities: &'a [Capability], apop: bool) -> Self {
        let mut offer = Self {
            mechanisms: Vec::new(),
            user: false,
            apop,
            told: !capabilities.is_empty(),
        };
        for capability in capabilities {
            if let Capability::Sasl(mechanisms) = capability {
                offer
                    .mechanisms
                    .extend(mechanisms.iter().map(|mechanism| mechanism.as_str()));
            }
            offer.user |= *capability == Capability::User;
        }
        offer
    }

    fn strongest_first(&self, kind: SecretKind, secure: bool) -> Vec<Method> {
        let has = |name: &str| {
            self.mechanisms
                .iter()
                .any(|offered| offered.eq_ignore_ascii_case(name))
        };
        let mut methods = Vec::new();
        let mut offer = |there: bool, method| {
            if there {
                methods.push(method);
            }
        };
        match kind {
            SecretKind::Token => {
                offer(has("OAUTHBEARER"), Method::OauthBearer);
                // servers that take tokens do not always say so
                offer(has("XOAUTH2") || !has("OAUTHBEARER"), Method::XOauth2);
            }
            SecretKind::Password => {
                offer(has("CRAM-MD5"), Method::CramMd5);
                // a timestamp promises nothing, and within TLS APOP gains nothing
                offer(self.apop && !secure, Method::Apop);
                offer(has("PLAIN"), Method::Plain);
                offer(has("LOGIN"), Method::Login);
                offer(self.user || !self.told, Method::UserPass);
                offer(self.apop && secure, Method::Apop);
            }
        }
        methods
    }
}

/// A method as people know it.
pub(crate) const fn name(method: Method) -> &'static str {
    match method {
        Method::UserPass => "USER and PASS",
        Method::Apop => "APOP",
        Method::Plain => "PLAIN",
        Method::Login => "LOGIN",
        Method::CramMd5 => "CRAM-MD5",
        Method::XOauth2 => "XOAUTH2",
        Method::OauthBearer => "OAUTHBEARER",
        _ => "another way",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn choose(offer: &Offer<'_>, identity: &Identity, line: Line) -> Result<Vec<Method>, Error> {
        super::choose(offer, identity, line, &Words::LIBRARY)
    }

    const FAR: Line = Line {
        secure: false,
        loopback: false,
    };

    fn identity() -> Identity {
        Identity {
            user: "u".into(),
            secret: Secret::from(&b"p"[..]),
            kind: SecretKind::Password,
            preference: Preference::Auto,
            allow_clear: false,
            initial_response: true,
        }
    }

    fn capabilities() -> Vec<Capability> {
        ["SASL LOGIN PLAIN CRAM-MD5 XOAUTH2 OAUTHBEARER", "USER"]
            .iter()
            .map(|line| line.parse().unwrap_or_else(|never| match never {}))
            .collect()
    }

    #[test]
    fn no_password_goes_in_clear_unless_told() {
        let capabilities = capabilities();
        let all = Offer::of(&capabilities, true);
        assert_eq!(
            choose(&all, &identity(), FAR).unwrap(),
            [Method::CramMd5, Method::Apop]
        );
        let user = [Capability::User];
        let bare = Offer::of(&user, false);
        assert!(matches!(
            choose(&bare, &identity(), FAR),
            Err(Error::NoLogin(_))
        ));
        let told = Identity {
            allow_clear: true,
            ..identity()
        };
        assert_eq!(choose(&bare, &told, FAR).unwrap(), [Method::UserPass]);
        let stubborn = Identity {
            preference: Preference::Plain,
            ..identity()
        };
        assert!(choose(&all, &stubborn, FAR).is_err());
        let token = Identity {
            kind: SecretKind::Token,
            ..identity()
        };
        assert!(choose(&all, &token, FAR).is_err());
        let near = Line {
            loopback: true,
            ..FAR
        };
        assert_eq!(
            choose(&bare, &identity(), near).unwrap(),
            [Method::UserPass]
        );
    }

    #[test]
    fn the_strongest_is_first() {
        let capabilities = capabilities();
        let secure = Line {
            secure: true,
            ..FAR
        };
        let all = Offer::of(&capabilities, true);
        assert_eq!(
            choose(&all, &identity(), secure).unwrap(),
            [
                Method::CramMd5,
                Method::Plain,
                Method::Login,
                Method::UserPass,
                Method::Apop
            ]
        );
        let token = Identity {
            kind: SecretKind::Token,
            ..identity()
        };
        assert_eq!(
            choose(&all, &token, secure).unwrap(),
            [Method::OauthBearer, Method::XOauth2]
        );
        let nothing = Offer::of(&[], false);
        assert_eq!(
            choose(&nothing, &identity(), secure).unwrap(),
            [Method::UserPass]
        );
        assert_eq!(choose(&nothing, &token, secure).unwrap(), [Method::XOauth2]);
    }
}
