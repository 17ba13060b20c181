//! The workloads. Each is a short run against one server that adds samples to rows of the table.

mod idle;
mod large;
mod listing;
mod login;
mod many;

use crate::Outcome;
use crate::cores::Apart;
use crate::servers::{Servers, Who};
use crate::table::{Row, Samples};

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// RETR of a large message, this many times.
    pub(crate) large: usize,
    /// Sessions that retrieve a thousand messages.
    pub(crate) many: usize,
    /// Messages for those to whom each costs a round trip.
    pub(crate) many_far: usize,
    /// Seconds of logins.
    pub(crate) logins: f64,
    /// Sessions at 20 ms.
    pub(crate) far: usize,
    /// Idle sessions.
    pub(crate) idle: usize,
    /// Seconds of TOP.
    pub(crate) top: f64,
}

impl Scale {
    pub(crate) const FULL: Self = Self {
        large: 40,
        many: 5,
        many_far: 150,
        logins: 3.0,
        far: 10,
        idle: 300,
        top: 1.0,
    };

    pub(crate) const QUICK: Self = Self {
        large: 8,
        many: 2,
        many_far: 50,
        logins: 1.0,
        far: 3,
        idle: 100,
        top: 0.5,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Large,
    LargeTls,
    Memory,
    MemoryGiant,
    OneByOne,
    OneByOneFar,
    Pipelined,
    Huge,
    ThousandFar,
    LoginFar,
    Logins,
    Polls,
    PollsFar,
    Idle,
    IdleTls,
    Before,
    Top,
    Tops,
    TopsFar,
}

impl Work {
    pub(crate) const ALL: [Self; 19] = [
        Self::Large,
        Self::LargeTls,
        Self::Top,
        Self::Tops,
        Self::TopsFar,
        Self::OneByOne,
        Self::OneByOneFar,
        Self::Pipelined,
        Self::Huge,
        Self::ThousandFar,
        Self::LoginFar,
        Self::Logins,
        Self::Polls,
        Self::PollsFar,
        // these start the servers anew
        Self::Memory,
        Self::MemoryGiant,
        Self::Idle,
        Self::IdleTls,
        Self::Before,
    ];

    /// The rows that it fills.
    pub(crate) fn rows(self) -> &'static [Row] {
        match self {
            Self::Large => &[Row::CpuPerMb, Row::Throughput, Row::FirstOctet],
            Self::LargeTls => &[Row::CpuPerMbTls],
            Self::Memory => &[Row::Memory],
            Self::MemoryGiant => &[Row::MemoryGiant],
            Self::OneByOne => &[Row::OneByOne],
            Self::OneByOneFar => &[Row::OneByOneFar],
            Self::Pipelined => &[Row::Pipelined],
            Self::Huge => &[Row::HugeCold, Row::HugeWarm],
            Self::ThousandFar => &[Row::ThousandFar],
            Self::LoginFar => &[Row::LoginFar],
            Self::Logins => &[Row::Logins, Row::LoginsRelayed, Row::CpuPerLogin],
            Self::Polls => &[Row::Polls],
            Self::PollsFar => &[Row::PollFar, Row::PollIdling],
            Self::Idle => &[Row::Idle],
            Self::IdleTls => &[Row::IdleTls],
            Self::Before => &[Row::Before],
            Self::Top => &[Row::Top],
            Self::Tops => &[Row::Tops],
            Self::TopsFar => &[Row::TopsFar, Row::TopLinesFar],
        }
    }

    /// Whether it makes sense for this server.
    pub(crate) fn concerns(self, who: Who) -> bool {
        match self {
            Self::Large
            | Self::OneByOne
            | Self::OneByOneFar
            | Self::Huge
            | Self::ThousandFar
            | Self::LoginFar
            | Self::Logins
            | Self::Polls => true,
            Self::LargeTls
            | Self::Memory
            | Self::Pipelined
            | Self::PollsFar
            | Self::Idle
            | Self::IdleTls
            | Self::Before
            | Self::Top
            | Self::Tops
            | Self::TopsFar => who != Who::Bare,
            // imapc needs as much disk, and more than a minute
            Self::MemoryGiant => who.is_ours(),
        }
    }

    /// Whether client and server wait for each other at each step, and for nothing else.
    fn takes_turns(self) -> bool {
        matches!(self, Self::OneByOne | Self::Tops)
    }

    pub(crate) fn run(
        self,
        servers: &mut Servers,
        who: Who,
        scale: &Scale,
        samples: &mut Samples,
    ) -> Outcome {
        let _apart = match self.takes_turns() {
            true => Apart::keep()?,
            false => None,
        };
        let (imap, imap_far) = (servers.imap, servers.imap_far);
        let imap_relayed = servers.imap_relayed;
        let mut note = |row, value| samples.add(row, who, value);
        let Some(peer) = servers.peer(who) else {
            return match self {
                Self::Large => large::bare(imap, scale, &mut note),
                Self::OneByOne => many::bare(imap, Row::OneByOne, &mut note),
                Self::OneByOneFar => many::bare(imap_far, Row::OneByOneFar, &mut note),
                Self::Huge => listing::bare_huge(imap, &mut note),
                Self::ThousandFar => listing::bare_far(imap_far, &mut note),
                Self::LoginFar => login::bare_far(imap_far, scale, &mut note),
                Self::Logins => {
                    login::bare_rate(imap, Row::Logins, scale, &mut note)?;
                    login::bare_rate(imap_relayed, Row::LoginsRelayed, scale, &mut note)
                }
                Self::Polls => login::bare_rate(imap, Row::Polls, scale, &mut note),
                Self::LargeTls
                | Self::Memory
                | Self::MemoryGiant
                | Self::Pipelined
                | Self::PollsFar
                | Self::Idle
                | Self::IdleTls
                | Self::Before
                | Self::Top
                | Self::Tops
                | Self::TopsFar => Ok(()),
            };
        };
        match self {
            Self::Large => large::plain(peer, scale, &mut note),
            Self::LargeTls => large::tls(peer, scale, &mut note),
            Self::Memory => large::memory(peer, &mut note),
            Self::MemoryGiant => large::memory_giant(peer, &mut note),
            Self::OneByOne => many::one_by_one(peer, scale, &mut note),
            Self::OneByOneFar => many::far(peer, scale, &mut note),
            Self::Pipelined => many::pipelined(peer, scale, &mut note),
            Self::Huge => listing::huge(peer, &mut note),
            Self::ThousandFar => listing::far(peer, &mut note),
            Self::LoginFar => login::far(peer, scale, &mut note),
            Self::Logins => login::rate(peer, scale, &mut note),
            Self::Polls => login::polls(peer, scale, &mut note),
            Self::PollsFar => login::polls_far(peer, scale, &mut note),
            Self::Idle => idle::plain(peer, scale, &mut note),
            Self::IdleTls => idle::tls(peer, scale, &mut note),
            Self::Before => idle::before(peer, scale, &mut note),
            Self::Top => large::top(peer, scale, &mut note),
            Self::Tops => many::tops(peer, scale, &mut note),
            Self::TopsFar => many::tops_far(peer, scale, &mut note),
        }
    }
}

/// Takes a sample.
type Note<'a> = dyn FnMut(Row, f64) + 'a;
