//! The name under which a maildrop is locked, where only the login itself shows which account it is.

use pop3_proto::backend::layer::Layer;

/// What a store's maildrops are locked under.
#[derive(Debug)]
pub enum Lock {
    /// One name for all accounts, which routing has given: they share one maildrop.
    Shared,
    /// This place and the account's own name.
    EachIn(String),
}

impl<B> Layer<B> for Lock {
    type Done = ();

    fn hears(&self) -> bool {
        false
    }

    fn maildrop(&self, within: Option<String>) -> Option<String> {
        match self {
            Self::Shared => None,
            Self::EachIn(place) => Some(format!("{place}{}", within?.to_lowercase())),
        }
    }
}
