//! Which client holds a place before login, and which makes room, in virtual time.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use pop3_proto::time::Time;
use pop3_server::crowd::{Crowd, FAIR, Place};
use pop3_server::limit::{Limit, Limits};
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(seconds: u64) -> Time {
    Time::from_start(Duration::from_secs(seconds))
}

fn limits(total: usize, strangers: usize) -> Limits {
    let mut limits = Limits::default();
    limits.total = total;
    limits.strangers = strangers;
    limits.per_address = 8;
    limits.per_user = 0;
    limits
}

fn out(places: &[Place]) -> Vec<usize> {
    let all = places.iter().enumerate();
    all.filter_map(|(n, place)| place.is_turned_out().then_some(n))
        .collect()
}

/// W023: the oldest from where most come goes, be he ever so young.
#[test]
fn w023_the_oldest_of_the_most_crowded_goes_first() {
    let crowd = Crowd::default();
    let from = |host: &str| crowd.admit(&limits(30, 20), ip(host), at(0));
    let mut places = vec![from("192.0.2.1").unwrap()];
    places.extend((0..7).map(|_| from("192.0.2.2").unwrap()));
    places.extend((0..6).map(|_| from("192.0.2.3").unwrap()));
    places.extend((0..6).map(|_| from("192.0.2.4").unwrap()));
    assert_eq!(crowd.count(), (20, 20));
    let fresh = from("192.0.2.9").unwrap();
    assert_eq!(out(&places), [1]);
    assert_eq!(crowd.count(), (20, 20));
    assert!(!fresh.is_turned_out());
    // and no newcomer pushes out his own neighbours before their time
    assert!(from("192.0.2.2").is_err() || out(&places) == [1, 8]);
    drop(places);
    assert_eq!(crowd.count().0, 1);
}

/// W023: a client that floods its own address does not get its neighbours behind it out at once, nor block it for ever.
#[test]
fn w023_neighbours_have_their_fair_chance() {
    let crowd = Crowd::default();
    let places: Vec<_> = (0..8)
        .map(|_| {
            crowd
                .admit(&limits(30, 20), ip("192.0.2.1"), at(0))
                .unwrap()
        })
        .collect();
    assert!(
        crowd
            .admit(&limits(30, 20), ip("192.0.2.1"), at(1))
            .is_err()
    );
    assert_eq!(out(&places), Vec::<usize>::new());
    let later = at(0) + FAIR;
    let next = crowd
        .admit(&limits(30, 20), ip("192.0.2.1"), later)
        .unwrap();
    assert_eq!(out(&places), [0]);
    drop((places, next));
    assert_eq!((crowd.count(), crowd.origins()), ((0, 0), 0));
}

/// W023: the /64 of one site count together.
#[test]
fn w023_the_networks_of_a_site_are_one_crowd() {
    for (step, most) in [(1_u128 << 64, 16), (1 << 72, 32)] {
        let all = limits(0, 0);
        let crowd = Crowd::default();
        let base = 0x2001_0db8_0001_0000_u128 << 64;
        let mut places = Vec::new();
        for n in 0..100_u128 {
            let address = Ipv6Addr::from_bits(base + n * step).into();
            places.extend(crowd.admit(&all, address, at(0)));
        }
        assert_eq!(places.len(), most);
        // where it is full, the site goes first although each of its networks has one stranger
        let limits = limits(0, most + 1);
        let mut lone = crowd.admit(&limits, ip("192.0.2.1"), at(0)).unwrap();
        let other = crowd.admit(&limits, ip("192.0.2.2"), at(0)).unwrap();
        assert_eq!((out(&places), lone.is_turned_out()), (vec![0], false));
        lone.logged_in();
        drop((lone, other, places));
        assert_eq!(crowd.count(), (0, 0));
    }
}

