//! How a user is logged in upstream: LOGIN or a SASL mechanism, and the mechanism's messages.
//!
//! Owns no connection: decides, and gives the answer to a challenge.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use pop3_proto::backend::{Login, Refusal, RefusalKind};
use pop3_proto::secret::Secret;

use crate::capability::{Capabilities, Capability};
use crate::config::{AuthPreference, Config};

const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a user is logged in upstream.
#[derive(Debug)]
pub(crate) enum Method {
    Login { user: String, password: Secret },
    Sasl(Exchange),
}

/// A running SASL exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The mechanism's name.
    pub(crate) mechanism: String,
    /// The first message, until it is sent.
    pub(crate) message: Option<Secret>,
    style: Style,
    /// The server's last challenge, where it explains a refusal.
    pub(crate) explained: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// One message; no challenge may follow it.
    Once,
    /// One message; a challenge after it is an error in JSON, and this is the answer to it.
    Bearer(&'static [u8]),
    /// The client answers.
    Relay,
}

/// What to do about a challenge.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send this.
    Answer(Secret),
    /// Let the client answer this.
    Ask(Vec<u8>),
    /// Give up: the exchange makes no sense.
    Cancel,
}

/// Whether any IMAP server could take this login.
pub(crate) fn acceptable(login: &Login) -> Result<(), Refusal> {
    let sendable = |octets: &[u8]| !octets.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'));
    let printable = |octets: &[u8]| octets.iter().all(|&b| (b' '..=b'~').contains(&b));
    let name_is_clean = login
        .user()
        .is_none_or(|name| !name.chars().any(char::is_control));
    let problem = match login {
        Login::Password { password, .. } if name_is_clean && sendable(password.expose()) => None,
        Login::ActingFor { by, password, .. }
            if name_is_clean
                && !by.chars().any(char::is_control)
                && sendable(password.expose()) =>
        {
            None
        }
        Login::Bearer { token, .. } if name_is_clean && printable(token.expose()) => None,
        Login::Relay { .. } => None,
        Login::Password { .. } | Login::ActingFor { .. } | Login::Bearer { .. } => {
            Some("control characters in credentials")
        }
        Login::Apop { .. } | Login::CramMd5 { .. } => Some("a digest cannot be passed on to IMAP"),
        _ => Some("unknown kind of login"),
    };
    problem.map_or(Ok(()), |problem| {
        Err(Refusal::new(RefusalKind::Policy, problem))
    })
}

/// Decides how to log in.
pub(crate) fn choose(
    config: &Config,
    capabilities: &Capabilities,
    login: &Login,
) -> Result<Method, Refusal> {
    acceptable(login)?;
    let refuse = |detail: String| Err(Refusal::new(RefusalKind::Policy, detail));
    match login {
        Login::Password { user, password } => {
            let ascii = user.is_ascii() && password.expose().is_ascii();
            let plain = capabilities.authenticates("PLAIN");
            let login = !capabilities.has(Capability::LoginDisabled);
            // PLAIN is UTF-8 by its standard; a literal may be anything
            let any = core::str::from_utf8(password.expose()).is_err();
            let use_plain = match config.auth {
                AuthPreference::Auto => plain && !(login && (ascii || any)),
                AuthPreference::Login => false,
                AuthPreference::Plain => true,
            };
            match (use_plain, plain, login) {
                (true, true, _) => Ok(Method::Sasl(Exchange::plain(user, password))),
                (false, _, true) => Ok(Method::Login {
                    user: user.clone(),
                    password: password.clone(),
                }),
                (true, false, _) => refuse("upstream does not offer AUTH=PLAIN".into()),
                (false, _, false) => refuse("upstream offers no login by password".into()),
            }
        }
        Login::ActingFor { user, by, password } => {
            if !capabilities.authenticates("PLAIN") {
                return refuse(
                    "upstream does not offer AUTH=PLAIN, the only way for one user to act for another"
                        .into(),
                );
            }
            Ok(Method::Sasl(Exchange::plain_for(user, by, password)))
        }
        Login::Bearer {
            mechanism,
            user,
            token,
            ..
        } => {
            let offered = |name: &str| capabilities.authenticates(name);
            let by_form = match mechanism.as_str() {
                "OAUTHBEARER" => ["OAUTHBEARER", "XOAUTH2"],
                _ => ["XOAUTH2", "OAUTHBEARER"],
            };
            match by_form.into_iter().find(|name| offered(name)) {
                Some("OAUTHBEARER") => Ok(Method::Sasl(Exchange::oauthbearer(config, user, token))),
                Some(_) => Ok(Method::Sasl(Exchange::xoauth2(user, token))),
                None => refuse("upstream takes no bearer token".into()),
            }
        }
        Login::Relay {
            mechanism, initial, ..
        } => {
            if !capabilities.authenticates(mechanism.as_str()) {
                return refuse(format!("upstream does not offer {}", mechanism.as_str()));
            }
            let mechanism = mechanism.as_str().into();
            Ok(Method::Sasl(Exchange::new(
                mechanism,
                initial.clone(),
                Style::Relay,
            )))
        }
        Login::Apop { .. } | Login::CramMd5 { .. } | _ => {
            refuse("this login cannot be passed on to IMAP".into())
        }
    }
}

