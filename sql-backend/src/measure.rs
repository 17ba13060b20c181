//! Counts the octets of a passing message as POP3 does.

use bytes::BytesMut;
use pop3_proto::stuffing::Stuffer;

/// Counts a CRLF for every bare LF, and one at the end.
pub(crate) struct Measure {
    stuffer: Stuffer,
    scratch: BytesMut,
}

impl Default for Measure {
    fn default() -> Self {
        Self {
            stuffer: Stuffer::whole(),
            scratch: BytesMut::new(),
        }
    }
}

impl Measure {
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.stuffer.stuff(part, &mut self.scratch);
        self.scratch.clear();
    }

    pub(crate) fn size(mut self) -> u64 {
        self.stuffer.finish(&mut self.scratch);
        self.stuffer.octets()
    }
}
