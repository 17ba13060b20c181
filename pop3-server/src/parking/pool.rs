//! Which connections wait, for whom, and how many at most.
//!
//! Owns the table of those that wait and the digests that they are found by. Never touches a connection: it asks the
//! berth that keeps it.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use pop3_proto::backend::waiting::{Claim, Waiting};
use pop3_proto::time::Time;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::pipe::Pipe;

/// How many connections wait at most, unless it is set.
const MOST: usize = 1000;

type Digest = [u8; 32];

/// All connections of a process that wait. Clones are the same ones.
#[derive(Clone, Default)]
pub struct Parking(Arc<Shared>);

struct Shared {
    /// Random; none while nothing waited, or where the system has no randomness. Then nothing waits.
    key: OnceLock<Option<Digest>>,
    most: AtomicUsize,
    lots: AtomicU64,
    state: Mutex<State>,
    taken: AtomicU64,
    ended: [AtomicU64; Why::ALL.len()],
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            key: OnceLock::new(),
            most: AtomicUsize::new(MOST),
            lots: AtomicU64::default(),
            state: Mutex::default(),
            taken: AtomicU64::default(),
            ended: Default::default(),
        }
    }
}

#[derive(Default)]
struct State {
    next: u64,
    /// The one that came first goes first.
    waiting: BTreeMap<u64, Entry>,
    accounts: HashMap<Account, u64>,
}

/// A lot, and an account of its upstream.
type Account = (u64, String);

struct Entry {
    account: Account,
    digest: Digest,
    berth: Arc<dyn Berth>,
}

/// What keeps one connection.
pub(super) trait Berth: Send + Sync {
    /// The connection, if it is still of use.
    fn take(&self, now: Time) -> Option<Returned>;

    /// Lets it go.
    fn end(&self, why: Why);
}

/// Why a connection waits no longer, other than that a login took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No login came in time.
    Expired,
    /// The upstream ended it, or said something that leaves a doubt.
    Broken,
    /// Another connection waits for the account now, or its credential was changed.
    Replaced,
    /// There are too many, or it found no place.
    Full,
    /// Its descriptor was wanted, or its place among the connections of its account.
    Room,
    /// Its upstream is configured in another way.
    Closed,
    /// The server shuts down.
    ShutDown,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Expired,
        Self::Broken,
        Self::Replaced,
        Self::Full,
        Self::Room,
        Self::Closed,
        Self::ShutDown,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Broken => "broken",
            Self::Replaced => "replaced",
            Self::Full => "full",
            Self::Room => "room",
            Self::Closed => "closed",
            Self::ShutDown => "shutdown",
        }
    }
}

/// A connection on its way back to a session.
pub struct Returned {
    pub(crate) stream: Box<dyn Any + Send>,
    pub(crate) pipe: Pipe,
    pub(crate) waiting: Box<dyn Waiting>,
}

/// A connection on its way from a session to where it waits.
pub struct Leaving {
    pub(crate) pipe: Pipe,
    pub(crate) waiting: Box<dyn Waiting>,
    /// What is dropped when it waits no longer.
    pub(crate) kept: Option<Box<dyn Any + Send>>,
    /// Without one it says good-bye and ends.
    pub(crate) place: Option<Reservation>,
}

/// What came of looking for a connection.
pub(crate) enum Found {
    Returned(Returned),
    /// One waits for the account, with another proof.
    Another,
    Nothing,
}

impl Parking {
    /// Nothing waits yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many connections may wait in all; 0 for none. Those that are too many end.
    pub fn allow(&self, most: usize) {
        self.0.most.store(most, Ordering::Relaxed);
        let surplus = self.state().surplus(most);
        surplus.into_iter().for_each(|berth| berth.end(Why::Full));
    }

    /// A lot for an upstream as it is configured now.
    pub fn lot(&self) -> Lot {
        Lot {
            parking: self.clone(),
            id: self.0.lots.fetch_add(1, Ordering::Relaxed),
            open: Arc::new(AtomicBool::new(true)),
        }
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// How many were taken by logins.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// How many ended otherwise, by reason.
    pub fn ended(&self) -> impl Iterator<Item = (Why, u64)> {
        let counts = self
            .0
            .ended
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        Why::ALL.into_iter().zip(counts.collect::<Vec<_>>())
    }

    /// Lets the one go that has waited longest, because descriptors have run out. Returns whether there was one.
    pub(crate) fn make_room(&self) -> bool {
        let first = self.state().pop_first();
        first.inspect(|berth| berth.end(Why::Room)).is_some()
    }

    fn digest(&self, lot: u64, claim: &Claim) -> Option<Digest> {
        let random = || {
            let mut key = Digest::default();
            getrandom::fill(&mut key).is_ok().then_some(key)
        };
        let key = self.0.key.get_or_init(random).as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        mac.update(&lot.to_le_bytes());
        // the proof is of one length with one account, so that no other pair has the same octets
        mac.update(&(claim.account.len() as u64).to_le_bytes());
        mac.update(claim.account.as_bytes());
        mac.update(claim.proof.expose());
        Some(mac.finalize().into_bytes().into())
    }

    /// The table is consistent after every statement, so a panic elsewhere cannot have spoilt it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.waiting.remove(&number)?;
        if self.accounts.get(&entry.account) == Some(&number) {
            self.accounts.remove(&entry.account);
        }
        Some(entry)
    }

