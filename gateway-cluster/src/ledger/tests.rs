//! What the ledger does beside answering: nothing where it refuses, and with failed logins what a single process does.

use std::net::IpAddr;
use std::time::Duration;

use pop3_proto::backend::Login;
use pop3_proto::failed_login::{Delay, Fault, Scope};
use pop3_proto::time::Time;
use pop3_server::throttle::{NAME_FAILURES, NAME_SOURCES, Throttle};
use proptest::prelude::*;

use super::*;
use crate::ask::{Node, Post, Turn};
use crate::subject::Subject;

fn digest(number: u8) -> Digest {
    Digest([number; 16])
}

fn terms(now: u64) -> Terms<'static> {
    Terms {
        timing: Timing::default(),
        check: digest(0),
        server: "",
        now,
    }
}

fn lease(boot: u64) -> Lease {
    let generation = 1;
    Lease { boot, generation }
}

/// With a lease for each of these, and no grace.
fn ledger(boots: &[u64]) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.begin(terms(0));
    for boot in boots {
        let node = Node {
            name: format!("node-{boot}"),
            ..Node::default()
        };
        let lease = lease(*boot);
        let answer = ledger.answer(terms(10_000), &Ask::Open { lease, node });
        assert!(matches!(
            answer,
            Answer::Standing {
                grace: Duration::ZERO,
                ..
            }
        ));
    }
    let _ = ledger.take_changes();
    ledger
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut ledger = ledger(&[1, 2]);
    let (maildrop, account) = (digest(1), digest(2));
    let acquire = |boot, session| Ask::Acquire {
        lease: lease(boot),
        maildrop,
        session,
    };
    let enter = |boot| Ask::Enter {
        lease: lease(boot),
        account,
        cap: 1,
    };
    let refresh = |boot| Ask::Refresh {
        lease: lease(boot),
        grant: account,
        turn: 1,
        span: Duration::from_secs(30),
    };
    let keep = |session, fence, sure| Ask::Keep {
        lease: lease(2),
        maildrop,
        session,
        fence,
        sure,
    };
    let release = |boot, session, fence| Ask::Release {
        maildrop,
        proof: crate::lease::Proof {
            lease: lease(boot),
            session,
            fence,
        },
    };
    for ask in [acquire(1, 1), enter(1), refresh(1)] {
        ledger.answer(terms(10_000), &ask);
        assert!(!ledger.take_changes().is_empty());
    }
    let rows = ledger.rows.clone();
    for ask in [
        acquire(2, 2),
        acquire(1, 3),
        acquire(9, 4),
        enter(2),
        enter(9),
        refresh(2),
        keep(1, 1, true),
        keep(2, 7, true),
        release(2, 1, 1),
        release(1, 2, 1),
        release(1, 1, 2),
        Ask::Renew {
            lease: lease(9),
            node: Node::default(),
        },
    ] {
        ledger.answer(terms(20_000), &ask);
        assert!(ledger.take_changes().is_empty(), "{ask:?}");
    }
    assert_eq!(ledger.rows, rows);
}

#[test]
fn a_dead_node_counts_for_nothing() {
    let mut ledger = ledger(&[1]);
    let (account, cap) = (digest(2), 2);
    let enter = |boot| Ask::Enter {
        lease: lease(boot),
        account,
        cap,
    };
    for expected in [Answer::Done, Answer::Done, Answer::InUse] {
        assert_eq!(ledger.answer(terms(10_000), &enter(1)), expected);
    }
    let later = terms(10_000 + 30_000);
    let node = Node {
        name: "other".into(),
        ..Node::default()
    };
    let lease = lease(2);
    ledger.answer(later, &Ask::Open { lease, node });
    assert_eq!(ledger.answer(later, &enter(2)), Answer::Done);
}

#[test]
fn the_board_keeps_what_lasts_longest_and_was_said_last() {
    let mut ledger = ledger(&[1]);
    let post = |post, number: u16, seconds| {
        let [high, low] = number.to_be_bytes();
        let mut account = digest(high);
        account.0[0] = low;
        Ask::Post {
            post,
            account,
            span: Duration::from_secs(seconds),
        }
    };
    let mut posted = |now, asks: &[Ask]| {
        for ask in asks {
            assert_eq!(ledger.answer(terms(now), ask), Answer::Done);
        }
        let (lease, node) = (lease(1), Node::default());
        let answer = ledger.answer(terms(now), &Ask::Open { lease, node });
        let Answer::Standing { posted, .. } = answer else {
            panic!("{answer:?}");
        };
        posted
    };
    let asks = [
        post(Post::BackOff, 1, 60),
        post(Post::Wanted, 1, 5),
        post(Post::BackOff, 1, 30),
    ];
    let all = posted(10_000, &asks);
    let left = |post| {
        let own = all.iter().find(|posted| posted.post == post);
        own.map(|posted| posted.left.as_secs())
    };
    assert_eq!(
        (left(Post::BackOff), left(Post::Wanted)),
        (Some(60), Some(5))
    );
    assert_eq!(posted(15_000, &[]).len(), 1, "what was wanted has ended");
    assert_eq!(posted(70_000, &[]).len(), 0);
    let many: Vec<Ask> = (0..600)
        .map(|number| post(Post::BackOff, number, 60))
        .collect();
    let all = posted(80_000, &many);
    assert_eq!(all.len(), 500);
    assert_eq!(all.first().map(|posted| posted.account.0[0]), Some(100));
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::Wrong),
        2 => Just(Fault::Doubtful),
        2 => Just(Fault::Left),
    ]
}

proptest! {
    /// The same logins, at one process that remembers them itself and at many that share what they remember.
    #[test]
    fn many_processes_wait_as_one_does(
        logins in proptest::collection::vec(
            (prop_oneof![0..3000_u64, 0..100_000_u64, 0..1_000_000_u64], 1..7_u8, 0..2_u8, any_fault()), 1..60,
        ),
    ) {
        let rules = Delay::default();
        let throttle = Throttle::new();
        let mut ledger = Ledger::default();
        let mut now = 1_000_000;
        for (number, (passed, address, user, fault)) in (0..).zip(logins) {
            now += passed;
            let time = Time::from_start(Duration::from_millis(now));
            let login = Login::Password {
                user: format!("user{user}"),
                password: b"guess"[..].into(),
            };
            let mut look = throttle.ask(&rules, &login, IpAddr::from([192, 0, 2, address]), time);
            let alone = look.poll(time).map_or(Duration::ZERO, |until| until.since(time));
            let subjects = vec![
                Subject { digest: digest(address), scope: Scope { sources: 1, most: u32::MAX } },
                Subject { digest: digest(100 + user), scope: Scope { sources: NAME_SOURCES, most: NAME_FAILURES } },
            ];
            let turn = Turn { boot: 1, number };
            let ask = Ask::Look { subjects: subjects.clone(), turn, rules };
            prop_assert_eq!(ledger.answer(terms(now), &ask), Answer::Wait(alone));
            if alone.is_zero() {
                look.wrong(fault, time);
                let source = digest(address);
                let note = Ask::Note { subjects: subjects.clone(), source, fault, rules };
                ledger.answer(terms(now), &note);
                ledger.answer(terms(now), &Ask::Spare { subjects, turn });
            }
            ledger.sweep(now);
        }
    }
}
