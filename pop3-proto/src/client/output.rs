//! The bytes for the server that were not sent yet. They may hold secrets, so no copy outlives its use.

use alloc::vec::Vec;

use zeroize::{Zeroize, Zeroizing};

use crate::secret;

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
        self.bytes.drain(..self.sent);
        self.sent = 0;
        secret::append(&mut self.bytes, bytes);
    }

    /// Forgets everything; the memory is wiped and kept.
    pub(super) fn clear(&mut self) {
        self.bytes.zeroize();
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What was sent is wiped when nothing is left to send, and never sent again.
        #[test]
        fn v33_what_was_sent_is_wiped(
            steps in proptest::collection::vec((0usize..700, 0usize..700), 1..30),
        ) {
            let (mut output, mut model) = (Output::default(), alloc::vec::Vec::new());
            for (n, (pushed, sent)) in steps.into_iter().enumerate() {
                let octets = alloc::vec![n as u8; pushed];
                output.push(&octets);
                model.extend(octets);
                prop_assert_eq!(output.unsent(), &model[..]);
                output.sent(sent);
                model.drain(..sent.min(model.len()));
                prop_assert_eq!(output.unsent(), &model[..]);
                prop_assert!(!model.is_empty() || output.bytes.is_empty());
            }
        }
    }
}