/// W023: a client that has logged in stays, and strangers have fewer places than there are.
#[test]
fn w023_who_is_logged_in_is_never_turned_out() {
    let crowd = Crowd::default();
    let mut places = Vec::new();
    for host in 0..30 {
        let mut place = crowd
            .admit(&limits(30, 20), ip(&format!("192.0.2.{host}")), at(0))
            .unwrap();
        place.logged_in();
        places.push(place);
    }
    assert!(
        crowd
            .admit(&limits(30, 20), ip("198.51.100.1"), at(100))
            .is_err()
    );
    assert!(!crowd.make_room());
    places[0].login_failed(at(100));
    let next = crowd.admit(&limits(30, 20), ip("198.51.100.1"), at(100));
    assert!(next.is_ok());
    assert_eq!(out(&places), [0]);
    // it was just about to log in: it keeps its place
    places[0].logged_in();
    assert_eq!((out(&places), crowd.count().0), (vec![], 31));
    drop((places, next));
    assert_eq!((crowd.count(), crowd.origins()), ((0, 0), 0));
}

/// Something other than places has run out: the one that would go next goes.
#[test]
fn room_is_made_without_a_newcomer() {
    let crowd = Crowd::default();
    let from = |host: &str| crowd.admit(&limits(0, 0), ip(host), at(0)).unwrap();
    let places = ["192.0.2.1", "192.0.2.2", "192.0.2.2"].map(from);
    assert_eq!(crowd.origins(), 2);
    assert!(crowd.make_room());
    assert_eq!((out(&places), crowd.count()), (vec![1], (2, 2)));
}

/// A place that was given back is one place.
#[test]
fn an_address_has_as_many_places_as_it_gave_back() {
    let crowd = Crowd::default();
    let from = || crowd.admit(&limits(0, 0), ip("192.0.2.1"), at(0));
    let mut places: Vec<_> = (0..8).map(|_| from().unwrap()).collect();
    assert!(from().is_err());
    drop(places.pop());
    places.extend(from());
    assert_eq!(places.len(), 8);
    assert!(from().is_err());
}

/// W023: it was turned out while it logged in: its address has that place all the same.
#[test]
fn w023_who_comes_back_counts_at_its_address() {
    let crowd = Crowd::default();
    let mut one = limits(0, 1);
    one.per_address = 1;
    let from = |host: &str, now| crowd.admit(&one, ip(host), now);
    let mut first = from("192.0.2.1", at(0)).unwrap();
    let second = from("192.0.2.2", at(0) + FAIR).unwrap();
    assert!(first.is_turned_out());
    first.logged_in();
    assert!(from("192.0.2.1", at(100)).is_err());
    drop(second);
}

/// W023: a newcomer pushes out its own neighbours, not who came before them from elsewhere.
#[test]
fn w023_a_full_network_makes_room_within_itself() {
    let later = at(0) + FAIR;
    for (own, few, places_in_all) in [
        // the /56 is full
        (["2001:db8:1::1", "2001:db8:1:1::1"], 1, 0),
        // all places are taken, and no other network has more strangers
        (["192.0.2.2", "192.0.2.2"], 8, 3),
        (["2001:db8:1::1", "2001:db8:1:1::1"], 8, 3),
    ] {
        let crowd = Crowd::default();
        let mut limits = limits(0, places_in_all);
        limits.per_address = few;
        let from = |host: &str, now| crowd.admit(&limits, ip(host), now);
        let mut places = vec![from("2001:db8:2::1", at(0)).unwrap()];
        places.extend(own.map(|host| from(host, at(0)).unwrap()));
        let newcomer = match own {
            [_, "192.0.2.2"] => "192.0.2.2",
            _ => "2001:db8:1:2::1",
        };
        assert!(from(newcomer, at(0)).is_err());
        let next = from(newcomer, later);
        assert!(next.is_ok());
        assert_eq!(out(&places), [1], "{own:?} {few}");
    }
}

