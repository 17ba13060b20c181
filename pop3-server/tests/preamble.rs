//! A made-up preamble: `FROM address`, a line before the session.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop3_proto::server::Policy;
use pop3_server::observer::{About, Event, Observer};
use pop3_server::preamble::{Preamble, Verdict};
use pop3_server::server::Server;
use pop3_server::service::Peer;
use pop3_server::settings::Settings;
use testkit_server::PASSWORD;
use testkit_server::list::ListService;
use testkit_server::sim::{End, Outcome, Shape, Sim, serve};

struct From;

impl Preamble for From {
    fn read(&self, octets: &[u8], peer: &mut Peer) -> Verdict {
        let Some(end) = octets.iter().position(|&octet| octet == b'\n') else {
            return Verdict::More;
        };
        let line = std::str::from_utf8(&octets[..end]).unwrap_or_default();
        let address = line.strip_prefix("FROM ").map(str::parse);
        let Some(Ok(address)) = address else {
            return Verdict::Refused;
        };
        peer.address = SocketAddr::new(address, 4711);
        Verdict::Done(end + 1)
    }

    fn longest(&self) -> usize {
        100
    }
}

/// The addresses of sessions.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Observer for Seen {
    fn observe(&self, about: &About<'_>, event: &Event<'_>) {
        if matches!(event, Event::Admitted) {
            self.0.lock().unwrap().push(about.peer.ip().to_string());
        }
    }
}

struct World {
    sim: Sim,
    server: Server,
    seen: Seen,
    outcome: Outcome,
}

impl World {
    fn new(chunk: usize) -> Self {
        let sim = Sim::new(Shape {
            buffer: 64 * 1024,
            chunk,
        });
        let seen = Seen::default();
        let server = Server::builder().observer(seen.clone()).build();
        let mut settings = Settings::new(Arc::new(ListService::new(&[b"one\r\n"])))
            .policy(Policy::default().clear_login(true))
            .preamble(From);
        settings.limits.per_address = 1;
        let outcome = serve(&sim, &server, settings);
        Self {
            sim,
            server,
            seen,
            outcome,
        }
    }

    fn client(&self, says: &str) -> End {
        let mut client = self.sim.client();
        client.say(says);
        self.sim.settle(&mut client);
        client
    }

    fn seen(&self) -> Vec<String> {
        self.seen.0.lock().unwrap().clone()
    }
}

/// Whatever the pieces, and whatever comes right after it.
#[test]
fn a_preamble_changes_the_peer() {
    for chunk in [1, 7, 64 * 1024] {
        let world = World::new(chunk);
        let session = format!("USER joe\r\nPASS {PASSWORD}\r\nSTAT\r\nQUIT\r\n");
        let client = world.client(&format!("FROM 198.51.100.7\n{session}"));
        assert!(client.ended(), "{}", client.text());
        assert_eq!(client.text().matches("+OK").count(), 5);
        assert_eq!(world.seen(), ["198.51.100.7"]);
    }
}

#[test]
fn limits_count_the_peer_after_it() {
    let world = World::new(64 * 1024);
    let clients = ["198.51.100.7", "198.51.100.8", "198.51.100.7"]
        .map(|address| world.client(&format!("FROM {address}\n")));
    let said = clients
        .each_ref()
        .map(|client| client.text()[..4].to_owned());
    assert_eq!(said, ["+OK ", "+OK ", "-ERR"]);
    assert_eq!(world.server.crowd().count().0, 2);
}

#[test]
fn what_is_not_taken_is_closed_without_a_word() {
    let long = "FROM 198.51.100.7 ".repeat(10);
    for says in ["USER joe\r\n", "FROM nowhere\n", &long] {
        let world = World::new(64 * 1024);
        let client = world.client(says);
        assert!(client.dropped(), "{says}");
        assert_eq!(client.text(), "");
        assert_eq!(
            (world.seen().len(), world.server.crowd().count()),
            (0, (0, 0))
        );
    }
}

#[test]
fn it_is_short_and_quick_if_nothing_else_is_said() {
    struct Plain;
    impl Preamble for Plain {
        fn read(&self, _: &[u8], _: &mut Peer) -> Verdict {
            Verdict::More
        }
    }
    let bounds = (Plain.longest(), Plain.patience());
    assert_eq!(bounds, (536, Duration::from_secs(5)));
}

#[test]
fn a_client_that_leaves_within_it_is_gone() {
    let world = World::new(64 * 1024);
    let mut client = world.client("FROM 198.51");
    client.end();
    world.sim.settle(&mut client);
    assert!(client.dropped());
    assert_eq!(world.seen().len(), 0);
}

#[test]
fn a_slow_one_is_cut_off() {
    let world = World::new(64 * 1024);
    let mut client = world.client("FROM 198.51");
    world.sim.wait(Duration::from_millis(4999));
    assert!(!client.dropped());
    assert_eq!(world.server.crowd().count(), (0, 0), "it has no place yet");
    // others are not kept
    assert!(
        world
            .client("FROM 198.51.100.8\n")
            .text()
            .starts_with("+OK")
    );
    world.sim.wait(Duration::from_millis(1));
    world.sim.settle(&mut client);
    assert!(client.dropped());
    assert_eq!(client.text(), "");
}

#[test]
fn a_server_that_stops_does_not_wait_for_it() {
    let world = World::new(64 * 1024);
    let client = world.client("FROM");
    world.server.shutdown().advance();
    world.sim.run();
    assert!(client.dropped());
    assert!(world.outcome.lock().unwrap().take().unwrap().is_ok());
}
