//! Which login may be looked at when: those of strangers in turn, those of known devices at once.
//!
//! Owns the logins that wait. A login has *subjects*: the address it comes from (an IPv4 address or an IPv6
//! /64), the /56 and the /48 around it, and the name it is for. A subject with failures of late lets one
//! login through at a time, and after each failure only when the wait of [`Delay`] is over. A wider network
//! counts once failures came from several /64 in it, a name once they came from several addresses.
//!
//! Never refuses anything, and never looks at a password: the wait comes first, so a right one takes as long
//! as a wrong one. These do not wait:
//!
//! * logins none of whose subjects failed lately;
//! * devices that were right lately, with the same name, the same credential and from the same address,
//!   whatever others at that address or for that name do. Where the credential answers a challenge
//!   (APOP, CRAM-MD5, SCRAM) it cannot be compared; such a device passes once after each time it was right.
//!
//! Of the logins that wait, names that were right from this address lately go first. Then come those from
//! addresses without failures, which wait only because of their name. A name waits less than an address
//! does.
//!
//! Time is a parameter; what it remembers is bounded, lies in memory and ends with the process. Where several processes
//! serve the same users, they share their failures by [`Others`]: a login that this process would let through asks them,
//! unless its device is known here.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::backend::Login;
//! use pop3_proto::time::Time;
//! use pop3_server::delay::{Delay, Fault};
//! use pop3_server::throttle::Throttle;
//! use std::time::Duration;
//!
//! let (throttle, rules, address) = (Throttle::new(), Delay::default(), "192.0.2.1".parse()?);
//! let login = Login::Password { user: "tim".into(), password: b"guess"[..].into() };
//! let mut first = throttle.ask(&rules, &login, address, Time::ZERO);
//! assert_eq!(first.poll(Time::ZERO), None, "a clean address does not wait");
//! first.wrong(Fault::Wrong, Time::ZERO);
//! let mut next = throttle.ask(&rules, &login, address, Time::ZERO);
//! assert_eq!(next.poll(Time::ZERO), Some(Time::ZERO + Duration::from_secs(2)));
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

mod devices;
mod others;
mod subjects;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use pop3_proto::backend::Login;
pub use pop3_proto::failed_login::TURN;
use pop3_proto::time::Time;

use crate::delay::{Delay, Failures, Fault};
use crate::limit::Origin;
use crate::notice::Notice;
use devices::{Device, Devices, Digest, Key};
use others::{Asking, Shared};

use subjects::{NAME, Place, Subjects};

pub use devices::{DEVICES, LIFETIME, NAMES};
pub use others::{Looked, Others, Subject, Turn};
pub use subjects::{NAME_FAILURES, NAME_SOURCES};

/// The logins of one process. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    state: Arc<Mutex<State>>,
    others: Option<Arc<dyn Others>>,
}

#[derive(Debug)]
struct State {
    key: Key,
    places: Failures<Place>,
    names: Failures<Digest>,
    devices: Devices,
    waiting: BTreeMap<Order, Waiting>,
    next: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            key: Key::new(),
            places: Failures::default(),
            names: Failures::default(),
            devices: Devices::default(),
            waiting: BTreeMap::new(),
            next: 0,
        }
    }
}

/// The order of the logins that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    /// The name was right from this address lately; in the order of arrival.
    Familiar(u64),
    /// The address is clean, but others guess at the name. The latest goes first: a crowd of guessers
    /// may wait there already, and each of their addresses is clean only once.
    Clean(Reverse<u64>),
    /// In the order of arrival.
    Other(u64),
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    rules: Delay,
    subjects: Subjects,
    notice: Arc<Notice>,
}

impl Throttle {
    /// Nothing failed and no device is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, together with other processes.
    pub fn with(others: Arc<dyn Others>) -> Self {
        Self {
            others: Some(others),
            ..Self::default()
        }
    }

    /// Remembers this many addresses and this many names, at least one of each. The ones that failed longest ago make
    /// room.
    #[must_use]
    pub fn remembering(self, most: usize) -> Self {
        let mut state = lock(&self.state);
        state.places.allow(most);
        state.names.allow(most);
        drop(state);
        self
    }

