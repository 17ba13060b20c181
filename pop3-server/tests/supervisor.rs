//! What a supervisor hears, in virtual time.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop3_server::handler::{Arrival, Door, Handler};
use pop3_server::limit::Limits;
use pop3_server::runtime::{Runtime, Signal};
use pop3_server::setup::Setup;
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

fn serve(told: &Told) -> (Sim, Outcome) {
    let sim = Sim::new(Shape {
        buffer: 64 * 1024,
        chunk: 64 * 1024,
    });
    let socket = pop3_server::listen::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let setup = Setup::new()
        .supervisor(told.clone())
        .speak(socket, Stays)
        .grace(Duration::from_secs(30));
    let outcome = keep(&sim, setup.serve(sim.clone(), sim.signals()));
    sim.run();
    (sim, outcome)
}

#[test]
fn it_hears_of_every_turn_until_the_end() {
    let told = Told {
        interval: Some(Duration::from_secs(10)),
        ..Told::default()
    };
    let (sim, outcome) = serve(&told);
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
    let (sim, _outcome) = serve(&told);
    let polls = sim.polls();
    sim.wait(Duration::from_secs(3600));
    assert_eq!((told.heard(), sim.polls()), (vec!["serving"], polls));
}
