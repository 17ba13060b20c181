//! Who waits, and one turn after the other.

use std::time::Duration;

use pop3_server::delay::Fault;
use pop3_server::throttle::{Look, TURN};

use crate::{OFFICE, Play, at, forms, ip, password};

/// W020: the wait comes before the password is looked at, so that a right one takes as long as a wrong one.
#[test]
fn w020_an_address_that_failed_waits_before_it_is_looked_at_whatever_the_form() {
    for (guess, next) in forms("tim").into_iter().zip(forms("ann")) {
        let play = Play::new();
        assert_eq!(play.wait(&guess, OFFICE, at(0)), 0, "{guess:?}");
        play.fail(&guess, OFFICE, Fault::Wrong, at(0));
        for login in [&guess, &next] {
            assert_eq!(play.wait(login, OFFICE, at(0)), 2000, "{login:?}");
        }
        assert_eq!(play.wait(&guess, "192.0.2.2", at(0)), 0, "a clean address");
    }
}

#[test]
fn w020_no_delay_means_no_turns() {
    let mut play = Play::new();
    play.rules.first = Duration::ZERO;
    play.rules.most = Duration::ZERO;
    play.fail(&password("tim", "x"), OFFICE, Fault::Wrong, at(0));
    let mut first = play.ask(&password("tim", "x"), OFFICE, at(0));
    let mut second = play.ask(&password("tim", "x"), OFFICE, at(0));
    assert_eq!((first.poll(at(0)), second.poll(at(0))), (None, None));
}

/// W020: one at a time; a turn that takes long, or is left, passes on.
#[test]
fn w020_an_address_that_failed_has_one_login_looked_at_at_a_time() {
    let play = Play::new();
    play.fail(&password("tim", "x"), OFFICE, Fault::Wrong, at(0));
    let mut looks: Vec<_> = (0..3)
        .map(|n| play.ask(&password("ann", &format!("{n}")), OFFICE, at(0)))
        .collect();
    let poll = |looks: &mut Vec<Look>, now| -> Vec<bool> {
        looks
            .iter_mut()
            .map(|look| look.poll(now).is_none())
            .collect()
    };
    assert_eq!(poll(&mut looks, at(1999)), [false, false, false]);
    assert_eq!(poll(&mut looks, at(2000)), [true, false, false]);
    assert_eq!(poll(&mut looks, at(11_999)), [true, false, false]);
    let slow = looks.remove(0);
    let lease = 2000 + u64::try_from(TURN.as_millis()).unwrap();
    assert_eq!(poll(&mut looks, at(lease)), [true, false]);
    assert!(!looks[0].is_called() && !looks[1].is_called());
    // a right one has the next looked at without delay
    looks.remove(0).right(at(lease + 5));
    assert!(looks[0].is_called());
    assert_eq!(poll(&mut looks, at(lease + 5)), [true]);
    looks.remove(0).wrong(Fault::Wrong, at(lease + 10));
    slow.wrong(Fault::Wrong, at(lease + 20));
    assert_eq!(
        play.wait(&password("ann", "y"), OFFICE, at(lease + 20)),
        8000
    );
    assert_eq!(play.throttle.waiting(), 0);
}

/// Its turn passes on at once when it ends without a guess.
#[test]
fn w020_a_login_that_came_to_nothing_lets_the_next_one_in() {
    let play = Play::new();
    play.fail(&password("tim", "x"), OFFICE, Fault::Wrong, at(0));
    let mut first = play.ask(&password("tim", "y"), OFFICE, at(0));
    let mut next = play.ask(&password("ann", "y"), OFFICE, at(0));
    assert_eq!(first.poll(at(2000)), None);
    assert!(next.poll(at(2000)).is_some());
    first.nothing(at(2001));
    assert!(next.is_called());
}

