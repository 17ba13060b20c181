//! When batches leave.

use std::time::Duration;

use pop3_proto::time::Time;

use super::super::Machine;
use crate::ask::{Answer, Ask};
use crate::digest::Digest;
use crate::timing::Timing;

/// A node, and how late it is.
struct Node {
    machine: Machine,
    now: Time,
}

impl Node {
    /// One that has a lease.
    fn joined() -> Self {
        let timing = Timing::default();
        let machine = Machine::new(timing, false, "node".into(), 1);
        let mut node = Self {
            machine,
            now: Time::ZERO,
        };
        assert_eq!(node.asks(), Some(1));
        let standing = Answer::Standing {
            grace: Duration::ZERO,
            namesake: None,
            posted: Vec::new(),
        };
        node.machine.answered(Ok(vec![standing]), node.now);
        node
    }

    /// One that holds maildrop 1; the claim for 2 came while that for 1 was under way.
    fn crowded() -> Self {
        let mut node = Self::joined();
        node.claim(1);
        assert_eq!(node.asks(), Some(1));
        node.claim(2);
        node.wait(200);
        node.answered(1);
        node
    }

    fn claim(&mut self, id: u64) {
        self.machine.take(id, Digest([id as u8; 16]), self.now);
    }

    /// How many questions leave now.
    fn asks(&mut self) -> Option<usize> {
        let asks = self.machine.batch(self.now);
        asks.map(|asks| asks.len())
    }

    fn answered(&mut self, count: u64) {
        let answers = (1..=count).map(|fence| Answer::Granted { fence }).collect();
        self.machine.answered(Ok(answers), self.now);
    }

    fn wait(&mut self, micros: u64) {
        self.now = self.now + Duration::from_micros(micros);
    }
}

#[test]
fn a_question_that_is_alone_waits_for_nothing() {
    let mut node = Node::joined();
    for id in 1..10 {
        node.claim(id);
        assert_eq!(node.machine.rest(node.now), None);
        assert_eq!(node.asks(), Some(1));
        node.wait(200);
        node.answered(1);
    }
}

#[test]
fn questions_that_came_while_others_were_under_way_wait_for_more() {
    let mut node = Node::crowded();
    assert_eq!(node.asks(), None);
    let until = node.machine.rest(node.now).expect("a rest");
    node.wait(1800);
    node.claim(3);
    node.machine.release(1);
    assert_eq!(node.asks(), None);
    node.wait(1000);
    assert_eq!((until, node.machine.rest(node.now)), (node.now, None));
    assert_eq!(node.asks(), Some(3));
    // a far engine is slower than that
    node.claim(4);
    node.wait(5000);
    node.answered(3);
    assert_eq!(node.asks(), Some(1));
}

#[test]
fn a_rest_is_to_be_waited_for_even_if_its_questions_are_no_more() {
    let mut node = Node::crowded();
    node.machine.release(2);
    assert!(node.machine.rest(node.now).is_some());
    node.claim(3);
    node.wait(3000);
    assert_eq!(node.machine.rest(node.now), None);
    assert_eq!(node.asks(), Some(1));
}

#[test]
fn what_is_too_much_for_one_batch_goes_on_at_once() {
    let mut node = Node::joined();
    for _ in 0..1200 {
        node.machine.errand(None, Ask::Survey, node.now);
    }
    for count in [500, 500, 200] {
        assert_eq!(node.asks(), Some(count));
        node.answered(count as u64);
    }
}
