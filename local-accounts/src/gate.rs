//! How many passwords are checked at a time: as many as there are cores, with a bounded queue before it.
//!
//! The queue is fair: networks take turns, so one that sends many logins only delays itself. Networks with
//! recent failures, and clients that have closed their direction, come after all others. Callers that are
//! gone are skipped. In a full queue the network with the most logins in it gives up a place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pop3_proto::backend::Caller;

/// Lets a bounded number of threads through.
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    permits: usize,
    max_waiting: usize,
    patience: Duration,
}

/// Callers whose address is not known are one network.
type Network = Option<IpAddr>;
type Ticket = u64;

#[derive(Default)]
struct State {
    /// The networks whose hashes are computed; an entry for each hash.
    running: Vec<Network>,
    /// In the order in which they came.
    waiting: Vec<Waiting>,
    /// Callers that may go on and do not know it yet; they count as running.
    called: Vec<Ticket>,
    /// When a network had its last turn, while others of it wait.
    turns: HashMap<Network, Ticket>,
    next: Ticket,
}

struct Waiting {
    ticket: Ticket,
    network: Network,
    caller: Caller,
}

/// No permit within the time, too many wait already, or the answer is no longer awaited.
#[derive(Debug)]
pub(crate) struct Busy;

/// The right to compute a hash, given back when dropped.
pub(crate) struct Permit<'a> {
    gate: &'a Gate,
    network: Network,
}

