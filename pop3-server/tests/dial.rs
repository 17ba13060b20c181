//! The race between an upstream's addresses (RFC 8305), in virtual time.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use testkit_server::PASSWORD;

use pop3_proto::backend::Endpoint;
use pop3_proto::server::Policy;
use pop3_server::runtime::Runtime;
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use proptest::prelude::*;
use testkit_server::logged::logged;
use testkit_server::sim::{End, Reach, Shape, Sim, serve};
use testkit_server::wire::{WireService, WireStore};

const NAME: &str = "many.example";
const SOON: Duration = Duration::from_millis(20);

/// A gateway before an upstream of many addresses.
struct World {
    sim: Sim,
    _server: Server,
}

impl World {
    fn new(addresses: &[SocketAddr]) -> Self {
        let sim = Sim::new(Shape {
            buffer: 64 * 1024,
            chunk: 64 * 1024,
        });
        sim.name(NAME, addresses);
        let mut settings = Settings::new(Arc::new(WireService {
            endpoint: Endpoint {
                host: NAME.into(),
                port: 143,
            },
            server_name: None,
            tls: None,
        }));
        settings.policy = Arc::new(Policy::default().clear_login(true));
        let server = Server::new();
        serve(&sim, &server, settings);
        Self {
            sim,
            _server: server,
        }
    }

    /// A client that logs in.
    fn client(&self) -> End {
        let mut client = self.sim.client();
        client.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
        client.turn(usize::MAX);
        self.sim.run();
        client.turn(usize::MAX);
        client
    }

    /// Whom a login tries and how long after its beginning, and how long it takes; none: it did not work
    /// within this time.
    fn log_in(&self, within: Duration) -> (Vec<(u128, SocketAddr)>, Option<u128>) {
        let mut far = self.sim.upstream();
        let mut store = WireStore::new(vec![b"x\r\n".to_vec()]);
        self.sim.attempts();
        let begin = self.sim.now();
        let mut client = self.client();
        let mut took = None;
        while took.is_none() && self.sim.now() < begin + within {
            for _ in 0..6 {
                far.turn(usize::MAX);
                store.handle_input(&std::mem::take(&mut far.heard));
                far.say(std::mem::take(&mut store.output));
                far.turn(usize::MAX);
                self.sim.run();
                client.turn(usize::MAX);
            }
            if client.text().contains("1 message") || client.text().matches("+OK").count() > 2 {
                took = Some(self.sim.now().since(begin).as_millis());
            } else {
                self.sim.wait(Duration::from_millis(10));
            }
        }
        client.reset();
        self.sim.run();
        let tried = self.sim.attempts().into_iter();
        let tried = tried.map(|(at, who)| (at.since(begin).as_millis(), who));
        (tried.collect(), took)
    }
}

fn v4(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 143))
}

fn v6(n: u16) -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, n], 143))
}

/// Four dead ones cost a second, not forty, and the fifth is reached.
#[test]
fn w042_dead_addresses_cost_a_quarter_of_a_second_each() {
    let addresses = [1, 2, 3, 4, 5].map(v4);
    let world = World::new(&addresses);
    for dead in &addresses[..4] {
        world.sim.reach(*dead, Reach::Silent);
    }
    world.sim.reach(addresses[4], Reach::Answers(SOON));
    let (tried, took) = world.log_in(Duration::from_secs(30));
    let starts = [0, 250, 500, 750, 1000];
    assert_eq!(tried, starts.into_iter().zip(addresses).collect::<Vec<_>>());
    assert!(took.is_some_and(|took| took < 1100), "{took:?}");
    assert_eq!(world.sim.attempts_open().0, 0, "the others are closed");
}

/// At the next login the one that worked comes first; when it is dead, the others follow.
#[test]
fn w042_what_worked_last_comes_first() {
    let addresses = [1, 2, 3].map(v4);
    let world = World::new(&addresses);
    world.sim.reach(addresses[0], Reach::Silent);
    world.sim.reach(addresses[1], Reach::Silent);
    world.sim.reach(addresses[2], Reach::Answers(SOON));
    assert_eq!(world.log_in(Duration::from_secs(30)).0.len(), 3);
    for _ in 0..3 {
        let (tried, took) = world.log_in(Duration::from_secs(30));
        assert_eq!(tried, [(0, addresses[2])]);
        assert!(took.is_some_and(|took| took < 100), "{took:?}");
    }
    world.sim.reach(addresses[2], Reach::Refuses(SOON));
    world.sim.reach(addresses[0], Reach::Answers(SOON));
    let (tried, _) = world.log_in(Duration::from_secs(30));
    assert_eq!(tried, [(0, addresses[2]), (20, addresses[0])]);
    assert_eq!(world.log_in(Duration::from_secs(30)).0, [(0, addresses[0])]);
    // an address that the name no longer has is not remembered
    world.sim.name(NAME, &addresses[1..]);
    let (tried, _) = world.log_in(Duration::from_secs(5));
    assert!(
        tried.iter().all(|(_, who)| *who != addresses[0]),
        "{tried:?}"
    );
}

