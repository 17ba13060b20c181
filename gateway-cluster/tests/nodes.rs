//! Several nodes of one engine in memory, in real time.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use gateway_cluster::{
    Cluster, ClusterKey, ClusterUrl, Ending, Memory, Options, Outcome, Place, Refresh,
};
use pop3_proto::failed_login::{Delay, Fault, Scope};
use pop3_proto::secret::Secret;

fn node(memory: &Memory, name: &str) -> Cluster {
    let key = ClusterKey::new(&Secret::from(&b"a secret of all nodes"[..])).unwrap();
    Cluster::start(&ClusterUrl::memory(memory), &key, Options::new(name)).unwrap()
}

#[test]
fn one_session_of_all_nodes_holds_a_maildrop() {
    let memory = Memory::new();
    let (one, two) = (node(&memory, "one"), node(&memory, "two"));
    block_on(async {
        let mut hold = one.take("tim");
        assert_eq!(hold.next_outcome().await, Outcome::Held);
        assert_eq!(hold.outcome(), Some(Outcome::Held));
        for node in [&one, &two] {
            assert_eq!(node.take("tim").next_outcome().await, Outcome::Busy);
        }
        assert_eq!(two.take("tom").next_outcome().await, Outcome::Held);
        hold.release().await;
        let mut hold = two.take("tim");
        assert_eq!(hold.next_outcome().await, Outcome::Held);
        drop(hold);
        while two.figures().held > 0 {}
        assert_eq!(one.figures().busy, 1);
    });
}

#[test]
fn a_node_that_leaves_holds_nothing() {
    let memory = Memory::new();
    let (one, two) = (node(&memory, "one"), node(&memory, "two"));
    block_on(async {
        let mut hold = one.take("tim");
        assert_eq!(hold.next_outcome().await, Outcome::Held);
        one.leave().await;
        assert_eq!(two.take("tim").next_outcome().await, Outcome::Held);
        let status = two.status().await;
        let names: Vec<&str> = status.nodes.iter().map(|node| &*node.name).collect();
        assert_eq!(names, ["two"]);
        // what is asked of it later is answered as if the engine were gone
        assert!(!one.status().await.answered);
        assert_eq!(one.wait_for("office"), Duration::ZERO);
    });
}

#[test]
fn the_younger_of_two_nodes_with_one_name_ends() {
    let memory = Memory::new();
    let elder = node(&memory, "one");
    block_on(elder.take("tim").next_outcome());
    let younger = node(&memory, "one");
    assert_eq!(block_on(younger.ended()), Ending::Namesake);
}

#[test]
fn all_nodes_together_have_so_many_connections_of_an_account() {
    let memory = Memory::new();
    let (one, two) = (node(&memory, "one"), node(&memory, "two"));
    block_on(async {
        let first = one.place("tim", 2, Duration::ZERO + SHORT).await;
        let second = two.place("tim", 2, SHORT).await;
        assert!(first.is_some() && second.is_some());
        let asked = Instant::now();
        assert!(one.place("tim", 2, SHORT).await.is_none());
        assert!(asked.elapsed() >= SHORT);
        let third = one.place("tim", 2, Duration::from_secs(60));
        drop(second);
        assert!(third.await.is_some());
        drop(first);
    });
}

#[test]
fn a_place_that_nobody_uses_goes_to_a_login_that_waits() {
    let memory = Memory::new();
    let (one, two) = (node(&memory, "one"), node(&memory, "two"));
    let kept = Arc::new(Mutex::new(None));
    let spare = |place: Place| {
        let own = Arc::clone(&kept);
        let spare = place.spare(move || drop(own.lock().unwrap().take()));
        *kept.lock().unwrap() = Some(spare);
    };
    let long = Duration::from_secs(60);
    block_on(async {
        spare(one.place("tim", 1, SHORT).await.unwrap());
        // at once at the node that has it
        spare(one.place("tim", 1, long).await.unwrap());
        // another hears of it when it renews its lease
        let place = two.place("tim", 1, long).await.unwrap();
        assert!(kept.lock().unwrap().is_none());
        assert!(one.place("tim", 1, SHORT).await.is_none());
        drop(place);
    });
}

/// A device that logs in again at once does not keep the others of its account out, at whatever node they are.
#[test]
fn a_login_that_waits_comes_before_those_that_come_later_to_another_node() {
    let memory = Memory::new();
    let (one, two) = (node(&memory, "one"), node(&memory, "two"));
    let long = Duration::from_secs(60);
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let first = block_on(one.place("tim", 1, SHORT));
        scope.spawn(|| {
            let mut own = first;
            while !ends.load(Ordering::Relaxed) {
                // a session; then the next one, at once
                std::thread::sleep(SHORT);
                drop(own.take());
                own = block_on(one.place("tim", 1, long));
            }
        });
        let place = block_on(two.place("tim", 1, long / 6));
        ends.store(true, Ordering::Relaxed);
        assert!(place.is_some());
    });
}

#[test]
fn a_provider_is_left_alone_by_all_and_one_node_refreshes() {
    let memory = Memory::new();
    let (one, two) = (node(&memory, "one"), node(&memory, "two"));
    block_on(async {
        assert_eq!(two.wait_for("office"), Duration::ZERO);
        one.back_off("office", Duration::from_secs(60));
        assert!(one.wait_for("office") > Duration::from_secs(50));
        while two.wait_for("office").is_zero() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(two.wait_for("office") > Duration::from_secs(50));

        let Refresh::Yours(lease) = one.refresh("grant", SHORT).await else {
            panic!("nobody has it");
        };
        assert!(matches!(two.refresh("grant", SHORT).await, Refresh::Waited));
        let other = two.refresh("grant", Duration::from_secs(60));
        // it has heard that another has it
        two.status().await;
        drop(lease);
        assert!(matches!(other.await, Refresh::Waited));
        one.status().await;
        two.status().await;
        assert!(matches!(
            two.refresh("grant", SHORT).await,
            Refresh::Yours(_)
        ));
    });
}

#[test]
fn failures_at_one_node_delay_at_all() {
    let memory = Memory::new();
    let (one, two) = (node(&memory, "one"), node(&memory, "two"));
    let rules = Delay::default();
    let scope = Scope {
        sources: 1,
        most: u32::MAX,
    };
    block_on(async {
        let who = [one.subject("address", b"192.0.2.1", scope)];
        assert_eq!(two.look(&who, rules).await.wait(), Duration::ZERO);
        one.failed(&who, b"192.0.2.1", Fault::Wrong, rules);
        one.failed(&who, b"192.0.2.1", Fault::Wrong, rules);
        one.status().await;
        let wait = two.look(&who, rules).await.wait();
        assert!(
            wait > Duration::from_secs(3) && wait <= Duration::from_secs(4),
            "{wait:?}"
        );
    });
}

const SHORT: Duration = Duration::from_millis(100);
