//! Which connections hold a place: in all, by address, and before login; and which of those before login
//! goes when another comes.
//!
//! Owns the counts of what is taken right now. A [`Place`] gives itself back when it is dropped. Never closes a
//! connection itself: a connection that is turned out is notified, and its place counts as free from then on.
//!
//! A *stranger* is a connection that has not logged in. Strangers have fewer places than there are in all, so
//! they cannot keep out clients that log in. When no place is left, the oldest stranger of the most crowded
//! origin makes room: that is the IPv4 address or the IPv6 /48 with the most strangers, in it the most
//! crowded /56, in it the most crowded /64. A newcomer pushes out a stranger of its own network only after
//! that one has had [`FAIR`] to log in; before, the newcomer is turned away. A connection that has logged in
//! is never turned out.
//!
//! A connection counts for two sockets, its client's and its upstream's, unless it says that its upstream rests. One that
//! wakes has its socket back in any case: then there may be some too many for a while.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::time::Time;
//! use pop3_server::crowd::Crowd;
//! use pop3_server::limit::Limits;
//!
//! let (crowd, mut limits) = (Crowd::default(), Limits::default());
//! limits.strangers = 2;
//! let flood = "192.0.2.1".parse()?;
//! let first = crowd.admit(&limits, flood, Time::ZERO);
//! let second = crowd.admit(&limits, flood, Time::ZERO);
//! assert!(crowd.admit(&limits, flood, Time::ZERO).is_err());
//! let other = crowd.admit(&limits, "192.0.2.2".parse()?, Time::ZERO);
//! assert!(other.is_ok());
//! assert!(first.is_ok_and(|first| first.is_turned_out()));
//! assert!(second.is_ok_and(|second| !second.is_turned_out()));
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use pop3_proto::time::Time;

use crate::limit::{Limit, Limits, Origin, Site};
use crate::notice::Notice;

/// How long a stranger's place is safe from newcomers of its own network.
pub const FAIR: Duration = Duration::from_secs(3);

/// What a connection has.
const SOCKETS: usize = 2;

/// How many times as many strangers as one address may come from a /56, and from a /48.
const SITE_SHARES: [usize; 2] = [2, 4];

/// All connections of a server. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Crowd(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    total: usize,
    /// How many of all have an upstream that rests.
    resting: usize,
    origins: HashMap<Origin, usize>,
    /// Strangers, the oldest first.
    strangers: BTreeMap<u64, Stranger>,
    /// Strangers by IPv6 network.
    sites: HashMap<Site, usize>,
    next: u64,
}

#[derive(Debug)]
struct Stranger {
    origin: Origin,
    since: Time,
    notice: Arc<Notice>,
}

impl Crowd {
    /// A place for a connection that was just accepted, or the limit that leaves none.
    pub fn admit(&self, limits: &Limits, address: IpAddr, now: Time) -> Result<Place, Limit> {
        let origin = Origin::from(address);
        let mut state = lock(&self.0);
        let mut turned_out = Vec::new();
        // strangers that were turned out are notified even if the newcomer gets no place after all
        let admitted = state.room_for(limits, origin, now, &mut turned_out);
        let place = admitted.map(|()| {
            state.total += 1;
            *state.origins.entry(origin).or_default() += 1;
            let (id, notice) = state.enter(origin, now);
            Place {
                crowd: self.clone(),
                origin,
                standing: Standing::Stranger { id, notice },
                rests: false,
            }
        });
        drop(state);
        // not under the lock: a waker may own a task that owns a place
        turned_out.iter().for_each(|notice| notice.raise());
        place
    }

    /// Turns out the stranger that would make room for the next newcomer, because something other than
    /// places has run out. Returns whether there was one.
    pub fn make_room(&self) -> bool {
        let mut state = lock(&self.0);
        let notice = state.most_crowded().and_then(|id| state.turn_out(id));
        drop(state);
        if let Some(notice) = &notice {
            notice.raise();
        }
        notice.is_some()
    }

    /// How many have a place, and how many of them have not logged in.
    pub fn count(&self) -> (usize, usize) {
        let state = lock(&self.0);
        (state.total, state.strangers.len())
    }

    /// How many addresses have a place.
    pub fn origins(&self) -> usize {
        lock(&self.0).origins.len()
    }
}

