//! What the table of failures says, row by row.

use super::super::{Outcome, Stand};
use super::world::{Action, Network, World};
use crate::timing::Timing;

fn world(open: bool) -> World {
    World::new(2, Timing::default(), open)
}

fn after(world: &mut World, actions: &[Action]) {
    actions.iter().for_each(|action| world.act(*action));
}

#[test]
fn without_the_engine_a_login_is_let_in_or_refused_as_the_operator_wants() {
    for (open, told, stand) in [
        (true, Some(Outcome::Held), Some(Stand::Local)),
        (false, None, None),
    ] {
        let mut world = world(open);
        let cut = [Action::Network(0, Network::Cut), Action::Take(0, 0)];
        after(&mut world, &cut);
        assert_eq!(world.told(0), None);
        world.act(Action::Wait(501));
        assert_eq!((world.told(0), world.stand(0)), (told, stand));
        // then nobody waits for it any more
        after(
            &mut world,
            &[Action::Drop(0), Action::Wait(2000), Action::Take(0, 0)],
        );
        assert_eq!((world.told(0), world.stand(0)), (told, stand));
        let figures = world.figures(0);
        assert_eq!(figures.alone_granted + figures.refused, 2);
        assert!(figures.degraded.is_some() && !figures.joined);
    }
}

#[test]
fn what_was_held_alone_is_held_by_all_when_the_engine_is_back_unless_another_has_it() {
    let mut world = world(true);
    let cut = [
        Action::Network(0, Network::Cut),
        Action::Take(0, 0),
        Action::Take(0, 1),
    ];
    after(&mut world, &cut);
    after(&mut world, &[Action::Wait(3000), Action::Take(1, 1)]);
    after(
        &mut world,
        &[Action::Network(0, Network::Up), Action::Wait(3000)],
    );
    assert_eq!(world.stand(0), Some(Stand::Held));
    let figures = world.figures(0);
    assert_eq!((figures.held, figures.alone, figures.lost), (1, 0, 1));
    world.act(Action::Take(1, 0));
    assert_eq!(world.refused, 1);
}

#[test]
fn a_hold_is_believed_for_the_time_of_a_lease_less_a_margin_after_the_last_renewal() {
    let mut world = world(false);
    world.act(Action::Take(0, 0));
    after(
        &mut world,
        &[Action::Wait(3000), Action::Network(0, Network::Cut)],
    );
    world.act(Action::Wait(21_000));
    assert_eq!(world.told(0), Some(Outcome::Held));
    world.act(Action::Wait(5000));
    assert_eq!(world.told(0), Some(Outcome::Lost));
    assert_eq!(world.figures(0).lapsed, 1);
}

#[test]
fn a_lost_hold_is_taken_again_if_nobody_had_it() {
    let mut world = world(false);
    let paused = [Action::Take(0, 0), Action::Pause(0), Action::Wait(60_000)];
    after(&mut world, &paused);
    after(&mut world, &[Action::Resume(0), Action::Quit(0)]);
    assert_eq!((world.removals, world.refused), (1, 0));
}

#[test]
fn and_not_if_another_had_it_though_he_is_gone() {
    let mut world = world(false);
    let paused = [Action::Take(0, 0), Action::Pause(0), Action::Wait(60_000)];
    after(&mut world, &paused);
    after(
        &mut world,
        &[Action::Take(1, 0), Action::Quit(1), Action::Wait(5000)],
    );
    assert_eq!(world.removals, 1);
    after(&mut world, &[Action::Resume(0)]);
    assert_eq!(world.told(0), Some(Outcome::Busy));
    world.act(Action::Quit(0));
    assert_eq!(world.removals, 1);
}

#[test]
fn without_the_engine_a_lost_hold_lets_nothing_be_removed_unless_it_is_open() {
    for (open, removals) in [(false, 0), (true, 1)] {
        let mut world = world(open);
        let cut = [
            Action::Take(0, 0),
            Action::Network(0, Network::Cut),
            Action::Wait(40_000),
        ];
        after(&mut world, &cut);
        assert_eq!(world.told(0), Some(Outcome::Lost));
        after(&mut world, &[Action::Quit(0), Action::Wait(501)]);
        assert_eq!(world.removals, removals);
    }
}

#[test]
fn an_engine_that_lost_all_hears_what_is_held_before_it_grants_anything() {
    let mut world = world(false);
    after(
        &mut world,
        &[Action::Take(0, 0), Action::Flush, Action::Take(1, 0)],
    );
    // in the grace nothing new: who comes waits for its end
    assert_eq!((world.told(1), world.refused), (None, 0));
    after(&mut world, &[Action::Wait(6000)]);
    assert_eq!((world.told(1), world.refused), (None, 1));
    assert_eq!(world.stand(0), Some(Stand::Held));
    world.act(Action::Take(1, 1));
    assert_eq!(world.told(1), Some(Outcome::Held));
}

