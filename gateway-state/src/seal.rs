//! Sealing of records: octets that only the holder of a key can read, and only at the place that they were
//! sealed for.
//!
//! A record is a version, the name of the key, a random salt, and ChaCha20-Poly1305 under what HKDF-SHA256 makes of
//! key and salt, key and nonce alike: each record has its own, so that no nonce is ever used twice. What the record
//! is bound to (the state, the grant, the issuer) is authenticated with it and not in it. What a place says of
//! itself is not known here.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use zeroize::Zeroizing;

use crate::error::StateError;
use crate::keys::{Key, KeyId, Keys};

const VERSION: u8 = 1;
const SALT: usize = 32;
const HEAD: usize = 1 + KeyId::LENGTH + SALT;
/// Of the key of one record, and its nonce.
const DERIVED: usize = 32 + NONCE_LEN;

/// What a record is bound to: authenticated, each part with its length.
pub(crate) struct Place(Vec<u8>);

/// Why a record was not unsealed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsealed {
    /// It needs another key.
    Key(KeyId),
    /// It is not what was sealed for this place.
    Damaged,
}

impl Place {
    pub(crate) fn new(parts: &[&str]) -> Self {
        let mut octets = vec![VERSION];
        for part in parts {
            octets.extend_from_slice(&(part.len() as u64).to_be_bytes());
            octets.extend_from_slice(part.as_bytes());
        }
        Self(octets)
    }
}

/// Seals with the newest key.
pub(crate) fn seal(keys: &Keys, place: &Place, plain: &[u8]) -> Result<Vec<u8>, StateError> {
    let mut salt = [0; SALT];
    let refused = |error| StateError::Refused(format!("no random octets for sealing: {error}"));
    getrandom::fill(&mut salt).map_err(refused)?;
    let key = keys.sealing();
    let failed = || StateError::Refused("sealing failed".into());
    let (cipher, nonce) = cipher(key, &salt).ok_or_else(failed)?;
    // one allocation: what grows would leave the plain octets in memory
    let length = plain.len() + CHACHA20_POLY1305.tag_len();
    let mut sealed = Zeroizing::new(Vec::with_capacity(length));
    sealed.extend_from_slice(plain);
    cipher
        .seal_in_place_append_tag(nonce, Aad::from(&place.0), &mut *sealed)
        .map_err(|_| failed())?;
    Ok([&[VERSION][..], key.id().octets(), &salt, &sealed].concat())
}

/// Unseals with the key that the record names.
pub(crate) fn unseal(
    keys: &Keys,
    place: &Place,
    record: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unsealed> {
    let id = key_of(record).ok_or(Unsealed::Damaged)?;
    let key = keys.find(id).ok_or(Unsealed::Key(id))?;
    let (head, sealed) = record.split_at(HEAD);
    let (cipher, nonce) = cipher(key, &head[HEAD - SALT..]).ok_or(Unsealed::Damaged)?;
    let mut plain = Zeroizing::new(sealed.to_vec());
    let opened = cipher.open_in_place(nonce, Aad::from(&place.0), &mut plain);
    let length = opened.map_err(|_| Unsealed::Damaged)?.len();
    plain.truncate(length);
    Ok(plain)
}

/// The key that a record names, if it is a record.
pub(crate) fn key_of(record: &[u8]) -> Option<KeyId> {
    let (version, rest) = record.split_first()?;
    let (id, rest) = rest.split_first_chunk()?;
    (*version == VERSION && rest.len() >= SALT).then(|| KeyId::new(*id))
}

/// The cipher of one record. ring refuses only wrong lengths, and these are right.
fn cipher(key: &Key, salt: &[u8]) -> Option<(LessSafeKey, Nonce)> {
    struct Derived;

    impl hkdf::KeyType for Derived {
        fn len(&self) -> usize {
            DERIVED
        }
    }

    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key.octets());
    let mut derived = Zeroizing::new([0; DERIVED]);
    let expanded = extracted.expand(&[b"sealed record"], Derived).ok()?;
    expanded.fill(&mut *derived).ok()?;
    let (key, nonce) = derived.split_at(DERIVED - NONCE_LEN);
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).ok()?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    Some((LessSafeKey::new(key), nonce))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_sealed_is_unsealed_at_its_place_alone(
            plain in proptest::collection::vec(any::<u8>(), 0..100), at in any::<usize>(), bit in 0..8u8,
        ) {
            let (older, newer) = (Keys::generate().unwrap(), Keys::generate().unwrap());
            let place = Place::new(&["grant", "tim"]);
            let mut record = seal(&older, &place, &plain).unwrap();
            let both = newer.with_retired(&older);
            prop_assert_eq!(&*unseal(&both, &place, &record).unwrap(), &plain);
            prop_assert_eq!(unseal(&newer, &place, &record), Err(Unsealed::Key(older.id())));
            for other in [&["grant", "tom"][..], &["grantt", "im"], &["grant"], &["grant", "tim", ""]] {
                prop_assert_eq!(unseal(&both, &Place::new(other), &record), Err(Unsealed::Damaged));
            }
            for cut in 0..record.len() {
                prop_assert!(unseal(&both, &place, &record[..cut]).is_err());
            }
            let at = at % record.len();
            record[at] ^= 1 << bit;
            prop_assert!(unseal(&both, &place, &record).is_err());
        }
    }

    #[test]
    fn no_record_is_like_another() {
        let keys = Keys::generate().unwrap();
        let place = Place::new(&[]);
        let [one, two] = [(); 2].map(|()| seal(&keys, &place, b"the same").unwrap());
        assert_ne!(one[HEAD..], two[HEAD..]);
    }
}
