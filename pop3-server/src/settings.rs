//! What a new connection of one listener starts with.
//!
//! Owns nothing that changes: a reload puts new settings in the place of the old ones, and running
//! sessions keep what they started with.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use pop3_proto::server::{Policy, TlsOffer};

use crate::delay::Delay;
use crate::limit::Limits;
use crate::preamble::Preamble;
use crate::service::Service;
use crate::tls::ServerTls;
use crate::transcript::TranscriptSink;

/// The settings of one listener.
#[non_exhaustive]
pub struct Settings<S> {
    /// What the log calls the listener.
    pub name: String,
    /// Who serves its logins.
    pub service: Arc<S>,
    /// The rules of its sessions.
    pub policy: Arc<Policy>,
    /// The certificates it shows; needed unless the policy's TLS offer is `None`.
    pub tls: Option<ServerTls>,
    /// How many connections may be open at once. The total and the connections of an address are
    /// counted over all listeners of a server.
    pub limits: Limits,
    /// How long failed logins are kept waiting.
    pub delay: Delay,
    /// How long the steps around a session may take.
    pub timers: Timers,
    /// The right-hand side of the message-ids in APOP and CRAM-MD5 challenges.
    pub host: String,
    /// Where both dialogues are recorded, if anywhere.
    pub transcript: Option<Arc<dyn TranscriptSink>>,
    /// What reads the first octets of a connection, if anything.
    pub preamble: Option<Arc<dyn Preamble>>,
    /// The policy for the time when digests cannot work, if there is a login without them: made once.
    without_digests: OnceLock<Option<Arc<Policy>>>,
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
            preamble: None,
            without_digests: OnceLock::new(),
        }
    }

    /// The rules of a session that begins now.
    pub fn session_policy(&self) -> Arc<Policy> {
        let without = || self.policy.without_digests().map(Arc::new);
        let policy = if self.policy.offers_digests() && !self.service.takes_digests() {
            self.without_digests.get_or_init(without).as_ref()
        } else {
            None
        };
        Arc::clone(policy.unwrap_or(&self.policy))
    }

    /// Sets what the log calls the listener.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the rules of its sessions. They also say how TLS is offered, so call [`tls`](Self::tls) after this.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// Offers TLS with these certificates.
    #[must_use]
    pub fn tls(mut self, offer: TlsOffer, tls: impl Into<ServerTls>) -> Self {
        Arc::make_mut(&mut self.policy).tls = offer;
        self.tls = Some(tls.into());
        self
    }

    /// Sets what reads the first octets of a connection.
    #[must_use]
    pub fn preamble(mut self, preamble: impl Preamble) -> Self {
        self.preamble = Some(Arc::new(preamble));
        self
    }

    /// Sets how long failed logins are kept waiting.
    #[must_use]
    pub fn delay(mut self, delay: Delay) -> Self {
        self.delay = delay;
        self
    }

    /// Sets how long the steps around a session may take.
    #[must_use]
    pub fn timers(mut self, timers: Timers) -> Self {
        self.timers = timers;
        self
    }

    /// Sets where both dialogues are recorded.
    #[must_use]
    pub fn transcript(mut self, transcript: Arc<dyn TranscriptSink>) -> Self {
        self.transcript = Some(transcript);
        self
    }

    /// Sets how many connections may be open at once.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

impl<S> fmt::Debug for Settings<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Settings that can be replaced while the server runs; new connections start with what is there. Clones are the
/// same ones.
pub struct Reloadable<S>(Arc<ArcSwap<Settings<S>>>);

impl<S> Reloadable<S> {
    /// Starts with these.
    pub fn new(settings: impl Into<Arc<Settings<S>>>) -> Self {
        Self(Arc::new(ArcSwap::new(settings.into())))
    }

    /// Puts these in the place of those before.
    pub fn replace(&self, settings: impl Into<Arc<Settings<S>>>) {
        self.0.store(settings.into());
    }

    /// What a new connection starts with.
    pub fn current(&self) -> Arc<Settings<S>> {
        self.0.load_full()
    }
}

impl<S> Clone for Reloadable<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> From<Settings<S>> for Reloadable<S> {
    fn from(settings: Settings<S>) -> Self {
        Self::new(settings)
    }
}

impl<S> fmt::Debug for Reloadable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reloadable").field(&self.current()).finish()
    }
}

/// How long the steps around a session may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timers {
    /// A TLS handshake with a client.
    pub handshake: Duration,
    /// How long the client may take none of what is left when a session ends.
    pub flush: Duration,
    /// Waiting for the client to close its side, so that it gets our last words before a reset.
    pub linger: Duration,
    /// Logging out of the upstream after a session.
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
