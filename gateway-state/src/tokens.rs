//! The tokens of a grant, and how they are written before they are sealed.

use pop3_proto::secret::{Secret, append};
use zeroize::Zeroizing;

use crate::error::StateError;

/// The most octets of all the tokens of a grant.
const MAX: usize = 1024 * 1024;

/// What a provider handed out. Tokens are not printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// What gets new access tokens, if there is such.
    pub refresh: Option<Secret>,
    /// What opens the mailbox, if there is one now.
    pub access: Option<Secret>,
    /// When the access token ends, in seconds since 1970.
    pub access_expires: u64,
    /// What the provider said that they are good for.
    pub scope: Option<String>,
}

impl Tokens {
    /// What is sealed of them: each with a mark and its length before it. When the access token ends is not.
    pub(crate) fn to_plain(&self) -> Result<Zeroizing<Vec<u8>>, StateError> {
        let parts = [
            self.refresh.as_ref().map(Secret::expose),
            self.access.as_ref().map(Secret::expose),
            self.scope.as_ref().map(String::as_bytes),
        ];
        let octets = parts.iter().flatten().map(|part| part.len()).sum();
        if octets > MAX {
            let what = "what the provider handed out";
            return Err(StateError::TooLarge {
                what,
                octets,
                most: MAX,
            });
        }
        let mut plain = Zeroizing::new(Vec::new());
        for part in parts {
            append(&mut plain, &[u8::from(part.is_some())]);
            let part = part.unwrap_or_default();
            // at most MAX
            append(&mut plain, &(part.len() as u32).to_be_bytes());
            append(&mut plain, part);
        }
        Ok(plain)
    }

    /// `None` if it is nothing that [`to_plain`](Self::to_plain) wrote.
    pub(crate) fn from_plain(mut plain: &[u8], access_expires: u64) -> Option<Self> {
        let mut part = || {
            let (mark, rest) = plain.split_first()?;
            let (length, rest) = rest.split_first_chunk()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (part, rest) = rest.split_at_checked(length)?;
            plain = rest;
            Some((*mark == 1).then_some(part))
        };
        let (refresh, access, scope) = (part()?, part()?, part()?);
        let scope = match scope {
            Some(scope) => Some(String::from_utf8(scope.to_vec()).ok()?),
            None => None,
        };
        plain.is_empty().then(|| Self {
            refresh: refresh.map(Secret::from),
            access: access.map(Secret::from),
            access_expires,
            scope,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret() -> impl Strategy<Value = Option<Secret>> {
        let octets = proptest::collection::vec(any::<u8>(), 0..50);
        proptest::option::of(octets.prop_map(Secret::new))
    }

    proptest! {
        #[test]
        fn tokens_are_read_as_they_were_written(
            refresh in secret(), access in secret(), access_expires in any::<u64>(), scope: Option<String>,
        ) {
            let tokens = Tokens { refresh, access, access_expires, scope };
            let plain = tokens.to_plain().unwrap();
            prop_assert_eq!(Tokens::from_plain(&plain, access_expires), Some(tokens));
            for cut in 0..plain.len() {
                prop_assert_eq!(Tokens::from_plain(&plain[..cut], 0), None);
            }
        }

        #[test]
        fn whatever_is_read_does_no_harm(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Tokens::from_plain(&octets, 0);
        }
    }

    #[test]
    fn tokens_of_any_size_are_not_kept() {
        let tokens = Tokens {
            access: Some(Secret::new(vec![b'x'; MAX])),
            scope: Some("y".into()),
            ..Tokens::default()
        };
        assert!(matches!(
            tokens.to_plain(),
            Err(StateError::TooLarge { .. })
        ));
    }
}
