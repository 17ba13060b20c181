//! Those who were right lately, and the owner of a name that others guess at: they get in.

use std::time::Duration;

use pop3_server::delay::Fault;
use pop3_server::throttle::{LIFETIME, NAME_SOURCES};

use crate::{OFFICE, Play, at, forms, password};

/// W020: a client that was right lately does not wait for others at the same address that are wrong.
#[test]
fn w020_a_known_device_passes_others_behind_its_address() {
    for login in forms("tim") {
        let play = Play::new();
        play.succeed(&login, OFFICE, at(0));
        let mut now = at(0);
        for _ in 0..20 {
            now = play.fail(&password("ann", "guess"), OFFICE, Fault::Wrong, now);
        }
        assert!(play.wait(&password("ann", "guess"), OFFICE, now) > 0);
        // as often as it comes
        for _ in 0..3 {
            let mut look = play.ask(&login, OFFICE, now);
            assert_eq!(look.poll(now), None, "{login:?}");
            look.right(now);
        }
        assert!(
            play.wait(&login, "192.0.2.9", now) == 0,
            "nothing failed there"
        );
        let expired = now + LIFETIME;
        play.fail(&password("ann", "guess"), OFFICE, Fault::Wrong, expired);
        assert!(play.wait(&login, OFFICE, expired) > 0, "not for ever");
    }
}

/// W020: a known device is name, credential and address; anything else waits.
#[test]
fn w020_nothing_but_the_very_same_login_is_known() {
    let play = Play::new();
    play.succeed(&password("Tim", "right"), OFFICE, at(0));
    play.fail(&password("ann", "guess"), OFFICE, Fault::Wrong, at(0));
    play.fail(&password("ann", "guess"), "192.0.2.2", Fault::Wrong, at(0));
    for (login, address) in [
        (password("Tim", "righ"), OFFICE),
        (password("Tim", "right "), OFFICE),
        (password("Ti", "mright"), OFFICE),
        (password("ann", "right"), OFFICE),
        (password("Tim", "right"), "192.0.2.2"),
    ] {
        assert!(play.wait(&login, address, at(0)) > 0, "{login:?} {address}");
    }
    assert_eq!(play.wait(&password("Tim", "right"), OFFICE, at(0)), 0);
    // once it is refused, it is a device like any other
    play.fail(&password("Tim", "right"), OFFICE, Fault::Wrong, at(0));
    assert!(play.wait(&password("Tim", "right"), OFFICE, at(0)) > 0);
}

/// W020: an answer to a challenge cannot be compared, so it passes once, and only one at a time.
#[test]
fn w020_an_answer_to_a_challenge_passes_once() {
    let play = Play::new();
    let apop = &forms("tim")[2];
    play.succeed(apop, OFFICE, at(0));
    play.fail(&password("ann", "guess"), OFFICE, Fault::Wrong, at(0));
    let mut first = play.ask(apop, OFFICE, at(0));
    assert_eq!(first.poll(at(0)), None);
    assert!(
        play.wait(apop, OFFICE, at(0)) > 0,
        "while the first is looked at"
    );
    first.wrong(Fault::Wrong, at(0));
    assert!(play.wait(apop, OFFICE, at(0)) > 0, "the first was wrong");
    play.succeed(apop, OFFICE, at(0));
    assert_eq!(play.wait(apop, OFFICE, at(60_000)), 0);
}

/// W020: next comes a client that was right from this address lately, though with another credential.
#[test]
fn w020_familiar_names_go_first() {
    let play = Play::new();
    play.succeed(&password("tim", "old"), OFFICE, at(0));
    play.fail(&password("ann", "guess"), OFFICE, Fault::Wrong, at(0));
    let mut others: Vec<_> = (0..30)
        .map(|n| play.ask(&password(&format!("user{n}"), "x"), OFFICE, at(1)))
        .collect();
    let mut owner = play.ask(&password("tim", "new"), OFFICE, at(2));
    let called = others.iter_mut().map(|look| look.poll(at(2000)).is_none());
    assert_eq!(called.filter(|called| *called).count(), 0);
    assert_eq!(owner.poll(at(2000)), None);
}

/// W020: a name that is guessed from many addresses waits wherever it is tried; its devices do not.
#[test]
fn w020_a_name_guessed_from_many_addresses_waits_and_its_devices_do_not() {
    let play = Play::new();
    let owner = password("tim", "right");
    play.succeed(&owner, OFFICE, at(0));
    for n in 1..=NAME_SOURCES {
        let clean = format!("198.51.100.{n}");
        let guess = password(
            ["tim", "TIM", "t\u{ad}im", "\u{ff34}im"][n as usize % 4],
            "guess",
        );
        assert_eq!(play.wait(&guess, &clean, at(0)), 0, "address {n}");
        play.fail(&guess, &clean, Fault::Wrong, at(0));
    }
    for login in forms("tim") {
        assert_eq!(play.wait(&login, "203.0.113.1", at(0)), 2000, "{login:?}");
    }
    assert_eq!(play.wait(&password("ann", "x"), "203.0.113.1", at(0)), 0);
    assert_eq!(play.wait(&owner, OFFICE, at(0)), 0);
    // one look for all of them
    let mut bots: Vec<_> = (1..50)
        .map(|n| play.ask(&password("tim", "guess"), &format!("203.0.113.{n}"), at(0)))
        .collect();
    let called = bots.iter_mut().map(|look| look.poll(at(2000)).is_none());
    assert_eq!(called.filter(|called| *called).count(), 1);
}

/// W020: however many guess at a name, its owner gets in from a new address: before those that wait there
/// already, and before those whose address has failed.
#[test]
fn w020_an_owner_gets_in_from_a_clean_address_while_many_guess_at_his_name() {
    let play = Play::new();
    let guess = password("tim", "guess");
    let mut now = at(0);
    for n in 0..50 {
        now = play.fail(&guess, &format!("198.51.100.{n}"), Fault::Wrong, now);
    }
    let mut bots: Vec<_> = (0..100)
        .map(|n| play.ask(&guess, &format!("198.51.100.{n}"), now))
        .collect();
    let mut owner = play.ask(&password("tim", "right"), "203.0.113.1", now);
    let again = owner.poll(now).unwrap();
    assert!(again.since(now) <= Duration::from_secs(8), "{again:?}");
    for bot in &mut bots {
        assert_ne!(bot.poll(again), None);
    }
    assert_eq!(owner.poll(again), None);
}

/// W020: one address alone cannot make a name wait elsewhere.
#[test]
fn w020_the_owner_of_an_account_cannot_be_locked_out() {
    let play = Play::new();
    let mut now = at(0);
    for _ in 0..50 {
        now = play.fail(&password("tim", "guess"), OFFICE, Fault::Wrong, now);
    }
    assert_eq!(play.wait(&password("tim", "right"), "203.0.113.1", now), 0);
}
