//! Grants: what a provider gave for a mailbox, and the words for what is done with them.

use crate::error::StateError;
use crate::name::{folded, want_name, want_text};
use crate::tokens::Tokens;

/// Which grant: the name in the configuration, and whose mailbox signed in. Both are compared without case,
/// and prepared (RFC 4013).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId {
    /// The grant's name in the configuration.
    pub grant: String,
    /// Whose mailbox signed in.
    pub owner: String,
}

impl GrantId {
    /// A name for a grant.
    pub fn new(grant: impl Into<String>, owner: impl Into<String>) -> Self {
        Self {
            grant: grant.into(),
            owner: owner.into(),
        }
    }

    /// As it is compared, and listed: prepared and in lower case.
    #[must_use]
    pub fn folded(&self) -> Self {
        Self::new(folded(&self.grant), folded(&self.owner))
    }

    /// As it is kept, if it can be.
    pub(crate) fn kept(&self) -> Result<Self, StateError> {
        want_name("the grant's name", &self.grant)?;
        want_name("the owner", &self.owner)?;
        Ok(self.folded())
    }

    /// For errors.
    pub(crate) fn text(&self) -> String {
        format!("the grant {:?} of {:?}", self.grant, self.owner)
    }
}

/// Whom a grant binds: it is sealed with both, and of no use for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The provider's issuer.
    pub issuer: &'a str,
    /// The client's id at that provider.
    pub client: &'a str,
}

impl Binding<'_> {
    pub(crate) fn check(&self) -> Result<(), StateError> {
        want_text("the issuer", self.issuer)?;
        want_text("the client", self.client)
    }
}

/// Which tokens of a grant: another at each change. Versions have no order, and none comes again, not even after the
/// grant was removed or a copy of the state restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub(crate) i64);

impl Version {
    pub(crate) fn random() -> Result<Self, StateError> {
        let number = getrandom::u64().map_err(|error| {
            StateError::Refused(format!("the system gives no random octets: {error}"))
        })?;
        Ok(Self(number.cast_signed()))
    }
}

/// A grant as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The tokens.
    pub tokens: Tokens,
    /// Which they are; for [`replace_grant`](crate::State::replace_grant).
    pub version: Version,
    /// Why no refresh will get tokens any more, if that is so.
    pub ended: Option<Ended>,
    /// When somebody signed in, in seconds since 1970.
    pub obtained: u64,
    /// When the tokens were replaced last, in seconds since 1970.
    pub refreshed: u64,
    /// When it was used last, to some minutes, in seconds since 1970. Signing in is a use.
    pub used: u64,
}

/// That a grant has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why, in words for a person.
    pub why: String,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// A grant without its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantSummary {
    /// Which, as names are compared: prepared and in lower case.
    pub id: GrantId,
    /// Who gave it.
    pub issuer: String,
    /// To which client.
    pub client: String,
    /// Which tokens it has.
    pub version: Version,
    /// When the access token ends, in seconds since 1970.
    pub access_expires: u64,
    /// Why no refresh will get tokens any more, if that is so.
    pub ended: Option<Ended>,
    /// When somebody signed in, in seconds since 1970.
    pub obtained: u64,
    /// When the tokens were replaced last, in seconds since 1970.
    pub refreshed: u64,
    /// When it was used last, to some minutes, in seconds since 1970.
    pub used: u64,
}

/// What came of a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Replaced {
    /// The new tokens are kept, and would be there after a power cut.
    Done(Version),
    /// The grant has other tokens than expected, or is gone: nothing was changed. Read it again.
    Changed,
}
