//! From a name to a connection: all its addresses, staggered and by turns of family (RFC 8305), so that a
//! dead one costs a moment and no address is never reached. The first that answers wins.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use peer_trust::in_turn;
use pop3_proto::trouble::{Place, Trouble, Words};

/// How long an attempt is waited for before the next address is tried as well (RFC 8305 section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// No connection came about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name has no address.
    #[error("{}", resolve(host, cause))]
    Resolve {
        /// The name.
        host: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// None of the addresses answers.
    #[error("{}", connect(host, *port, cause, tried, *waited))]
    Connect {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// The addresses that were tried.
        tried: Vec<IpAddr>,
        /// What the system said about the last one.
        #[source]
        cause: io::Error,
        /// How long all of it may take.
        waited: Duration,
    },
}

fn resolve(host: &str, cause: &io::Error) -> String {
    let place = Place { host, port: 0 };
    let cause = &cause.to_string();
    Trouble::Resolve { cause }.text(place, &Words::COMMAND_LINE)
}

fn connect(host: &str, port: u16, cause: &io::Error, tried: &[IpAddr], waited: Duration) -> String {
    let place = Place { host, port };
    let addresses = Addresses(tried);
    if cause.kind() == io::ErrorKind::TimedOut {
        let text = Trouble::ConnectSilent { waited }.text(place, &Words::COMMAND_LINE);
        return format!("{text} (tried: {addresses})");
    }
    let cause = &format!("{cause} ({addresses})");
    Trouble::Connect { cause }.text(place, &Words::COMMAND_LINE)
}

/// A few of many.
struct Addresses<'a>(&'a [IpAddr]);

impl fmt::Display for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        let shown: Vec<_> = self.0.iter().take(SHOWN).map(ToString::to_string).collect();
        f.write_str(&shown.join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Connects to whichever address of the host answers first.
pub(super) fn dial(
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<(TcpStream, SocketAddr), DialError> {
    let begun = Instant::now();
    let resolve = |cause| DialError::Resolve {
        host: host.into(),
        cause,
    };
    let addresses = look_up(host, port, patience).map_err(resolve)?;
    if addresses.is_empty() {
        return Err(resolve(io::ErrorKind::NotFound.into()));
    }
    let ordered = in_turn(addresses, None);
    let left = patience.saturating_sub(begun.elapsed());
    let attempt = |address: SocketAddr, limit| TcpStream::connect_timeout(&address, limit);
    race(&ordered, left, STAGGER, Arc::new(attempt)).map_err(|(tried, cause)| DialError::Connect {
        host: host.into(),
        port,
        tried,
        cause,
        waited: patience,
    })
}

/// The system's resolver knows no limit of time.
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