#[test]
fn a_claim_waits_for_the_end_of_a_grace_and_nobody_decides_alone() {
    for open in [false, true] {
        let mut world = world(open);
        after(
            &mut world,
            &[Action::Flush, Action::Take(0, 0), Action::Take(1, 0)],
        );
        after(&mut world, &[Action::Wait(6000)]);
        let held = [0, 1].map(|node| world.told(node) == Some(Outcome::Held));
        assert_eq!((held, world.refused), ([true, false], 1));
        assert_eq!(world.figures(0).alone_granted, 0);
    }
}

#[test]
fn the_maildrops_of_a_dead_node_are_free_after_its_lease() {
    let mut world = world(false);
    after(
        &mut world,
        &[
            Action::Take(0, 0),
            Action::Pause(0),
            Action::Wait(25_000),
            Action::Take(1, 0),
        ],
    );
    assert_eq!(world.refused, 1);
    after(&mut world, &[Action::Wait(6000), Action::Take(1, 0)]);
    assert_eq!(world.told(1), Some(Outcome::Held));
}

/// Ten thousand idle sessions cost what ten cost.
#[test]
fn idle_sessions_cost_the_heartbeat_alone() {
    let mut world = world(false);
    world.act(Action::Take(0, 0));
    let before = world.figures(0);
    world.act(Action::Wait(300_000));
    let after = world.figures(0);
    assert_eq!(after.batches - before.batches, 100);
    assert_eq!(after.questions - before.questions, 100);
    let seen = |figures: &crate::status::Figures| {
        figures
            .latency
            .counts()
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    assert_eq!(seen(&after) - seen(&before), 100);
}

/// Both say that it is theirs, and only one can know.
#[test]
fn whose_lease_lapsed_is_not_believed_by_an_engine_that_lost_all() {
    let mut world = world(false);
    let paused = [Action::Take(0, 0), Action::Pause(0), Action::Wait(60_000)];
    after(&mut world, &paused);
    after(
        &mut world,
        &[Action::Take(1, 0), Action::Flush, Action::Resume(0)],
    );
    assert_eq!(world.told(0), Some(Outcome::Busy));
    world.act(Action::Wait(10_000));
    assert_eq!(world.stand(1), Some(Stand::Held));
}

#[test]
fn who_comes_after_the_grace_is_not_believed_either() {
    // two faults at once: then two may believe for a moment, so this is not looked at here
    let mut world = world(true);
    let cut = [
        Action::Take(0, 0),
        Action::Network(0, Network::Cut),
        Action::Flush,
    ];
    after(&mut world, &cut);
    after(
        &mut world,
        &[Action::Wait(12_000), Action::Take(1, 0), Action::Drop(1)],
    );
    after(
        &mut world,
        &[Action::Network(0, Network::Up), Action::Wait(3000)],
    );
    assert_eq!(world.told(0), Some(Outcome::Busy));
}

/// The engine heard more of it than this node knows.
#[test]
fn a_hold_is_kept_though_answers_were_lost() {
    for network in [Network::Mute, Network::Late] {
        let mut world = world(false);
        let lost = [
            Action::Take(0, 0),
            Action::Network(0, network),
            Action::Wait(6000),
        ];
        after(&mut world, &lost);
        after(
            &mut world,
            &[
                Action::Arrive,
                Action::Network(0, Network::Up),
                Action::Wait(3000),
            ],
        );
        assert_eq!(world.told(0), Some(Outcome::Held), "{network:?}");
        assert_eq!(world.stand(0), Some(Stand::Held));
        world.act(Action::Arrive);
        world.act(Action::Wait(40_000));
        assert_eq!(world.stand(0), Some(Stand::Held));
    }
}

#[test]
fn a_node_that_leaves_believes_nothing_any_more() {
    for network in [Network::Up, Network::Mute] {
        let mut world = world(false);
        let left = [
            Action::Take(0, 0),
            Action::Network(0, network),
            Action::Leave(0),
        ];
        after(&mut world, &left);
        assert_eq!(world.told(0), Some(Outcome::Lost));
        world.act(Action::Take(1, 0));
        assert_eq!(world.told(1), Some(Outcome::Held));
        after(&mut world, &[Action::Quit(0), Action::Wait(1000)]);
        assert_eq!(world.removals, 0);
    }
}
