//! Limits of connections, delays of failed logins, routes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::IpAddr;

use pop3_server::delay::Delay;
use pop3_server::limit::{Origin, Slots};
use pop3_server::route::Routes;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
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

/// W023: a customer has a /56 or a /48 at his disposal.
#[test]
fn w023_an_ipv6_origin_lies_in_wider_networks() {
    let sites = |address| Origin::from(ip(address)).sites().collect::<Vec<_>>();
    assert_eq!(sites("192.0.2.1"), []);
    assert_eq!(sites("::ffff:192.0.2.1"), []);
    let home = sites("2001:db8:1:200::1");
    assert_eq!(
        home.iter().map(|site| site.length()).collect::<Vec<_>>(),
        [56, 48]
    );
    assert_eq!(sites("2001:db8:1:2ff::9"), home);
    assert_ne!(sites("2001:db8:1:300::1")[0], home[0]);
    assert_eq!(sites("2001:db8:1:300::1")[1], home[1]);
    assert_ne!(sites("2001:db8:2:200::1")[1], home[1]);
}

/// V39: 2 s, doubling, up to a cap.
#[test]
fn v39_the_delay_grows_up_to_a_cap() {
    let delay = Delay::default();
    let waits = [0, 1, 2, 3, 4, 5, 6, 33, u32::MAX].map(|failures| delay.after(failures).as_secs());
    assert_eq!(waits, [0, 2, 4, 8, 16, 30, 30, 30, 30]);
}

/// G22: names of all forms; client text is compared, never expanded (V14).
#[test]
fn g22_v14_the_most_exact_route_wins() {
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
