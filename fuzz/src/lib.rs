//! What the fuzz targets share: a reader that turns the fuzzer's bytes into decisions, and a bound of memory.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Runs it with this many octets of memory beyond what is in use. An allocation that does not fit ends the
/// process, which counts as a failure for the fuzzer.
///
/// # Panics
///
/// If the bound cannot be set.
pub fn within<T>(octets: usize, run: impl FnOnce() -> T) -> T {
    let limit = |octets| {
        MEMORY
            .set_limit(octets)
            .expect("a bound above what is in use")
    };
    limit(MEMORY.allocated() + octets);
    let result = run();
    limit(usize::MAX);
    result
}

/// Reads decisions from the fuzzer's input; after its end come zeros.
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
