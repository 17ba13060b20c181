//! How many connections may be open at once, and what counts as one peer.
//!
//! Owns the numbers, the networks that addresses are counted by, and counts by key; a [`Slot`] gives its place
//! back when it is dropped. Never waits and never closes anything itself. Places before login are the business
//! of [`crowd`](crate::crowd).
//!
//! # Examples
//!
//! ```
//! use std::net::IpAddr;
//! use pop3_server::limit::{Origin, Slots};
//!
//! let slots: Slots<Origin> = Slots::default();
//! let address: IpAddr = "192.0.2.1".parse()?;
//! let first = slots.take(address.into(), 1);
//! assert!(first.is_some() && slots.take(address.into(), 1).is_none());
//! drop(first);
//! assert!(slots.take(address.into(), 1).is_some());
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pop3_proto::backend::network;

/// What there may be no more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Connections in all: [`Limits::total`].
    Total,
    /// Connections before login: [`Limits::strangers`].
    Strangers,
    /// Connections from one address or IPv6 /64: [`Limits::per_address`].
    Address,
    /// Connections from an IPv6 /56 or /48, some times as many as from one address.
    Network,
    /// Sessions of one maildrop: [`Limits::per_user`].
    User,
    /// Files and sockets that the process, or the system, may have open.
    Descriptors,
}

/// The most connections at once; `0` means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// In all.
    pub total: usize,
    /// Before login, all together. A newcomer takes the place of one of these when it is full.
    pub strangers: usize,
    /// From one IPv4 address or one IPv6 network of 64 bits.
    pub per_address: usize,
    /// Logged in to one maildrop.
    pub per_user: usize,
    /// Their sockets: each has its client's, and its upstream's unless that rests.
    pub sockets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: 10_000,
            strangers: 5000,
            per_address: 100,
            per_user: 10,
            sockets: 0,
        }
    }
}

/// What counts as one peer: an IPv4 address, or the network of 64 bits that an IPv6 address lies in,
/// since a host has all of it at its disposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self(network(address))
    }
}

impl Origin {
    /// The address, or the network's first one.
    pub fn address(self) -> IpAddr {
        self.0
    }

    /// The wider networks that one customer or one site may have at its disposal, the widest last: 56 and 48
    /// bits of IPv6. IPv4 has none.
    pub fn sites(self) -> impl Iterator<Item = Site> {
        let bits = match self.0 {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(address.to_bits()),
        };
        let site = move |length: u8| {
            let bits = bits? >> (128 - length) << (128 - length);
            Some(Site { bits, length })
        };
        SITES.into_iter().filter_map(site)
    }

    pub(crate) fn octets(self) -> [u8; 16] {
        match self.0 {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        }
    }
}

/// How many bits of an IPv6 address name a site.
const SITES: [u8; 2] = [56, 48];

/// A network that is wider than an [`Origin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    bits: u128,
    length: u8,
}

impl Site {
    pub(crate) fn octets(self) -> [u8; 17] {
        let mut octets = [self.length; 17];
        octets[1..].copy_from_slice(&self.bits.to_be_bytes());
        octets
    }

    /// How many bits the network has in common: the fewer, the wider.
    pub fn length(self) -> u8 {
        self.length
    }
}

/// Places that are taken, counted by key. Clones share the counts.
#[derive(Debug)]
pub struct Slots<K>(Arc<Mutex<HashMap<K, usize>>>);

impl<K> Clone for Slots<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for Slots<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Slots<K> {
    /// Takes a place; `None` if `most` are taken. A `most` of `0` means no limit.
    pub fn take(&self, key: K, most: usize) -> Option<Slot<K>> {
        let mut table = lock(&self.0);
        let taken = table.get(&key).copied().unwrap_or(0);
        if most != 0 && taken >= most {
            return None;
        }
        table.insert(key.clone(), taken + 1);
        drop(table);
        Some(Slot {
            slots: self.clone(),
            key,
        })
    }

    /// How many keys have a place.
    pub fn keys(&self) -> usize {
        lock(&self.0).len()
    }
}

/// A place that is taken; dropping it gives the place back.
#[derive(Debug)]
#[must_use]
pub struct Slot<K: Clone + Eq + Hash> {
    slots: Slots<K>,
    key: K,
}

impl<K: Clone + Eq + Hash> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut table = lock(&self.slots.0);
        match table.get_mut(&self.key) {
            Some(taken) if *taken > 1 => *taken -= 1,
            Some(_) | None => {
                table.remove(&self.key);
            }
        }
    }
}

/// The table is consistent after every statement, so a panic elsewhere cannot have spoilt it.
fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
