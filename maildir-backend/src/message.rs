//! A message as it was listed, and when a file is still the message that was listed. Never changes a file.

use std::fs::File;
use std::io;

use crate::config::Layout;
use crate::folder::Found;
use crate::form::Form;
use crate::identity::{self, Proof};
use crate::stamp::Stamp;

/// A message as it was listed.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) found: Found,
    pub(crate) stamp: Stamp,
    /// What its unique-id was made of, in a plain directory; `None` if it could not be read.
    pub(crate) proof: Option<Box<Proof>>,
    /// How it becomes a mail, if it was looked at already.
    pub(crate) form: Option<Form>,
}

impl Message {
    /// A file that was not read yet.
    pub(crate) fn new(found: Found, stamp: Stamp) -> Self {
        Self {
            found,
            stamp,
            proof: None,
            form: None,
        }
    }

    /// Whether a file of its name, in this state, is the message that was listed or read. The Maildir rules
    /// give a name to one message only, but not every program keeps them. `open` opens the file if its
    /// state does not settle that.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn is_still(
        &self,
        layout: Layout,
        now: Stamp,
        open: impl FnOnce() -> io::Result<File>,
    ) -> io::Result<bool> {
        if !now.looks_like(self.stamp) {
            return Ok(false);
        }
        match (layout, &self.proof) {
            // a change of flags changes the rest of the state, too
            (Layout::Maildir, _) => Ok(true),
            (Layout::Directory, None) => Ok(now == self.stamp),
            (Layout::Directory, Some(proof)) => {
                Ok((now == self.stamp && proof.settled)
                    || proof.digest == identity::digest(&open()?)?)
            }
        }
    }
}

/// A message and what a client learns of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) message: Message,
    pub(crate) unique_id: String,
    pub(crate) octets: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Write as _;

    use super::*;

    /// A state that settles it is not read; in any other the content decides.
    #[test]
    fn w002_a_file_is_still_the_message_if_its_state_or_its_content_says_so() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"x").unwrap();
        let digest = identity::digest(&file).unwrap();
        let stamp = Stamp::of_file(&file).unwrap();
        let touched = Stamp {
            status: stamp.status + 1,
            ..stamp
        };
        for (digest, settled, now, is_read, is_still) in [
            (digest, true, stamp, false, true),
            (digest, false, stamp, true, true),
            (digest, true, touched, true, true),
            ([0; 16], true, touched, true, false),
            ([0; 16], false, stamp, true, false),
        ] {
            let found = Found {
                place: 0,
                name: Box::from(&b"a"[..]),
            };
            let mut message = Message::new(found, stamp);
            message.proof = Some(Box::new(Proof { digest, settled }));
            let mut was_read = false;
            let open = || {
                was_read = true;
                file.try_clone()
            };
            let answer = message.is_still(Layout::Directory, now, open).unwrap();
            assert_eq!((was_read, answer), (is_read, is_still));
        }
    }
}
