//! What the fuzz targets share: a reader that turns the fuzzer's bytes into decisions.

/// Reads decisions off the fuzzer's input; runs out into zeros.
pub struct Decisions<'a>(&'a [u8]);

impl<'a> Decisions<'a> {
    /// Decisions from these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether there are any left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One octet.
    pub fn octet(&mut self) -> u8 {
        let (octet, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *octet
    }

    /// A piece of input, its length given by the octet in front.
    pub fn piece(&mut self) -> &'a [u8] {
        let length = usize::from(self.octet()).min(self.0.len());
        let (piece, rest) = self.0.split_at(length);
        self.0 = rest;
        piece
    }
}
