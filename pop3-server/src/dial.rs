//! Opening a connection to an upstream: a name to its addresses, and a race between them (RFC 8305).
//!
//! Addresses are tried one after the other, each a quarter of a second after the one before or as soon as
//! that has failed, IPv6 and IPv4 in turn; the first that answers wins, and the others are closed. The
//! one that worked last comes first. Where the process has no file left for a connection, one that only waits is given up
//! for it.
//!
//! Owns which address worked last, for a bounded number of upstreams. Never caches an answer of the name
//! service, and never believes it: the certificate must prove the name that was configured.

use std::collections::{HashMap, VecDeque};
use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use peer_trust::in_turn;
use pop3_proto::backend::Endpoint;
use pop3_proto::time::Time;
use pop3_proto::trouble::{Place, Trouble, Words};

use crate::parking::Parking;
use crate::runtime::{Boxed, Runtime, Timer, within};

/// How long an attempt is alone before the next one begins (RFC 8305 section 8: 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// How many attempts run at a time; the oldest makes room for the next.
const AT_ONCE: usize = 16;

/// How long the name service may take.
const LOOK_UP: Duration = Duration::from_secs(15);

/// How long all attempts together may take. Backends give up before.
const OVERALL: Duration = Duration::from_secs(120);

/// For how many upstreams the address that worked last is known.
const REMEMBERED: usize = 256;

/// How often another connection is given up for want of a file: another attempt may take what it leaves.
const ROOM_MADE: usize = 5;

/// How long a connection that is given up takes to end.
const ROOM_AFTER: Duration = Duration::from_millis(10);

/// What the system says if the process, or the machine, has no file left (EMFILE, ENFILE; Winsock's WSAEMFILE).
const NO_FILES: [i32; 3] = [24, 23, 10024];

/// Opens connections, and remembers which address worked. Clones share what they remember.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialler {
    remembered: Arc<Mutex<HashMap<Endpoint, SocketAddr>>>,
    parking: Parking,
}

impl Dialler {
    /// One that may give up what waits there.
    pub(crate) fn new(parking: Parking) -> Self {
        let remembered = Arc::default();
        Self {
            remembered,
            parking,
        }
    }

    /// Connects to the address of the endpoint that answers first, or says why none did.
    pub(crate) async fn dial<R: Runtime>(
        self,
        runtime: R,
        endpoint: Endpoint,
    ) -> Result<R::Stream, String> {
        let place = Place {
            host: &endpoint.host,
            port: endpoint.port,
        };
        let text = |trouble: Trouble<'_>| trouble.text(place, &Words::CONFIGURATION);
        let last = self.remembered().get(&endpoint).copied();
        match self.reach(&runtime, &endpoint, last).await {
            Ok((address, stream)) => {
                if last != Some(address) {
                    self.remember(&endpoint, address);
                }
                Ok(stream)
            }
            Err(Lost::Unknown(error)) => Err(text(Trouble::Resolve {
                cause: &error.to_string(),
            })),
            Err(Lost::TimedOut) => Err(text(Trouble::ConnectSilent { waited: OVERALL })),
            Err(Lost::Failed(cause)) => {
                self.remembered().remove(&endpoint);
                Err(text(Trouble::Connect { cause: &cause }))
            }
        }
    }

    /// The first address that answers. For want of a file one connection after the other is given up that only waits: the
    /// name service needs files, too.
    async fn reach<R: Runtime>(
        &self,
        runtime: &R,
        endpoint: &Endpoint,
        last: Option<SocketAddr>,
    ) -> Result<(SocketAddr, R::Stream), Lost> {
        let mut rooms = 0..ROOM_MADE;
        loop {
            let (outcome, wants_file) = match look_up(runtime, endpoint).await {
                Ok(addresses) => {
                    let mut race = Race::new(runtime.clone(), in_turn(addresses, last).into());
                    let outcome = poll_fn(|cx| race.poll(cx)).await;
                    (outcome, race.wants_file)
                }
                Err(error) => {
                    // the system's name service may hide why it found nothing
                    let wants_file = is_for_want_of_a_file(&error) || no_file_is_left();
                    (Err(Lost::Unknown(error)), wants_file)
                }
            };
            let again = outcome.is_err()
                && wants_file
                && rooms.next().is_some()
                && self.parking.make_room();
            if !again {
                return outcome;
            }
            // that is a pause
            within(runtime, ROOM_AFTER, Box::pin(pending::<()>())).await;
        }
    }