impl State {
    fn room_for(
        &mut self,
        limits: &Limits,
        origin: Origin,
        now: Time,
        turned_out: &mut Vec<Arc<Notice>>,
    ) -> Result<(), Limit> {
        let full = |taken: usize, most: usize| most != 0 && taken >= most;
        if full(
            self.origins.get(&origin).copied().unwrap_or(0),
            limits.per_address,
        ) {
            let oldest = self.oldest(|stranger| stranger.origin == origin, Some(now));
            let notice = oldest.and_then(|id| self.turn_out(id));
            turned_out.push(notice.ok_or(Limit::Address)?);
        }
        for (site, share) in origin.sites().zip(SITE_SHARES) {
            let most = limits.per_address.saturating_mul(share);
            if full(self.sites.get(&site).copied().unwrap_or(0), most) {
                let within = |stranger: &Stranger| stranger.origin.sites().any(|own| own == site);
                let oldest = self.oldest(within, Some(now));
                let notice = oldest.and_then(|id| self.turn_out(id));
                turned_out.push(notice.ok_or(Limit::Network)?);
            }
        }
        let limits = [
            (full(self.total, limits.total), Limit::Total),
            (
                full(self.sockets() + SOCKETS - 1, limits.sockets),
                Limit::Descriptors,
            ),
            (
                full(self.strangers.len(), limits.strangers),
                Limit::Strangers,
            ),
        ];
        let limit = limits.into_iter().find(|(full, _)| *full);
        let limit = limit.map(|(_, limit)| limit);
        if let Some(limit) = limit {
            let id = self.most_crowded().ok_or(limit)?;
            let widest = widest(origin);
            let own = self
                .strangers
                .get(&id)
                .is_none_or(|oldest| self.crowd(oldest.origin) <= self.crowd(origin));
            // no other origin is more crowded: then a stranger of its own goes, if its time is over
            let id = if own {
                let neighbour = |stranger: &Stranger| self::widest(stranger.origin) == widest;
                self.oldest(neighbour, Some(now))
                    .or_else(|| self.oldest(|_| true, Some(now)))
            } else {
                Some(id)
            };
            let notice = id.and_then(|id| self.turn_out(id));
            turned_out.push(notice.ok_or(limit)?);
        }
        Ok(())
    }

    fn sockets(&self) -> usize {
        SOCKETS * self.total - self.resting
    }

    /// How many strangers come from the widest network around this address.
    fn crowd(&self, origin: Origin) -> usize {
        match widest(origin) {
            Wide::Site(site) => self.sites.get(&site).copied().unwrap_or(0),
            Wide::Origin(origin) => self
                .strangers
                .values()
                .filter(|stranger| stranger.origin == origin)
                .count(),
        }
    }

    /// The oldest of these strangers; with a time, only if it has had its fair chance.
    fn oldest(&self, of: impl Fn(&Stranger) -> bool, now: Option<Time>) -> Option<u64> {
        let (id, oldest) = self.strangers.iter().find(|(_, stranger)| of(stranger))?;
        now.is_none_or(|now| now.since(oldest.since) >= FAIR)
            .then_some(*id)
    }

    /// The oldest stranger of the most crowded network.
    fn most_crowded(&self) -> Option<u64> {
        let all: Vec<_> = self.strangers.iter().collect();
        let of_48 = fullest(all, |stranger| widest(stranger.origin));
        let of_56 = fullest(of_48, |stranger| stranger.origin.sites().next());
        let of_64 = fullest(of_56, |stranger| stranger.origin);
        of_64.first().map(|(id, _)| **id)
    }

    fn enter(&mut self, origin: Origin, now: Time) -> (u64, Arc<Notice>) {
        let id = self.next;
        self.next += 1;
        let notice = Arc::new(Notice::default());
        for site in origin.sites() {
            *self.sites.entry(site).or_default() += 1;
        }
        let stranger = Stranger {
            origin,
            since: now,
            notice: Arc::clone(&notice),
        };
        self.strangers.insert(id, stranger);
        (id, notice)
    }

