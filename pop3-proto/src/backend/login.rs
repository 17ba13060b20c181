//! A login: how a client proves who it is, and what it asks for with it.
//!
//! Owns what a session passes on. Never looks at a proof.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::Caller;
use super::renewal::Renewal;
use super::waiting::Claim;
use crate::secret::{self, Secret};

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
        /// Where another one comes from, once this one may have run out or was refused. A client's own has none.
        renewal: Option<Renewal>,
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

/// Writes parts so that no two lists of them give the same octets.
fn part(proof: &mut Zeroizing<Vec<u8>>, octets: &[u8]) {
    secret::append(proof, &(octets.len() as u64).to_be_bytes());
    secret::append(proof, octets);
}

impl Login {
    /// Appends what a login has to repeat to be the same. Returns whether it can be: some proofs are good for once, and
    /// who knows no other token does not know either whether this one still lives.
    fn prove(&self, proof: &mut Zeroizing<Vec<u8>>) -> bool {
        let (kind, parts): (&[u8], [&[u8]; 3]) = match self {
            Self::Password { user, password } => {
                (b"password", [user.as_bytes(), b"", password.expose()])
            }
            Self::ActingFor { user, by, password } => (
                b"acting for",
                [user.as_bytes(), by.as_bytes(), password.expose()],
            ),
            Self::Bearer {
                user,
                token,
                renewal: Some(_),
                ..
            } => (b"token", [user.as_bytes(), b"", token.expose()]),
            Self::Bearer { renewal: None, .. }
            | Self::Apop { .. }
            | Self::CramMd5 { .. }
            | Self::Relay { .. } => return false,
        };
        part(proof, kind);
        parts.into_iter().for_each(|octets| part(proof, octets));
        true
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

impl Open {
    /// The claim to a connection that was opened by an equal login. `more` is what else has to be the same. `None`
    /// where the login names no user, where its proof is good for once (APOP, CRAM-MD5, whatever is only passed through),
    /// and for a client's own token, which may have run out meanwhile. One with a [`Renewal`] was looked at for this login.
    pub fn claim(&self, more: &[u8]) -> Option<Claim> {
        let account = self.login.user().filter(|user| !user.is_empty())?.into();
        let mut proof = Zeroizing::default();
        let repeats = self.login.prove(&mut proof);
        part(&mut proof, &[u8::from(self.utf8)]);
        part(&mut proof, more);
        repeats.then(|| Claim {
            account,
            proof: Secret::new(core::mem::take(&mut *proof)),
        })
    }
}

setters! { Open:
    login: Login,
    access: Access,
    utf8: bool,
    caller: Caller,
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::sync::Arc;
    use core::future::{Future, ready};
    use core::pin::Pin;

    use super::*;
    use crate::backend::renewal::{Renewed, Renews};

    fn password(user: &str, password: &str) -> Login {
        let (user, password) = (user.into(), password.as_bytes().into());
        Login::Password { user, password }
    }

    #[test]
    fn equal_logins_have_equal_claims_and_others_do_not() {
        let acting = Login::ActingFor {
            user: "tim".into(),
            by: "secret".into(),
            password: Secret::default(),
        };
        let logins = [
            Open::new(password("tim", "secret")),
            Open::new(password("tim", "secret")).utf8(true),
            Open::new(password("tim", "secre")),
            Open::new(password("tims", "ecret")),
            Open::new(acting),
        ];
        for (place, one) in logins.iter().enumerate() {
            for (other, another) in logins.iter().enumerate() {
                let same = one.claim(b"") == another.claim(b"");
                assert_eq!(same, place == other, "{one:?} {another:?}");
            }
            assert_ne!(one.claim(b""), one.claim(b"x"));
            assert!(one.claim(b"").is_some());
        }
    }

    #[test]
    fn what_is_good_for_once_or_may_be_called_back_claims_nothing() {
        let apop = Login::Apop {
            user: "tim".into(),
            timestamp: "<1@x>".into(),
            digest: [0; 16],
        };
        let relay = Login::Relay {
            mechanism: Mechanism("SCRAM-SHA-256".into()),
            initial: None,
            names: Names {
                authentication: Some("tim".into()),
                authorization: None,
            },
        };
        assert_eq!(Open::new(apop).claim(b""), None);
        assert_eq!(Open::new(relay).claim(b""), None);
        assert_eq!(Open::new(password("", "x")).claim(b""), None);
        let bearer = Login::Bearer {
            mechanism: Mechanism("XOAUTH2".into()),
            user: "tim".into(),
            token: Secret::from(&b"token"[..]),
            renewal: None,
        };
        assert_eq!(Open::new(bearer).claim(b""), None);
    }

    /// A source of tokens.
    struct Source;

    impl Renews for Source {
        fn renew(&self, _: Option<&Secret>) -> Pin<Box<dyn Future<Output = Renewed> + Send>> {
            Box::pin(ready(Ok(Secret::default())))
        }
    }

    #[test]
    fn a_token_that_can_be_renewed_claims_what_the_same_token_opened() {
        let open = |user: &str, token: &[u8]| {
            let bearer = Login::Bearer {
                mechanism: Mechanism("XOAUTH2".into()),
                user: user.into(),
                token: token.into(),
                renewal: Some(Renewal::new(Arc::new(Source))),
            };
            Open::new(bearer).claim(b"")
        };
        let own = open("tim", b"one");
        assert!(own.is_some());
        assert_eq!(own, open("tim", b"one"));
        assert_ne!(own, open("tim", b"another"));
        assert_ne!(own, open("timo", b"ne"));
        assert_ne!(own, Open::new(password("tim", "one")).claim(b""));
    }
}