    fn remember(&self, endpoint: &Endpoint, address: SocketAddr) {
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED {
            // with more upstreams than this, a connection takes a quarter of a second longer now and then
            remembered.clear();
        }
        remembered.insert(endpoint.clone(), address);
    }

    /// The map is consistent after every statement, so a panic elsewhere cannot have spoilt it.
    fn remembered(&self) -> MutexGuard<'_, HashMap<Endpoint, SocketAddr>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_for_want_of_a_file(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code.is_some_and(|code| NO_FILES.contains(&code))
}

/// Whether the process has no file left for a socket.
fn no_file_is_left() -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    socket.is_err_and(|error| is_for_want_of_a_file(&error))
}

async fn look_up<R: Runtime>(runtime: &R, endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = endpoint.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, endpoint.port)]);
    }
    let job = runtime.resolve(&endpoint.host, endpoint.port);
    match within(runtime, LOOK_UP, job).await {
        Some(Ok(addresses)) if addresses.is_empty() => Err(io::Error::new(
            ErrorKind::NotFound,
            "the name has no address",
        )),
        Some(found) => found,
        None => Err(io::Error::new(
            ErrorKind::TimedOut,
            format!("no answer within {} s", LOOK_UP.as_secs()),
        )),
    }
}

/// Attempts to connect, of which the first to succeed wins. Dropping it closes all.
struct Race<R: Runtime> {
    runtime: R,
    timer: R::Timer,
    waiting: VecDeque<SocketAddr>,
    running: VecDeque<(SocketAddr, Boxed<io::Result<R::Stream>>)>,
    /// When the next attempt begins though the others run on.
    next: Time,
    end: Time,
    /// What the first failure was, and how many there were.
    failure: Option<(SocketAddr, io::Error)>,
    failures: usize,
    /// One of them failed for want of a file.
    wants_file: bool,
}

/// Why no address won.
enum Lost {
    /// The name has no address, or none is known.
    Unknown(io::Error),
    TimedOut,
    Failed(String),
}

impl<R: Runtime> Race<R> {
    fn new(runtime: R, waiting: VecDeque<SocketAddr>) -> Self {
        let now = runtime.now();
        Self {
            timer: runtime.timer(),
            runtime,
            waiting,
            running: VecDeque::new(),
            next: now,
            end: now + OVERALL,
            failure: None,
            failures: 0,
            wants_file: false,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(SocketAddr, R::Stream), Lost>> {
        loop {
            if let Some(won) = self.poll_running(cx) {
                return Poll::Ready(Ok(won));
            }
            let now = self.runtime.now();
            if now >= self.end {
                return Poll::Ready(Err(Lost::TimedOut));
            }
            if (now >= self.next || self.running.is_empty())
                && let Some(address) = self.waiting.pop_front()
            {
                if self.running.len() >= AT_ONCE {
                    self.running.pop_front();
                }
                let attempt = self.runtime.connect(address);
                self.running.push_back((address, attempt));
                self.next = now + HEAD_START;
                continue;
            }
            if self.running.is_empty() {
                return Poll::Ready(Err(Lost::Failed(self.failure_in_words())));
            }
            // The last address, most often the only one, sets no timer: that costs a wake-up of the thread which
            // sleeps, and the backend has a deadline of its own.
            if self.waiting.is_empty()
                || self.timer.poll_at(cx, self.next.min(self.end)).is_pending()
            {
                return Poll::Pending;
            }
        }
    }

    /// The attempt that succeeded; what failed makes room for the next at once.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<(SocketAddr, R::Stream)> {
        let mut place = 0;
        while let Some((address, attempt)) = self.running.get_mut(place) {
            match attempt.as_mut().poll(cx) {
                Poll::Pending => place += 1,
                Poll::Ready(Ok(stream)) => return Some((*address, stream)),
                Poll::Ready(Err(error)) => {
                    let address = *address;
                    self.running.remove(place);
                    self.wants_file |= is_for_want_of_a_file(&error);
                    self.failure.get_or_insert((address, error));
                    self.failures += 1;
                    self.next = self.runtime.now();
                }
            }
        }
        None
    }

    fn failure_in_words(&self) -> String {
        let Some((address, error)) = &self.failure else {
            return "the name has no address".into();
        };
        let ip = address.ip();
        match self.failures {
            0 | 1 => format!("{ip}: {error}"),
            several => format!("{ip}: {error}; {} other addresses failed, too", several - 1),
        }
    }
}