impl Gate {
    pub(crate) fn new(permits: usize, max_waiting: usize, patience: Duration) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            permits: permits.max(1),
            max_waiting,
            patience,
        }
    }

    /// Waits for a permit.
    pub(crate) fn enter(&self, caller: &Caller) -> Result<Permit<'_>, Busy> {
        if caller.is_gone() {
            return Err(Busy);
        }
        let network = caller.network();
        let permit = || Permit {
            gate: self,
            network,
        };
        let mut state = self.lock();
        if state.running.len() < self.permits {
            state.running.push(network);
            drop(state);
            return Ok(permit());
        }
        let ticket = state.queue(network, caller.clone());
        if state.waiting.len() > self.max_waiting {
            state.make_room(self.max_waiting);
            self.changed.notify_all();
        }
        let until = Instant::now() + self.patience;
        loop {
            if let Some(at) = state.called.iter().position(|called| *called == ticket) {
                state.called.swap_remove(at);
                drop(state);
                let permit = permit();
                // dropping the permit gives the turn to the next
                return if caller.is_gone() {
                    Err(Busy)
                } else {
                    Ok(permit)
                };
            }
            let left = until.saturating_duration_since(Instant::now());
            let is_waiting = state.waiting.iter().any(|waiting| waiting.ticket == ticket);
            if !is_waiting || left.is_zero() {
                state.waiting.retain(|waiting| waiting.ticket != ticket);
                return Err(Busy);
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Every change leaves it whole: a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queue(&mut self, network: Network, caller: Caller) -> Ticket {
        self.next += 1;
        let ticket = self.next;
        self.waiting.push(Waiting {
            ticket,
            network,
            caller,
        });
        ticket
    }

    /// Removes callers that are gone; if that is not enough, the latest one of the network with the most in the queue.
    fn make_room(&mut self, most: usize) {
        self.waiting.retain(|waiting| !waiting.caller.is_gone());
        while self.waiting.len() > most {
            let mut crowds: HashMap<Network, usize> = HashMap::new();
            for waiting in &self.waiting {
                *crowds.entry(waiting.network).or_default() += 1;
            }
            let burden = |waiting: &Waiting| {
                let crowd = crowds.get(&waiting.network).copied();
                (waiting.is_last(), crowd.unwrap_or(0), waiting.ticket)
            };
            let places = self.waiting.iter().enumerate();
            let Some((place, _)) = places.max_by_key(|(_, waiting)| burden(waiting)) else {
                return;
            };
            self.waiting.remove(place);
        }
    }

    /// Calls the next waiting caller, if there is one.
    fn call(&mut self) {
        self.waiting.retain(|waiting| !waiting.caller.is_gone());
        let burden = |waiting: &Waiting| {
            let running = self.running.iter();
            let running = running.filter(|network| **network == waiting.network);
            let turn = self.turns.get(&waiting.network).copied();
            let turn = turn.unwrap_or(0);
            (waiting.is_last(), running.count(), turn, waiting.ticket)
        };
        let places = self.waiting.iter().enumerate();
        let next = places.min_by_key(|(_, waiting)| burden(waiting));
        let Some((place, _)) = next else {
            self.turns.clear();
            return;
        };
        let Waiting {
            ticket, network, ..
        } = self.waiting.remove(place);
        self.next += 1;
        self.turns.insert(network, self.next);
        let waiting = &self.waiting;
        self.turns
            .retain(|network, _| waiting.iter().any(|waiting| waiting.network == *network));
        self.running.push(network);
        self.called.push(ticket);
    }
}

impl Waiting {
    fn is_last(&self) -> bool {
        self.caller.failures() > 0 || self.caller.is_silent()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        let mut running = state.running.iter();
        if let Some(place) = running.position(|network| *network == self.network) {
            state.running.swap_remove(place);
        }
        state.call();
        drop(state);
        self.gate.changed.notify_all();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use pop3_proto::backend::Presence;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn caller(address: &str, failures: u32) -> (Caller, Presence) {
        Caller::new(address.parse().unwrap(), failures)
    }

    /// Queues these one after the other while a hash runs. Returns the order in which they were
    /// let through, by their place in the list.
    fn order(max_waiting: usize, callers: Vec<Caller>, before: impl FnOnce()) -> Vec<usize> {
        let gate = Arc::new(Gate::new(1, max_waiting, LONG));
        let (told, order): (_, Receiver<usize>) = channel();
        let busy = gate.enter(&Caller::default()).unwrap();
        let mut threads = Vec::new();
        for (number, caller) in callers.into_iter().enumerate() {
            let (inner, told) = (Arc::clone(&gate), told.clone());
            let queued = gate.lock().next;
            threads.push(thread::spawn(move || {
                if let Ok(permit) = inner.enter(&caller) {
                    told.send(number).unwrap();
                    drop(permit);
                }
            }));
            while gate.lock().next == queued && !threads.last().unwrap().is_finished() {
                thread::yield_now();
            }
        }
        before();
        drop(busy);
        for thread in threads {
            thread.join().unwrap();
        }
        drop(told);
        let state = gate.lock();
        assert!(state.running.is_empty() && state.waiting.is_empty() && state.called.is_empty());
        assert!(state.turns.is_empty());
        order.iter().collect()
    }

    #[test]
    fn w022_networks_take_turns() {
        let (flood, _flood) = caller("2001:db8::1", 0);
        let (same, _same) = caller("2001:db8::ffff:2", 0);
        let (other, _other) = caller("192.0.2.1", 0);
        let callers = vec![
            flood.clone(),
            flood.clone(),
            same.clone(),
            same,
            other.clone(),
            other,
            flood,
        ];
        assert_eq!(order(10, callers, || {}), [0, 4, 1, 5, 2, 3, 6]);
    }

    #[test]
    fn w022_addresses_with_failures_and_silent_clients_come_last() {
        let (failed, _failed) = caller("192.0.2.1", 3);
        let (silent, leaving) = caller("192.0.2.2", 0);
        let (clean, _clean) = caller("192.0.2.3", 0);
        let callers = vec![failed, silent, clean.clone(), clean];
        assert_eq!(order(10, callers, || leaving.fall_silent()), [2, 3, 0, 1]);
    }

    #[test]
    fn w022_who_is_gone_is_passed_over() {
        let (first, leaving) = caller("192.0.2.1", 0);
        let (second, _second) = caller("192.0.2.1", 0);
        assert_eq!(order(10, vec![first, second], || drop(leaving)), [1]);
    }

    #[test]
    fn w022_a_full_queue_has_room_for_others() {
        let (flood, _flood) = caller("192.0.2.1", 0);
        let (other, _other) = caller("192.0.2.2", 0);
        let (failed, _failed) = caller("192.0.2.3", 1);
        let full = vec![flood.clone(); 4];
        let with = |last: Caller| full.iter().cloned().chain([last]).collect();
        assert_eq!(order(4, with(other), || {}), [0, 4, 1, 2]);
        assert_eq!(order(4, with(failed), || {}), [0, 1, 2, 3]);
        assert_eq!(order(4, with(flood), || {}), [0, 1, 2, 3]);
    }

    /// The callers that are called, one after the other.
    fn called(state: &mut State, calls: usize) -> Vec<Ticket> {
        (0..calls).for_each(|_| state.call());
        std::mem::take(&mut state.called)
    }

    #[test]
    fn w022_a_network_whose_hash_is_computed_comes_after_others() {
        let (own, _own) = caller("192.0.2.1", 0);
        let (other, _other) = caller("192.0.2.2", 0);
        let mut state = State::default();
        state.running.push(own.network());
        let first = state.queue(own.network(), own);
        let second = state.queue(other.network(), other);
        assert_eq!(called(&mut state, 2), [second, first]);
    }

    #[test]
    fn w022_a_network_that_had_its_turn_comes_after_a_newcomer() {
        let (own, _own) = caller("192.0.2.1", 0);
        let (other, _other) = caller("192.0.2.2", 0);
        let mut state = State::default();
        let first = state.queue(own.network(), own.clone());
        let second = state.queue(own.network(), own);
        assert_eq!(called(&mut state, 1), [first]);
        state.running.clear();
        let newcomer = state.queue(other.network(), other);
        assert_eq!(called(&mut state, 2), [newcomer, second]);
    }

    #[test]
    fn one_waits_no_longer_than_its_patience() {
        let gate = Gate::new(1, 10, Duration::ZERO);
        let busy = gate.enter(&Caller::default()).unwrap();
        assert!(gate.enter(&Caller::default()).is_err());
        assert!(gate.lock().waiting.is_empty());
        drop(busy);
        assert!(gate.enter(&Caller::default()).is_ok());
    }
}
