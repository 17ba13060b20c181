//! Everything that can happen in a small world, and long histories by chance.

use proptest::prelude::*;

use super::world::{Action, Network, World};
use crate::timing::Timing;

/// With these times an engine may lose all at any moment.
fn patient() -> Timing {
    Timing {
        grace: Timing::default().lease,
        ..Timing::default()
    }
}

/// Every sequence of so many of these actions.
fn explore(
    world: &World,
    actions: &[Action],
    depth: usize,
    path: &mut Vec<Action>,
    ends: &mut u64,
) {
    if depth == 0 {
        *ends += 1;
        return world.clone().ends_well();
    }
    for action in actions {
        path.push(*action);
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut next = world.clone();
            next.act(*action);
            next
        }));
        match done {
            Ok(next) => explore(&next, actions, depth - 1, path, ends),
            Err(_) => panic!("after {path:?}"),
        }
        path.pop();
    }
}

/// A number from the environment, for longer runs.
fn wanted(name: &str, usual: u32) -> u32 {
    let wanted = std::env::var(name);
    wanted.map_or(usual, |wanted| wanted.parse().expect("a number"))
}

/// How deep the search goes.
fn depth() -> usize {
    wanted("GATEWAY_CLUSTER_DEPTH", 3) as usize
}

/// How many histories are tried.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: wanted("GATEWAY_CLUSTER_CASES", 150),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn two_sessions_never_believe_the_same_whatever_happens_to_one_node() {
    let mut actions = vec![
        Action::Take(1, 0),
        Action::Quit(0),
        Action::Quit(1),
        Action::Crash(0),
        Action::Pause(0),
        Action::Resume(0),
        Action::Arrive,
        Action::Flush,
        Action::Wait(700),
        Action::Wait(4000),
        Action::Wait(27_000),
        Action::Wait(31_000),
    ];
    for network in [Network::Up, Network::Cut, Network::Mute, Network::Late] {
        actions.push(Action::Network(0, network));
    }
    let mut world = World::new(2, patient(), false);
    world.act(Action::Take(0, 0));
    let mut ends = 0;
    explore(&world, &actions, depth(), &mut Vec::new(), &mut ends);
    assert_eq!(ends, (actions.len() as u64).pow(depth() as u32));
}

#[test]
fn a_new_claim_is_as_safe() {
    let mut actions = vec![
        Action::Take(0, 0),
        Action::Take(1, 0),
        Action::Quit(0),
        Action::Drop(1),
        Action::Arrive,
        Action::Flush,
        Action::Wait(200),
        Action::Wait(600),
        Action::Wait(31_000),
    ];
    for node in 0..2 {
        for network in [Network::Up, Network::Mute, Network::Late] {
            actions.push(Action::Network(node, network));
        }
    }
    let world = World::new(2, patient(), false);
    explore(&world, &actions, depth(), &mut Vec::new(), &mut 0);
}

fn any_action(nodes: usize, flush: bool) -> impl Strategy<Value = Action> {
    let network = prop_oneof![
        4 => Just(Network::Up),
        1 => Just(Network::Cut),
        1 => Just(Network::Mute),
        1 => Just(Network::Late)
    ];
    let flush = if flush { Action::Flush } else { Action::Arrive };
    prop_oneof![
        6 => (0..nodes, 0..2_usize).prop_map(|(node, maildrop)| Action::Take(node, maildrop)),
        4 => (0..nodes).prop_map(Action::Quit),
        2 => (0..nodes).prop_map(Action::Drop),
        3 => (0..nodes, network).prop_map(|(node, network)| Action::Network(node, network)),
        1 => (0..nodes).prop_map(Action::Pause),
        2 => (0..nodes).prop_map(Action::Resume),
        1 => (0..nodes).prop_map(Action::Crash),
        1 => Just(Action::Arrive),
        1 => Just(flush),
        8 => prop_oneof![0..1000_u64, 1000..10_000_u64, 20_000..40_000_u64].prop_map(Action::Wait),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn long_histories_of_three_nodes_are_as_safe(
        actions in proptest::collection::vec(any_action(3, true), 1..60), open in prop::bool::weighted(0.2),
    ) {
        let mut world = World::new(3, patient(), open);
        actions.iter().for_each(|action| world.act(*action));
        world.ends_well();
    }

    /// The usual grace is enough where nodes reach an engine that lost all.
    #[test]
    fn the_usual_times_are_safe_as_long_as_an_engine_keeps_what_it_knows(
        actions in proptest::collection::vec(any_action(3, false), 1..60),
    ) {
        let mut world = World::new(3, Timing::default(), false);
        actions.iter().for_each(|action| world.act(*action));
        world.ends_well();
    }

    #[test]
    fn and_if_it_loses_all_while_every_node_reaches_it(
        takes in proptest::collection::vec((0..3_usize, 0..2_usize), 1..10),
        before in 0..10_000_u64,
        between in 0..10_000_u64,
    ) {
        let mut world = World::new(3, Timing::default(), false);
        for (node, maildrop) in &takes {
            world.act(Action::Take(*node, *maildrop));
        }
        world.act(Action::Wait(before));
        world.act(Action::Flush);
        for (node, maildrop) in &takes {
            world.act(Action::Wait(between / 10));
            world.act(Action::Take(*node, *maildrop));
        }
        world.act(Action::Wait(10_000));
        for (node, maildrop) in takes {
            world.act(Action::Take(node, maildrop));
        }
        world.ends_well();
    }
}

/// Why the lease is renewed more often than the grace lasts.
#[test]
#[should_panic(expected = "0: [")]
fn a_node_that_asks_too_seldom_would_not_learn_in_time_that_the_engine_is_empty() {
    let seldom = Timing {
        renew: std::time::Duration::from_secs(10),
        ..Timing::default()
    };
    let mut world = World::new(2, seldom, false);
    world.act(Action::Take(0, 0));
    for _ in 0..10 {
        world.act(Action::Wait(1500));
        world.act(Action::Flush);
        world.act(Action::Take(1, 0));
        world.act(Action::Wait(6000));
        world.act(Action::Take(1, 0));
        world.act(Action::Drop(1));
    }
}
