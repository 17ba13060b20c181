//! Which way to prove who we are: the strongest that the server offers, and no password in clear.
//!
//! It chooses; the exchanges themselves are the machine's. A way that needs a secret of its own on the
//! server's side (CRAM-MD5, APOP) may be refused although the password is right, so the next is tried
//! then; with every other way a refusal is final, because each attempt counts against us.

use pop3_proto::capability::Capability;
use pop3_proto::client::{Credentials, Event, Method};
use pop3_proto::response::ResponseCode;
use pop3_proto::secret::Secret;

use super::{Error, Refusal, Session, Step};

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
            Some((method, refusal)) => Err(Error::Refused {
                what: format!("the login of '{}' by {}", identity.user, name(method)),
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
        })?;
        Ok(refused)
    }

    /// The ways that the server offers and the account allows, strongest first.
    fn methods(&self, identity: &Identity) -> Result<Vec<Method>, Error> {
        let safe = self.tls().is_some() || self.stream.peer().ip().is_loopback();
        let may_tell = safe || identity.allow_clear;
        let offer = Offer::of(self.capabilities(), self.timestamp.is_some());
        let wanted = match identity.preference {
            Preference::Auto => offer.strongest_first(identity.kind, self.tls().is_some()),
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
