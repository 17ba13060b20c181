//! What serves a login: the seam between this crate and the program that configures it.
//!
//! A [`Service`] answers one question at each login: which backend, which maildrop, on which upstream.
//! It never sees a byte of the dialogue and never does I/O.

use std::net::SocketAddr;
use std::sync::Arc;

use pop3_proto::backend::{Backend, Failure, Login, Refusal};

use crate::parking::Lot;
use crate::tls::UpstreamTls;

/// Chooses the backend of a login.
pub trait Service: Send + Sync + 'static {
    /// What serves the session.
    type Backend: Backend + 'static;

    /// Which maildrop the login is about, and what serves it. Called at every login; must not block.
    fn route(&self, login: &Login, peer: &Peer) -> Result<Routed<Self::Backend>, Denied>;

    /// Whether APOP and CRAM-MD5 can work for all users now, as they do where the secrets are stored. If not, a
    /// session that begins does not offer them. Asked only where the listener's rules name them; must not block.
    fn takes_digests(&self) -> bool {
        true
    }
}

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The address of this machine that it connected to.
    pub local: SocketAddr,
    /// Whether the connection is encrypted by now.
    pub encrypted: bool,
}

impl Peer {
    /// A peer that has just connected, in the clear.
    pub fn new(address: SocketAddr, local: SocketAddr) -> Self {
        Self {
            address,
            local,
            encrypted: false,
        }
    }
}

/// What a login is served by.
#[derive(Debug)]
#[non_exhaustive]
pub struct Routed<B> {
    /// A fresh backend that has not been asked anything yet.
    pub backend: B,
    /// The name under which the maildrop is locked: the upstream's identity and the folder, so that two
    /// accounts that lead to one maildrop share its lock (G25).
    pub maildrop: String,
    /// What the log calls the upstream; the same for all its sessions.
    pub upstream: Arc<str>,
    /// How the upstream's certificate is verified. Without it a backend cannot begin TLS.
    pub tls: Option<Arc<UpstreamTls>>,
    /// Where its connection may wait for the next login. Without it none waits.
    pub lot: Option<Lot>,
}

impl<B> Routed<B> {
    /// Served by this backend, without TLS to an upstream.
    pub fn new(backend: B, maildrop: impl Into<String>, upstream: impl Into<Arc<str>>) -> Self {
        Self {
            backend,
            maildrop: maildrop.into(),
            upstream: upstream.into(),
            tls: None,
            lot: None,
        }
    }

    /// Sets where its connection may wait for the next login.
    #[must_use]
    pub fn lot(mut self, lot: Option<Lot>) -> Self {
        self.lot = lot;
        self
    }

    /// Sets how the upstream's certificate is verified.
    #[must_use]
    pub fn tls(mut self, tls: Option<Arc<UpstreamTls>>) -> Self {
        self.tls = tls;
        self
    }

    /// The same with what `change` makes of the backend.
    pub fn map<C>(self, change: impl FnOnce(B) -> C) -> Routed<C> {
        let Self {
            backend,
            maildrop,
            upstream,
            tls,
            lot,
        } = self;
        Routed {
            backend: change(backend),
            maildrop,
            upstream,
            tls,
            lot,
        }
    }
}

/// Why a login is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It is refused, as a backend would refuse it.
    Refused(Refusal),
    /// It cannot be served now.
    Failed(Failure),
}