/// IPv6 and IPv4 in turn, the system's first choice first, the same one never twice.
#[test]
fn w042_the_families_take_turns() {
    for (addresses, expected) in [
        (
            vec![v6(1), v6(2), v6(3), v4(1), v4(2)],
            vec![v6(1), v4(1), v6(2), v4(2), v6(3)],
        ),
        (vec![v4(1), v4(2), v6(1)], vec![v4(1), v6(1), v4(2)]),
        (vec![v4(1), v4(1), v6(1), v4(1)], vec![v4(1), v6(1)]),
        (vec![v6(1), v6(2)], vec![v6(1), v6(2)]),
    ] {
        let world = World::new(&addresses);
        for address in &addresses {
            world.sim.reach(*address, Reach::Silent);
        }
        let (tried, _) = world.log_in(Duration::from_secs(4));
        let who: Vec<_> = tried.into_iter().map(|(_, who)| who).collect();
        assert_eq!(who, expected);
    }
}

/// What refuses costs no time.
#[test]
fn w042_a_refusal_brings_the_next_one_at_once() {
    let addresses: Vec<_> = (1..=64).map(v4).collect();
    let world = World::new(&addresses);
    for dead in &addresses {
        world.sim.reach(*dead, Reach::Refuses(Duration::ZERO));
    }
    world
        .sim
        .reach(addresses[63], Reach::Answers(Duration::ZERO));
    let (tried, took) = world.log_in(Duration::from_secs(30));
    assert_eq!((tried.len(), took), (64, Some(0)));
}

/// Of 64 addresses each is tried, few at a time, and all are closed in the end.
#[test]
fn w042_a_name_with_64_addresses() {
    let addresses: Vec<_> = (1..=32).flat_map(|n| [v6(n.into()), v4(n)]).collect();
    let world = World::new(&addresses);
    for dead in &addresses {
        world.sim.reach(*dead, Reach::Silent);
    }
    world.sim.reach(addresses[63], Reach::Answers(SOON));
    let mut far = world.sim.upstream();
    let _client = world.client();
    let mut reached = false;
    for _ in 0..300 {
        world.sim.wait(Duration::from_millis(100));
        far.turn(usize::MAX);
        reached |= far.text().contains("HELLO");
        if reached {
            break;
        }
    }
    let (open, most) = world.sim.attempts_open();
    assert!(most <= 16, "{most} sockets at a time");
    assert!(reached || world.sim.attempts().len() > 16, "it goes on");
    assert!(open <= 16);
}

/// A client that hangs up takes its attempts with it.
#[test]
fn w042_a_client_that_leaves_closes_all_attempts() {
    let addresses: Vec<_> = (1..=8).map(v4).collect();
    let world = World::new(&addresses);
    for dead in &addresses {
        world.sim.reach(*dead, Reach::Silent);
    }
    let mut client = world.client();
    world.sim.wait(Duration::from_secs(1));
    assert_eq!(world.sim.attempts_open().0, 5);
    client.reset();
    world.sim.wait(Duration::from_secs(10));
    assert_eq!(world.sim.attempts_open().0, 0);
    assert_eq!(world.sim.attempts().len(), 5, "nothing is tried for nobody");
}

/// Host, port, an address and the remedy, once all have failed.
#[test]
fn w042_w047_all_addresses_failing_is_reported() {
    let log = logged(|| {
        let addresses = [v4(1), v6(1), v4(2)];
        let world = World::new(&addresses);
        for dead in addresses {
            world.sim.reach(dead, Reach::Refuses(SOON));
        }
        let mut client = world.client();
        world.sim.wait(Duration::from_secs(1));
        client.turn(usize::MAX);
        assert!(
            client.text().contains("-ERR [SYS/TEMP]"),
            "{}",
            client.text()
        );
    });
    for part in [
        "cannot connect to many.example port 143: 192.0.2.1: connection refused; 2 other addresses failed, too",
        "is the port of the url right",
    ] {
        assert!(log.contains(part), "{log}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the addresses do: one that answers soon is reached within its turn, and nothing stays open.
    #[test]
    fn w042_the_address_that_answers_is_reached(
        others in prop::collection::vec((any::<bool>(), 0_u64..600), 0..12),
        place in 0_usize..12,
    ) {
        let mut addresses: Vec<_> = (1..).take(others.len()).map(v4).collect();
        let good = v4(200);
        let place = place.min(addresses.len());
        addresses.insert(place, good);
        let world = World::new(&addresses);
        for ((refuses, after), address) in others.iter().zip(addresses.iter().filter(|a| **a != good)) {
            let reach = if *refuses { Reach::Refuses(Duration::from_millis(*after)) } else { Reach::Silent };
            world.sim.reach(*address, reach);
        }
        world.sim.reach(good, Reach::Answers(SOON));
        let (tried, took) = world.log_in(Duration::from_secs(20));
        let limit = 250 * place as u128 + 100;
        prop_assert!(took.is_some_and(|took| took <= limit), "{took:?} {tried:?}");
        prop_assert_eq!(world.sim.attempts_open().0, 0);
    }
}