impl Exchange {
    const fn new(mechanism: String, message: Option<Secret>, style: Style) -> Self {
        Self {
            mechanism,
            message,
            style,
            explained: Vec::new(),
        }
    }

    fn plain(user: &str, password: &Secret) -> Self {
        Self::plain_for("", user, password)
    }

    /// RFC 4616: `by` logs in to the mailbox of `user`.
    fn plain_for(user: &str, by: &str, password: &Secret) -> Self {
        let (user, by) = (user.as_bytes(), by.as_bytes());
        let message = [user, b"\0", by, b"\0", password.expose()].concat();
        Self::new("PLAIN".into(), Some(Secret::new(message)), Style::Once)
    }

    fn xoauth2(user: &str, token: &Secret) -> Self {
        let message = [
            b"user=",
            user.as_bytes(),
            b"\x01auth=Bearer ",
            token.expose(),
            b"\x01\x01",
        ]
        .concat();
        Self::new(
            "XOAUTH2".into(),
            Some(Secret::new(message)),
            Style::Bearer(b""),
        )
    }

    fn oauthbearer(config: &Config, user: &str, token: &Secret) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let identity = if user.is_empty() {
            String::new()
        } else {
            format!("a={user}")
        };
        let (host, port) = (&config.server_name, config.endpoint.port);
        let head = format!("n,{identity},\x01host={host}\x01port={port}\x01auth=Bearer ");
        let message = [head.as_bytes(), token.expose(), b"\x01\x01"].concat();
        Self::new(
            "OAUTHBEARER".into(),
            Some(Secret::new(message)),
            Style::Bearer(b"\x01"),
        )
    }

    /// Whether the server has nothing to ask once it has the first message, unless it refuses: a token is taken at once,
    /// and a refusal is a challenge that takes one line of any content.
    pub(crate) const fn bears_more(&self) -> bool {
        matches!(self.style, Style::Bearer(_))
    }

    /// What to do about a challenge, which is given as it is on the wire.
    pub(crate) fn challenged(&mut self, challenge: &[u8]) -> Next {
        if let Some(message) = self.message.take() {
            return Next::Answer(message);
        }
        let decoded = TOLERANT.decode(challenge.trim_ascii());
        match (self.style, decoded) {
            (Style::Relay, Ok(challenge)) => Next::Ask(challenge),
            (Style::Bearer(answer), decoded) if self.explained.is_empty() => {
                self.explained = decoded.unwrap_or_default();
                // never empty, so that a second challenge is recognised
                self.explained.push(b' ');
                Next::Answer(answer.into())
            }
            (Style::Once | Style::Bearer(_) | Style::Relay, _) => Next::Cancel,
        }
    }
}
