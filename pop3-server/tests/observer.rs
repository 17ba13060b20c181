//! An observer that counts: it hears of everything, once.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop3_proto::server::Policy;
use pop3_proto::time::Time;
use pop3_server::log::Log;
use pop3_server::observer::{About, Asked, Event, Observer};
use pop3_server::server::Server;
use pop3_server::service::Service;
use pop3_server::settings::Settings;
use pop3_server::setup::Setup;
use testkit_server::jobs::JobService;
use testkit_server::list::{ListService, Mood};
use testkit_server::logged::logged;
use testkit_server::rig::Rig;
use testkit_server::sim::{Shape, Sim, keep};
use testkit_server::{PASSWORD, peer};

#[derive(Default)]
struct Counter {
    counts: Mutex<BTreeMap<&'static str, u32>>,
    sessions: Mutex<Vec<u64>>,
    waited: Mutex<Vec<(Asked, Duration)>>,
}

impl Counter {
    fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    fn of(&self, what: &str) -> u32 {
        self.counts.lock().unwrap().get(what).copied().unwrap_or(0)
    }
}

impl Observer for Counter {
    fn observe(&self, about: &About<'_>, event: &Event<'_>) {
        self.count(match event {
            Event::Admitted => {
                self.sessions.lock().unwrap().push(about.session);
                "admitted"
            }
            Event::InTheClear { .. } => "in the clear",
            Event::Waits { .. } => "waits",
            Event::Refused(_) => "refused",
            Event::LoggedIn => "logged in",
            Event::Failed(_) => "failed",
            Event::MessageFailed(_) => "message failed",
            Event::Answered { asked, after } => {
                self.waited.lock().unwrap().push((*asked, *after));
                "answered"
            }
            Event::Ended { .. } => {
                assert_eq!((about.listener, about.peer), ("pop3", peer().address));
                assert_eq!(about.summary.user.as_deref(), Some("joe"));
                "ended"
            }
            Event::Noted(_) | _ => "other",
        });
    }

    fn turned_away(&self, _: SocketAddr, _: Time) {
        self.count("turned away");
    }
}

fn settings<S: Service>(service: S) -> Arc<Settings<S>> {
    let mut settings = Settings::new(Arc::new(service));
    settings.policy = Arc::new(Policy::default().clear_login(true));
    Arc::new(settings)
}

fn counted() -> (Arc<Counter>, Server) {
    let counter = Arc::new(Counter::default());
    let observer = (Log::default(), Arc::clone(&counter));
    (counter, Server::builder().observer(observer).build())
}

#[test]
fn an_observer_is_told_of_each_thing_once() {
    let (counter, server) = counted();
    let settings = settings(ListService::new(&[b"one\r\n", b"two\r\n"]));
    let mut rig = Rig::new(&settings, &server);
    rig.ask("USER joe");
    rig.ask("PASS nope");
    rig.ask("USER joe");
    rig.ask(&format!("PASS {PASSWORD}"));
    rig.wait(Duration::from_secs(2));
    rig.ask("RETR 1");
    rig.ask("TOP 2 0");
    rig.ask("DELE 1");
    rig.ask("QUIT");
    drop(rig);
    for (what, times) in [
        ("admitted", 1),
        ("in the clear", 2),
        ("waits", 1),
        ("refused", 1),
        ("logged in", 1),
        ("failed", 0),
        ("answered", 5),
        ("ended", 1),
        ("other", 0),
    ] {
        assert_eq!(counter.of(what), times, "{what}");
    }
    let asked: Vec<_> = counter.waited.lock().unwrap().drain(..).collect();
    let at_once = |asked| (asked, Duration::ZERO);
    let expected = [
        Asked::Login,
        Asked::Login,
        Asked::Message,
        Asked::Message,
        Asked::Update,
    ];
    assert_eq!(asked, expected.map(at_once));
}

#[test]
fn failures_are_told_and_sessions_have_numbers_of_their_own() {
    let (counter, server) = counted();
    for (mood, what) in [
        (Mood::FailsToOpen, "failed"),
        (Mood::CutsMessages, "message failed"),
    ] {
        let mut service = ListService::new(&[b"one\r\n"]);
        service.mood = mood;
        let mut rig = Rig::new(&settings(service), &server);
        rig.log_in();
        rig.ask("RETR 1");
        rig.end_of_stream();
        drop(rig);
        assert_eq!(counter.of(what), 1, "{what}");
    }
    assert_eq!(*counter.sessions.lock().unwrap(), [1, 2]);
    assert_eq!(counter.of("ended"), 2);
}

/// What a store logs by itself says whose job it was.
#[test]
fn a_stores_own_lines_name_the_session() {
    let log = logged(|| {
        let sim = Sim::new(Shape {
            buffer: 64 * 1024,
            chunk: 64 * 1024,
        });
        let settings = Arc::try_unwrap(settings(JobService)).unwrap();
        let socket = pop3_server::listen::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let setup = Setup::new().pop3(socket, settings);
        let _outcome = keep(&sim, setup.serve(sim.clone(), sim.signals()));
        let mut client = sim.client();
        client.say(format!("USER joe\r\nPASS {PASSWORD}\r\nRETR 1\r\nQUIT\r\n"));
        for _ in 0..100 {
            sim.run();
            client.turn(usize::MAX);
        }
        assert!(client.ended());
        client.end();
        sim.run();
    });
    for own in ["a job logs in", "a job reads"] {
        let line = log.lines().find(|line| line.contains(own)).unwrap();
        assert!(line.contains("store{session=1}"), "{line}");
    }
    let ended = log.lines().find(|line| line.contains("session ended"));
    assert!(!ended.unwrap().contains("store{"), "{log}");
}
