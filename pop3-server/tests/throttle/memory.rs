//! What is remembered, for how long and how much of it; and guesses in the long run.

use std::net::IpAddr;
use std::time::Duration;

use pop3_proto::time::Time;
use pop3_server::delay::{BROKEN_OFF, Delay, Fault};
use pop3_server::throttle::{Look, NAME_SOURCES};
use proptest::prelude::*;

use crate::{From, OFFICE, Play, at, ip, password};

/// V39: 2 s, doubling, up to a cap; forgotten after a while.
#[test]
fn v39_the_wait_grows_and_is_forgotten() {
    let play = Play::new();
    let guess = password("tim", "guess");
    let mut now = at(0);
    let mut moments = Vec::new();
    for _ in 0..7 {
        now = play.fail(&guess, OFFICE, Fault::Wrong, now);
        moments.push(now.since(at(0)).as_secs());
    }
    assert_eq!(moments, [0, 2, 6, 14, 30, 60, 90]);
    let later = now + Duration::from_secs(15 * 60);
    assert_eq!(play.wait(&guess, OFFICE, later), 0);
}

/// W020: waiting and leaving costs nothing, so it does not make the table forget others.
#[test]
fn w020_leaving_from_many_networks_of_a_site_pushes_nobody_out() {
    let play = Play::new();
    let login = password("tim", "x");
    for n in 0..16 {
        let address = From::Site.address(n << 8).to_string();
        play.fail(
            &password(&format!("user{n}"), "x"),
            &address,
            Fault::Wrong,
            at(0),
        );
    }
    play.fail(&login, OFFICE, Fault::Wrong, at(0));
    for n in 0..20_000 {
        let mut look = play.ask(&login, &From::Site.address(n).to_string(), at(1));
        assert_ne!(look.poll(at(1)), None, "{n}");
        look.wrong(Fault::Unseen, at(1));
    }
    assert_eq!(play.wait(&login, OFFICE, at(1)), 1999);
    let (places, ..) = play.throttle.remembered();
    assert!(places < 100, "{places}");
}

/// V39: what is as old as the memory is long does not count any more.
#[test]
fn v39_a_failure_is_forgotten_at_the_end_of_its_time() {
    let login = password("tim", "x");
    let rules = Delay::default();
    for (fault, memory) in [(Fault::Wrong, rules.memory), (Fault::Doubtful, rules.doubt)] {
        for (early, wait) in [(0, 2000), (1, 4000)] {
            let play = Play::new();
            play.fail(&login, OFFICE, fault, at(0));
            let again = at(0) + (memory - Duration::from_millis(early));
            play.fail(&login, OFFICE, fault, again);
            assert_eq!(play.wait(&login, OFFICE, again), wait, "{fault:?} {early}");
        }
    }
    let left = Play::new();
    for _ in 0..BROKEN_OFF {
        left.fail(&login, OFFICE, Fault::Left, at(0));
    }
    let again = at(0) + rules.memory;
    left.fail(&login, OFFICE, Fault::Left, again);
    assert_eq!(left.wait(&login, OFFICE, again), 0);
}

/// The addresses that guessed at a name count as long as their guesses.
#[test]
fn v39_a_source_is_forgotten_at_the_end_of_its_time() {
    let play = Play::new();
    let login = password("tim", "x");
    for n in 0..NAME_SOURCES {
        let address = format!("198.51.100.{n}");
        let now = at(if n == 0 { 0 } else { 60_000 });
        play.fail(&login, &address, Fault::Wrong, now);
    }
    let end = at(0) + play.rules.memory;
    for (now, passed) in [(at(899_999), [true, false]), (end, [true, true])] {
        let mut looks = ["203.0.113.1", "203.0.113.2"].map(|from| play.ask(&login, from, now));
        let found = looks.each_mut().map(|look| look.poll(now).is_none());
        assert_eq!(
            found.iter().filter(|one| **one).count(),
            passed.iter().filter(|one| **one).count(),
            "{now:?}"
        );
    }
}