    /// A login that wants to be looked at.
    pub fn ask(&self, rules: &Delay, login: &Login, address: IpAddr, now: Time) -> Look {
        let origin = Origin::from(address);
        let mut state = lock(&self.state);
        let name = login.identity().map(|name| state.key.name(name));
        let device = name.and_then(|name| state.key.device(name, login, origin));
        let subjects = Subjects { origin, name };
        let known = device
            .as_ref()
            .is_some_and(|device| state.devices.passes(device, now));
        let id = state.next;
        state.next += 1;
        let free = known || rules.most.is_zero() || state.free_at(rules, &subjects, now).is_none();
        let others = self.others.as_ref();
        let shared = others.map(|others| Box::new(Shared::new(others, login, origin)));
        let asks = shared.as_ref().filter(|_| !known && !rules.most.is_zero());
        let standing = if free {
            asks.map_or(Standing::Seen, |shared| {
                Standing::Asks(shared.ask(rules, now))
            })
        } else {
            let familiar = device
                .as_ref()
                .is_some_and(|device| state.devices.is_familiar(device, now));
            let order = if familiar {
                Order::Familiar(id)
            } else if places_free_at(&state.places, rules, origin, now).is_none() {
                Order::Clean(Reverse(id))
            } else {
                Order::Other(id)
            };
            let notice = Arc::new(Notice::default());
            let waiting = Waiting {
                id,
                rules: *rules,
                subjects,
                notice: Arc::clone(&notice),
            };
            state.waiting.insert(order, waiting);
            Standing::Waits { order, notice }
        };
        drop(state);
        Look {
            throttle: self.clone(),
            rules: *rules,
            id,
            subjects,
            device,
            shared,
            turn: None,
            standing,
        }
    }

    /// How many failures of this address count now.
    pub fn failures(&self, rules: &Delay, address: IpAddr, now: Time) -> u32 {
        let place = Place::Origin(address.into());
        let state = lock(&self.state);
        let failed = state.places.get(&place);
        failed.map_or(0, |failed| failed.weight(rules, place.scope(), now))
    }

    /// How many addresses and networks, names, and devices are remembered.
    pub fn remembered(&self) -> (usize, usize, usize) {
        let state = lock(&self.state);
        (state.places.len(), state.names.len(), state.devices.len())
    }

    /// How many logins wait.
    pub fn waiting(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    /// Lets the logins through whose turn it is.
    fn pass_on(&self, now: Time) {
        let raised = lock(&self.state).pass_on(now);
        // not under the lock: a waker may own a task that owns a login
        for notice in raised {
            notice.raise();
        }
    }
}

impl State {
    /// When the last of these subjects is free; `None`: none of them failed.
    fn free_at(&self, rules: &Delay, subjects: &Subjects, now: Time) -> Option<Time> {
        let places = places_free_at(&self.places, rules, subjects.origin, now);
        places.max(name_free_at(&self.names, rules, subjects.name, now))
    }

    /// Gives their turns to all whose subjects are free.
    fn pass_on(&mut self, now: Time) -> Vec<Arc<Notice>> {
        let (mut passed, mut blocked) = (Vec::new(), HashSet::new());
        let late = |at: Option<Time>| at.is_some_and(|at| at > now);
        for (order, waiting) in &self.waiting {
            let Subjects { origin, name } = waiting.subjects;
            // many wait at few addresses
            if blocked.contains(&origin) {
                continue;
            }
            if late(places_free_at(&self.places, &waiting.rules, origin, now)) {
                blocked.insert(origin);
                continue;
            }
            if late(name_free_at(&self.names, &waiting.rules, name, now)) {
                continue;
            }
            let turn = (waiting.id, now + TURN);
            for place in waiting.subjects.places() {
                if let Some(failed) = self.places.get_mut(&place) {
                    failed.take_turn(turn);
                }
            }
            if let Some(failed) = name.and_then(|name| self.names.get_mut(&name)) {
                failed.take_turn(turn);
            }
            passed.push(*order);
        }
        let taken = passed.iter().filter_map(|order| self.waiting.remove(order));
        taken.map(|waiting| waiting.notice).collect()
    }

    fn leave(&mut self, id: u64, subjects: &Subjects) {
        for place in subjects.places() {
            if let Some(failed) = self.places.get_mut(&place) {
                failed.leave_turn(id);
            }
        }
        if let Some(failed) = subjects.name.and_then(|name| self.names.get_mut(&name)) {
            failed.leave_turn(id);
        }
    }

