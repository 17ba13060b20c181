//! Which way to prove who we are: the strongest that the server offers, and no password in clear.
//!
//! It chooses; the exchanges themselves are the machine's. A way that needs a secret of its own on the
//! server's side (CRAM-MD5, APOP) may be refused although the password is right, so the next is tried
//! then; with every other way a refusal is final, because each attempt counts against us.

use pop3_proto::capability::Capability;
use pop3_proto::client::{Credentials, Event, Method};
use pop3_proto::response::ResponseCode;
use pop3_proto::secret::Secret;

use super::pump::Step;
use super::{Error, Refusal, Session};

/// Who we are.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
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

impl Session {
    /// Logs in and says how.
    pub fn log_in(&mut self, identity: &Identity) -> Result<Method, Error> {
        let methods = self.methods(identity)?;
        let mut refused = None;
        for method in methods {
            match self.try_method(identity, method)? {
                None => {
                    // what the server can may change with the login
                    self.ask_capabilities()?;
                    return Ok(method);
                }
                Some(refusal) => {
                    let own_secret = matches!(method, Method::Apop | Method::CramMd5);
                    let passing = refusal.code.is_some_and(|code| code != ResponseCode::Auth);
                    let not_the_credentials =
                        refusal.code.is_none() && self.can(&Capability::AuthRespCode);
                    let last = passing || !(own_secret || not_the_credentials);
                    refused = Some((method, refusal));
                    if last {
                        break;
                    }
                }
            }
        }
        match refused {
            Some((method, refusal)) => Err(Error::Login {
                place: self.endpoint.place().to_string(),
                user: identity.user.clone(),
                method: name(method),
                refusal,
            }),
            None => Err(Error::NoLogin("there is no way to log in".into())),
        }
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "of many events a few count here"
    )]
    fn try_method(
        &mut self,
        identity: &Identity,
        method: Method,
    ) -> Result<Option<Refusal>, Error> {
        let credentials = Credentials {
            user: identity.user.clone(),
            secret: identity.secret.clone(),
            method,
            initial_response: identity.initial_response,
        };
        let what = || format!("the login by {}", name(method));
        let tag = self
            .client
            .log_in(self.now(), &credentials)
            .map_err(|cause| Error::Unsendable {
                what: what(),
                cause,
            })?;
        let mut refused = None;
        self.pump(&mut |event| match event {
            Event::Done { tag: of, .. } if of == tag => Ok(Step::Enough),
            Event::Refused {
                tag: of,
                code,
                text,
            } if of == tag => {
                refused = Some(Refusal { code, text });
                Ok(Step::Enough)
            }
            _ => Ok(Step::More),
        })
        .map_err(|error| self.early(error, Some("the answer to the login")))?;
        Ok(refused)
    }

    /// The ways that the server offers and the account allows, strongest first.
    fn methods(&self, identity: &Identity) -> Result<Vec<Method>, Error> {
        let offer = Offer::of(self.capabilities(), self.timestamp.is_some());
        let line = Line {
            secure: self.tls().is_some(),
            loopback: self.stream.peer().ip().is_loopback(),
        };
        choose(&offer, identity, line)
    }
}

/// Who could listen.
#[derive(Clone, Copy)]
struct Line {
    secure: bool,
    /// It does not leave this machine.
    loopback: bool,
}

fn choose(offer: &Offer<'_>, identity: &Identity, line: Line) -> Result<Vec<Method>, Error> {
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
        return Err(Error::NoLogin(
            "without TLS the password would go over the network in clear; use --tls implicit or \
             --tls starttls, or allow it with --allow-clear-password"
                .into(),
        ));
    }
    Ok(allowed)
}

/// What the server offers.
struct Offer<'a> {
    mechanisms: Vec<&'a str>,
    user: bool,
    apop: bool,
    /// It said anything at all.
    told: bool,
}

impl<'a> Offer<'a> {
    fn of(capabilities: &'a [Capability], apop: bool) -> Self {
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
                // a timestamp is no promise, and below TLS nothing is gained by it
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
