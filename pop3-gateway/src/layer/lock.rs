//! The name under which a maildrop is locked, where only the login itself shows which account it is.

use local_accounts::prepared;
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
            // a database may find a name however it is written
            Self::EachIn(place) => {
                let name = within?;
                Some(format!("{place}{}", prepared(&name).to_lowercase()))
            }
        }
    }
}
