//! A mail as people read it: decoded from whatever charset and transfer encoding, made harmless.
//!
//! It reads what POP3 brought, whole or only the head of it, and never fails: what cannot be understood
//! is shown as it is. Everything it gives away as text is harmless on a terminal.

mod attachment;
mod body;
mod head;

pub use attachment::Attachment;
pub(crate) use attachment::file_name;
pub use head::Summary;

use mail_parser::{Message, MessageParser};

/// A mail, or the beginning of one.
pub struct Mail<'a> {
    raw: &'a [u8],
    parsed: Option<Message<'a>>,
}

impl<'a> Mail<'a> {
    /// Reads what came over the wire.
    pub fn parse(raw: &'a [u8]) -> Self {
        Self {
            raw,
            parsed: MessageParser::default().parse(raw),
        }
    }
}
