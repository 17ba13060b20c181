//! After a change of keys: everything is sealed with the newest.

use super::grants::place;
use super::{STAMP, State, engine};
use crate::error::StateError;
use crate::seal;

/// What became of the grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resealed {
    /// How many were sealed with the newest key before.
    pub current: u64,
    /// How many are now.
    pub resealed: u64,
    /// Which are not, and why; the others do not suffer from it.
    pub failed: Vec<String>,
}

impl State {
    /// Seals every grant with the newest key. Afterwards, unless some failed, the retired ones are of no use, except
    /// for sign-ins that are under way and for slips.
    ///
    /// It may be cut anywhere and begun anew, and grants may be used and replaced meanwhile.
    ///
    /// # Errors
    ///
    /// If the state cannot be reached.
    pub async fn reseal(&self) -> Result<Resealed, StateError> {
        let mut counts = Resealed::default();
        for summary in engine!(self, grants())? {
            let Some(row) = engine!(self, grant(&summary.id))? else {
                continue;
            };
            if seal::key_of(&row.sealed) == Some(self.0.keys.id()) {
                counts.current += 1;
                continue;
            }
            let place = place(&row.summary);
            match self.unseal(|| summary.id.text(), &place, &row.sealed) {
                Ok(plain) => {
                    let sealed = self.seal(&place, &plain)?;
                    // one that was replaced meanwhile was sealed with the newest by that
                    let _ = engine!(self, reseal_grant(&row, &sealed))?;
                    counts.resealed += 1;
                }
                Err(error) => counts.failed.push(error.to_string()),
            }
        }
        let stamp = engine!(self, stamp())?;
        if counts.failed.is_empty() && seal::key_of(&stamp.sealed) != Some(self.0.keys.id()) {
            let sealed = self.seal(STAMP, b"")?;
            // if it is another by now, somebody else reseals
            let _ = engine!(self, reseal_stamp(&stamp.sealed, &sealed))?;
        }
        Ok(counts)
    }
}
