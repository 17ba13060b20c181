//! Passwords for devices.
//!
//! Owns what they are made of. Each is shown once and kept as a hash, by whom asks for it.

use pop3_proto::secret::Secret;

/// Nothing that looks like something else, on paper or on a small display.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Four groups of four: 80 bits, more than anybody tries.
const GROUPS: usize = 4;
const GROUP: usize = 4;

/// A password that cannot be guessed and is easy to type.
pub fn device_password() -> Result<Secret, getrandom::Error> {
    let mut octets = [0; GROUPS * GROUP];
    getrandom::fill(&mut octets)?;
    let letter = |octet: &u8| {
        ALPHABET
            .get(usize::from(octet % 32))
            .copied()
            .unwrap_or(b'x')
    };
    let groups: Vec<Vec<u8>> = octets
        .chunks(GROUP)
        .map(|group| group.iter().map(letter).collect())
        .collect();
    Ok(Secret::new(groups.join(&b'-')))
}