/// W020: leaving while waiting counts, and does not delay others.
#[test]
fn w020_hanging_up_counts_and_puts_nobody_off() {
    let play = Play::new();
    play.fail(&password("tim", "x"), OFFICE, Fault::Wrong, at(0));
    for n in 0..1000 {
        let mut look = play.ask(&password("tim", "x"), OFFICE, at(n));
        assert!(look.poll(at(n)).is_some());
        look.wrong(Fault::Unseen, at(n));
    }
    assert_eq!(play.wait(&password("ann", "y"), OFFICE, at(1000)), 1000);
    play.fail(&password("ann", "y"), OFFICE, Fault::Wrong, at(1000));
    assert_eq!(play.wait(&password("ann", "y"), OFFICE, at(2000)), 30_000);
}

/// W020: a line may break while a password is looked at, but not again and again.
#[test]
fn w020_logins_that_are_broken_off_count_after_the_first() {
    let play = Play::new();
    let login = password("tim", "right");
    for n in 0..10_u64 {
        let waits = play.wait(&login, OFFICE, at(n)) > 0;
        assert_eq!(waits, n > 3, "{n}");
        let mut look = play.ask(&login, OFFICE, at(n));
        let seen = look.poll(at(n)).is_none();
        look.wrong(if seen { Fault::Left } else { Fault::Unseen }, at(n));
    }
}

/// W021: what may be the upstream's fault waits less, and not for long.
#[test]
fn w021_an_outage_is_not_held_against_an_address_for_long() {
    let play = Play::new();
    let login = password("tim", "right");
    let mut now = at(0);
    for _ in 0..20 {
        now = play.fail(&login, OFFICE, Fault::Doubtful, now);
    }
    assert_eq!(play.wait(&login, OFFICE, now), 8000);
    let over = now + Duration::from_secs(60);
    assert_eq!(play.wait(&login, OFFICE, over), 0);
    // and a known device passes all the time
    play.succeed(&login, OFFICE, over);
    let mut now = over;
    for _ in 0..20 {
        now = play.fail(&login, OFFICE, Fault::Doubtful, now);
        assert_eq!(play.wait(&login, OFFICE, now), 0);
    }
}

/// W020: many /64 of one site wait together, few do not.
#[test]
fn w020_a_site_with_many_networks_waits() {
    let play = Play::new();
    let guess = |n: usize| password(&format!("user{n}"), "x");
    for n in 0..4 {
        let address = format!("2001:db8:1:{n:x}::1");
        assert_eq!(play.wait(&guess(n), &address, at(0)), 0);
        play.fail(&guess(n), &address, Fault::Wrong, at(0));
    }
    assert_eq!(
        play.wait(&guess(99), "2001:db8:1:ff::1", at(0)),
        2000,
        "the /56"
    );
    assert_eq!(
        play.wait(&guess(99), "2001:db8:1:100::1", at(0)),
        0,
        "the /48"
    );
    for n in 1..=12 {
        play.fail(
            &guess(n),
            &format!("2001:db8:1:{n:x}00::1"),
            Fault::Wrong,
            at(0),
        );
    }
    assert_eq!(
        play.wait(&guess(99), "2001:db8:1:ee00::1", at(0)),
        2000,
        "the /48"
    );
    assert_eq!(play.wait(&guess(99), "2001:db8:2:100::1", at(0)), 0);
}

/// W020: who hangs up counts for its own network, unless a wider one waits.
#[test]
fn w020_a_network_counts_beside_its_site() {
    let play = Play::new();
    let fail = |n: u16, fault| {
        let address = format!("2001:db8:1:{n:x}::1");
        let look = play.ask(&password(&format!("user{n}"), "x"), &address, at(0));
        look.wrong(fault, at(0));
        play.throttle.failures(&play.rules, ip(&address), at(0))
    };
    assert_eq!(fail(1, Fault::Wrong), 1);
    assert_eq!(fail(2, Fault::Unseen), 1, "the site does not wait");
    assert_eq!(fail(3, Fault::Wrong), 1);
    assert_eq!(fail(4, Fault::Wrong), 1);
    assert_eq!(fail(5, Fault::Unseen), 0, "the site waits");
    assert_eq!(fail(6, Fault::Wrong), 1);
}
