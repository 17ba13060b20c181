//! A mail as people read it: decoded from whatever charset and transfer encoding, made harmless.
//!
//! It reads what POP3 delivered, the whole mail or only its head, and never fails: what cannot be
//! understood is shown as it is. All text that it returns is harmless on a terminal.
//!
//! Taking a mail apart (`entity`, `fields`, `content`, `word`, `transfer`, `address`, `date`) is done here
//! and not by a library, because mails break the rules in ways that have to be seen before anything is
//! decoded: a character cut in two, a multipart that is not closed, a footer below base64. Tables of
//! charsets, the guess of one, base64 itself and the syntax of HTML are libraries'.

mod address;
mod attachment;
mod body;
mod charset;
mod content;
mod date;
mod entity;
mod fields;
mod flowed;
mod head;
mod html;
mod tnef;
mod transfer;
mod uuencode;
mod word;

use std::cell::OnceCell;

pub use attachment::Attachment;
pub(crate) use attachment::file_name;
pub use head::Summary;

use body::Contents;
use entity::Part;

/// A mail, or the beginning of one.
pub struct Mail<'a> {
    /// The first one is the whole.
    parts: Vec<Part<'a>>,
    /// The charset that its texts name, for parts that name none.
    hint: Option<String>,
    contents: OnceCell<Contents>,
}

impl<'a> Mail<'a> {
    /// Reads what came over the wire.
    pub fn parse(raw: &'a [u8]) -> Self {
        let parts = entity::parts(raw);
        let labels = parts.iter().filter_map(|part| part.content.word("charset"));
        let hint = labels.into_iter().find(|label| charset::is_hint(label));
        Self {
            parts,
            hint,
            contents: OnceCell::new(),
        }
    }

    fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
