//! Sign-ins under way: what has to be remembered between sending somebody to a provider and their way back.

use pop3_proto::secret::Secret;
use ring::digest;

use crate::grant::GrantId;

/// How many sign-ins may be under way. With another one the oldest goes of the network that has the most of them, if that
/// has at least two more than the network of the new one: who is alone in his network is put out by nobody.
pub const MAX_SIGN_INS: usize = 10_000;
/// How many of them for one owner at one grant: with another, the oldest goes.
pub const MAX_SIGN_INS_OF_OWNER: usize = 5;

/// A network that makes room for another has so many more.
pub(crate) const FAIR: u64 = 2;

/// The most octets of what is kept of one.
pub(crate) const MAX_PAYLOAD: usize = 64 * 1024;

/// A sign-in under way. What it holds is sealed where it is kept, and not printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Which grant it is to bring.
    pub id: GrantId,
    /// From where it was begun, in whatever words the caller has for networks: by that, room is shared out when there is
    /// little. What is from nowhere is put out for nobody.
    pub network: Option<String>,
    /// What the one who began it needs to end it: 64 KiB at most.
    pub payload: Secret,
    /// When it began, in seconds since 1970.
    pub created: u64,
    /// When it is too late, in seconds since 1970.
    pub expires: u64,
}

/// The digest of a key: the key itself is not kept.
pub(crate) fn digest_of(key: &Secret) -> Vec<u8> {
    digest::digest(&digest::SHA256, key.expose())
        .as_ref()
        .to_vec()
}
