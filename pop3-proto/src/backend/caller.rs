//! The client that waits for the answer to a login: where it is, and whether it still waits.
//!
//! The composition makes both halves: the [`Caller`] travels with [`Open`](super::Open) to whatever checks
//! the login, and the [`Presence`] stays with the connection. Neither of them decides anything.

use alloc::sync::Arc;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU8, Ordering};

/// Where a login comes from.
///
/// Two are equal if they have the same address and the same number of failures.
///
/// # Examples
///
/// ```
/// use pop3_proto::backend::Caller;
///
/// let (caller, presence) = Caller::new("2001:db8:1:2::3".parse()?, 0);
/// assert_eq!(caller.network(), Some("2001:db8:1:2::".parse()?));
/// assert!(!caller.is_gone());
/// drop(presence);
/// assert!(caller.is_gone());
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Caller {
    address: Option<IpAddr>,
    failures: u32,
    state: Arc<AtomicU8>,
}

/// The connection's half of a [`Caller`]: dropping it says that the answer is no longer awaited.
#[derive(Debug)]
#[must_use]
pub struct Presence(Arc<AtomicU8>);

const HERE: u8 = 0;
const SILENT: u8 = 1;
const GONE: u8 = 2;

impl Caller {
    /// A caller at this address, from which this many logins have failed of late.
    pub fn new(address: IpAddr, failures: u32) -> (Self, Presence) {
        let state = Arc::new(AtomicU8::new(HERE));
        let presence = Presence(Arc::clone(&state));
        let caller = Self {
            address: Some(address.to_canonical()),
            failures,
            state,
        };
        (caller, presence)
    }

    /// The address; `None` if the composition knows none.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The address as one peer: see [`network`].
    pub fn network(&self) -> Option<IpAddr> {
        self.address.map(network)
    }

    /// How many logins from there have failed of late.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether the client will send nothing more. It may still read: closing one's own direction and a
    /// connection that was given up look alike.
    pub fn is_silent(&self) -> bool {
        self.state.load(Ordering::Relaxed) != HERE
    }

    /// Whether the answer is no longer awaited: work for it can be left undone.
    pub fn is_gone(&self) -> bool {
        self.state.load(Ordering::Relaxed) == GONE
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        (self.address, self.failures) == (other.address, other.failures)
    }
}

impl Eq for Caller {}

impl Presence {
    /// The client has closed its direction.
    pub fn fall_silent(&self) {
        self.0.store(SILENT, Ordering::Relaxed);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.store(GONE, Ordering::Relaxed);
    }
}

/// What counts as one peer: an IPv4 address, or the network of 64 bits that an IPv6 address lies in, since a
/// host has all of it at its disposal.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}
