//! The loop and the accept loop on a runtime without clock or sockets: no wake-up is lost, nothing
//! spins, everything ends.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pop3_proto::backend::Endpoint;
use pop3_proto::server::Policy;
use pop3_server::runtime::Signal;
use pop3_server::server::Server;
use pop3_server::service::Service;
use pop3_server::settings::Settings;
use pop3_server::setup::Setup;
use proptest::prelude::*;
use testkit_server::PASSWORD;
use testkit_server::list::{ListService, Mood};
use testkit_server::sim::{Outcome, Shape, Sim, keep};
use testkit_server::wire::{WireService, WireStore};

const ROOMY: Shape = Shape {
    buffer: 64 * 1024,
    chunk: 64 * 1024,
};

fn settings<S: Service>(service: S) -> Settings<S> {
    let mut settings = Settings::new(Arc::new(service));
    settings.policy = Arc::new(Policy::default().clear_login(true));
    settings
}

fn serve<S: Service>(sim: &Sim, settings: Settings<S>) -> (Server, Outcome) {
    let server = Server::new();
    let socket = pop3_server::listen::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let setup = Setup::new().server(server.clone()).pop3(socket, settings);
    let outcome = keep(sim, setup.serve(sim.clone(), sim.signals()));
    sim.run();
    (server, outcome)
}

fn mail() -> ListService {
    ListService::new(&[b"one\r\n", &vec![b'a'; 20_000]])
}

/// Sizes that cut words as well as sizes that do not.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..10, 10_usize..3000]
}

fn lines() -> String {
    format!("USER joe\r\nPASS {PASSWORD}\r\nRETR 2\r\nDELE 1\r\nRETR 2\r\nNOOP\r\nQUIT\r\n")
}

#[test]
fn no_time_passes_while_something_can_move() {
    let sim = Sim::new(ROOMY);
    let (_server, _) = serve(&sim, settings(mail()));
    let mut client = sim.client();
    client.say(lines());
    sim.settle(&mut client);
    assert!(client.ended() && !client.dropped());
    client.end();
    sim.run();
    assert!(client.dropped());
    assert_eq!(sim.tasks(), 1, "the accept loop is left");
}

#[test]
fn an_idle_connection_is_not_polled() {
    let sim = Sim::new(ROOMY);
    let (_server, _) = serve(&sim, settings(mail()));
    let mut client = sim.client();
    client.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
    sim.settle(&mut client);
    let before = sim.polls();
    sim.wait(Duration::from_secs(590));
    assert!(sim.polls() - before < 10, "{} polls", sim.polls() - before);
    sim.wait(Duration::from_secs(20));
    assert!(client.dropped());
}

/// A client that sends no more, but reads on, gets its response without the loop's spinning meanwhile.
#[test]
fn an_ended_client_that_reads_on_is_waited_for() {
    let sim = Sim::new(Shape {
        buffer: 100,
        chunk: 100,
    });
    let (_server, _) = serve(&sim, settings(mail()));
    let mut client = sim.client();
    client.say(format!("USER joe\r\nPASS {PASSWORD}\r\nRETR 2\r\nQUIT\r\n"));
    sim.run();
    client.turn(usize::MAX);
    client.end();
    let before = sim.polls();
    sim.run();
    assert!(sim.polls() - before < 10, "{} polls", sim.polls() - before);
    sim.settle(&mut client);
    assert!(
        client.text().ends_with("\r\n.\r\n+OK bye, 0 deleted\r\n"),
        "{}",
        client.text()
    );
    assert!(client.dropped());
}

/// The same while a store is at work.
#[test]
fn an_ended_client_is_not_spun_on_during_an_update() {
    let mut service = mail();
    service.mood = Mood::SilentUpdate;
    let sim = Sim::new(ROOMY);
    let (_server, _) = serve(&sim, settings(service));
    let mut client = sim.client();
    client.say(format!("USER joe\r\nPASS {PASSWORD}\r\nDELE 1\r\nQUIT\r\n"));
    sim.settle(&mut client);
    client.end();
    let before = sim.polls();
    sim.wait(Duration::from_secs(300));
    assert!(sim.polls() - before < 10, "{} polls", sim.polls() - before);
    sim.wait(Duration::from_secs(310));
    assert!(client.dropped());
}

/// F13: a client that says nothing does not keep others waiting.
#[test]
fn f13_clients_do_not_wait_for_each_other() {
    let sim = Sim::new(ROOMY);
    let (_server, _) = serve(&sim, settings(mail()));
    let _silent: Vec<_> = (0..50).map(|_| sim.client()).collect();
    let mut client = sim.client();
    client.say("QUIT\r\n");
    sim.settle(&mut client);
    assert!(client.ended());
}

#[test]
fn a_failing_accept_pauses_and_goes_on() {
    let sim = Sim::new(ROOMY);
    let (_server, _) = serve(&sim, settings(mail()));
    sim.accept_fails(io::ErrorKind::ConnectionAborted.into());
    sim.accept_fails(io::Error::from_raw_os_error(24));
    let mut client = sim.client();
    sim.settle(&mut client);
    assert_eq!(client.text(), "");
    sim.wait(Duration::from_millis(499));
    sim.settle(&mut client);
    assert_eq!(client.text(), "");
    sim.wait(Duration::from_millis(1));
    sim.settle(&mut client);
    assert!(client.text().starts_with("+OK"));
}

