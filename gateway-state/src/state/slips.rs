//! Slips: put, read, taken once.

use pop3_proto::secret::Secret;

use super::{State, engine};
use crate::engine::SlipRow;
use crate::error::StateError;
use crate::sign_in::{MAX_PAYLOAD, digest_of};
use crate::slip::Slip;

impl State {
    /// Writes a slip of this kind under a key that cannot be guessed, in the place of the one that was there. Those that
    /// are too late go; of [`MAX_SLIPS`](crate::MAX_SLIPS) of one kind goes the one that would be late first.
    ///
    /// # Errors
    ///
    /// [`StateError::TooLarge`] if its payload is.
    pub async fn put_slip(&self, kind: &str, key: &Secret, slip: &Slip) -> Result<(), StateError> {
        let octets = slip.payload.expose().len();
        if octets > MAX_PAYLOAD {
            return Err(StateError::TooLarge {
                what: "the slip",
                octets,
                most: MAX_PAYLOAD,
            });
        }
        let digest = digest(kind, key);
        let name = base16ct::lower::encode_string(&digest);
        let row = SlipRow {
            sealed: self.seal(&place(kind, &name), slip.payload.expose())?,
            digest,
            kind: kind.to_owned(),
            created: slip.created,
            expires: slip.expires,
        };
        engine!(self, put_slip(&row, slip.created))
    }

    /// The slip of this key, if it is not too late.
    ///
    /// # Errors
    ///
    /// If it is sealed with another key or damaged.
    pub async fn slip(
        &self,
        kind: &str,
        key: &Secret,
        now: u64,
    ) -> Result<Option<Slip>, StateError> {
        let row = engine!(self, slip(&digest(kind, key)))?;
        self.read_slip(row, now)
    }

    /// The same, once: a second call gets none. Of two calls at the same time, in two processes even, one gets it.
    ///
    /// # Errors
    ///
    /// If it is sealed with another key or damaged.
    pub async fn take_slip(
        &self,
        kind: &str,
        key: &Secret,
        now: u64,
    ) -> Result<Option<Slip>, StateError> {
        let row = engine!(self, take_slip(&digest(kind, key)))?;
        self.read_slip(row, now)
    }

    /// Lets a slip be read for longer, if it is still there.
    ///
    /// # Errors
    ///
    /// If the state cannot be reached.
    pub async fn prolong_slip(
        &self,
        kind: &str,
        key: &Secret,
        expires: u64,
    ) -> Result<(), StateError> {
        engine!(self, prolong_slip(&digest(kind, key), expires))
    }

    fn read_slip(&self, row: Option<SlipRow>, now: u64) -> Result<Option<Slip>, StateError> {
        let Some(row) = row.filter(|row| row.lives(now)) else {
            return Ok(None);
        };
        let name = base16ct::lower::encode_string(&row.digest);
        let what = || format!("a slip ({})", row.kind);
        let payload = self.unseal(what, &place(&row.kind, &name), &row.sealed)?;
        Ok(Some(Slip {
            payload: Secret::from(&payload[..]),
            created: row.created,
            expires: row.expires,
        }))
    }
}

/// Of the key and the kind: no key of one kind opens another.
fn digest(kind: &str, key: &Secret) -> Vec<u8> {
    digest_of(&Secret::new(
        [kind.as_bytes(), b"\n", key.expose()].concat(),
    ))
}

fn place<'a>(kind: &'a str, digest: &'a str) -> [&'a str; 3] {
    ["slip", kind, digest]
}
