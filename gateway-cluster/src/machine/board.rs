//! What all nodes are to hear of. It is read with each renewal, so that a login asks nothing for it; what this node says
//! itself counts here at once, with the engine and without.

use std::collections::HashMap;
use std::time::Duration;

use pop3_proto::time::Time;

use super::{Machine, Report};
use crate::ask::{Ask, Post, Posted};
use crate::digest::Digest;

/// How many accounts are left alone at most; the one whose time ends first makes room.
const MOST: usize = 1000;

#[derive(Clone, Default)]
pub(super) struct Board {
    /// Until when an account is left alone.
    backoffs: HashMap<Digest, Time>,
}

impl Board {
    fn back_off(&mut self, account: Digest, until: Time, now: Time) {
        let backoffs = &mut self.backoffs;
        if backoffs.len() >= MOST && !backoffs.contains_key(&account) {
            backoffs.retain(|_, until| *until > now);
            let first = backoffs.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(account, _)| *account);
            if let Some(first) = first.filter(|_| backoffs.len() >= MOST) {
                backoffs.remove(&first);
            }
        }
        let known = backoffs.entry(account).or_default();
        *known = until.max(*known);
    }
}

impl Machine {
    /// No node is to connect to this account for so long.
    pub(crate) fn back_off(&mut self, account: Digest, span: Duration, now: Time) {
        self.board.back_off(account, now + span, now);
        self.post(Post::BackOff, account, span, now);
    }

    /// For how long this account is not to be connected to, as far as it was heard.
    pub(crate) fn wait_for(&self, account: Digest, now: Time) -> Duration {
        let until = self.board.backoffs.get(&account);
        until.map_or(Duration::ZERO, |until| until.since(now))
    }

    /// Says it to the others.
    pub(super) fn post(&mut self, post: Post, account: Digest, span: Duration, now: Time) {
        let ask = Ask::Post {
            post,
            account,
            span,
        };
        self.errand(None, ask, now);
    }

    /// There is a lease: the engine is to know what this node knows.
    pub(super) fn post_all(&mut self, now: Time) {
        let left = |(account, until): (&Digest, &Time)| (*account, until.since(now));
        let backoffs: Vec<_> = self.board.backoffs.iter().map(left).collect();
        for (account, span) in backoffs {
            if !span.is_zero() {
                self.post(Post::BackOff, account, span, now);
            }
        }
    }

    /// This stood there when the lease was renewed.
    pub(super) fn heard(&mut self, all: Vec<Posted>, now: Time) {
        for posted in all {
            match posted.post {
                Post::BackOff => self.board.back_off(posted.account, now + posted.left, now),
                Post::Wanted => {
                    let until = now + posted.left;
                    self.places.contends(posted.account, until, now);
                    self.reports.push(Report::Wanted(posted.account));
                }
            }
        }
    }
}
