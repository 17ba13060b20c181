//! Logins as the client's side of small exchanges: which line comes next.
//!
//! It knows the mechanisms and nothing of connections. To run any other mechanism, send AUTH as a
//! command and answer the challenges.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use super::event::SendError;
use super::wire::Wire;
use crate::apop;
use crate::backend::Mechanism;
use crate::command::Command;
use crate::response::ResponseCode;
use crate::secret::Secret;

/// A user, a secret, and how the secret is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password, the shared secret or the access token.
    pub secret: Secret,
    /// How it is proved.
    pub method: Method,
    /// Whether the first SASL message goes out with AUTH where it fits into 255 octets, which saves a
    /// round trip. Some servers want XOAUTH2 in two lines (qD7): say `false` to them. If a server with
    /// AUTH-RESP-CODE refuses without a code, so that the trouble is not the credentials, the two lines
    /// are tried by themselves.
    pub initial_response: bool,
}

impl Credentials {
    /// Credentials whose first SASL message goes out with AUTH.
    pub fn new(user: impl Into<String>, secret: Secret, method: Method) -> Self {
        Self {
            user: user.into(),
            secret,
            method,
            initial_response: true,
        }
    }
}

setters! { Credentials:
    user: String,
    secret: Secret,
    method: Method,
    initial_response: bool,
}

/// How a secret is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// USER and PASS (RFC 1939 section 7).
    UserPass,
    /// APOP (RFC 1939 section 7).
    Apop,
    /// AUTH PLAIN (RFC 4616).
    Plain,
    /// AUTH LOGIN, never a standard.
    Login,
    /// AUTH CRAM-MD5 (RFC 2195).
    CramMd5,
    /// AUTH XOAUTH2 with an access token.
    XOauth2,
    /// AUTH OAUTHBEARER with an access token (RFC 7628).
    OauthBearer,
}

/// A login under way.
pub(super) enum Flow {
    /// USER was sent.
    User { pass: Wire },
    /// One command was sent, and its response decides.
    Single,
    /// AUTH was sent.
    Sasl(Exchange),
}

/// The client's side of a SASL exchange.
pub(super) struct Exchange {
    mechanism: &'static str,
    answers: Answers,
    /// How many of them were given.
    given: usize,
    initial: bool,
}

enum Answers {
    /// Known beforehand.
    Fixed(Vec<Secret>),
    CramMd5 {
        user: String,
        secret: Secret,
    },
}

impl Flow {
    /// The first line, and the rest of the way.
    pub(super) fn start(
        credentials: &Credentials,
        timestamp: Option<&str>,
    ) -> Result<(Wire, Self), SendError> {
        let Credentials { user, secret, .. } = credentials;
        if user.is_empty() && credentials.method != Method::OauthBearer || secret.is_empty() {
            return Err(SendError::Empty);
        }
        let initial = credentials.initial_response;
        check(&[user.as_bytes(), secret.expose()])?;
        match credentials.method {
            Method::UserPass => {
                let pass = Wire::command(&Command::Pass(secret.clone()))?;
                Ok((
                    Wire::command(&Command::User(user.clone()))?,
                    Self::User { pass },
                ))
            }
            Method::Apop => {
                let digest = apop::digest(timestamp.ok_or(SendError::NoTimestamp)?, secret);
                Ok((
                    Wire::command(&Command::Apop {
                        user: user.clone(),
                        digest,
                    })?,
                    Self::Single,
                ))
            }
            Method::Plain => {
                let message = message(&[b"\0", user.as_bytes(), b"\0", secret.expose()]);
                Exchange::start("PLAIN", Answers::Fixed([message].into()), initial)
            }
            Method::Login => {
                let answers = [Secret::from(user.as_bytes()), secret.clone()];
                // in this order, each to its prompt: no initial response was ever agreed on
                Exchange::start("LOGIN", Answers::Fixed(answers.into()), false)
            }
            Method::CramMd5 => {
                let answers = Answers::CramMd5 {
                    user: user.clone(),
                    secret: secret.clone(),
                };
                Exchange::start("CRAM-MD5", answers, false)
            }
            Method::XOauth2 => {
                let parts = [
                    b"user=",
                    user.as_bytes(),
                    b"\x01auth=Bearer ",
                    secret.expose(),
                    b"\x01\x01",
                ];
                let answers = [message(&parts), Secret::default()];
                Exchange::start("XOAUTH2", Answers::Fixed(answers.into()), initial)
            }
            Method::OauthBearer => {
                let identity = match user.as_str() {
                    "" => String::new(),
                    user => format!("a={}", user.replace('=', "=3D").replace(',', "=2C")),
                };
                let parts = [
                    b"n,",
                    identity.as_bytes(),
                    b",\x01auth=Bearer ",
                    secret.expose(),
                    b"\x01\x01",
                ];
                let answers = [message(&parts), Secret::from(&b"\x01"[..])];
                Exchange::start("OAUTHBEARER", Answers::Fixed(answers.into()), initial)
            }
        }
    }

