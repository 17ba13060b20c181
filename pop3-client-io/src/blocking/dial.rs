//! From a name to a connection without an asynchronous runtime: all its addresses, staggered and by turns of
//! family (RFC 8305), so that a dead one costs a moment. Each attempt has a thread; the first that answers
//! wins.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use peer_trust::in_turn;

use crate::dial::{self, STAGGER};
use crate::endpoint::Endpoint;
use crate::error::Error;

/// Connects to whichever address of the host answers first.
pub(super) fn dial(endpoint: &Endpoint) -> Result<(TcpStream, SocketAddr), Error> {
    let begun = Instant::now();
    let (place, patience) = (endpoint.place(), endpoint.patience);
    let found = look_up(place.host, place.port, patience);
    let ordered = in_turn(dial::found(endpoint, found)?, None);
    let left = patience.saturating_sub(begun.elapsed());
    let attempt = |address: SocketAddr, limit| TcpStream::connect_timeout(&address, limit);
    let raced = race(&ordered, left, STAGGER, Arc::new(attempt));
    let (socket, peer) =
        raced.map_err(|(tried, cause)| dial::unconnected(endpoint, &tried, cause))?;
    let transcript = &endpoint.transcript;
    transcript.note(&format!("connected to {} ({peer})", endpoint.host));
    Ok((socket, peer))
}

/// The system's resolver has no time limit.
fn look_up(host: &str, port: u16, patience: Duration) -> io::Result<Vec<SocketAddr>> {
    let (told, answer) = channel();
    let name = host.to_string();
    thread::Builder::new()
        .name("resolve".into())
        .spawn(move || {
            let found = (name.as_str(), port).to_socket_addrs();
            let _ = told.send(found.map(Iterator::collect));
        })?;
    answer
        .recv_timeout(patience)
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

type Attempt<T> = dyn Fn(SocketAddr, Duration) -> io::Result<T> + Send + Sync;
type Outcome<T> = (SocketAddr, io::Result<T>);

/// Tries the addresses, each in a thread of its own that ends with its attempt. The next begins when one has
/// failed or taken too long, and all of it takes no longer than `patience`.
fn race<T: Send + 'static>(
    addresses: &[SocketAddr],
    patience: Duration,
    stagger: Duration,
    attempt: Arc<Attempt<T>>,
) -> Result<(T, SocketAddr), (Vec<IpAddr>, io::Error)> {
    let end = Instant::now() + patience;
    let (told, outcomes): (Sender<Outcome<T>>, Receiver<Outcome<T>>) = channel();
    let mut waiting = addresses.iter();
    let mut tried = Vec::new();
    let (mut running, mut failure) = (0_usize, None);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err((tried, io::ErrorKind::TimedOut.into()));
        }
        let next = waiting.next();
        if let Some(&address) = next {
            let (told, attempt) = (told.clone(), Arc::clone(&attempt));
            let begun = thread::Builder::new()
                .name("connect".into())
                .spawn(move || {
                    let _ = told.send((address, attempt(address, left)));
                });
            tried.push(address.ip());
            match begun {
                Ok(_) => running += 1,
                Err(error) => failure = Some(error),
            }
        }
        if running == 0 && next.is_none() {
            let failure = failure.unwrap_or_else(|| io::ErrorKind::NotFound.into());
            return Err((tried, failure));
        }
        let wait = if next.is_some() {
            stagger.min(left)
        } else {
            left
        };
        match outcomes.recv_timeout(wait) {
            Ok((address, Ok(connection))) => return Ok((connection, address)),
            Ok((_, Err(error))) => {
                running -= 1;
                failure = Some(error);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::Mutex;

    fn addresses(text: &str) -> Vec<SocketAddr> {
        text.split(' ').map(|one| one.parse().unwrap()).collect()
    }

    /// 64 addresses, of which only the last one answers, and the others never do.
    #[test]
    fn w042_the_last_of_many_addresses_is_reached_though_all_others_are_silent() {
        let all: Vec<SocketAddr> = (1..=64)
            .map(|n| SocketAddr::new([10, 0, 0, n].into(), 995))
            .collect();
        let last = *all.last().unwrap();
        // the silent ones wait until the test is over
        let (over, never) = channel::<()>();
        let never = Mutex::new(never);
        let attempt = move |address, _| {
            if address == last {
                return Ok(address);
            }
            let _ = never.lock().map(|never| never.recv());
            Err(io::ErrorKind::TimedOut.into())
        };
        let patience = Duration::from_secs(60);
        let outcome = race(&all, patience, Duration::from_millis(1), Arc::new(attempt));
        assert_eq!(outcome.unwrap(), (last, last));
        drop(over);
    }

    #[test]
    fn w042_an_address_that_refuses_makes_nobody_wait_and_the_whole_is_bounded() {
        let three = addresses("1.1.1.1:1 [::2]:1 3.3.3.3:1");
        let refusing = |address: SocketAddr, _| {
            if address.port() == 1 && address.ip() == IpAddr::from([3, 3, 3, 3]) {
                return Ok(());
            }
            Err(io::ErrorKind::ConnectionRefused.into())
        };
        // with this stagger it would never end
        let far = Duration::from_secs(100_000);
        let (_, won) = race(&three, far, far, Arc::new(refusing)).unwrap();
        assert_eq!(won, three[2]);
        let (tried, error) = race(&three[..2], far, far, Arc::new(refusing)).unwrap_err();
        assert_eq!(
            (tried.len(), error.kind()),
            (2, io::ErrorKind::ConnectionRefused)
        );

        let (over, never) = channel::<()>();
        let never = Mutex::new(never);
        let silent = move |_: SocketAddr, _| -> io::Result<()> {
            let _ = never.lock().map(|never| never.recv());
            Err(io::ErrorKind::TimedOut.into())
        };
        let short = Duration::from_millis(20);
        let (_, error) = race(&three, short, short, Arc::new(silent)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(over);
    }
}
