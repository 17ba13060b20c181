//! Who holds something: names that are never used twice.

use std::fmt;
use std::str::FromStr;

/// A lease of one process at the engine. A process takes a new one whenever it is not sure what became of the old one,
/// so that whatever is still under way for the old one can do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Lease {
    /// Random, made when the process starts.
    pub(crate) boot: u64,
    /// Counts the leases of the process.
    pub(crate) generation: u64,
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{}", self.boot, self.generation)
    }
}

impl FromStr for Lease {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let (boot, generation) = text.split_once('.').ok_or(Foreign)?;
        Ok(Self {
            boot: u64::from_str_radix(boot, 16).map_err(|_| Foreign)?,
            generation: generation.parse().map_err(|_| Foreign)?,
        })
    }
}

/// A value that this crate would not have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign;

/// What the engine granted: enough to tell this hold from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Proof {
    pub(crate) lease: Lease,
    /// Which session of the process.
    pub(crate) session: u64,
    /// The later of two holds of a maildrop has the greater one.
    pub(crate) fence: u64,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.lease, self.session, self.fence)
    }
}
