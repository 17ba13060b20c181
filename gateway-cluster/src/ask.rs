//! What is asked of an engine, and what it answers.
//!
//! Each question is one step: it takes place whole or not at all, whatever other nodes do. The questions of a batch take
//! place in their order. What each means stands in [`ledger`](crate::ledger); the script of Redis does the same.

use std::time::Duration;

use pop3_proto::failed_login::{Delay, Fault};

use crate::digest::Digest;
use crate::lease::{Lease, Proof};
use crate::subject::Subject;

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ask {
    /// A new lease. Only with one can anything be held.
    Open { lease: Lease, node: Node },
    /// The lease lives on.
    Renew { lease: Lease, node: Node },
    /// A lease ends, and with it all that is held by it.
    Close { lease: Lease },
    /// A maildrop for a session, if it is free.
    Acquire {
        lease: Lease,
        maildrop: Digest,
        session: u64,
    },
    /// A maildrop goes from any older lease of the process to this one, if it was held all the time. `sure`: its lease
    /// has not ended, so nobody else can have it, and the engine may take this node's word.
    Keep {
        lease: Lease,
        maildrop: Digest,
        session: u64,
        fence: u64,
        sure: bool,
    },
    /// A maildrop is given back, if it still is held so.
    Release { maildrop: Digest, proof: Proof },
    /// One more connection of an account, if all nodes together have fewer than `cap`.
    Enter {
        lease: Lease,
        account: Digest,
        cap: u32,
    },
    /// This many connections of an account are this node's.
    Count {
        lease: Lease,
        account: Digest,
        count: u32,
    },
    /// All nodes are to hear of this with their next renewals, for so long.
    Post {
        post: Post,
        account: Digest,
        span: Duration,
    },
    /// The turn to refresh a grant.
    Refresh {
        lease: Lease,
        grant: Digest,
        turn: u64,
        span: Duration,
    },
    /// The turn to refresh is given back, if it still is this one.
    Refreshed {
        lease: Lease,
        grant: Digest,
        turn: u64,
    },
    /// When a login of these subjects may be looked at. If one of them has failures and it is now, it gets the turn.
    Look {
        subjects: Vec<Subject>,
        turn: Turn,
        rules: Delay,
    },
    /// A login of these subjects failed.
    Note {
        subjects: Vec<Subject>,
        source: Digest,
        fault: Fault,
        rules: Delay,
    },
    /// The turn of a login is given back, without a verdict.
    Spare { subjects: Vec<Subject>, turn: Turn },
    /// Which nodes there are.
    Survey,
}

/// What all nodes are to hear of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Post {
    /// Its provider wants to be left alone.
    BackOff,
    /// A login waits for one of its connections.
    Wanted,
}

impl Post {
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::BackOff => "b",
            Self::Wanted => "w",
        }
    }

    pub(crate) fn of_letter(letter: &str) -> Option<Self> {
        let all = [Self::BackOff, Self::Wanted];
        all.into_iter().find(|post| post.letter() == letter)
    }
}

/// Something that all nodes are to hear of, and for how long still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    pub(crate) post: Post,
    pub(crate) account: Digest,
    pub(crate) left: Duration,
}

/// What a node says of itself with each renewal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// How many maildrops it holds.
    pub(crate) holds: u32,
    /// How long it was without the engine, the last time; zero if it never was.
    pub(crate) degraded: Duration,
}

/// Which login has the turn of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) boot: u64,
    pub(crate) number: u64,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Done,
    /// To [`Ask::Open`] and [`Ask::Renew`].
    Standing {
        /// How long nothing new is held, because the engine lost what it knew.
        grace: Duration,
        /// How long the lease of another process lives that has the same name.
        namesake: Option<Duration>,
        /// What all nodes are to hear of.
        posted: Vec<Posted>,
    },
    Granted {
        fence: u64,
    },
    /// Another has it, or may have had it.
    InUse,
    /// Not while the others say what they hold.
    Grace(Duration),
    /// The asking lease has ended, or the engine lost it. Nothing was changed.
    NoLease,
    /// To [`Ask::Look`].
    Wait(Duration),
    /// The nodes make their digests with another secret.
    OtherSecret,
    /// Something stands there that is not this crate's, or of a newer version. Nothing was changed.
    Foreign,
    Nodes {
        nodes: Vec<Seen>,
        fence: u64,
    },
}

/// A node as the engine knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) lease: Lease,
    pub(crate) left: Duration,
    pub(crate) node: Node,
}
