//! Accounts: names and credentials that devices log in with, and which mailbox each leads to.

use std::fmt;

use crate::access::Access;
use crate::error::StateError;
use crate::name::{folded, want_name, want_text};
use crate::usage::is_news;

/// An account that a tool or a page made.
///
/// Its credential is not printed.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// What a client logs in as. Compared without case, and prepared (RFC 4013).
    pub name: String,
    /// The user at the upstream.
    pub mailbox: String,
    /// The upstream's name in the configuration.
    pub place: String,
    /// Whose grant opens the mailbox, where it is not the mailbox's own.
    pub owner: Option<String>,
    /// What a password is checked against: a hash, as the crate `local-accounts` writes it.
    pub credential: String,
    /// What it may do.
    pub access: Access,
    /// From which networks it may be used, `192.0.2.0/24` for example; from all if there are none.
    pub networks: Vec<String>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
    /// Whether it is on.
    pub enabled: bool,
    /// What its owner calls the device.
    pub label: String,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When it was used last, to some minutes, in seconds since 1970.
    pub used: Option<u64>,
}

impl Account {
    /// An account that is on, for everything, from everywhere and for ever.
    pub fn new(
        name: impl Into<String>,
        mailbox: impl Into<String>,
        place: impl Into<String>,
        credential: impl Into<String>,
        created: u64,
    ) -> Self {
        Self {
            name: name.into(),
            mailbox: mailbox.into(),
            place: place.into(),
            owner: None,
            credential: credential.into(),
            access: Access::default(),
            networks: Vec::new(),
            expires: None,
            enabled: true,
            label: String::new(),
            created,
            used: None,
        }
    }

    /// Whether [`account_used`](crate::State::account_used) would write this use down: who knows the account need not
    /// ask.
    #[must_use]
    pub fn is_news(&self, now: u64) -> bool {
        self.used.is_none_or(|used| is_news(used, now))
    }

    /// Its name as it is compared.
    pub(crate) fn key(&self) -> String {
        folded(&self.name)
    }

    /// Whether it leads to this mailbox, whose name is folded.
    pub(crate) fn leads_to(&self, mailbox: &str) -> bool {
        folded(&self.mailbox) == mailbox
    }

    pub(crate) fn check(&self) -> Result<(), StateError> {
        want_name("the account", &self.name)?;
        want_name("the mailbox", &self.mailbox)?;
        want_name("the upstream", &self.place)?;
        if let Some(owner) = &self.owner {
            want_name("the owner", owner)?;
        }
        want_text("the label", &self.label)?;
        check_credential(&self.credential)?;
        check_networks(&self.networks)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("mailbox", &self.mailbox)
            .field("place", &self.place)
            .field("owner", &self.owner)
            .field("access", &self.access)
            .field("networks", &self.networks)
            .field("expires", &self.expires)
            .field("enabled", &self.enabled)
            .field("label", &self.label)
            .field("created", &self.created)
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

/// What is to be changed in an account; what is `None` stays as it is.
///
/// Its credential is not printed.
#[derive(Clone, Default)]
pub struct AccountChange {
    /// Another credential.
    pub credential: Option<String>,
    /// Other rights.
    pub access: Option<Access>,
    /// Other networks.
    pub networks: Option<Vec<String>>,
    /// Another end, or none.
    pub expires: Option<Option<u64>>,
    /// On or off.
    pub enabled: Option<bool>,
    /// Another name for the device.
    pub label: Option<String>,
}

impl AccountChange {
    /// Carries it out.
    pub(crate) fn apply(&self, account: &mut Account) {
        fn set<T: Clone>(place: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                place.clone_from(value);
            }
        }
        set(&mut account.credential, self.credential.as_ref());
        set(&mut account.access, self.access.as_ref());
        set(&mut account.networks, self.networks.as_ref());
        set(&mut account.expires, self.expires.as_ref());
        set(&mut account.enabled, self.enabled.as_ref());
        set(&mut account.label, self.label.as_ref());
    }

    pub(crate) fn check(&self) -> Result<(), StateError> {
        self.credential
            .as_deref()
            .map_or(Ok(()), check_credential)?;
        self.networks.as_deref().map_or(Ok(()), check_networks)?;
        self.label
            .as_deref()
            .map_or(Ok(()), |label| want_text("the label", label))
    }
}

impl fmt::Debug for AccountChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountChange")
            .field("access", &self.access)
            .field("networks", &self.networks)
            .field("expires", &self.expires)
            .field("enabled", &self.enabled)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// The text of an error must not quote it.
fn check_credential(credential: &str) -> Result<(), StateError> {
    want_text("the credential", credential).map_err(|_| StateError::BadText {
        what: "the credential",
        text: "…".into(),
        most: 2000,
    })
}

fn check_networks(networks: &[String]) -> Result<(), StateError> {
    networks.iter().try_for_each(|network| {
        want_name("the network", network)?;
        // they are kept in one text
        let spaces = network.contains(char::is_whitespace);
        let bad = || StateError::BadText {
            what: "the network",
            text: network.clone(),
            most: 255,
        };
        (!spaces).then_some(()).ok_or_else(bad)
    })
}
