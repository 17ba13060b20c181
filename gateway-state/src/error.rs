//! What can go wrong with a state. The texts are for the operator: they name the place and the remedy, and never
//! hold a secret.

use crate::keys::KeyId;

/// Why a state cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The address of the state is not one.
    #[error("the state's URL: {0}")]
    Url(String),
    /// It is sealed with a key that is not among those given.
    #[error(
        "{what} is sealed with the key {sealed}, and the key given is {given}: put the key {sealed} back, or name it \
         as a retired one. If it is lost, the grants are lost with it, and people have to sign in again; the accounts \
         are not sealed"
    )]
    OtherKey {
        /// What is sealed.
        what: String,
        /// The key that it needs.
        sealed: KeyId,
        /// The newest of those that were given.
        given: KeyId,
    },
    /// It was written by a newer program. Nothing was changed.
    #[error(
        "{place} is of version {found}, made by a newer program; this one knows {known}: nothing was changed. Use \
         the newer program"
    )]
    Newer {
        /// Where the state is.
        place: String,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// What is there is no state, or not all of one. Nothing was changed.
    #[error(
        "{place}: {problem}. Nothing was changed: restore it from a copy, or move it away and begin anew"
    )]
    Unreadable {
        /// Where the state should be.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// One record is not what was sealed. The others are not touched by it.
    #[error("{0} cannot be unsealed: it was damaged or copied here from elsewhere. Sign in again")]
    Damaged(String),
    /// A grant was given to another client, or by another issuer, than the configuration names now.
    #[error(
        "{grant} was given to the client {client:?} by {issuer:?}, and the configuration names another: sign in \
         again, or change it back"
    )]
    Bound {
        /// The grant.
        grant: String,
        /// Who gave it.
        issuer: String,
        /// To whom.
        client: String,
    },
    /// There is an account of this name already.
    #[error("there is an account {0:?} already")]
    AccountExists(String),
    /// A name or text that cannot be kept.
    #[error(
        "{what} {text:?}: at most {most} octets without control characters, and a name is not empty"
    )]
    BadText {
        /// What it should be.
        what: &'static str,
        /// How it begins.
        text: String,
        /// The most octets of one.
        most: usize,
    },
    /// More octets than a record may have.
    #[error("{what} has {octets} octets, more than {most}: it was not kept")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        octets: usize,
        /// The most octets.
        most: usize,
    },
    /// As many sign-ins are under way as may be. It may work later.
    #[error("{0} sign-ins are under way, as many as may be: try again in some minutes")]
    TooManySignIns(usize),
    /// It may work later: the database is not reachable, busy, its disk full or read-only.
    #[error("{0}")]
    Unavailable(String),
    /// The database or the system says no: it needs a person.
    #[error("{0}")]
    Refused(String),
}

impl StateError {
    /// Whether it may work later without a change by a person.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::TooManySignIns(_) => true,
            Self::Url(_)
            | Self::OtherKey { .. }
            | Self::Newer { .. }
            | Self::Unreadable { .. }
            | Self::Damaged(_)
            | Self::Bound { .. }
            | Self::AccountExists(_)
            | Self::BadText { .. }
            | Self::TooLarge { .. }
            | Self::Refused(_) => false,
        }
    }
}
