//! Where rows are kept. An engine knows nothing of keys and seals: what it stores is sealed already, and names are
//! folded and checked. Each operation is one step: it takes place whole or not at all, whatever others write.

mod memory;
mod sql;

use memory::Memory;
use sql::{Options, Sql};

use crate::error::StateError;
use crate::grant::{GrantId, GrantSummary};
use crate::url::{Place, StateUrl};

/// The engines, chosen by the address.
pub(crate) enum Engine {
    Memory(Memory),
    Sql(Sql),
}

impl Engine {
    /// Opens what is there, whatever its stamp, or makes it with this one. The stamp that it has.
    pub(crate) async fn open(url: &StateUrl, fresh: Stamp) -> Result<(Self, Stamp), StateError> {
        let options = match url.place() {
            Place::Memory => return Ok((Self::Memory(Memory::new(fresh.clone())), fresh)),
            Place::File(path) => Options::file(path),
            Place::Server { options, .. } => Options::server(options),
        };
        let (sql, stamp) = Sql::open(options, url.to_string(), &fresh).await?;
        Ok((Self::Sql(sql), stamp))
    }
}

/// What a state is known by.
#[derive(Clone)]
pub(crate) struct Stamp {
    /// Random, made with the state.
    pub(crate) id: String,
    /// What its keys open.
    pub(crate) sealed: Vec<u8>,
}

/// A grant as it is stored.
#[derive(Clone)]
pub(crate) struct GrantRow {
    pub(crate) summary: GrantSummary,
    /// The tokens.
    pub(crate) sealed: Vec<u8>,
}

/// A sign-in as it is stored.
#[derive(Clone)]
pub(crate) struct SignInRow {
    /// Of its key.
    pub(crate) digest: Vec<u8>,
    pub(crate) id: GrantId,
    pub(crate) network: Option<String>,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created: u64,
    pub(crate) expires: u64,
}

impl SignInRow {
    /// Whether it may still be ended.
    pub(crate) fn lives(&self, now: u64) -> bool {
        lives(self.created, self.expires, now)
    }
}

/// A slip as it is stored.
#[derive(Clone)]
pub(crate) struct SlipRow {
    /// Of its kind and key.
    pub(crate) digest: Vec<u8>,
    pub(crate) kind: String,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created: u64,
    pub(crate) expires: u64,
}

impl SlipRow {
    /// Whether it may still be read.
    pub(crate) fn lives(&self, now: u64) -> bool {
        lives(self.created, self.expires, now)
    }
}

/// What will only begin after as long as it may take was made before the clock was set back: it does not live until
/// then.
fn lives(created: u64, expires: u64, now: u64) -> bool {
    let longest = expires.saturating_sub(created);
    now < expires && created <= now.saturating_add(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_keeps_nothing_alive() {
        let (now, year) = (1_800_000_000, 365 * 86_400);
        let row = SignInRow {
            digest: Vec::new(),
            id: GrantId::new("example", "tim"),
            network: None,
            sealed: Vec::new(),
            created: now,
            expires: now + 600,
        };
        for (then, lives) in [
            (now, true),
            (now + 599, true),
            (now + 600, false),
            // set right by some minutes, or wrong by a year
            (now - 300, true),
            (now - year, false),
        ] {
            assert_eq!(row.lives(then), lives, "{then}");
        }
    }
}
