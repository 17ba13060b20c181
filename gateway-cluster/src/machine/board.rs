//! What all nodes are to hear of. It is read with each renewal, so that a login asks nothing for it; what this node says
//! itself counts here at once, with the engine and without.

use std::time::Duration;

use pop3_proto::backoffs::Backoffs;
use pop3_proto::time::Time;

use super::{Machine, Report};
use crate::ask::{Ask, Post, Posted};
use crate::digest::Digest;

/// What this node has heard.
#[derive(Clone, Default)]
pub(super) struct Board {
    backoffs: Backoffs<Digest>,
}

impl Machine {
    /// No node is to connect to this account for so long.
    pub(crate) fn back_off(&mut self, account: Digest, span: Duration, now: Time) {
        self.board.backoffs.back_off(account, span, now);
        self.post(Post::BackOff, account, span, now);
    }

    /// For how long this account is not to be connected to, as far as it was heard.
    pub(crate) fn wait_for(&self, account: Digest, now: Time) -> Duration {
        self.board.backoffs.left(&account, now)
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
        let all = self.board.backoffs.all(now);
        let all: Vec<_> = all.map(|(account, left)| (*account, left)).collect();
        for (account, left) in all {
            self.post(Post::BackOff, account, left, now);
        }
    }

    /// This stood there when the lease was renewed.
    pub(super) fn heard(&mut self, all: Vec<Posted>, now: Time) {
        for posted in all {
            match posted.post {
                Post::BackOff => {
                    let backoffs = &mut self.board.backoffs;
                    backoffs.back_off(posted.account, posted.left, now);
                }
                Post::Wanted => {
                    let until = now + posted.left;
                    self.places.contends(posted.account, until, now);
                    self.reports.push(Report::Wanted(posted.account));
                }
            }
        }
    }
}
