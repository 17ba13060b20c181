//! The bytes for the server that were not sent yet. They may hold secrets, so no copy outlives its use.

use alloc::vec::Vec;

use zeroize::{Zeroize, Zeroizing};

#[derive(Default)]
pub(super) struct Output {
    bytes: Zeroizing<Vec<u8>>,
    sent: usize,
}

impl Output {
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(super) fn sent(&mut self, n: usize) {
        self.sent = self.bytes.len().min(self.sent + n);
        if self.sent == self.bytes.len() {
            self.clear();
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < bytes.len() {
            let length = self.unsent().len() + bytes.len();
            let mut grown = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
            grown.extend_from_slice(self.unsent());
            self.bytes = grown;
            self.sent = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Forgets everything; the memory is wiped and kept.
    pub(super) fn clear(&mut self) {
        self.bytes.zeroize();
        self.sent = 0;
    }
}
