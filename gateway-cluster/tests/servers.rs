//! Nodes and a real engine that is killed, stopped, emptied, replaced: the same for each engine.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use common::{Engine, Node, postgres, until};
use futures_lite::future::block_on;
use gateway_cluster::{Notice, OnFailure, Outcome};
use testkit_databases::Redis;

/// A test for each engine.
macro_rules! for_each_engine {
    ($($test:ident: $redis:ident, $postgres:ident;)*) => {$(
        #[test]
        #[ignore = "needs redis-server: run .ci/run sql"]
        fn $redis() {
            $test(&mut Redis::start());
        }

        #[test]
        #[ignore = "needs postgresql: run .ci/run sql"]
        fn $postgres() {
            $test(&mut postgres());
        }
    )*};
}

for_each_engine! {
    one_session_holds: redis_lets_one_session_hold, postgres_lets_one_session_hold;
    killed: redis_is_killed, postgres_is_killed;
    stopped: redis_is_stopped, postgres_is_stopped;
    emptied: redis_is_emptied, postgres_is_emptied;
}

fn one_session_holds(engine: &mut dyn Engine) {
    let one = Node::start(&engine.url(), "one", OnFailure::Closed);
    let two = Node::start(&engine.url(), "two", OnFailure::Closed);
    one.is_ready();
    two.is_ready();
    let mut hold = one.cluster.take("tim");
    assert_eq!(block_on(hold.next_outcome()), Outcome::Held);
    assert_eq!(two.take("tim"), Outcome::Busy);
    assert_eq!(two.take("tom"), Outcome::Held);
    block_on(hold.release());
    assert_eq!(two.take("tim"), Outcome::Held);
    let status = block_on(one.cluster.status());
    let mut names: Vec<&str> = status.nodes.iter().map(|node| &*node.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["one", "two"]);
    assert!(status.answered && status.fence.is_some_and(|fence| fence >= 3));
}

fn killed(engine: &mut dyn Engine) {
    let open = Node::start(&engine.url(), "open", OnFailure::Open);
    let closed = Node::start(&engine.url(), "closed", OnFailure::Closed);
    open.is_ready();
    closed.is_ready();
    let mut hold = closed.cluster.take("tim");
    assert_eq!(block_on(hold.next_outcome()), Outcome::Held);
    engine.kill();
    assert_eq!(open.take("tom"), Outcome::Held);
    assert_eq!(closed.take("tom"), Outcome::Lost);
    until("it is said", || {
        closed.noticed(|it| matches!(it, Notice::Gone { .. }))
    });
    let alone = open.cluster.take("tom");
    engine.restart();
    until("what was held alone is held by all", || {
        open.cluster.figures().held == 1
    });
    closed.is_ready();
    assert_eq!(closed.take("tom"), Outcome::Busy);
    assert_eq!(open.take("tim"), Outcome::Busy);
    assert_eq!(hold.outcome(), Some(Outcome::Held));
    assert!(closed.noticed(|it| matches!(it, Notice::Back { .. })));
    drop(alone);
}

fn stopped(engine: &mut dyn Engine) {
    let one = Node::start(&engine.url(), "one", OnFailure::Closed);
    let two = Node::start(&engine.url(), "two", OnFailure::Closed);
    one.is_ready();
    two.is_ready();
    let mut hold = one.cluster.take("tim");
    assert_eq!(block_on(hold.next_outcome()), Outcome::Held);
    engine.pause();
    // nobody waits for longer than an answer may take
    assert_eq!(two.take("tom"), Outcome::Lost);
    assert_eq!(block_on(hold.next_outcome()), Outcome::Lost);
    hold.take_again();
    assert_eq!(block_on(hold.next_outcome()), Outcome::Lost);
    engine.go_on();
    // nobody had it meanwhile
    assert_eq!(block_on(hold.next_outcome()), Outcome::Held);
    two.is_ready();
    assert_eq!(two.take("tim"), Outcome::Busy);
    block_on(hold.release());
    assert_eq!(two.take("tim"), Outcome::Held);
}

fn emptied(engine: &mut dyn Engine) {
    let one = Node::start(&engine.url(), "one", OnFailure::Closed);
    let two = Node::start(&engine.url(), "two", OnFailure::Closed);
    one.is_ready();
    two.is_ready();
    let mut hold = one.cluster.take("tim");
    assert_eq!(block_on(hold.next_outcome()), Outcome::Held);
    engine.lose_all();
    // at first nothing new, then what is not held
    let first = two.take("tim");
    assert_ne!(first, Outcome::Held);
    two.is_ready();
    assert_eq!(two.take("tim"), Outcome::Busy);
    assert_eq!(hold.outcome(), Some(Outcome::Held));
    assert!(two.noticed(|it| matches!(it, Notice::Grace { .. })));
}

/// An address that leads to one server now and to another later, as a balancer's does.
fn balancer(port: u16) -> (u16, Arc<AtomicU16>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let target = Arc::new(AtomicU16::new(port));
    let to = Arc::clone(&target);
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let Ok(server) = TcpStream::connect(("127.0.0.1", to.load(Ordering::SeqCst))) else {
                continue;
            };
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ] {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Both);
                });
            }
        }
    });
    (own, target)
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_is_replaced_by_its_replica() {
    let mut primary = Redis::start();
    let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &primary.port.to_string()]);
    let (port, target) = balancer(primary.port);
    let url = format!("redis://127.0.0.1:{port}");
    let one = Node::start(&url, "one", OnFailure::Closed);
    let two = Node::start(&url, "two", OnFailure::Closed);
    one.is_ready();
    two.is_ready();
    let mut hold = one.cluster.take("tim");
    assert_eq!(block_on(hold.next_outcome()), Outcome::Held);
    until("the replica knows it", || {
        replica.cli(&["KEYS", "*hold:*"]).contains("hold:")
    });
    // what only the primary knew is lost with it
    replica.cli(&["REPLICAOF", "NO", "ONE"]);
    let mut late = two.cluster.take("late");
    assert_eq!(block_on(late.next_outcome()), Outcome::Held);
    target.store(replica.port, Ordering::SeqCst);
    primary.kill();
    until(
        "the other is a stranger, and does not grant at once",
        || two.noticed(|it| matches!(it, Notice::Grace { .. })),
    );
    one.is_ready();
    two.is_ready();
    assert_eq!(two.take("tim"), Outcome::Busy);
    assert_eq!(one.take("late"), Outcome::Busy);
    assert_eq!(hold.outcome(), Some(Outcome::Held));
    assert_eq!(late.outcome(), Some(Outcome::Held));
}
