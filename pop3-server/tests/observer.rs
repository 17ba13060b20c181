//! An observer that counts: it hears of everything, once.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pop3_proto::server::{Policy, ReadOnly};
use pop3_proto::time::Time;
use pop3_server::limit::Limit;
use pop3_server::log::Log;
use pop3_server::observer::{About, Asked, Event, Observer, Stage};
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
    octets: Mutex<(u32, u32)>,
    limits: Mutex<Vec<Limit>>,
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
            Event::GivenUp(_) => "given up",
            Event::LoggedIn => "logged in",
            Event::Updates => "updates",
            Event::Octets { received, sent } => {
                let mut octets = self.octets.lock().unwrap();
                *octets = (octets.0 + received, octets.1 + sent);
                "octets"
            }
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

    fn limited(&self, limit: Limit) {
        self.limits.lock().unwrap().push(limit);
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
fn an_observer_hears_of_each_thing_once() {
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
        ("given up", 0),
        ("logged in", 1),
        ("updates", 1),
        ("octets", 1),
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
fn failures_are_reported_and_sessions_have_numbers_of_their_own() {
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

/// How many sessions are open in which stage, as a gauge would count them.
#[derive(Default)]
struct Open(Mutex<[i32; 3]>);

impl Observer for Open {
    fn observe(&self, about: &About<'_>, event: &Event<'_>) {
        let mut open = self.0.lock().unwrap();
        let before = match event {
            Event::Admitted => None,
            Event::LoggedIn => Some(Stage::Authorization),
            Event::Updates => Some(Stage::Transaction),
            Event::Ended { .. } => Some(about.stage),
            Event::Noted(_) | _ => return,
        };
        if let Some(before) = before {
            open[before as usize] -= 1;
        }
        if !matches!(event, Event::Ended { .. }) {
            open[about.stage as usize] += 1;
        }
    }
}

/// However far a session came and whatever ends it, it is counted in one stage, and then in none.
#[test]
fn a_session_is_in_one_stage_and_leaves_it() {
    let pass = format!("PASS {PASSWORD}");
    let lines = ["USER joe", "PASS no", "USER joe", &pass, "DELE 1", "QUIT"];
    let stages = [0, 0, 0, 0, 1, 1, 2];
    for mood in [Mood::Good, Mood::SilentUpdate] {
        for (cut, stage) in stages.into_iter().enumerate() {
            for ending in 0..4 {
                let open = Arc::new(Open::default());
                let server = Server::builder().observer(Arc::clone(&open)).build();
                let mut service = ListService::new(&[b"one\r\n"]);
                service.mood = mood;
                let mut rig = Rig::new(&settings(service), &server);
                for line in &lines[..cut] {
                    rig.ask(line);
                    rig.wait(Duration::from_secs(2));
                }
                let mut expected = [0; 3];
                expected[stage] = 1;
                assert_eq!(*open.0.lock().unwrap(), expected, "{mood:?} {cut}");
                match ending {
                    0 => rig.reset(),
                    1 => rig.end_of_stream(),
                    2 => rig.connection.shut_down(rig.now),
                    // the server cuts it off
                    _ => {}
                }
                drop(rig);
                assert_eq!(*open.0.lock().unwrap(), [0; 3], "{mood:?} {cut} {ending}");
            }
        }
    }
}

/// All of them, and not only at the end.
#[test]
fn the_octets_of_the_client_are_counted() {
    let (counter, server) = counted();
    let message = vec![b'x'; 3 << 20];
    let settings = settings(ListService::new(&[&message]));
    let mut rig = Rig::new(&settings, &server);
    let login = rig.log_in().len();
    assert_eq!(counter.of("octets"), 0);
    let sent = rig.ask("RETR 1").len();
    let before = counter.octets.lock().unwrap().1;
    assert!(before >= 1 << 20, "{before} of {sent} while it goes on");
    assert!(counter.of("octets") < 10);
    drop(rig);
    let (received, all) = *counter.octets.lock().unwrap();
    let commands = format!("USER joe\r\nPASS {PASSWORD}\r\nRETR 1\r\n");
    assert_eq!(received as usize, commands.len());
    assert!(all as usize > sent + login, "the greeting, too");
}

#[test]
fn a_login_without_a_verdict_is_given_up() {
    let (counter, server) = counted();
    let settings = settings(ListService::new(&[]));
    let mut rig = Rig::new(&settings, &server);
    rig.ask("USER joe");
    rig.ask("PASS nope");
    rig.ask("USER joe");
    rig.ask(&format!("PASS {PASSWORD}"));
    rig.reset();
    drop(rig);
    assert_eq!((counter.of("refused"), counter.of("given up")), (1, 1));
}

#[test]
fn a_limit_that_is_reached_is_reported() {
    let (counter, server) = counted();
    let mut settings = Arc::try_unwrap(settings(ListService::new(&[]))).unwrap();
    settings.limits.per_user = 1;
    settings.policy = Arc::new(
        Policy::default()
            .clear_login(true)
            .read_only(ReadOnly::Always),
    );
    let settings = Arc::new(settings);
    let mut first = Rig::new(&settings, &server);
    let mut second = Rig::new(&settings, &server);
    first.log_in();
    assert!(second.log_in().contains("[IN-USE]"));
    assert_eq!(*counter.limits.lock().unwrap(), [Limit::User]);
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
