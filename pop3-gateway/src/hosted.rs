//! A backend that holds its share of the read-ahead for as long as it lives.

use pop3_proto::backend::{Backend, Effect, Outcome, Reply, Request};
use pop3_proto::time::Time;
use pop3_proto::trace::Trace;

use crate::budget::Share;

/// Leaves everything to the backend within.
#[derive(Debug)]
pub struct Hosted<B> {
    /// The backend within.
    pub backend: B,
    /// What it may fetch ahead.
    pub share: Share,
}

impl<B: Backend> Backend for Hosted<B> {
    type Done = B::Done;

    fn handle_request(&mut self, now: Time, request: Request) {
        self.backend.handle_request(now, request);
    }

    fn handle_outcome(&mut self, now: Time, outcome: Outcome<Self::Done>) {
        self.backend.handle_outcome(now, outcome);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.backend.handle_timeout(now);
    }

    fn poll_reply(&mut self, room: usize) -> Option<Reply<'_>> {
        self.backend.poll_reply(room)
    }

    fn poll_effect(&mut self) -> Option<Effect<Self::Done>> {
        self.backend.poll_effect()
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.backend.poll_timeout()
    }

    fn recv_buf(&mut self) -> &mut [u8] {
        self.backend.recv_buf()
    }

    fn received(&mut self, now: Time, n: usize) {
        self.backend.received(now, n);
    }

    fn transmit(&self) -> &[u8] {
        self.backend.transmit()
    }

    fn transmitted(&mut self, now: Time, n: usize) {
        self.backend.transmitted(now, n);
    }

    fn record(&mut self) {
        self.backend.record();
    }

    fn poll_trace(&mut self) -> Option<Trace> {
        self.backend.poll_trace()
    }
}
