//! Questions without end, the same to all engines.

use std::collections::HashMap;

use pop3_proto::failed_login::{Delay, Fault, Scope};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use testkit_databases::{Kind, Redis as Server, Server as Database};

use super::*;
use crate::ask::{Node, Post, Turn};
use crate::subject::Subject;

fn any_lease() -> impl Strategy<Value = Lease> {
    (1..3_u64, 1..3_u64).prop_map(|(boot, generation)| Lease { boot, generation })
}

fn any_name() -> impl Strategy<Value = Digest> {
    prop_oneof![Just(digest("tim")), Just(digest("tom"))]
}

fn any_node() -> impl Strategy<Value = Node> {
    ("[ab]", 0..3_u32).prop_map(|(name, holds)| Node {
        name,
        holds,
        degraded: Duration::from_millis(1500),
    })
}

fn any_proof() -> impl Strategy<Value = Proof> {
    (any_lease(), 1..2_u64, 1..4_u64).prop_map(|(lease, session, fence)| Proof {
        lease,
        session,
        fence,
    })
}

fn any_rules() -> impl Strategy<Value = Delay> {
    prop_oneof![9 => Just(100), 1 => Just(0)].prop_map(|seconds| Delay {
        first: Duration::from_secs(seconds),
        most: Duration::from_secs(seconds * 8),
        memory: Duration::from_secs(10_000),
        doubt: Duration::from_secs(5000),
    })
}

fn any_subjects() -> impl Strategy<Value = Vec<Subject>> {
    let subject = (any_name(), 1..4_u32, prop_oneof![Just(u32::MAX), Just(2)]);
    let subject = subject.prop_map(|(digest, sources, most)| Subject {
        digest,
        scope: Scope { sources, most },
    });
    // no subject twice in one login
    proptest::collection::vec(subject, 1..3).prop_map(|mut subjects| {
        subjects.dedup_by_key(|subject| subject.digest);
        subjects
    })
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Wrong),
        Just(Fault::Doubtful),
        Just(Fault::Left),
        Just(Fault::Unseen)
    ]
}

fn any_turn() -> impl Strategy<Value = Turn> {
    (1..3_u64, 1..3_u64).prop_map(|(boot, number)| Turn { boot, number })
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let (lease, name, session) = (any_lease, any_name, 1..2_u64);
    let span = Duration::from_secs(500);
    prop_oneof![
        5 => (lease(), any_node()).prop_map(|(lease, node)| Ask::Open { lease, node }),
        1 => (lease(), any_node()).prop_map(|(lease, node)| Ask::Renew { lease, node }),
        1 => lease().prop_map(|lease| Ask::Close { lease }),
        4 => (lease(), name(), session.clone())
            .prop_map(|(lease, maildrop, session)| Ask::Acquire { lease, maildrop, session }),
        4 => (lease(), name(), session, 1..4_u64, any::<bool>()).prop_map(
            |(lease, maildrop, session, fence, sure)| Ask::Keep { lease, maildrop, session, fence, sure },
        ),
        4 => (name(), any_proof())
            .prop_map(|(maildrop, proof)| Ask::Release { maildrop, proof }),
        2 => (lease(), name(), 0..4_u32)
            .prop_map(|(lease, account, cap)| Ask::Enter { lease, account, cap }),
        1 => (lease(), name(), 0..4_u32)
            .prop_map(|(lease, account, count)| Ask::Count { lease, account, count }),
        2 => (name(), any::<bool>(), 0..500_u64).prop_map(|(account, wanted, seconds)| Ask::Post {
            post: if wanted { Post::Wanted } else { Post::BackOff },
            account,
            span: Duration::from_secs(seconds),
        }),
        1 => (lease(), name(), 1..3_u64)
            .prop_map(move |(lease, grant, turn)| Ask::Refresh { lease, grant, turn, span }),
        1 => (lease(), name(), 1..3_u64)
            .prop_map(|(lease, grant, turn)| Ask::Refreshed { lease, grant, turn }),
        2 => (any_subjects(), any_turn(), any_rules())
            .prop_map(|(subjects, turn, rules)| Ask::Look { subjects, turn, rules }),
        4 => (any_subjects(), any_name(), any_fault(), any_rules())
            .prop_map(|(subjects, source, fault, rules)| Ask::Note { subjects, source, fault, rules }),
        1 => (any_subjects(), any_turn())
            .prop_map(|(subjects, turn)| Ask::Spare { subjects, turn }),
        1 => Just(Ask::Survey),
    ]
}

/// Some questions are about what was really granted: chance alone would seldom find it.
fn really(ask: &mut Ask, granted: &HashMap<Digest, Proof>) {
    if let Ask::Release { maildrop, proof } = ask
        && proof.fence > 1
        && let Some(known) = granted.get(maildrop)
    {
        *proof = *known;
    } else if let Ask::Keep {
        maildrop, fence, ..
    } = ask
        && *fence > 1
        && let Some(known) = granted.get(maildrop)
    {
        *fence = known.fence;
    }
}

fn remember(granted: &mut HashMap<Digest, Proof>, ask: &Ask, answer: &Answer) {
    let Answer::Granted { fence } = *answer else {
        return;
    };
    if let Ask::Acquire {
        lease,
        maildrop,
        session,
    } = *ask
    {
        let proof = Proof {
            lease,
            session,
            fence,
        };
        granted.insert(maildrop, proof);
    } else if let Ask::Keep {
        lease,
        maildrop,
        session,
        fence,
        ..
    } = *ask
    {
        let proof = Proof {
            lease,
            session,
            fence,
        };
        granted.insert(maildrop, proof);
    }
}

/// Batches in a row, in a grace or after it.
fn compare(cases: u32, make: &mut dyn FnMut(&str) -> Box<dyn Engine>) {
    let batches = proptest::collection::vec(proptest::collection::vec(any_ask(), 1..4), 1..24);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let number = std::cell::Cell::new(0);
    let make = std::cell::RefCell::new(make);
    let grace = any::<bool>().prop_map(|grace| Duration::from_secs(u64::from(grace) * 3600));
    let run = |(batches, grace): (Vec<Vec<Ask>>, Duration)| {
        number.set(number.get() + 1);
        let mut engine = make.borrow_mut()(&format!("case-{}", number.get()));
        let mut memory = Memory::new();
        memory.lose_all();
        let common = common(grace);
        let mut granted = HashMap::new();
        for mut asks in batches {
            asks.iter_mut().for_each(|ask| really(ask, &granted));
            let expected = answers(&mut memory, &common, &asks);
            let found = answers(&mut *engine, &common, &asks);
            asks.iter()
                .zip(&expected)
                .for_each(|(ask, answer)| remember(&mut granted, ask, answer));
            prop_assert_eq!(found, expected, "{:?}", asks);
        }
        Ok(())
    };
    runner
        .run(&(batches, grace), run)
        .expect("the same answers");
}

#[test]
#[ignore = "needs redis-server"]
fn redis_answers_as_the_ledger() {
    let server = Server::start();
    let info = |url: String| redis::IntoConnectionInfo::into_connection_info(url);
    compare(400, &mut |cluster| {
        let info = info(server.url()).expect("an address");
        Box::new(Redis::new(info, None, cluster, "redis".into()))
    });
}

#[test]
#[ignore = "needs PostgreSQL"]
fn postgres_answers_as_the_ledger() {
    let server = Database::start(Kind::Postgres);
    let options: sqlx::postgres::PgConnectOptions = server.url().parse().expect("an address");
    compare(100, &mut |cluster| {
        Box::new(Postgres::new(options.clone(), cluster, "postgres".into()))
    });
}
