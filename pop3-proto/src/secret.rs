//! Bytes that are never printed, and are wiped when dropped.
//!
//! # Examples
//!
//! ```
//! use pop3_proto::secret::Secret;
//!
//! let secret = Secret::from(&b"tanstaaf"[..]);
//! assert!(!format!("{secret:?}").contains("tanstaaf"));
//! assert_eq!(secret.expose(), b"tanstaaf");
//! ```

use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A password, a token or a SASL answer: never printed, wiped when dropped, compared in constant time.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; they are wiped when the secret is dropped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes in the clear. Every use of this is a place where a secret gets out.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Appends octets, and wipes memory that became too small: a vector that grows by itself leaves a copy there.
///
/// # Examples
///
/// ```
/// use zeroize::Zeroizing;
///
/// let mut line = Zeroizing::new(Vec::new());
/// pop3_proto::secret::append(&mut line, b"PASS ");
/// pop3_proto::secret::append(&mut line, b"tanstaaf");
/// assert_eq!(*line, b"PASS tanstaaf");
/// ```
pub fn append(kept: &mut Zeroizing<Vec<u8>>, octets: &[u8]) {
    let length = kept.len() + octets.len();
    if length > kept.capacity() {
        let mut grown = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
        grown.extend_from_slice(kept);
        *kept = grown;
    }
    kept.extend_from_slice(octets);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A vector that has to grow gets memory that was asked for here: its size is a power of two, and
        /// that of a vector that grew by itself is not. One that need not grow stays where it is.
        #[test]
        fn v33_secrets_grow_into_memory_of_their_own(
            pushes in proptest::collection::vec(0usize..700, 1..20),
        ) {
            let (mut kept, mut model) = (Zeroizing::new(Vec::new()), Vec::new());
            for (n, pushed) in pushes.into_iter().enumerate() {
                let octets = alloc::vec![n as u8; pushed];
                let (place, fits) = (kept.as_ptr(), kept.capacity() - kept.len());
                append(&mut kept, &octets);
                model.extend(octets);
                prop_assert_eq!(&kept[..], &model[..]);
                prop_assert!(pushed > fits || kept.as_ptr() == place);
                let capacity = kept.capacity();
                prop_assert!(capacity == 0 || capacity == model.len().next_power_of_two());
            }
        }

        #[test]
        fn v33_what_just_fits_stays_where_it_is(first in 1usize..700) {
            let mut kept = Zeroizing::new(Vec::new());
            append(&mut kept, &alloc::vec![1; first]);
            let (place, room) = (kept.as_ptr(), kept.capacity() - kept.len());
            append(&mut kept, &alloc::vec![2; room]);
            prop_assert_eq!(kept.as_ptr(), place);
        }
    }
}
