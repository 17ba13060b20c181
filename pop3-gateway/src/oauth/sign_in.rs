//! A person's sign-in: what is kept while it is under way, and what comes back.
//!
//! Owns the reading of a call-back. Asks no provider.

use std::fmt;
use std::time::Duration;

use oauth2::url::form_urlencoded;
use pop3_proto::secret::Secret;

use super::answer::Obtained;
use super::refusal::Refusal;

/// A sign-in with a browser, under way.
#[derive(Clone, PartialEq, Eq)]
pub struct SignIn {
    /// What comes back with the person (`state`).
    pub state: String,
    /// What proves that it was us who began (RFC 7636).
    pub verifier: Secret,
    /// Where the person comes back to, to the letter.
    pub redirect: String,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").finish_non_exhaustive()
    }
}

/// What a browser brings back, or a person pastes.
#[derive(Clone, Default)]
pub struct CallBack {
    /// The code, for one use.
    pub code: Option<Secret>,
    /// Which sign-in it is of.
    pub state: Option<String>,
    /// Who sent it (RFC 9207).
    pub issuer: Option<String>,
    /// Why there is no code.
    pub refused: Option<Refusal>,
}

impl fmt::Debug for CallBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallBack")
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl CallBack {
    /// Reads an address with a query, a query alone, or what follows `#`. Fields that stand twice count as
    /// missing: no honest browser sends them (RFC 6749 section 3.1).
    pub fn parse(pasted: &str) -> Self {
        let pasted = pasted.trim();
        let query = pasted
            .split_once(['?', '#'])
            .map_or(pasted, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let fields: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let one = |key: &str| {
            let mut found = fields.iter().filter(|(name, _)| name == key);
            let first = found.next().map(|(_, value)| value.clone().into_owned());
            first.filter(|value| found.next().is_none() && !value.is_empty())
        };
        let refused = one("error").map(|error| {
            let description = one("error_description");
            Refusal::said(&error, description.as_deref(), None, &[])
        });
        Self {
            code: one("code").map(|code| Secret::new(code.into_bytes())),
            state: one("state"),
            // one that is there and of no use is nobody's
            issuer: fields
                .iter()
                .any(|(name, _)| name == "iss")
                .then(|| one("iss").unwrap_or_default()),
            refused,
        }
    }
}

/// A code for a person to enter elsewhere.
#[derive(Clone)]
pub struct DeviceCode {
    /// Ours, for asking.
    pub device: Secret,
    /// The person's.
    pub user: String,
    /// Where it is entered.
    pub address: String,
    /// The same with the code in it, for a QR code, where the provider has that.
    pub complete: Option<String>,
    /// How long it can be entered.
    pub life: Duration,
    /// How long to wait between questions.
    pub interval: Duration,
}

impl fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCode")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// What came of asking after a device code.
#[derive(Debug)]
pub enum Polled {
    /// Ask again after the interval.
    Pending,
    /// Ask again, after an interval that is 5 seconds longer from now on.
    SlowDown,
    /// The person signed in.
    Done(Box<Obtained>),
}
