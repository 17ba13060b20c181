//! Sign-ins under way: begun, and taken once.

use pop3_proto::secret::Secret;

use super::{State, engine};
use crate::engine::SignInRow;
use crate::error::StateError;
use crate::grant::GrantId;
use crate::name::want_name;
use crate::sign_in::{MAX_PAYLOAD, MAX_SIGN_INS, SignIn, digest_of};

impl State {
    /// Remembers a sign-in under a key that cannot be guessed. Those that are too late go; of one owner's the
    /// oldest goes, if there are [`MAX_SIGN_INS_OF_OWNER`](crate::MAX_SIGN_INS_OF_OWNER). If there are
    /// [`MAX_SIGN_INS`](crate::MAX_SIGN_INS), one of the network that has the most of them makes room, as is said there.
    ///
    /// # Errors
    ///
    /// [`StateError::TooManySignIns`] if there are [`MAX_SIGN_INS`](crate::MAX_SIGN_INS) and no network has too many of
    /// them, [`StateError::TooLarge`] if its payload is.
    pub async fn begin_sign_in(&self, key: &Secret, sign_in: &SignIn) -> Result<(), StateError> {
        let id = sign_in.id.kept()?;
        if let Some(network) = &sign_in.network {
            want_name("the network", network)?;
        }
        let octets = sign_in.payload.expose().len();
        if octets > MAX_PAYLOAD {
            return Err(StateError::TooLarge {
                what: "the sign-in",
                octets,
                most: MAX_PAYLOAD,
            });
        }
        let digest = digest_of(key);
        let name = base16ct::lower::encode_string(&digest);
        let sealed = self.seal(&place(&name, &id), sign_in.payload.expose())?;
        let row = SignInRow {
            digest,
            id,
            network: sign_in.network.clone(),
            sealed,
            created: sign_in.created,
            expires: sign_in.expires,
        };
        match engine!(self, begin_sign_in(&row, sign_in.created))? {
            true => Ok(()),
            false => Err(StateError::TooManySignIns(MAX_SIGN_INS)),
        }
    }

    /// The sign-in that was begun with this key, once: a second call gets none, and neither does one that is too
    /// late. Of two calls at the same time, in two processes even, one gets it.
    ///
    /// # Errors
    ///
    /// If it is sealed with another key or damaged.
    pub async fn take_sign_in(&self, key: &Secret, now: u64) -> Result<Option<SignIn>, StateError> {
        let row = engine!(self, take_sign_in(&digest_of(key)))?;
        let Some(row) = row.filter(|row| row.lives(now)) else {
            return Ok(None);
        };
        let what = || format!("the sign-in for {}", row.id.text());
        let name = base16ct::lower::encode_string(&row.digest);
        let payload = self.unseal(what, &place(&name, &row.id), &row.sealed)?;
        Ok(Some(SignIn {
            payload: Secret::from(&payload[..]),
            id: row.id,
            network: row.network,
            created: row.created,
            expires: row.expires,
        }))
    }
}

fn place<'a>(digest: &'a str, id: &'a GrantId) -> [&'a str; 4] {
    ["sign-in", digest, &id.grant, &id.owner]
}
