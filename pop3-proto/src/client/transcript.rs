//! The dialogue as an operator may read it, recorded on demand.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;

use crate::trace::{Direction, Trace};

/// Lines that are not fetched are dropped, the oldest first.
const MAX_LINES: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Transcript {
    on: bool,
    lines: VecDeque<Trace>,
}

impl Transcript {
    pub(super) fn record(&mut self) {
        self.on = true;
    }

    pub(super) fn next(&mut self) -> Option<Trace> {
        self.lines.pop_front()
    }

    pub(super) fn sent(&mut self, label: &str) {
        self.push(Direction::Sent, || label.into());
    }

    pub(super) fn received(&mut self, line: &[u8]) {
        self.push(Direction::Received, || super::reply::printable(line));
    }

    pub(super) fn received_body(&mut self, octets: u64) {
        self.push(Direction::Received, || format!("<{octets} octets>"));
    }

    fn push(&mut self, direction: Direction, text: impl FnOnce() -> String) {
        if !self.on {
            return;
        }
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(Trace {
            direction,
            text: text(),
        });
    }
}
