//! Limits of connections, delays of failed logins, routes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::IpAddr;
use std::time::Duration;

use pop3_proto::time::Time;
use pop3_server::delay::{Delay, Failures};
use pop3_server::limit::{Origin, Slots};
use pop3_server::route::Routes;
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn seconds(n: u64) -> Time {
    Time::from_start(Duration::from_secs(n))
}

/// qE4: a place is free again whatever way its holder went.
#[test]
fn qe4_a_dropped_slot_is_free_again() {
    let slots = Slots::default();
    let first = slots.take("a", 2).unwrap();
    let second = slots.take("a", 2).unwrap();
    assert!(slots.take("a", 2).is_none());
    assert!(slots.take("b", 2).is_some());
    drop(first);
    let third = slots.take("a", 2).unwrap();
    drop((second, third));
    assert_eq!(slots.keys(), 0);
}

#[test]
fn a_limit_of_zero_is_none() {
    let slots = Slots::default();
    let all: Vec<_> = (0..1000).map(|_| slots.take((), 0).unwrap()).collect();
    drop(all);
    assert_eq!(slots.keys(), 0);
}

#[test]
fn an_ipv6_network_is_one_origin() {
    assert_eq!(
        Origin::from(ip("2001:db8::1")),
        Origin::from(ip("2001:db8::ffff:1"))
    );
    assert_ne!(
        Origin::from(ip("2001:db8::1")),
        Origin::from(ip("2001:db8:0:1::1"))
    );
    assert_eq!(
        Origin::from(ip("::ffff:192.0.2.1")),
        Origin::from(ip("192.0.2.1"))
    );
    assert_ne!(Origin::from(ip("192.0.2.1")), Origin::from(ip("192.0.2.2")));
}

/// V39: 2 s, doubling, up to a cap; forgotten after a while.
#[test]
fn v39_the_delay_grows_and_is_forgotten() {
    let (failures, delay) = (Failures::default(), Delay::default());
    let wait = |at| {
        failures
            .note(&delay, ip("192.0.2.1"), seconds(at))
            .as_secs()
    };
    assert_eq!(
        [wait(0), wait(1), wait(2), wait(3), wait(4), wait(5)],
        [2, 4, 8, 16, 30, 30]
    );
    assert_eq!(
        failures.note(&delay, ip("192.0.2.2"), seconds(6)).as_secs(),
        2
    );
    assert_eq!(wait(5 + 15 * 60), 2);
}

#[test]
fn a_thousand_failures_do_not_overflow() {
    let (failures, delay) = (Failures::default(), Delay::default());
    for _ in 0..1000 {
        assert!(failures.note(&delay, ip("192.0.2.1"), seconds(1)) <= delay.most);
    }
}

proptest! {
    /// V39: the table is bounded whoever comes when.
    #[test]
    fn v39_the_table_is_bounded(
        addresses in 0_usize..20,
        events in prop::collection::vec((any::<u32>(), 0_u64..300), 0..200),
    ) {
        let failures = Failures::default();
        let delay = Delay { addresses, ..Delay::default() };
        let mut now = 0;
        for (address, pause) in events {
            now += pause;
            let wait = failures.note(&delay, IpAddr::V4(address.into()), seconds(now));
            prop_assert!(wait >= delay.first && wait <= delay.most);
            prop_assert!(failures.remembered() <= addresses.max(1));
        }
    }
}

/// G22: names of all forms; client text is compared, never expanded (V14).
#[test]
fn g22_the_most_exact_route_wins() {
    let mut routes = Routes::everybody("default");
    routes.set_domain("Example.ORG", "domain");
    routes.set_user("joe@example.org", "joe");
    routes.set_user("joe", "plain joe");
    let cases = [
        (Some("joe@example.org"), "joe"),
        (Some("Joe@example.org"), "joe"),
        (Some("ann@EXAMPLE.org"), "domain"),
        (Some("ann+folder@example.org"), "domain"),
        (Some("a@b@example.org"), "domain"),
        (Some("joe"), "plain joe"),
        (Some("joe@"), "default"),
        (Some("@example.org"), "domain"),
        (Some(r"example.org\joe"), "default"),
        (Some("%s%n*\"'"), "default"),
        (Some("joe@sub.example.org"), "default"),
        (Some(""), "default"),
        (None, "default"),
    ];
    for (user, wanted) in cases {
        assert_eq!(routes.find(user), Some(&wanted), "{user:?}");
    }
    assert_eq!(Routes::<()>::new().find(Some("joe")), None);
    assert_eq!(routes.entries().count(), 4);
}