    fn note(&mut self, rules: &Delay, subjects: &Subjects, fault: Fault, now: Time) {
        let source = self.key.origin(subjects.origin);
        // the widest first
        let mut places: Vec<Place> = subjects.places().collect();
        places.reverse();
        let mut waits = false;
        for place in places {
            let known = self.places.get(&place);
            // Hanging up before the turn costs a client nothing. Where a whole network waits, this makes no
            // entries for its parts, or they would push out the entries of others.
            if fault == Fault::Unseen && waits && known.is_none() {
                continue;
            }
            waits |= known.is_some_and(|failed| failed.weight(rules, place.scope(), now) > 0);
            let subject = (place, place.scope());
            self.places.note(rules, subject, source, fault, now);
        }
        // a login that was not looked at was no guess at this name
        if let Some(name) = subjects.name.filter(|_| fault != Fault::Unseen) {
            let subject = (name, NAME);
            self.names.note(rules, subject, source, fault, now);
        }
    }
}

fn places_free_at(
    places: &Failures<Place>,
    rules: &Delay,
    origin: Origin,
    now: Time,
) -> Option<Time> {
    let free_at = |place: Place| {
        let failed = places.get(&place)?;
        failed.free_at(rules, place.scope(), now)
    };
    let subjects = Subjects { origin, name: None };
    subjects.places().filter_map(free_at).max()
}

fn name_free_at(
    names: &Failures<Digest>,
    rules: &Delay,
    name: Option<Digest>,
    now: Time,
) -> Option<Time> {
    names.get(&name?)?.free_at(rules, NAME, now)
}

/// A login that waits to be looked at, or is looked at. Dropped without a verdict, it gives its turn back and
/// counts for nothing.
#[must_use]
pub struct Look {
    throttle: Throttle,
    rules: Delay,
    id: u64,
    subjects: Subjects,
    device: Option<Device>,
    /// The login as other processes know it.
    shared: Option<Box<Shared>>,
    /// Its turn among the logins of all processes.
    turn: Option<Turn>,
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    Waits {
        order: Order,
        notice: Arc<Notice>,
    },
    /// It is free here, and others are asked.
    Asks(Asking),
    /// Others want it to wait.
    Later(Time),
    Seen,
}

impl Look {
    /// `None`: it may be looked at now. Otherwise when to ask again, unless
    /// [`poll_called`](Self::poll_called) says so earlier.
    pub fn poll(&mut self, now: Time) -> Option<Time> {
        loop {
            let next = match &mut self.standing {
                Standing::Waits { notice, .. } => {
                    if !notice.is_raised() {
                        self.throttle.pass_on(now);
                    }
                    if !notice.is_raised() {
                        // at the same moment another may have the turn, but not for long
                        let at =
                            lock(&self.throttle.state).free_at(&self.rules, &self.subjects, now);
                        return Some(at.unwrap_or(now).max(now + Duration::from_millis(1)));
                    }
                    self.asks(now)
                }
                Standing::Asks(asking) => match asking.take(now) {
                    Err(until) => return Some(until),
                    Ok(looked) if looked.wait.is_zero() => {
                        self.turn = looked.turn;
                        Standing::Seen
                    }
                    Ok(looked) => Standing::Later(now + looked.wait),
                },
                Standing::Later(until) if *until > now => return Some(*until),
                Standing::Later(_) => self.asks(now),
                Standing::Seen => return None,
            };
            self.standing = next;
        }
    }

    fn asks(&self, now: Time) -> Standing {
        let shared = self.shared.as_ref();
        shared.map_or(Standing::Seen, |shared| {
            Standing::Asks(shared.ask(&self.rules, now))
        })
    }

    /// Whether it only waits for an answer of others.
    pub(crate) fn is_asking(&self) -> bool {
        matches!(self.standing, Standing::Asks(_))
    }

    /// Ready, once, when it waited and is to be [polled](Self::poll) again.
    pub fn poll_called(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.standing {
            Standing::Waits { notice, .. } => notice.poll(cx),
            Standing::Asks(asking) => asking.poll(cx),
            Standing::Later(_) | Standing::Seen => Poll::Pending,
        }
    }

    /// Whether it waited and is to be [polled](Self::poll) now.
    pub fn is_called(&self) -> bool {
        match &self.standing {
            Standing::Waits { notice, .. } => notice.is_raised(),
            Standing::Asks(asking) => asking.is_answered(),
            Standing::Later(_) | Standing::Seen => false,
        }
    }

    /// The credentials were good: this device is known from now on.
    pub fn right(self, now: Time) {
        if let Some(device) = &self.device {
            lock(&self.throttle.state).devices.remember(device, now);
        }
        self.end(now);
    }

    /// The login failed.
    pub fn wrong(self, fault: Fault, now: Time) {
        if let Some(shared) = &self.shared {
            shared.failed(&self.rules, fault);
        }
        let mut state = lock(&self.throttle.state);
        state.note(&self.rules, &self.subjects, fault, now);
        if let Some(device) = self.device.as_ref().filter(|_| fault == Fault::Wrong) {
            state.devices.spend(device);
        }
        drop(state);
        self.end(now);
    }

    /// The login ended, and its credentials went nowhere, so it was no guess.
    pub fn nothing(self, now: Time) {
        self.end(now);
    }

    fn end(self, now: Time) {
        let throttle = self.throttle.clone();
        drop(self);
        throttle.pass_on(now);
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look")
            .field("id", &self.id)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        let mut state = lock(&self.throttle.state);
        if let Standing::Waits { order, .. } = &self.standing {
            state.waiting.remove(order);
        }
        state.leave(self.id, &self.subjects);
    }
}

/// The state is consistent after every statement, so a panic elsewhere cannot have spoilt it.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
