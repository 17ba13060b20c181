//! A hold that answers late, says that somebody else has it, is lost, and takes its time to be let go.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pop3_proto::server::Policy;
use pop3_server::hold::{Claim, Hold, Holder, Outcome, Taken};
use pop3_server::lock::Mode;
use pop3_server::runtime::Boxed;
use pop3_server::server::Server;
use pop3_server::settings::Settings;
use pop3_server::setup::Setup;
use testkit_server::PASSWORD;
use testkit_server::list::{ListService, Mood};
use testkit_server::rig::Rig;
use testkit_server::sim::{Shape, Sim, keep};

/// An engine somewhere else, which says what the test wants it to say.
#[derive(Clone, Default)]
struct Engine(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    says: Option<Outcome>,
    waker: Option<Waker>,
    claims: Vec<(String, Mode, u64)>,
    holds: u32,
    shared: u32,
    again: u32,
    /// Letting go waits for the test.
    slow: bool,
    let_go: bool,
    /// The hold has lapsed, and nothing has said so yet.
    stale: bool,
}

impl Engine {
    fn says(&self, outcome: Outcome) {
        let mut state = self.0.lock().unwrap();
        state.says = Some(outcome);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn lets_go(&self) {
        let mut state = self.0.lock().unwrap();
        state.let_go = true;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn holds(&self) -> u32 {
        self.0.lock().unwrap().holds
    }

    fn again(&self) -> u32 {
        self.0.lock().unwrap().again
    }

    fn server(&self) -> Server {
        Server::builder().holder(self.clone()).build()
    }
}

impl Holder for Engine {
    fn take(&self, claim: &Claim<'_>) -> Taken {
        let mut state = self.0.lock().unwrap();
        let what = (claim.maildrop.to_string(), claim.mode, claim.session);
        state.claims.push(what);
        state.holds += 1;
        Taken::Waiting(Box::new(Far(self.clone())))
    }
}

struct Far(Engine);

impl Hold for Far {
    fn can_be_lost(&self) -> bool {
        true
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.0.0.lock().unwrap();
        state.waker = Some(cx.waker().clone());
        state.says.take().map_or(Poll::Pending, Poll::Ready)
    }

    fn stands(&self) -> bool {
        !self.0.0.lock().unwrap().stale
    }

    fn share(&mut self) {
        self.0.0.lock().unwrap().shared += 1;
    }

    fn take_again(&mut self) {
        self.0.0.lock().unwrap().again += 1;
    }

    fn release(self: Box<Self>) -> Option<Boxed<()>> {
        let slow = self.0.0.lock().unwrap().slow;
        slow.then(|| -> Boxed<()> {
            Box::pin(poll_fn(move |cx| {
                let mut state = self.0.0.lock().unwrap();
                state.waker = Some(cx.waker().clone());
                if state.let_go {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }))
        })
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().holds -= 1;
    }
}

fn settings(service: &ListService) -> Settings<ListService> {
    let policy = Policy::default().clear_login(true);
    Settings::new(Arc::new(service.clone())).policy(policy)
}

fn rig(engine: &Engine, service: &ListService) -> Rig<ListService> {
    Rig::new(&Arc::new(settings(service)), &engine.server())
}

fn mail() -> ListService {
    ListService::new(&[b"one\r\n", b"two\r\n"])
}

/// Logged in, with the first message marked.
fn marked(engine: &Engine, service: &ListService) -> Rig<ListService> {
    let mut rig = rig(engine, service);
    rig.log_in();
    engine.says(Outcome::Held);
    rig.run();
    assert!(rig.ask("DELE 1").contains("+OK"));
    rig
}

#[test]
fn no_client_is_let_in_before_the_hold() {
    let engine = Engine::default();
    let mut rig = rig(&engine, &mail());
    assert_eq!(rig.log_in(), "");
    assert_eq!(rig.ask("STAT"), "");
    rig.wait(Duration::from_secs(60));
    assert_eq!(rig.heard(), "");
    engine.says(Outcome::Held);
    rig.run();
    let heard = rig.heard();
    assert_eq!(heard.matches("+OK").count(), 2, "{heard}");
    assert!(heard.ends_with("+OK 2 10\r\n"), "{heard}");
    let claims = engine.0.lock().unwrap().claims.clone();
    assert_eq!(claims, [("joe".to_owned(), Mode::Exclusive, 1)]);
    assert!(rig.ask("QUIT").starts_with("+OK"));
    assert_eq!(engine.holds(), 0);
}

#[test]
fn a_hold_that_is_not_granted_refuses_the_login() {
    for (outcome, answer) in [
        (Outcome::Busy, "-ERR [IN-USE]"),
        (Outcome::Lost, "-ERR [SYS/TEMP]"),
    ] {
        let engine = Engine::default();
        let mut rig = rig(&engine, &mail());
        rig.log_in();
        engine.says(outcome);
        rig.run();
        let heard = rig.heard();
        assert!(heard.starts_with(answer), "{heard}");
        assert_eq!(engine.holds(), 0);
        assert!(rig.ask("CAPA").starts_with("+OK"), "the session stays");
    }
}

#[test]
fn a_login_does_not_wait_for_its_hold_for_ever() {
    let engine = Engine::default();
    let mut rig = rig(&engine, &mail());
    rig.log_in();
    rig.wait(Duration::from_secs(200));
    let heard = rig.heard();
    assert!(heard.starts_with("-ERR"), "{heard}");
    assert_eq!(engine.holds(), 0);
    // the same for one whose client leaves
    let mut rig = self::rig(&engine, &mail());
    rig.log_in();
    rig.reset();
    assert_eq!(engine.holds(), 0);
}

#[test]
fn a_reader_shares_the_hold() {
    let engine = Engine::default();
    let mut service = mail();
    service.mood = Mood::ReadOnly;
    let mut rig = rig(&engine, &service);
    rig.log_in();
    engine.says(Outcome::Held);
    rig.run();
    assert_eq!(engine.0.lock().unwrap().shared, 1);
}

#[test]
fn reading_goes_on_without_the_hold() {
    let engine = Engine::default();
    let service = mail();
    let mut rig = rig(&engine, &service);
    rig.log_in();
    engine.says(Outcome::Held);
    rig.run();
    engine.says(Outcome::Lost);
    rig.run();
    assert!(rig.ask("RETR 2").contains("two\r\n.\r\n"));
    assert!(rig.ask("QUIT").starts_with("+OK"));
    assert_eq!(engine.again(), 0, "nothing was to be removed");
}

#[test]
fn an_update_takes_a_lost_hold_again() {
    let engine = Engine::default();
    let service = mail();
    let mut rig = marked(&engine, &service);
    engine.says(Outcome::Lost);
    rig.run();
    assert_eq!(rig.ask("QUIT"), "");
    assert_eq!((engine.again(), service.removed()), (1, vec![]));
    engine.says(Outcome::Held);
    rig.run();
    let heard = rig.heard();
    assert!(heard.starts_with("+OK"), "{heard}");
    assert_eq!((service.removed(), engine.holds()), (vec![0], 0));
}

/// The process was stopped for longer than its lease, and the client's QUIT is read before anything else.
#[test]
fn an_update_does_not_trust_a_hold_that_has_lapsed_unheard() {
    let engine = Engine::default();
    let service = mail();
    let mut rig = marked(&engine, &service);
    engine.0.lock().unwrap().stale = true;
    assert_eq!(rig.ask("QUIT"), "");
    assert_eq!((engine.again(), service.removed()), (1, vec![]));
    engine.says(Outcome::Busy);
    rig.run();
    assert!(rig.heard().starts_with("-ERR"));
    assert_eq!(service.removed(), Vec::<u32>::new());
}

#[test]
fn an_update_removes_nothing_where_others_had_the_maildrop() {
    for outcome in [Outcome::Busy, Outcome::Lost] {
        let engine = Engine::default();
        let service = mail();
        let mut rig = marked(&engine, &service);
        engine.says(Outcome::Lost);
        rig.run();
        rig.ask("QUIT");
        engine.says(outcome);
        rig.run();
        let heard = rig.heard();
        assert!(heard.starts_with("-ERR"), "{heard}");
        assert_eq!((service.removed(), engine.holds()), (vec![], 0));
    }
}

#[test]
fn a_hold_that_comes_back_is_as_good_as_before() {
    let engine = Engine::default();
    let service = mail();
    let mut rig = marked(&engine, &service);
    for outcome in [Outcome::Lost, Outcome::Held] {
        engine.says(outcome);
        rig.run();
    }
    assert!(rig.ask("QUIT").starts_with("+OK"));
    assert_eq!((engine.again(), service.removed()), (0, vec![0]));
}

#[test]
fn the_last_reply_comes_after_the_hold_is_let_go() {
    for patient in [true, false] {
        let engine = Engine::default();
        engine.0.lock().unwrap().slow = true;
        let service = mail();
        let mut rig = marked(&engine, &service);
        assert_eq!(rig.ask("QUIT"), "");
        assert_eq!(service.removed(), [0]);
        if patient {
            engine.lets_go();
            rig.run();
        } else {
            // an engine that says nothing does not keep the client
            rig.wait(Duration::from_secs(5));
        }
        let heard = rig.heard();
        assert!(heard.starts_with("+OK"), "{heard}");
        rig.end_of_stream();
        assert!(rig.connection.is_finished());
        drop(rig);
        assert_eq!(engine.holds(), 0);
    }
}

/// What comes of a hold wakes the connection, on a runtime that polls nothing else.
#[test]
fn a_late_answer_wakes() {
    let sim = Sim::new(Shape {
        buffer: 64 * 1024,
        chunk: 64 * 1024,
    });
    let engine = Engine::default();
    engine.0.lock().unwrap().slow = true;
    let socket = pop3_server::listen::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let setup = Setup::new()
        .server(engine.server())
        .pop3(socket, settings(&mail()));
    keep(&sim, setup.serve(sim.clone(), sim.signals()));
    sim.run();
    let mut client = sim.client();
    client.say(format!("USER joe\r\nPASS {PASSWORD}\r\nQUIT\r\n"));
    let mut settle = |greetings: usize| {
        for _ in 0..10 {
            sim.run();
            client.turn(usize::MAX);
        }
        assert_eq!(client.text().matches("+OK").count(), greetings);
    };
    settle(2);
    engine.says(Outcome::Held);
    settle(3);
    engine.lets_go();
    settle(4);
}
