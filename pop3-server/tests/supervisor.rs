//! What a supervisor hears, in virtual time.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop3_server::handler::{Arrival, Door, Handler};
use pop3_server::limit::Limits;
use pop3_server::runtime::{Runtime, Signal};
use pop3_server::server::Server;
use pop3_server::setup::Setup;
use pop3_server::shutdown::Phase;
use pop3_server::supervisor::Supervisor;
use testkit_server::sim::{Outcome, Shape, Sim, keep};

#[derive(Clone, Default)]
struct Told {
    words: Arc<Mutex<Vec<&'static str>>>,
    interval: Option<Duration>,
}

impl Told {
    fn say(&self, word: &'static str) {
        self.words.lock().unwrap().push(word);
    }

    fn heard(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.words.lock().unwrap())
    }
}

impl Supervisor for Told {
    fn serving(&self) {
        self.say("serving");
    }

    fn interval(&self) -> Option<Duration> {
        self.interval
    }

    fn lives(&self) {
        self.say("lives");
    }

    fn draining(&self) {
        self.say("draining");
    }

    fn stopping(&self) {
        self.say("stopping");
    }
}

/// Keeps each connection for ever.
struct Stays;

impl<R: Runtime> Handler<R> for Stays {
    fn door(&self) -> Door {
        Door::new(Limits::default())
    }

    fn handle(&self, arrival: Arrival<R>) {
        arrival.spawn(|visit| async move {
            let _visit = visit;
            std::future::pending::<()>().await;
        });
    }
}

fn serve(told: &Told, drain: Duration) -> (Sim, Server, Outcome) {
    let sim = Sim::new(Shape {
        buffer: 64 * 1024,
        chunk: 64 * 1024,
    });
    let socket = pop3_server::listen::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = Server::new();
    let setup = Setup::new()
        .server(server.clone())
        .supervisor(told.clone())
        .speak(socket, Stays)
        .grace(Duration::from_secs(30))
        .drain(drain);
    let outcome = keep(&sim, setup.serve(sim.clone(), sim.signals()));
    sim.run();
    (sim, server, outcome)
}

#[test]
fn it_hears_of_every_turn_until_the_end() {
    let told = Told {
        interval: Some(Duration::from_secs(10)),
        ..Told::default()
    };
    let (sim, _, outcome) = serve(&told, Duration::ZERO);
    assert_eq!(told.heard(), ["serving", "lives"]);
    sim.wait(Duration::from_secs(30));
    assert_eq!(told.heard(), ["lives"; 3]);
    let _client = sim.client();
    sim.run();
    sim.signal(Signal::Stop);
    sim.run();
    assert_eq!(told.heard(), ["stopping"]);
    sim.wait(Duration::from_secs(20));
    assert_eq!(told.heard(), ["lives"; 2]);
    sim.wait(Duration::from_secs(11));
    assert!(outcome.lock().unwrap().take().unwrap().is_ok());
}

#[test]
fn without_an_interval_nothing_wakes() {
    let told = Told::default();
    let (sim, _, _outcome) = serve(&told, Duration::ZERO);
    let polls = sim.polls();
    sim.wait(Duration::from_secs(3600));
    assert_eq!((told.heard(), sim.polls()), (vec!["serving"], polls));
}

/// Whether a client that comes now is accepted.
fn accepts(sim: &Sim) -> bool {
    let before = sim.tasks();
    let _client = sim.client();
    sim.run();
    sim.tasks() > before
}

#[test]
fn a_drain_comes_before_the_end_and_accepts_as_before() {
    let told = Told {
        interval: Some(Duration::from_secs(2)),
        ..Told::default()
    };
    let (sim, server, outcome) = serve(&told, Duration::from_secs(5));
    sim.signal(Signal::Stop);
    sim.run();
    assert_eq!(told.heard(), ["serving", "lives", "draining"]);
    assert_eq!(server.shutdown().phase(), Phase::Draining);
    assert!(accepts(&sim));
    sim.wait(Duration::from_millis(4999));
    assert_eq!(told.heard(), ["lives"; 2]);
    assert!(accepts(&sim));
    sim.wait(Duration::from_millis(1));
    assert_eq!(told.heard(), ["stopping"]);
    assert_eq!(server.shutdown().phase(), Phase::Finishing);
    assert!(!accepts(&sim));
    // from here on it is as without a drain
    assert!(outcome.lock().unwrap().is_none());
    sim.wait(Duration::from_secs(31));
    assert!(outcome.lock().unwrap().take().unwrap().is_ok());
}

#[test]
fn a_second_signal_ends_the_drain_and_a_third_the_grace() {
    let told = Told::default();
    let (sim, server, outcome) = serve(&told, Duration::from_secs(3600));
    assert!(accepts(&sim));
    for (word, phase) in [
        ("draining", Phase::Draining),
        ("stopping", Phase::Finishing),
    ] {
        sim.signal(Signal::Stop);
        sim.run();
        assert_eq!(told.heard().last(), Some(&word));
        assert_eq!(server.shutdown().phase(), phase);
    }
    sim.signal(Signal::Stop);
    sim.wait(Duration::from_secs(1));
    assert!(outcome.lock().unwrap().take().unwrap().is_ok());
}

/// Idle sessions are not woken by it.
#[test]
fn members_do_not_hear_of_a_drain() {
    let told = Told::default();
    let (sim, _, _outcome) = serve(&told, Duration::from_secs(3600));
    let _clients: Vec<_> = std::iter::repeat_with(|| sim.client()).take(100).collect();
    sim.run();
    let polls = sim.polls();
    sim.signal(Signal::Stop);
    sim.run();
    assert!(sim.polls() - polls < 10);
}
