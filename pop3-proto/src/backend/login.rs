//! A login: how a client proves who it is, and what it asks for with it.
//!
//! Owns what a session passes on. Never looks at a proof.

use alloc::string::String;
use core::fmt;

use super::Caller;
use crate::secret::Secret;

/// What the client may do with the maildrop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Read, and delete at QUIT. One such session at a time.
    #[default]
    ReadWrite,
    /// Read only: DELE is refused.
    ReadOnly,
}

/// How a client proves who it is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Login {
    /// USER and PASS, AUTH PLAIN, AUTH LOGIN: no NUL, CR or LF in either.
    Password {
        /// The user's name as the client gave it.
        user: String,
        /// The password, in whatever charset the client has: it need not be UTF-8.
        password: Secret,
    },
    /// AUTH PLAIN by one user for another one's mailbox (RFC 4616: the authorization identity differs).
    ActingFor {
        /// Whose mailbox it is: the authorization identity as the client gave it.
        user: String,
        /// The user who logs in: the authentication identity as the client gave it.
        by: String,
        /// That user's password.
        password: Secret,
    },
    /// APOP (RFC 1939 section 7).
    Apop {
        /// The user's name as the client gave it.
        user: String,
        /// The banner's timestamp with its angle brackets.
        timestamp: String,
        /// MD5 of timestamp and shared secret.
        digest: [u8; 16],
    },
    /// CRAM-MD5 (RFC 2195).
    CramMd5 {
        /// The user's name as the client gave it.
        user: String,
        /// The challenge that was sent.
        challenge: String,
        /// HMAC-MD5 of the challenge under the shared secret.
        digest: [u8; 16],
    },
    /// An OAuth 2 access token: XOAUTH2 or OAUTHBEARER (RFC 7628).
    Bearer {
        /// Which of the two the client chose; an upstream is asked in the same or the other form.
        mechanism: Mechanism,
        /// The user's name as the client gave it; may be empty with OAUTHBEARER.
        user: String,
        /// The access token.
        token: Secret,
    },
    /// A mechanism that the session only passes through: its steps become
    /// [`Reply::Challenge`](super::Reply::Challenge) and [`Request::Answer`](super::Request::Answer).
    Relay {
        /// The mechanism's name.
        mechanism: Mechanism,
        /// The decoded initial response, if the client sent one.
        initial: Option<Secret>,
        /// Whose login it is, as far as the initial response says it.
        names: Names,
    },
}

impl Login {
    /// The name of the user whose maildrop is wanted, unless the mechanism hides it: the authorization
    /// identity, where there is one.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Relay { names, .. } => {
                let behalf = names.authorization.as_deref();
                behalf.or_else(|| self.identity())
            }
            Self::ActingFor { user, .. } => Some(user),
            Self::Password { .. }
            | Self::Apop { .. }
            | Self::CramMd5 { .. }
            | Self::Bearer { .. } => self.identity(),
        }
    }

    /// The name that the credential belongs to, unless the mechanism hides it: the authentication identity
    /// (RFC 4422 section 2).
    pub fn identity(&self) -> Option<&str> {
        match self {
            Self::Password { user, .. }
            | Self::ActingFor { by: user, .. }
            | Self::Apop { user, .. }
            | Self::CramMd5 { user, .. }
            | Self::Bearer { user, .. } => Some(user),
            Self::Relay { names, .. } => names.authentication.as_deref(),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, user) = match self {
            Self::Password { user, .. } => ("Password", user.as_str()),
            Self::ActingFor { user, .. } => ("ActingFor", user.as_str()),
            Self::Apop { user, .. } => ("Apop", user.as_str()),
            Self::CramMd5 { user, .. } => ("CramMd5", user.as_str()),
            Self::Bearer { user, .. } => ("Bearer", user.as_str()),
            Self::Relay { mechanism, .. } => ("Relay", mechanism.as_str()),
        };
        f.debug_tuple(kind).field(&user).finish_non_exhaustive()
    }
}

/// Whose login a relayed one is, as far as its initial response says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The name that the credential belongs to.
    pub authentication: Option<String>,
    /// The user it acts for, where the client names one.
    pub authorization: Option<String>,
}

/// The name of a SASL mechanism (RFC 4422 section 3.1): 1 to 20 of `A-Z 0-9 - _`, upper case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mechanism(String);

impl Mechanism {
    /// Reads a name in any case; `None` if it is not one.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        ((1..=20).contains(&name.len()) && name.bytes().all(allowed))
            .then(|| Self(name.to_ascii_uppercase()))
    }

    /// The name in upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Everything that a backend needs to open a maildrop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Open {
    /// The client's proof.
    pub login: Login,
    /// What the client asked for (XPRO asks for [`Access::ReadOnly`]).
    pub access: Access,
    /// Whether the client said UTF8 (RFC 6856): messages may be internationalised.
    pub utf8: bool,
    /// Where the login comes from. A session does not know it; the composition fills it in.
    pub caller: Caller,
}

impl Open {
    /// A login that asks for [`Access::ReadWrite`], without UTF8 and from nowhere.
    pub fn new(login: Login) -> Self {
        Self {
            login,
            access: Access::ReadWrite,
            utf8: false,
            caller: Caller::default(),
        }
    }
}

setters! { Open:
    login: Login,
    access: Access,
    utf8: bool,
    caller: Caller,
}
