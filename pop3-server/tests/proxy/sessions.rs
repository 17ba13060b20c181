//! Sessions after a header, in a simulated world.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop3_proto::server::{Policy, TlsOffer};
use pop3_proto::time::Time;
use pop3_server::observer::{About, Event, Observer, Unheard};
use pop3_server::proxy::ProxyProtocol;
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use testkit_server::list::ListService;
use testkit_server::peer::TlsPeer;
use testkit_server::sim::{End, Outcome, Shape, Sim, serve};
use testkit_server::{PASSWORD, identity};

use super::binary;

/// Where sessions come from, and what has none.
#[derive(Clone, Default)]
struct Seen {
    sessions: Arc<Mutex<Vec<SocketAddr>>>,
    unheard: Arc<Mutex<Vec<Unheard>>>,
}

impl Observer for Seen {
    fn observe(&self, about: &About<'_>, event: &Event<'_>) {
        if matches!(event, Event::Admitted) {
            self.sessions.lock().unwrap().push(about.peer);
        }
    }

    fn unheard(&self, peer: SocketAddr, why: Unheard, _: Time) {
        assert_eq!(peer, testkit_server::peer().address, "it is the proxy's");
        self.unheard.lock().unwrap().push(why);
    }
}

struct World {
    sim: Sim,
    server: Server,
    seen: Seen,
    identity: pop3_server::tls::Identity,
    _folder: tempfile::TempDir,
    _outcome: Outcome,
}

impl World {
    fn new(chunk: usize, tls: TlsOffer) -> Self {
        Self::trusting(chunk, tls, |peer| peer == Ipv4Addr::new(192, 0, 2, 1))
    }

    fn trusting(
        chunk: usize,
        tls: TlsOffer,
        trusted: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        let sim = Sim::new(Shape {
            buffer: 64 * 1024,
            chunk,
        });
        let folder = tempfile::tempdir().unwrap();
        let identity = identity(folder.path(), &["localhost"]);
        let seen = Seen::default();
        let server = Server::builder().observer(seen.clone()).build();
        let mut settings = Settings::new(Arc::new(ListService::new(&[b"one\r\n"])))
            .policy(Policy::default().clear_login(true))
            .preamble(ProxyProtocol::from_peers(trusted));
        if tls != TlsOffer::None {
            let tls_of = pop3_server::tls::ServerTls::load(std::slice::from_ref(&identity));
            settings = settings.tls(tls, tls_of.unwrap());
        }
        settings.limits.per_address = 1;
        settings.limits.strangers = 3;
        let outcome = serve(&sim, &server, settings);
        Self {
            sim,
            server,
            seen,
            identity,
            _folder: folder,
            _outcome: outcome,
        }
    }

    fn client(&self, says: impl AsRef<[u8]>) -> End {
        let mut client = self.sim.client();
        client.say(says);
        self.sim.settle(&mut client);
        client
    }

    fn seen(&self) -> Vec<String> {
        let sessions = self.seen.sessions.lock().unwrap();
        sessions.iter().map(ToString::to_string).collect()
    }

    fn unheard(&self) -> Vec<Unheard> {
        self.seen.unheard.lock().unwrap().clone()
    }
}

fn line() -> Vec<u8> {
    b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 110\r\n".to_vec()
}

fn octets() -> Vec<u8> {
    let rest = [
        198, 51, 100, 7, 192, 0, 2, 1, 0x12, 0x67, 0, 110, 4, 0, 1, 0,
    ];
    binary(0x21, 0x11, &rest)
}

fn session() -> String {
    format!("USER joe\r\nPASS {PASSWORD}\r\nSTAT\r\nQUIT\r\n")
}

/// Wherever the network cuts it, and whatever comes in the same segment.
#[test]
fn g27_what_comes_after_the_header_is_kept() {
    for header in [line(), octets()] {
        for cut in 0..=header.len() {
            let world = World::new(64 * 1024, TlsOffer::None);
            let mut client = world.client(&header[..cut]);
            client.say(&header[cut..]);
            client.say(session());
            world.sim.settle(&mut client);
            assert!(client.ended(), "{cut}: {}", client.text());
            assert_eq!(client.text().matches("+OK").count(), 5, "{cut}");
            assert_eq!(world.seen(), ["198.51.100.7:4711"], "{cut}");
        }
        for chunk in [1, 2, 7] {
            let world = World::new(chunk, TlsOffer::None);
            let client = world.client([&header, session().as_bytes()].concat());
            assert_eq!(client.text().matches("+OK").count(), 5, "{chunk}");
        }
    }
}

#[test]
fn g27_tls_begins_after_it() {
    for header in [line(), octets()] {
        for (chunk, early) in [(1, true), (64 * 1024, true), (64 * 1024, false)] {
            let world = World::new(chunk, TlsOffer::Implicit);
            let mut tls = TlsPeer::client(&world.identity, "localhost", &[]);
            let hello = if early { tls.wire() } else { Vec::new() };
            let mut client = world.client([header.clone(), hello].concat());
            world.sim.settle_tls(&mut client, &mut tls);
            assert_eq!(tls.error, None);
            assert!(tls.plaintext.starts_with(b"+OK"));
            assert_eq!(world.seen(), ["198.51.100.7:4711"]);
        }
        let world = World::new(64 * 1024, TlsOffer::Stls);
        let mut client = world.client(header);
        client.heard.clear();
        client.say("STLS\r\n");
        world.sim.settle(&mut client);
        assert!(client.text().starts_with("+OK"));
        client.heard.clear();
        let mut tls = TlsPeer::client(&world.identity, "localhost", &[]);
        world.sim.settle_tls(&mut client, &mut tls);
        tls.send(session().as_bytes());
        world.sim.settle_tls(&mut client, &mut tls);
        let said = String::from_utf8_lossy(&tls.plaintext).into_owned();
        assert_eq!(said.matches("+OK").count(), 4, "{said}");
    }
}