    /// The next line after a `+OK`, or `None` if the login is done.
    pub(super) fn accepted(&mut self) -> Option<Wire> {
        match core::mem::replace(self, Self::Single) {
            Self::User { pass } => Some(pass),
            Self::Single | Self::Sasl(_) => None,
        }
    }

    /// The answer to a challenge; `None` is a challenge that makes no sense.
    pub(super) fn challenged(&mut self, challenge: Option<&[u8]>) -> Option<Wire> {
        let Self::Sasl(exchange) = self else {
            return None;
        };
        let answer = challenge.and_then(|challenge| exchange.answer(challenge));
        Some(answer.unwrap_or_else(Wire::cancel))
    }

    /// The line to try after an `-ERR`, if there is one.
    pub(super) fn refused(
        &mut self,
        code: Option<ResponseCode>,
        codes_are_sure: bool,
    ) -> Option<Wire> {
        let Self::Sasl(exchange) = self else {
            return None;
        };
        let initial_is_the_trouble =
            exchange.initial_just_given() && codes_are_sure && code.is_none();
        if !initial_is_the_trouble {
            return None;
        }
        exchange.take_initial_back();
        exchange.bare().ok()
    }
}

impl Exchange {
    fn start(
        mechanism: &'static str,
        answers: Answers,
        initial: bool,
    ) -> Result<(Wire, Flow), SendError> {
        let mut exchange = Self {
            mechanism,
            answers,
            given: 0,
            initial: false,
        };
        let first = initial.then(|| exchange.first()).flatten();
        let wire = match first {
            Some(wire) => wire,
            None => exchange.bare()?,
        };
        Ok((wire, Flow::Sasl(exchange)))
    }

    /// AUTH with the initial response, where it fits.
    fn first(&mut self) -> Option<Wire> {
        let Answers::Fixed(answers) = &self.answers else {
            return None;
        };
        let wire = Wire::auth_initial(self.mechanism, answers.first()?.expose())?;
        self.given = 1;
        self.initial = true;
        Some(wire)
    }

    fn bare(&self) -> Result<Wire, SendError> {
        let mechanism = Mechanism::new(self.mechanism).ok_or(SendError::Character)?;
        Wire::command(&Command::Auth {
            mechanism,
            initial: None,
        })
    }

    const fn initial_just_given(&self) -> bool {
        self.initial && self.given == 1
    }

    const fn take_initial_back(&mut self) {
        self.given = 0;
        self.initial = false;
    }

    fn answer(&mut self, challenge: &[u8]) -> Option<Wire> {
        // the server stepped over the initial response and asks for the first message
        if self.initial_just_given() && challenge.is_empty() {
            self.take_initial_back();
        }
        let answer = match &self.answers {
            Answers::Fixed(answers) => answers.get(self.given)?.clone(),
            Answers::CramMd5 { user, secret } if self.given == 0 => {
                cram_md5(user, secret, challenge)?
            }
            Answers::CramMd5 { .. } => return None,
        };
        self.given += 1;
        Wire::answer(answer.expose()).ok()
    }
}

fn cram_md5(user: &str, secret: &Secret, challenge: &[u8]) -> Option<Secret> {
    let mac = Hmac::<Md5>::new_from_slice(secret.expose()).ok()?;
    let digest = mac.chain_update(challenge).finalize().into_bytes();
    Some(message(&[
        user.as_bytes(),
        b" ",
        apop::to_hex(&digest.into()).as_bytes(),
    ]))
}

/// A message in one allocation, so that no copies of a secret are left behind.
fn message(parts: &[&[u8]]) -> Secret {
    Secret::new(parts.concat())
}

/// What ends a line or separates the parts of a message must not stand in one.
fn check(parts: &[&[u8]]) -> Result<(), SendError> {
    let clean = !parts
        .iter()
        .any(|part| part.iter().any(|b| matches!(b, b'\r' | b'\n' | 0 | 1)));
    clean.then_some(()).ok_or(SendError::Character)
}
