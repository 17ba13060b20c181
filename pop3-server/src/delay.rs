//! How long a failed login is kept waiting: longer with every failure from the same address.
//!
//! Owns a bounded table of addresses that failed lately. Never refuses anything and never reads a
//! clock; a login that succeeds is not delayed, whatever the table says, so that nobody can lock a
//! neighbour out.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use pop3_proto::time::Time;
//! use pop3_server::delay::{Delay, Failures};
//!
//! let (failures, delay) = (Failures::default(), Delay::default());
//! let address = "192.0.2.1".parse()?;
//! assert_eq!(failures.note(&delay, address, Time::ZERO), Duration::from_secs(2));
//! assert_eq!(failures.note(&delay, address, Time::ZERO), Duration::from_secs(4));
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pop3_proto::time::Time;

use crate::limit::Origin;

/// How the delay grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// After the first failure; doubles with each further one.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
    /// How long a failure is remembered.
    pub memory: Duration,
    /// How many addresses are remembered, one at least; those that failed longest ago make room.
    pub addresses: usize,
}

impl Default for Delay {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            most: Duration::from_secs(30),
            memory: Duration::from_secs(15 * 60),
            addresses: 10_000,
        }
    }
}

/// The failures of late. Clones share the table.
#[derive(Clone, Debug, Default)]
pub struct Failures(Arc<Mutex<HashMap<Origin, Failed>>>);

#[derive(Clone, Copy, Debug)]
struct Failed {
    times: u32,
    last: Time,
}

impl Failures {
    /// Notes a failed login and says how long its refusal is to be held back.
    pub fn note(&self, delay: &Delay, address: IpAddr, now: Time) -> Duration {
        let origin = Origin::from(address);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match table.get(&origin) {
            Some(failed) if now.since(failed.last) < delay.memory => failed.times,
            Some(_) => 0,
            None => {
                make_room(&mut table, delay, now);
                0
            }
        };
        let times = before.saturating_add(1);
        table.insert(origin, Failed { times, last: now });
        let factor = 1_u32.checked_shl(before).unwrap_or(u32::MAX);
        delay.first.saturating_mul(factor).min(delay.most)
    }

    /// How many logins from this address have failed of late.
    pub fn times(&self, delay: &Delay, address: IpAddr, now: Time) -> u32 {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = table.get(&Origin::from(address));
        let failed = failed.filter(|failed| now.since(failed.last) < delay.memory);
        failed.map_or(0, |failed| failed.times)
    }

    /// How many addresses are remembered.
    pub fn remembered(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Forgets what is too old; if nothing is, the oldest tenth, so that a flood of new addresses does not
/// walk through the whole table each time.
fn make_room(table: &mut HashMap<Origin, Failed>, delay: &Delay, now: Time) {
    let most = delay.addresses.max(1);
    if table.len() < most {
        return;
    }
    table.retain(|_, failed| now.since(failed.last) < delay.memory);
    if table.len() < most {
        return;
    }
    let mut moments: Vec<Time> = table.values().map(|failed| failed.last).collect();
    let place = moments.len() / 10;
    let (_, oldest, _) = moments.select_nth_unstable(place);
    let oldest = *oldest;
    table.retain(|_, failed| failed.last > oldest);
}
