//! Which login is looked at when, in virtual time.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use pop3_proto::backend::{Login, Mechanism, Names};
use pop3_proto::time::Time;
use pop3_server::delay::{BROKEN_OFF, Delay, Fault};
use pop3_server::throttle::{LIFETIME, Look, NAME_SOURCES, TURN, Throttle};
use proptest::prelude::*;

const OFFICE: &str = "192.0.2.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(millis: u64) -> Time {
    Time::from_start(Duration::from_millis(millis))
}

fn password(user: &str, password: &str) -> Login {
    Login::Password {
        user: user.into(),
        password: password.as_bytes().into(),
    }
}

/// Every form of login that a client can choose, for this user.
fn forms(user: &str) -> Vec<Login> {
    let mechanism = |name| Mechanism::new(name).unwrap();
    vec![
        password(user, "p"),
        Login::ActingFor {
            user: "somebody".into(),
            by: user.into(),
            password: b"p"[..].into(),
        },
        Login::Apop {
            user: user.into(),
            timestamp: "<1@x>".into(),
            digest: [1; 16],
        },
        Login::CramMd5 {
            user: user.into(),
            challenge: "<1@x>".into(),
            digest: [1; 16],
        },
        Login::Bearer {
            mechanism: mechanism("XOAUTH2"),
            user: user.into(),
            token: b"token"[..].into(),
        },
        Login::Relay {
            mechanism: mechanism("SCRAM-SHA-256"),
            initial: Some(b"n,,n=x,r=y"[..].into()),
            names: Names {
                authentication: Some(user.into()),
                authorization: None,
            },
        },
    ]
}

/// A throttle with its rules.
struct Play {
    throttle: Throttle,
    rules: Delay,
}

impl Play {
    fn new() -> Self {
        Self {
            throttle: Throttle::new(),
            rules: Delay::default(),
        }
    }

    fn ask(&self, login: &Login, address: &str, now: Time) -> Look {
        self.throttle.ask(&self.rules, login, ip(address), now)
    }

    /// Asks once; the wait in milliseconds, 0 for none.
    fn wait(&self, login: &Login, address: &str, now: Time) -> u64 {
        let again = self.ask(login, address, now).poll(now);
        let wait = again.map_or(Duration::ZERO, |again| again.since(now));
        u64::try_from(wait.as_millis()).unwrap()
    }

    /// Looks at a login that fails, when its turn has come; says when that was.
    fn fail(&self, login: &Login, address: &str, fault: Fault, now: Time) -> Time {
        let mut look = self.ask(login, address, now);
        let mut now = now;
        while let Some(again) = look.poll(now) {
            now = again;
        }
        look.wrong(fault, now);
        now
    }

    fn succeed(&self, login: &Login, address: &str, now: Time) {
        let mut look = self.ask(login, address, now);
        let mut now = now;
        while let Some(again) = look.poll(now) {
            now = again;
        }
        look.right(now);
    }
}

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
        let guess = password(["tim", "TIM", "t\u{ad}im", "\u{ff34}im"][n % 4], "guess");
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

/// W020: one address alone cannot make a name wait elsewhere.
#[test]
fn w020_nobody_can_lock_out_the_owner_of_an_account() {
    let play = Play::new();
    let mut now = at(0);
    for _ in 0..50 {
        now = play.fail(&password("tim", "guess"), OFFICE, Fault::Wrong, now);
    }
    assert_eq!(play.wait(&password("tim", "right"), "203.0.113.1", now), 0);
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
        let mut play = Play::new();
        play.rules.addresses = 20;
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

/// Where an attacker comes from.
#[derive(Clone, Copy, Debug)]
enum From {
    Address,
    Network,
    Site,
}

impl From {
    fn address(self, n: u64) -> IpAddr {
        let base = 0x2001_0db8_0001_0000_u128 << 64;
        match self {
            Self::Address => ip(OFFICE),
            Self::Network => Ipv6Addr::from_bits(base | u128::from(n)).into(),
            Self::Site => Ipv6Addr::from_bits(base | u128::from(n & 0xFFFF) << 64).into(),
        }
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
        let mut play = Play::new();
        play.rules.addresses = addresses;
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
