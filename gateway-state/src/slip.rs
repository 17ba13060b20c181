//! Slips: what is written down for a while and concerns one stranger alone, such as a browser's session.

use pop3_proto::secret::Secret;

/// How many slips of a kind are kept: with another one, the one goes that would be late first.
pub const MAX_SLIPS: usize = 10_000;

/// A slip. What it holds is sealed where it is kept, and not printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// What was written down: 64 KiB at most.
    pub payload: Secret,
    /// When, in seconds since 1970.
    pub created: u64,
    /// When it is too late to read it, in seconds since 1970.
    pub expires: u64,
}