/// A full table forgets what is too old; if nothing is, the oldest tenth.
#[test]
fn a_full_table_forgets_the_oldest() {
    let memory = Delay::default().memory;
    for (newcomer, left, oldest) in [(at(20_000), 18, 3), (at(0) + memory, 20, 1)] {
        let play = Play::remembering(20);
        let address = |n: u64| format!("198.51.100.{n}");
        let login = |n: u64| password(&format!("user{n}"), "x");
        for n in 0..20 {
            play.fail(&login(n), &address(n), Fault::Wrong, at(n * 1000));
        }
        assert_eq!(play.throttle.remembered(), (20, 20, 0));
        play.fail(&login(20), &address(20), Fault::Wrong, newcomer);
        assert_eq!(play.throttle.remembered(), (left, left, 0));
        let now = at(19_000);
        let counts = |n: &u64| play.throttle.failures(&play.rules, ip(&address(*n)), now) > 0;
        assert_eq!((0..20).find(counts), Some(oldest));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// W020: however an attacker comes, goes, waits and multiplies: under a guess in 5 s in the long run, and
    /// the device that was right lately never waits.
    #[test]
    fn w020_under_one_guess_a_second_in_the_long_run(
        from in prop::sample::select(vec![From::Address, From::Network, From::Site]),
        parallel in 1_usize..20,
        patience in 0_u64..5000,
        steps in prop::collection::vec((200_u64..2000, any::<bool>()), 1..8),
        faults in prop::collection::vec(prop::sample::select(vec![Fault::Wrong, Fault::Doubtful, Fault::Left]), 1..5),
    ) {
        let play = Play::new();
        let owner = password("owner", "right");
        let first = from.address(0);
        play.throttle.ask(&play.rules, &owner, first, at(0)).right(at(0));
        let mut looks: Vec<(u64, Look)> = Vec::new();
        let (mut now, mut n, mut guesses) = (0, 0, 0_u64);
        let minutes = 10;
        let mut steps = steps.into_iter().cycle();
        let mut faults = faults.into_iter().cycle();
        while now < minutes * 60_000 {
            let (pause, together) = steps.next().unwrap();
            now += pause;
            while looks.len() < if together { parallel } else { 1 } {
                n += 1;
                let guess = password(&format!("user{}", n % 1000), &format!("{n}"));
                looks.push((now, play.throttle.ask(&play.rules, &guess, from.address(n), at(now))));
            }
            let mut left = Vec::new();
            for (since, mut look) in looks {
                if look.poll(at(now)).is_none() {
                    guesses += 1;
                    look.wrong(faults.next().unwrap(), at(now));
                } else if now >= since + patience {
                    look.wrong(Fault::Unseen, at(now));
                } else {
                    left.push((since, look));
                }
            }
            looks = left;
            let mut look = play.throttle.ask(&play.rules, &owner, first, at(now));
            prop_assert_eq!(look.poll(at(now)), None);
            look.right(at(now));
        }
        // all that came before the first was found wrong, then one at a time
        let most = 100 + minutes * 60 / 5;
        prop_assert!(guesses <= most, "{} guesses in {} minutes", guesses, minutes);
        drop(looks);
        prop_assert_eq!(play.throttle.waiting(), 0);
    }

    /// W020: the tables are bounded whatever comes, and a full one is not a way around the wait.
    #[test]
    fn w020_the_tables_are_bounded(
        addresses in 1_usize..20,
        events in prop::collection::vec((any::<u32>(), any::<u8>(), 0_u64..300), 0..300),
    ) {
        let play = Play::remembering(addresses);
        let mut now = Time::ZERO;
        for (address, name, pause) in events {
            now = now + Duration::from_secs(pause);
            let address = IpAddr::V4(address.into()).to_string();
            let login = password(&format!("{name}"), "x");
            play.fail(&login, &address, Fault::Wrong, now);
            prop_assert!(play.wait(&login, &address, now) > 0 || addresses < 2, "the newest is remembered");
            let (places, names, devices) = play.throttle.remembered();
            prop_assert!(places <= addresses && names <= addresses && devices == 0);
        }
    }
}

/// W020: one account's devices push out none but its own.
#[test]
fn w020_the_devices_of_a_name_are_bounded() {
    let play = Play::new();
    let owner = password("ann", "right");
    play.succeed(&owner, OFFICE, at(0));
    for n in 0..10_000_u64 {
        let address = From::Site.address(n).to_string();
        play.succeed(&password("tim", "right"), &address, at(n));
    }
    let (_, _, devices) = play.throttle.remembered();
    assert!(devices <= 20, "{devices}");
    play.fail(&password("tim", "guess"), OFFICE, Fault::Wrong, at(20_000));
    assert_eq!(play.wait(&owner, OFFICE, at(20_000)), 0);
}
