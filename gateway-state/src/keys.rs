//! The keys that records are sealed with: reading, making and naming them. They never print, and are wiped.

use std::fmt;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use pop3_proto::secret::{Secret, append};
use ring::digest;
use zeroize::Zeroizing;

/// The octets of a key.
const LENGTH: usize = 32;
/// The octets of a key's name.
const ID_LENGTH: usize = 8;

/// Why octets are no keys.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no key in them.
    #[error("there is no key: it is 32 random octets, in Base64 on a line (44 characters)")]
    None,
    /// A line is not 32 octets in Base64.
    #[error("line {0} is not a key: it is 32 random octets, in Base64 on a line (44 characters)")]
    NoKey(usize),
    /// A key that anybody can guess.
    #[error("line {0} is a key of one octet repeated: make a random one")]
    Weak(usize),
    /// The system gives no random octets.
    #[error("the system gives no random octets: {0}")]
    Random(getrandom::Error),
}

/// The name of a key: the beginning of its digest, which tells nothing about it. Printed in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; ID_LENGTH]);

impl KeyId {
    pub(crate) const LENGTH: usize = ID_LENGTH;

    pub(crate) const fn new(octets: [u8; ID_LENGTH]) -> Self {
        Self(octets)
    }

    pub(crate) const fn octets(&self) -> &[u8; ID_LENGTH] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One key.
pub(crate) struct Key {
    octets: Zeroizing<[u8; LENGTH]>,
    id: KeyId,
}

impl Key {
    fn new(octets: Zeroizing<[u8; LENGTH]>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"the name of a key");
        context.update(&*octets);
        let mut id = [0; ID_LENGTH];
        let length = id.len();
        id.copy_from_slice(&context.finish().as_ref()[..length]);
        Self {
            octets,
            id: KeyId(id),
        }
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &*self.octets
    }

    pub(crate) const fn id(&self) -> KeyId {
        self.id
    }
}

/// The key that seals, and retired ones that only unseal. Cheap to clone; all clones share them.
///
/// As a text it is a line of Base64 for each key, the sealing one first: a new key is put on a line above the
/// others, and [`State::reseal`](crate::State::reseal) makes those below superfluous.
///
/// ```
/// use gateway_state::Keys;
///
/// let keys = Keys::generate()?;
/// let text = keys.to_text(); // into a file that its owner alone can read
/// assert_eq!(Keys::parse(text.expose())?.id(), keys.id());
///
/// let newer = Keys::generate()?.with_retired(&keys);
/// assert_ne!(newer.id(), keys.id());
/// # Ok::<(), gateway_state::KeyError>(())
/// ```
#[derive(Clone)]
pub struct Keys(Arc<[Arc<Key>]>);

impl Keys {
    /// One new random key.
    ///
    /// # Errors
    ///
    /// If the system gives no random octets.
    pub fn generate() -> Result<Self, KeyError> {
        let mut octets = Zeroizing::new([0; LENGTH]);
        getrandom::fill(&mut *octets).map_err(KeyError::Random)?;
        Ok(Self(Arc::new([Arc::new(Key::new(octets))])))
    }

    /// Reads the content of a file: a key on each line in Base64, the sealing one first, or exactly 32 octets as
    /// they are. Empty lines are passed over.
    ///
    /// # Errors
    ///
    /// If there is no key, or a line that is none. The error names the line and never quotes it.
    pub fn parse(content: &[u8]) -> Result<Self, KeyError> {
        if let Ok(raw) = <[u8; LENGTH]>::try_from(content) {
            return Ok(Self(Arc::new([key(Zeroizing::new(raw), 1)?])));
        }
        let lines = content.split(|octet| *octet == b'\n').zip(1..);
        let lines = lines.map(|(line, number)| (line.trim_ascii(), number));
        let keys = lines
            .filter(|(line, _)| !line.is_empty())
            .map(|(line, number)| key(decoded(line).ok_or(KeyError::NoKey(number))?, number))
            .collect::<Result<Arc<[_]>, _>>()?;
        if keys.is_empty() {
            return Err(KeyError::None);
        }
        Ok(Self(keys))
    }

    /// With the keys of `older`, which unseal what was sealed with them.
    #[must_use]
    pub fn with_retired(&self, older: &Self) -> Self {
        Self(self.0.iter().chain(&*older.0).cloned().collect())
    }

    /// As [`parse`](Self::parse) reads it.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let mut text = Zeroizing::new(Vec::new());
        for key in &*self.0 {
            let line = Zeroizing::new(BASE64_STANDARD.encode(key.octets()));
            append(&mut text, line.as_bytes());
            append(&mut text, b"\n");
        }
        Secret::from(&text[..])
    }

    /// The name of the key that seals.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.sealing().id()
    }

    /// Never empty: each way to make one has a first key.
    pub(crate) fn sealing(&self) -> &Key {
        &self.0[0]
    }

    pub(crate) fn find(&self, id: KeyId) -> Option<&Key> {
        let mut keys = self.0.iter();
        keys.find(|key| key.id() == id).map(AsRef::as_ref)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| key.id()))
            .finish()
    }
}

fn key(octets: Zeroizing<[u8; LENGTH]>, line: usize) -> Result<Arc<Key>, KeyError> {
    if octets.iter().all(|octet| *octet == octets[0]) {
        return Err(KeyError::Weak(line));
    }
    Ok(Arc::new(Key::new(octets)))
}

fn decoded(line: &[u8]) -> Option<Zeroizing<[u8; LENGTH]>> {
    let mut octets = Zeroizing::new([0; LENGTH]);
    // the decoder wants room for what the padding stands for
    let mut room = Zeroizing::new([0; LENGTH + 4]);
    let length = BASE64_STANDARD.decode_slice(line, &mut *room).ok()?;
    (length == LENGTH).then(|| octets.copy_from_slice(&room[..LENGTH]))?;
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_lines_of_base64_or_32_octets() {
        let keys = Keys::generate().unwrap();
        let older = Keys::generate().unwrap();
        let both = keys.with_retired(&older);
        let read = Keys::parse(both.to_text().expose()).unwrap();
        assert_eq!(read.id(), keys.id());
        assert!(read.find(older.id()).is_some());
        let raw: Vec<u8> = (0..32).collect();
        let text = BASE64_STANDARD.encode(&raw);
        let same = Keys::parse(format!("\n  {text}\r\n\n").as_bytes()).unwrap();
        assert_eq!(Keys::parse(&raw).unwrap().id(), same.id());
    }

    #[test]
    fn what_is_no_key_is_named_by_its_line_and_not_quoted() {
        assert_eq!(Keys::parse(b"").unwrap_err(), KeyError::None);
        assert_eq!(Keys::parse(b"\n \n").unwrap_err(), KeyError::None);
        assert_eq!(Keys::parse(&[7; 32]).unwrap_err(), KeyError::Weak(1));
        let good = Keys::generate().unwrap().to_text();
        for wrong in [&b"hunter2"[..], &[0xff; 40], b"AAAA", &[b'A'; 48]] {
            let content = [good.expose(), wrong].concat();
            let error = Keys::parse(&content).unwrap_err();
            assert_eq!(error, KeyError::NoKey(2));
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn keys_print_their_names_alone() {
        let keys = Keys::generate().unwrap();
        let text = String::from_utf8(keys.to_text().expose().to_vec()).unwrap();
        let shown = format!("{keys:?}");
        assert_eq!(shown, format!("[{}]", keys.id()));
        assert!(!shown.contains(text.trim()));
    }
}
