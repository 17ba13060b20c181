//! Messages that broke off while they were sent.
//!
//! Owns their memory, which is bounded and lasts as long as the store. A client that was cut off in a message
//! asks for it again and again, and would never reach those after it. So the next time the message is read to
//! its end before anything is sent. Never looks at a disk.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most messages that are remembered.
const MOST: usize = 10_000;

/// A message: its folder and its base name.
pub(crate) type Suspect = ((u64, u64), Box<[u8]>);

/// The messages that broke off.
#[derive(Debug, Default)]
pub(crate) struct Suspects(Mutex<HashSet<Suspect>>);

impl Suspects {
    pub(crate) fn has(&self, message: &Suspect) -> bool {
        self.lock().contains(message)
    }

    pub(crate) fn forget(&self, message: &Suspect) {
        self.lock().remove(message);
    }

    fn add(&self, message: Suspect) {
        let mut suspects = self.lock();
        if suspects.len() >= MOST {
            suspects.clear();
        }
        suspects.insert(message);
    }

    /// A panic elsewhere cannot have left it half done.
    fn lock(&self) -> MutexGuard<'_, HashSet<Suspect>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message on its way to a client.
pub(crate) struct Watched {
    message: Box<dyn Read + Send>,
    name: Suspect,
    suspects: Arc<Suspects>,
}

impl Watched {
    pub(crate) fn new(
        message: Box<dyn Read + Send>,
        name: Suspect,
        suspects: Arc<Suspects>,
    ) -> Self {
        Self {
            message,
            name,
            suspects,
        }
    }
}

impl Read for Watched {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.message.read(buf);
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.suspects.add(self.name.clone());
        }
        read
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn w007_some_are_remembered_until_they_are_forgotten() {
        let suspects = Suspects::default();
        let message = |n: u64| ((1, n), Box::from(&b"1.a"[..]));
        for n in 0..3 {
            suspects.add(message(n));
        }
        assert!((0..3).all(|n| suspects.has(&message(n))));
        suspects.forget(&message(1));
        assert!(suspects.has(&message(0)) && !suspects.has(&message(1)));
        for n in 0..MOST as u64 {
            suspects.add(message(n));
        }
        assert!(suspects.lock().len() <= MOST);
    }
}