proptest! {
    /// W023: whatever comes and goes, the counts are right and the bounds hold.
    #[test]
    fn w023_counts_and_bounds_hold(events in prop::collection::vec((0_u8..4, any::<u8>(), 0_u64..5), 0..300)) {
        let crowd = Crowd::default();
        let mut places: Vec<(Place, bool)> = Vec::new();
        let mut now = 0;
        for (what, which, pause) in events {
            now += pause;
            let n = usize::from(which) % places.len().max(1);
            match what {
                0 | 1 => {
                    let address = match which % 3 {
                        0 => ip(&format!("192.0.2.{}", which % 7)),
                        _ => ip(&format!("2001:db8:{}:{:x}::1", which % 2, which)),
                    };
                    places.extend(crowd.admit(&limits(30, 20), address, at(now)).map(|place| (place, false)));
                }
                2 if !places.is_empty() => drop(places.swap_remove(n)),
                _ => if let Some((place, member)) = places.get_mut(n).filter(|(place, _)| !place.is_turned_out()) {
                    if *member { place.login_failed(at(now)) } else { place.logged_in() }
                    *member = !*member;
                },
            }
            let inside = |member: bool| places.iter().filter(|(place, is)| !place.is_turned_out() && *is == member).count();
            prop_assert_eq!(crowd.count(), (inside(true) + inside(false), inside(false)));
            prop_assert!(crowd.count().0 <= limits(30, 20).total);
        }
        drop(places);
        prop_assert_eq!((crowd.count(), crowd.origins()), ((0, 0), 0));
    }
}

/// Who watches the server learns which of its limits was too small.
#[test]
fn a_refusal_names_the_limit_that_was_reached() {
    let limits = |total, strangers, per_address| {
        let mut all = limits(total, strangers);
        all.per_address = per_address;
        all
    };
    let refused = |limits, hosts: &[&str], newcomer| {
        let crowd = Crowd::default();
        let places: Vec<_> = hosts
            .iter()
            .map(|host| crowd.admit(&limits, ip(host), at(0)).unwrap())
            .collect();
        let refused = crowd.admit(&limits, ip(newcomer), at(0)).map(drop);
        drop(places);
        refused.unwrap_err()
    };
    let (one, two) = ("192.0.2.1", "192.0.2.2");
    assert_eq!(refused(limits(2, 0, 0), &[one, one], one), Limit::Total);
    assert_eq!(refused(limits(2, 2, 0), &[one, one], one), Limit::Total);
    assert_eq!(refused(limits(0, 2, 0), &[one, one], one), Limit::Strangers);
    assert_eq!(refused(limits(0, 0, 1), &[one, two], two), Limit::Address);
    let of_site = ["2001:db8::1", "2001:db8:0:1::1"];
    let newcomer = "2001:db8:0:2::1";
    assert_eq!(refused(limits(0, 0, 1), &of_site, newcomer), Limit::Network);
}

/// A session that rests leaves one of its two sockets to others, and has it back in any case.
#[test]
fn w024_those_that_rest_leave_room_for_others() {
    let crowd = Crowd::default();
    let mut few = limits(0, 0);
    few.sockets = 6;
    few.per_address = 0;
    let admit = || crowd.admit(&few, ip("192.0.2.1"), at(0));
    let logged_in = || {
        let mut place = admit().unwrap();
        place.logged_in();
        place
    };
    let mut guests = vec![logged_in(), logged_in(), logged_in()];
    assert_eq!(admit().err(), Some(Limit::Descriptors));
    assert!(!guests[0].rests(&few, true) && !guests[0].rests(&few, true));
    assert_eq!(admit().err(), Some(Limit::Descriptors));
    assert!(!guests[1].rests(&few, true));
    guests.push(logged_in());
    assert_eq!(admit().err(), Some(Limit::Descriptors));
    assert!(!guests[2].rests(&few, true));
    // one too many now
    assert!(!guests[0].rests(&few, false));
    assert!(guests[1].rests(&few, false));
    guests.clear();
    let strangers = [admit(), admit(), admit()].map(Result::unwrap);
    assert!(!strangers[0].is_turned_out());
    let late = crowd.admit(&few, ip("192.0.2.2"), at(9)).unwrap();
    assert!(strangers[0].is_turned_out() && !late.is_turned_out());
}
