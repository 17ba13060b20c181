//! What a new connection of one listener starts with.
//!
//! Owns nothing that changes: a reload puts new settings in the place of the old ones, and sessions
//! that stand keep what they started with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::server::Policy;

use crate::delay::Delay;
use crate::limit::Limits;
use crate::service::Service;
use crate::tls::ServerTls;
use crate::transcript::TranscriptSink;

/// The settings of one listener.
pub struct Settings<S> {
    /// What the log calls the listener.
    pub name: String,
    /// Who serves its logins.
    pub service: Arc<S>,
    /// The rules of its sessions.
    pub policy: Arc<Policy>,
    /// The certificates it shows; needed unless the policy's TLS offer is `None`.
    pub tls: Option<ServerTls>,
    /// How many connections may stand at once. The total and the connections of an address are counted
    /// over all listeners of a server.
    pub limits: Limits,
    /// How long failed logins are kept waiting.
    pub delay: Delay,
    /// How long the steps around a session may take.
    pub timers: Timers,
    /// The right-hand side of the message-ids in APOP and CRAM-MD5 challenges.
    pub host: String,
    /// Where both dialogues are recorded, if anywhere.
    pub transcript: Option<Arc<dyn TranscriptSink>>,
}

impl<S: Service> Settings<S> {
    /// A listener in the clear with the default rules.
    pub fn new(service: Arc<S>) -> Self {
        Self {
            name: "pop3".into(),
            service,
            policy: Arc::default(),
            tls: None,
            limits: Limits::default(),
            delay: Delay::default(),
            timers: Timers::default(),
            host: "localhost".into(),
            transcript: None,
        }
    }
}

impl<S> fmt::Debug for Settings<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How long the steps around a session may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// A TLS handshake with a client.
    pub handshake: Duration,
    /// How long the client may take none of what is left when a session ends.
    pub flush: Duration,
    /// Waiting for the client to close its side, so that it sees our last words and no reset.
    pub linger: Duration,
    /// Taking leave of the upstream after a session.
    pub leave: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(30),
            flush: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            leave: Duration::from_secs(5),
        }
    }
}
