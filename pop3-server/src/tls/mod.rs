//! TLS as an operator sets it up: which certificates we show, which ones we believe.
//!
//! Owns the configurations; the connections themselves live in the pipes. The provider is named
//! explicitly, so that nothing else in a program can change it. Never leaves an upstream unverified:
//! there is no switch for that.

mod error;
mod server;
mod upstream;

pub use error::TlsError;
pub use peer_trust::{Fingerprint, NoFingerprint, Trust};
pub use server::{Identity, ServerTls};
pub use upstream::UpstreamTls;

use pop3_proto::trouble::{Place, Words};

/// The text about a failure of TLS with the upstream at this place.
pub(crate) fn describe(error: &rustls::Error, place: Place<'_>) -> String {
    peer_trust::describe(error, place, &Words::CONFIGURATION)
}