/// G19: stop, and stop again.
#[test]
fn g19_a_signal_stops_the_server() {
    for signals in [1, 2] {
        let mut service = mail();
        service.mood = Mood::SilentUpdate;
        let sim = Sim::new(ROOMY);
        let (server, outcome) = serve(&sim, settings(service.clone()));
        let (mut idle, mut stuck) = (sim.client(), sim.client());
        stuck.say(format!("USER joe\r\nPASS {PASSWORD}\r\nDELE 1\r\nQUIT\r\n"));
        sim.settle(&mut stuck);
        sim.settle(&mut idle);
        for _ in 0..signals {
            sim.signal(Signal::Stop);
            sim.run();
        }
        let mut late = sim.client();
        sim.settle(&mut late);
        assert_eq!(late.text(), "", "nobody new");
        assert_eq!(outcome.lock().unwrap().is_some(), signals == 2);
        sim.wait(Duration::from_secs(32));
        assert!(outcome.lock().unwrap().take().unwrap().is_ok());
        assert!(idle.dropped() && stuck.dropped());
        assert_eq!((sim.tasks(), server.locks().held()), (0, 0));
        assert_eq!(service.removed(), Vec::<u32>::new());
    }
}

/// Idle clients hear of the shutdown, and do not delay it although they never close.
#[test]
fn g19_clients_that_say_nothing_hold_no_stop_up() {
    let sim = Sim::new(ROOMY);
    let service = mail();
    let (_server, outcome) = serve(&sim, settings(service.clone()));
    let mut clients = [sim.client(), sim.client()];
    clients[1].say(format!("USER joe\r\nPASS {PASSWORD}\r\nDELE 1\r\n"));
    for client in &mut clients {
        sim.settle(client);
    }
    sim.signal(Signal::Stop);
    sim.run();
    for client in &mut clients {
        sim.settle(client);
        assert!(
            client.text().contains("\r\n-ERR [SYS/TEMP] "),
            "{}",
            client.text()
        );
    }
    sim.wait(Duration::from_millis(600));
    assert!(outcome.lock().unwrap().take().unwrap().is_ok());
    assert_eq!(service.removed(), Vec::<u32>::new());
}

#[test]
fn a_server_without_connections_stops_at_once() {
    let sim = Sim::new(ROOMY);
    let (server, outcome) = serve(&sim, settings(mail()));
    server.shutdown().advance();
    sim.run();
    assert!(outcome.lock().unwrap().is_some());
}

/// A dropped task frees everything.
#[test]
fn dropping_the_runtime_frees_the_locks() {
    let sim = Sim::new(ROOMY);
    let (server, _) = serve(&sim, settings(mail()));
    let mut client = sim.client();
    client.say(format!("USER joe\r\nPASS {PASSWORD}\r\n"));
    sim.settle(&mut client);
    assert_eq!(server.locks().held(), 1);
    sim.abort();
    assert_eq!(server.locks().held(), 0);
    assert!(client.dropped());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Liveness: whatever the sizes, a dialogue goes on as long as bytes can move, without the clock.
    #[test]
    fn no_wake_up_is_lost(buffer in size(), chunk in size(), most in size()) {
        let sim = Sim::new(Shape { buffer, chunk });
        let service = mail();
        let (server, _) = serve(&sim, settings(service.clone()));
        let mut client = sim.client();
        client.say(lines());
        sim.settle_in_pieces(&mut client, most);
        prop_assert!(client.ended(), "stands still after {} octets", client.heard.len());
        prop_assert_eq!(client.text().matches("+OK").count(), 8);
        prop_assert_eq!(service.removed(), vec![0]);
        prop_assert_eq!(server.locks().held(), 0);
    }

    /// The same with an upstream's socket between.
    #[test]
    fn no_wake_up_is_lost_with_an_upstream(
        buffer in size(),
        chunk in size(),
        most in size(),
    ) {
        let sim = Sim::new(Shape { buffer, chunk });
        let endpoint = Endpoint { host: "192.0.2.7".into(), port: 143 };
        let (_server, _) =
            serve(&sim, settings(WireService { endpoint, server_name: None, tls: None }));
        let (mut client, mut upstream) = (sim.client(), sim.upstream());
        let mut store = WireStore::new(vec![b"x".to_vec(), vec![b'y'; 20_000]]);
        client.say(lines());
        loop {
            sim.settle_in_pieces(&mut client, most);
            let moved = upstream.turn(most);
            store.handle_input(&std::mem::take(&mut upstream.heard));
            upstream.say(std::mem::take(&mut store.output));
            if !moved && !upstream.turn(most) {
                break;
            }
        }
        prop_assert!(client.ended(), "stands still after {} octets", client.heard.len());
        prop_assert_eq!(client.text().matches("+OK").count(), 8);
        prop_assert_eq!(store.removed, vec![0]);
        prop_assert!(store.said_bye && upstream.dropped());
    }

    /// P037: reset or ended after any octet; all is freed without a further word.
    #[test]
    fn p037_cut_after_any_octet(cut in 0_usize..59, chunk in 1_usize..40, reset in any::<bool>()) {
        let sim = Sim::new(Shape { buffer: 4000, chunk });
        let service = mail();
        let (server, _) = serve(&sim, settings(service.clone()));
        let mut client = sim.client();
        client.say(&lines()[..cut]);
        sim.settle(&mut client);
        if reset { client.reset() } else { client.end() }
        sim.settle(&mut client);
        sim.wait(Duration::from_secs(10));
        prop_assert!(client.dropped());
        prop_assert_eq!(server.locks().held(), 0);
        prop_assert_eq!(service.removed(), Vec::<u32>::new());
    }
}