    fn pop_first(&mut self) -> Option<Arc<dyn Berth>> {
        let first = *self.waiting.first_key_value()?.0;
        self.remove(first).map(|entry| entry.berth)
    }

    fn surplus(&mut self, most: usize) -> Vec<Arc<dyn Berth>> {
        let count = self.waiting.len().saturating_sub(most);
        (0..count).filter_map(|_| self.pop_first()).collect()
    }
}

/// Where connections to one upstream wait. Clones are the same lot.
#[derive(Clone)]
pub struct Lot {
    parking: Parking,
    id: u64,
    open: Arc<AtomicBool>,
}

impl Lot {
    /// Ends what waits here; nothing is taken in any more.
    pub fn close(&self) {
        self.open.store(false, Ordering::Release);
        let mut state = self.parking.state();
        let own = |(number, entry): (&u64, &Entry)| (entry.account.0 == self.id).then_some(*number);
        let numbers: Vec<u64> = state.waiting.iter().filter_map(own).collect();
        let ended: Vec<_> = numbers
            .into_iter()
            .filter_map(|number| state.remove(number))
            .collect();
        drop(state);
        ended.iter().for_each(|entry| entry.berth.end(Why::Closed));
    }

    /// The connection that waits under this claim. It waits no longer, whatever comes of it.
    pub(crate) fn take(&self, claim: &Claim, now: Time) -> Found {
        let account = (self.id, claim.account.clone());
        let Some(digest) = self.parking.digest(self.id, claim) else {
            return Found::Nothing;
        };
        let mut state = self.parking.state();
        let Some(&number) = state.accounts.get(&account) else {
            return Found::Nothing;
        };
        let same = |entry: &Entry| bool::from(entry.digest.ct_eq(&digest));
        if !state.waiting.get(&number).is_some_and(same) {
            return Found::Another;
        }
        let entry = state.remove(number);
        drop(state);
        match entry.and_then(|entry| entry.berth.take(now)) {
            Some(returned) => {
                self.parking.0.taken.fetch_add(1, Ordering::Relaxed);
                Found::Returned(returned)
            }
            None => Found::Nothing,
        }
    }

    /// Ends what waits for an account, whose credential is another one now.
    pub(crate) fn outdate(&self, account: String) {
        self.end(account, Why::Replaced);
    }

    fn end(&self, account: String, why: Why) {
        let account = (self.id, account);
        let mut state = self.parking.state();
        let number = state.accounts.get(&account).copied();
        let entry = number.and_then(|number| state.remove(number));
        drop(state);
        if let Some(entry) = entry {
            entry.berth.end(why);
        }
    }

    /// Ends what waits for an account: its place at the upstream is wanted.
    pub fn give_up(&self, account: &str) {
        self.end(account.into(), Why::Room);
    }

    /// A place for a connection under this claim. `None` if nothing may wait here.
    pub(crate) fn reserve(&self, claim: &Claim) -> Option<Reservation> {
        let most = self.parking.0.most.load(Ordering::Relaxed);
        if most == 0 || !self.open.load(Ordering::Acquire) {
            return None;
        }
        Some(Reservation {
            digest: self.parking.digest(self.id, claim)?,
            account: (self.id, claim.account.clone()),
            lot: self.clone(),
        })
    }
}

impl fmt::Debug for Lot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lot").field(&self.id).finish()
    }
}

impl fmt::Debug for Parking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting();
        f.debug_struct("Parking")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

/// A place that a connection may have.
pub(crate) struct Reservation {
    digest: Digest,
    account: Account,
    lot: Lot,
}

impl Reservation {
    /// From now on logins find the connection. The one that waited for the account so far ends, and so does the oldest
    /// if there are too many.
    pub(super) fn occupy(self, berth: Arc<dyn Berth>) -> Occupied {
        let Self {
            digest,
            account,
            lot,
        } = self;
        let parking = lot.parking.clone();
        let mut state = parking.state();
        let number = state.next;
        state.next += 1;
        let before = state.accounts.insert(account.clone(), number);
        let before = before.and_then(|before| state.waiting.remove(&before));
        let entry = Entry {
            account,
            digest,
            berth,
        };
        state.waiting.insert(number, entry);
        let surplus = state.surplus(parking.0.most.load(Ordering::Relaxed));
        drop(state);
        if let Some(before) = before {
            before.berth.end(Why::Replaced);
        }
        surplus.iter().for_each(|berth| berth.end(Why::Full));
        if !lot.open.load(Ordering::Acquire) {
            // it was closed meanwhile
            lot.close();
        }
        Occupied { parking, number }
    }
}

/// A place that a connection has.
pub(super) struct Occupied {
    parking: Parking,
    number: u64,
}

impl Occupied {
    /// It waits no longer, and no login took it.
    pub(super) fn ended(&self, why: Why) {
        let place = Why::ALL.iter().position(|own| *own == why);
        if let Some(count) = place.and_then(|place| self.parking.0.ended.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        let entry = self.parking.state().remove(self.number);
        drop(entry);
    }
}