    /// One stranger less, because it has logged in or has gone.
    fn leave(&mut self, id: u64) -> Option<Stranger> {
        let stranger = self.strangers.remove(&id)?;
        for site in stranger.origin.sites() {
            give_back(&mut self.sites, site);
        }
        Some(stranger)
    }

    fn turn_out(&mut self, id: u64) -> Option<Arc<Notice>> {
        let stranger = self.leave(id)?;
        self.total -= 1;
        give_back(&mut self.origins, stranger.origin);
        Some(stranger.notice)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Wide {
    Origin(Origin),
    Site(Site),
}

fn widest(origin: Origin) -> Wide {
    origin
        .sites()
        .last()
        .map_or(Wide::Origin(origin), Wide::Site)
}

/// The strangers of the largest group; if several are equally large, of the one with the oldest stranger.
fn fullest<'a, K: Eq + Hash>(
    strangers: Vec<(&'a u64, &'a Stranger)>,
    group: impl Fn(&Stranger) -> K,
) -> Vec<(&'a u64, &'a Stranger)> {
    let mut counts: HashMap<K, usize> = HashMap::new();
    for (_, stranger) in &strangers {
        *counts.entry(group(stranger)).or_default() += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    let first = strangers
        .iter()
        .map(|(_, stranger)| group(stranger))
        .find(|group| counts.get(group) == Some(&most));
    strangers
        .into_iter()
        .filter(|(_, stranger)| first.as_ref() == Some(&group(stranger)))
        .collect()
}

fn give_back<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    match counts.get_mut(&key) {
        Some(taken) if *taken > 1 => *taken -= 1,
        Some(_) | None => {
            counts.remove(&key);
        }
    }
}

/// A place that is taken; dropping it gives it back.
#[derive(Debug)]
#[must_use]
pub struct Place {
    crowd: Crowd,
    origin: Origin,
    standing: Standing,
    rests: bool,
}

#[derive(Debug)]
enum Standing {
    Stranger { id: u64, notice: Arc<Notice> },
    Guest,
}

impl Place {
    /// Whether the place was given to another connection, so that this one has to end.
    pub fn is_turned_out(&self) -> bool {
        match &self.standing {
            Standing::Stranger { notice, .. } => notice.is_raised(),
            Standing::Guest => false,
        }
    }

    /// Ready, once, when the place was given to another connection.
    pub fn poll_turned_out(&self, cx: &Context<'_>) -> Poll<()> {
        match &self.standing {
            Standing::Stranger { notice, .. } => notice.poll(cx),
            Standing::Guest => Poll::Pending,
        }
    }

    /// The credentials were good: this connection is no stranger any more. One that was turned out a moment
    /// ago keeps its place all the same; then there is one too many for a while.
    pub fn logged_in(&mut self) {
        if let Standing::Stranger { id, .. } = &self.standing {
            let mut state = lock(&self.crowd.0);
            if state.leave(*id).is_none() {
                state.total += 1;
                *state.origins.entry(self.origin).or_default() += 1;
            }
            drop(state);
            self.standing = Standing::Guest;
        }
    }

    /// The upstream of this connection rests, or does so no longer. Returns whether there are more sockets now than may be.
    pub fn rests(&mut self, limits: &Limits, rests: bool) -> bool {
        if self.rests == rests || matches!(self.standing, Standing::Stranger { .. }) {
            return false;
        }
        self.rests = rests;
        let mut state = lock(&self.crowd.0);
        if rests {
            state.resting += 1;
            return false;
        }
        state.resting -= 1;
        limits.sockets != 0 && state.sockets() > limits.sockets
    }

    /// The credentials were good, but the login failed: it is a stranger again.
    pub fn login_failed(&mut self, now: Time) {
        if matches!(self.standing, Standing::Guest) {
            self.rests(&Limits::default(), false);
            let (id, notice) = lock(&self.crowd.0).enter(self.origin, now);
            self.standing = Standing::Stranger { id, notice };
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.crowd.0);
        let counted = match &self.standing {
            Standing::Stranger { id, .. } => state.leave(*id).is_some(),
            Standing::Guest => true,
        };
        if counted {
            state.total -= 1;
            state.resting -= usize::from(self.rests);
            give_back(&mut state.origins, self.origin);
        }
    }
}

/// The state is consistent after every statement, so a panic elsewhere cannot have spoilt it.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