/// A header is not a command: a second one is, and none that exists.
#[test]
fn there_is_one_header() {
    let world = World::new(64 * 1024, TlsOffer::None);
    let client = world.client([line(), line()].concat());
    assert!(client.text().contains("-ERR"), "{}", client.text());
    assert_eq!(world.seen(), ["198.51.100.7:4711"]);
}

/// Garbage and what comes too late takes no place, and is closed within three seconds, without a word.
#[test]
fn g27_garbage_and_silence_are_closed() {
    for says in ["USER joe\r\n", "\x16\x03\x01\x02", "PROXY TCP4 a b c d\r\n"] {
        let world = World::new(64 * 1024, TlsOffer::None);
        let client = world.client(says);
        assert!(client.dropped() && client.text().is_empty(), "{says}");
        assert_eq!(world.unheard(), [Unheard::Invalid], "{says}");
    }
    for says in [&[][..], &line()[..20], &octets()[..15]] {
        let world = World::new(64 * 1024, TlsOffer::None);
        let mut client = world.client(says);
        world.sim.wait(Duration::from_millis(2999));
        assert!(!client.dropped());
        // octet by octet is no way to stay
        client.say(line().get(20..21).unwrap_or_default());
        world.sim.settle(&mut client);
        world.sim.wait(Duration::from_millis(1));
        world.sim.settle(&mut client);
        assert!(client.dropped() && client.text().is_empty());
        assert_eq!(world.server.crowd().count(), (0, 0));
    }
}

/// A balancer looks whether the port is open: no word of that.
#[test]
fn a_connection_that_says_nothing_and_leaves_is_no_news() {
    let world = World::new(64 * 1024, TlsOffer::None);
    let mut client = world.client("");
    client.end();
    world.sim.settle(&mut client);
    assert!(client.dropped());
    assert_eq!(world.unheard(), []);
}

#[test]
fn g27_others_may_not_say_who_they_are() {
    let world = World::trusting(64 * 1024, TlsOffer::None, |peer| {
        peer == Ipv4Addr::new(192, 0, 2, 2)
    });
    let mut silent = world.client("");
    assert!(silent.dropped(), "before a word");
    world.sim.settle(&mut silent);
    let client = world.client([line(), session().into_bytes()].concat());
    assert!(client.dropped() && client.text().is_empty());
    assert_eq!(world.unheard(), [Unheard::NotTrusted; 2]);
    assert_eq!(world.seen(), [""; 0]);
}

/// The balancer's own checks come from itself.
#[test]
fn without_a_client_the_proxy_is_the_peer() {
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        binary(0x20, 0, &[]),
        binary(0x21, 0x31, &[0; 216]),
    ] {
        let world = World::new(64 * 1024, TlsOffer::None);
        let client = world.client([header, b"QUIT\r\n".to_vec()].concat());
        assert_eq!(client.text().matches("+OK").count(), 2);
        assert!(world.seen()[0].starts_with("192.0.2.1:"));
    }
}

#[test]
fn g27_clients_are_counted_by_their_own_address() {
    let world = World::new(64 * 1024, TlsOffer::None);
    let from = |last: u8| {
        let rest = [198, 51, 100, last, 192, 0, 2, 1, 0x12, 0x67, 0, 110];
        world.client(binary(0x21, 0x11, &rest))
    };
    let said = [7, 8, 7].map(|last| from(last).text()[..4].to_owned());
    assert_eq!(said, ["+OK ", "+OK ", "-ERR"]);
}

/// Those who are at the header are no more than those before login may be, and leave the others their places.
#[test]
fn silent_connections_hold_no_places() {
    let world = World::new(64 * 1024, TlsOffer::None);
    let silent: Vec<_> = (0..3).map(|_| world.client("PROXY")).collect();
    let more = world.client("PROXY");
    assert!(more.text().starts_with("-ERR") && !silent[0].dropped());
    assert_eq!(world.server.crowd().count(), (0, 0));
    world.sim.wait(Duration::from_secs(3));
    assert!(silent.iter().all(End::dropped));
    assert!(world.client(line()).text().starts_with("+OK"));
}

/// Recent failures of one client keep another waiting only if both come from the same address.
#[test]
fn g27_delays_are_the_clients() {
    let world = World::new(64 * 1024, TlsOffer::None);
    let login = |last: u8, password: &str| {
        let rest = [198, 51, 100, last, 192, 0, 2, 1, 0x12, 0x67, 0, 110];
        let says = format!("USER joe{last}\r\nPASS {password}\r\n");
        world.client([binary(0x21, 0x11, &rest), says.into_bytes()].concat())
    };
    let mut first = login(7, "wrong");
    assert_eq!(first.text().matches("-ERR").count(), 1);
    first.say("QUIT\r\n");
    world.sim.settle(&mut first);
    first.end();
    world.sim.settle(&mut first);
    assert!(first.dropped());
    let answers = |last| {
        let said = login(last, "wrong").text();
        said.matches("-ERR").count()
    };
    assert_eq!(answers(8), 1, "another client is answered at once");
    assert_eq!(answers(7), 0, "this one waits");
}
