//! A network and a clock that exist in memory only: one thread, no waiting, the same each time.
//!
//! Owns time, and what happens to octets on their way. Its inhabitants do not: any [`Actor`], and
//! futures that run as [`Tasks`]. Never knows a protocol, apart from the hosts that are here for
//! convenience.
//!
//! Time stands still while anything moves. [`World::settle`] lets everything move that can move
//! without waiting; [`World::advance`] lets time pass and wakes in order what waits for it.
//!
//! ```
//! use std::time::Duration;
//! use testkit::imap_server::{Options, Server, Store};
//! use testkit::world::{Client, Conditions, ImapHost, Route, World};
//!
//! let mut world = World::new();
//! let store = Store::new();
//! store.add_user("tim", "tanstaaf");
//! let host = ImapHost::new(&world, 143, Server::new(store, Options::default()));
//! world.add(host);
//!
//! // a line that is slow one way and delivers octet by octet the other way
//! let slow = Conditions { delay: Duration::from_millis(40), ..Conditions::default() };
//! let crumbs = Conditions { sizes: vec![0], ..Conditions::default() };
//! world.network().plan(143, Route { there: slow, back: crumbs });
//!
//! let client = Client::connect(&mut world, 143)?;
//! client.send(b"a LOGIN tim tanstaaf\r\nb LOGOUT\r\n");
//! world.settle();
//! assert!(client.take().ends_with(b"b OK done\r\n"));
//! assert!(client.has_ended());
//! assert_eq!(world.now().since_start(), Duration::from_millis(40));
//! # Ok::<(), std::io::Error>(())
//! ```

mod hosts;
mod network;
mod pipe;
mod tasks;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pop3_proto::time::Time;

pub use hosts::{Client, ImapHost, OnWire};
pub use network::{Acceptor, Network, Socket};
pub use pipe::{Conditions, Cut, Ending, Route};
pub use tasks::Tasks;

/// This many rounds at one moment mean that an actor never comes to rest.
const RESTLESS: usize = 1_000_000;

/// An inhabitant of a [`World`].
pub trait Actor {
    /// Does what can be done now: reads, writes, acts on time. Returns whether anything was done.
    fn step(&mut self, now: Time) -> bool;

    /// When it wants to act even if nothing arrives.
    fn deadline(&self) -> Option<Time> {
        None
    }
}

impl<A: Actor> Actor for Arc<Mutex<A>> {
    fn step(&mut self, now: Time) -> bool {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .step(now)
    }

    fn deadline(&self) -> Option<Time> {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .deadline()
    }
}

/// The network, the clock and all actors.
#[derive(Default)]
pub struct World {
    network: Network,
    actors: Vec<Box<dyn Actor>>,
}

impl World {
    /// An empty world at the start of its clock.
    pub fn new() -> Self {
        Self::default()
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.network.now()
    }

    /// The network, with the clock.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Adds an actor. To look at it later, add an `Arc<Mutex<_>>` and keep a clone.
    pub fn add(&mut self, actor: impl Actor + 'static) {
        self.actors.push(Box::new(actor));
    }

    /// Runs until nothing moves and nothing is on its way. Time passes only as far as octets need to arrive.
    ///
    /// # Panics
    ///
    /// If somebody never comes to rest.
    pub fn settle(&mut self) {
        self.move_all();
        while let Some(arrival) = self.network.next_arrival() {
            self.network.set_time(arrival);
            self.move_all();
        }
    }

    /// Lets time pass. Everything that is due on the way happens at its moment.
    ///
    /// # Panics
    ///
    /// If somebody never comes to rest.
    pub fn advance(&mut self, span: Duration) {
        let end = self.now() + span;
        self.move_all();
        while let Some(next) = self.next_moment().filter(|&next| next <= end) {
            self.network.set_time(next);
            self.move_all();
        }
        self.network.set_time(end);
        self.move_all();
    }

    /// The next moment at which anything happens by itself.
    pub fn next_moment(&self) -> Option<Time> {
        let deadlines = self.actors.iter().filter_map(|actor| actor.deadline());
        let now = self.now();
        // an actor that is late has been asked already and did nothing
        let later = deadlines
            .chain(self.network.next_timer())
            .filter(|&at| at > now);
        later.chain(self.network.next_arrival()).min()
    }

    fn move_all(&mut self) {
        for _ in 0..RESTLESS {
            let activity = self.network.activity();
            let now = self.now();
            let mut moved = false;
            for actor in &mut self.actors {
                moved |= actor.step(now);
            }
            if !moved && self.network.activity() == activity {
                return;
            }
        }
        panic!("somebody in the world never comes to rest");
    }
}
