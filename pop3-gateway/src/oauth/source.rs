//! Where new tokens of one grant come from.
//!
//! Owns the seam between the keeper and the provider: tests put something else in its place.

use std::sync::Arc;

use pop3_proto::secret::Secret;

use super::answer::Obtained;
use super::authority::Authority;
use super::provider::Flow;
use super::refusal::Refusal;

/// What is asked for.
#[derive(Debug)]
pub enum Ask<'a> {
    /// New tokens for a refresh token.
    Refresh(&'a Secret),
    /// A token of the app.
    App,
    /// A token for this mailbox.
    Mailbox(&'a str),
}

/// Gets tokens. Everything blocks.
pub trait Source: Send + Sync + 'static {
    /// How the grant comes about.
    fn flow(&self) -> Flow;

    /// Who gives the tokens, and to which app: what is kept is sealed for both.
    fn binding(&self) -> (String, String);

    /// Asks.
    fn obtain(&self, ask: Ask<'_>) -> Result<Obtained, Refusal>;
}

/// A grant of the configuration, at its provider.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The provider.
    pub authority: Arc<Authority>,
    /// How the grant comes about.
    pub flow: Flow,
}

impl Source for Granted {
    fn flow(&self) -> Flow {
        self.flow
    }

    fn binding(&self) -> (String, String) {
        let provider = self.authority.provider();
        (provider.issuer(), provider.client_id.clone())
    }

    fn obtain(&self, ask: Ask<'_>) -> Result<Obtained, Refusal> {
        match ask {
            Ask::Refresh(token) => self.authority.refresh(self.flow, token),
            Ask::App => self.authority.app_token(),
            Ask::Mailbox(mailbox) => self.authority.service_account_token(mailbox),
        }
    }
}
