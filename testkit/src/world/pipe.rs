//! One direction of a connection.
//!
//! Owns the octets on their way, and what happens to them.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::task::Waker;
use std::time::Duration;

use pop3_proto::time::Time;

/// How one direction of a connection behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// How long octets are on their way.
    pub delay: Duration,
    /// How many octets can be written and not yet read.
    pub window: usize,
    /// How many octets, less one, go in a read or write at most, one number after the other and from the
    /// start again. Empty: no limit.
    pub sizes: Vec<u8>,
    /// Where it breaks off.
    pub cut: Option<Cut>,
}

/// A break-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// After this many octets.
    pub after: u64,
    /// How.
    pub ending: Ending,
}

/// How a direction breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The reader sees the end of the stream, the writer a broken pipe.
    End,
    /// The whole connection is reset.
    Reset,
    /// Nothing more arrives, and neither end notices.
    Silence,
}

/// How both directions behave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// From the side that connects to the side that accepts.
    pub there: Conditions,
    /// The other way.
    pub back: Conditions,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            window: 64 * 1024,
            sizes: Vec::new(),
            cut: None,
        }
    }
}

/// One direction.
#[derive(Debug)]
pub(super) struct Pipe {
    conditions: Conditions,
    /// What was written, with the moment of its arrival.
    pieces: VecDeque<(Time, VecDeque<u8>)>,
    buffered: usize,
    passed: u64,
    turns: usize,
    /// When the end of the stream arrives.
    end: Option<Time>,
    reset: bool,
    /// The reader is gone.
    abandoned: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl Pipe {
    pub(super) fn new(conditions: Conditions) -> Self {
        Self {
            conditions,
            pieces: VecDeque::new(),
            buffered: 0,
            passed: 0,
            turns: 0,
            end: None,
            reset: false,
            abandoned: false,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn write(&mut self, now: Time, bytes: &[u8]) -> io::Result<usize> {
        if self.reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if self.end.is_some() || self.abandoned || self.cut() == Some(Ending::End) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = self.conditions.window.saturating_sub(self.buffered);
        let n = bytes.len().min(room);
        if n == 0 {
            return if bytes.is_empty() {
                Ok(0)
            } else {
                Err(ErrorKind::WouldBlock.into())
            };
        }
        let n = self.turn(n);
        let arrival = now + self.conditions.delay;
        match self.pieces.back_mut() {
            Some((at, piece)) if *at == arrival => piece.extend(&bytes[..n]),
            Some(_) | None => self
                .pieces
                .push_back((arrival, bytes[..n].iter().copied().collect())),
        }
        self.buffered += n;
        wake(&mut self.reader);
        Ok(n)
    }

    pub(super) fn read(&mut self, now: Time, buf: &mut [u8]) -> io::Result<usize> {
        if self.reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        match self.cut() {
            Some(Ending::End) => return Ok(0),
            Some(Ending::Silence) => return Err(ErrorKind::WouldBlock.into()),
            Some(Ending::Reset) | None => {}
        }
        let ready: usize = self
            .pieces
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, piece)| piece.len())
            .sum();
        if ready == 0 {
            let ended = self.pieces.is_empty() && self.end.is_some_and(|at| at <= now);
            return if ended {
                Ok(0)
            } else {
                Err(ErrorKind::WouldBlock.into())
            };
        }
        let left = self
            .conditions
            .cut
            .map_or(u64::MAX, |cut| cut.after - self.passed);
        let n = ready
            .min(buf.len())
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = if n == 0 { 0 } else { self.turn(n) };
        for slot in &mut buf[..n] {
            while self
                .pieces
                .front()
                .is_some_and(|(_, piece)| piece.is_empty())
            {
                self.pieces.pop_front();
            }
            if let Some(octet) = self
                .pieces
                .front_mut()
                .and_then(|(_, piece)| piece.pop_front())
            {
                *slot = octet;
            }
        }
        self.pieces.retain(|(_, piece)| !piece.is_empty());
        self.buffered -= n;
        self.passed += n as u64;
        wake(&mut self.writer);
        Ok(n)
    }

    /// The writer writes no more.
    pub(super) fn end(&mut self, now: Time) {
        let arrival = now + self.conditions.delay;
        self.end.get_or_insert(arrival);
        wake(&mut self.reader);
    }

    /// The reader is gone.
    pub(super) fn abandon(&mut self) {
        self.abandoned = true;
        self.pieces.clear();
        self.buffered = 0;
        wake(&mut self.writer);
    }

    /// The connection is broken off.
    pub(super) fn reset(&mut self) {
        self.reset = true;
        self.pieces.clear();
        self.buffered = 0;
        wake(&mut self.reader);
        wake(&mut self.writer);
    }

    /// Whether its cut resets the connection now.
    pub(super) fn is_to_be_reset(&self) -> bool {
        !self.reset && self.cut() == Some(Ending::Reset)
    }

    pub(super) fn is_reset(&self) -> bool {
        self.reset
    }

    /// Whether octets wait that the reader could take.
    pub(super) fn has_unread(&self, now: Time) -> bool {
        self.pieces.iter().any(|(at, _)| *at <= now)
    }

    /// The next arrival that is still to come.
    pub(super) fn next_arrival(&self, now: Time) -> Option<Time> {
        if self.reset || self.abandoned || self.cut().is_some() {
            return None;
        }
        let arrivals = self.pieces.iter().map(|(at, _)| *at).chain(self.end);
        arrivals.filter(|&at| at > now).min()
    }

    fn cut(&self) -> Option<Ending> {
        self.conditions
            .cut
            .filter(|cut| cut.after <= self.passed)
            .map(|cut| cut.ending)
    }

    /// How many of `n` octets go this time, at least one.
    fn turn(&mut self, n: usize) -> usize {
        let Some(place) = self.turns.checked_rem(self.conditions.sizes.len()) else {
            return n;
        };
        self.turns += 1;
        let most = self
            .conditions
            .sizes
            .get(place)
            .map_or(usize::MAX, |&size| usize::from(size) + 1);
        n.min(most)
    }
}

pub(super) fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
