//! The same cases as proptest strategies: octets that proptest makes up and shrinks, decoded.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Source, chunks};

/// Cuts that can be made anywhere.
#[derive(Clone, Debug)]
pub struct Cuts(Vec<u8>);

impl Cuts {
    /// Cuts octets into pieces, none of them empty.
    pub fn apply<'a>(&self, octets: &'a [u8]) -> Vec<&'a [u8]> {
        chunks(&mut Source::new(&self.0), octets)
    }
}

/// Octets for a [`Source`].
pub fn octets(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=most)
}

/// A mail.
pub fn mail() -> impl Strategy<Value = Vec<u8>> {
    octets(120).prop_map(|octets| super::mail(&mut Source::new(&octets)))
}

/// Up to six mails.
pub fn maildrop() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(mail(), 0..7)
}

/// Up to thirty commands for a maildrop of about this size.
pub fn commands(messages: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(
        octets(12).prop_map(move |octets| super::command(&mut Source::new(&octets), messages)),
        0..30,
    )
}

/// Cuts, often of single octets.
pub fn cuts() -> impl Strategy<Value = Cuts> {
    prop_oneof![
        vec(0..4u8, 0..200),
        vec(any::<u8>(), 0..60),
        Just(Vec::new())
    ]
    .prop_map(Cuts)
}
