//! What was learned of an upstream, beyond the session: that commands get lost, that it wants ID first,
//! that the log has a line about deletion there, that it says nothing of a folder that is open.
//!
//! Five bits for each upstream, whatever it does. Never decides what follows from them.

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};

/// What was learned of one upstream. Clones share it; hand the same one to every
/// [`Config`](crate::Config) of that upstream. It is not part of the configuration, so any two are
/// equal.
#[derive(Clone, Default)]
pub struct Learned(Arc<AtomicU8>);

const LOSES_PIPELINED: u8 = 1;
const KEEPS_PIPELINED: u8 = 2;
const WANTS_ID: u8 = 4;
const WAY_KNOWN: u8 = 8;
const NO_NEWS: u8 = 16;

impl Learned {
    /// What follows LOGIN without waiting for its answer gets lost.
    pub(crate) fn loses_pipelined(&self) -> bool {
        self.has(LOSES_PIPELINED)
    }

    /// What followed LOGIN was late once, and not lost.
    pub(crate) fn keeps_pipelined(&self) -> bool {
        self.has(KEEPS_PIPELINED)
    }

    /// The folder opens only after ID.
    pub(crate) fn wants_id(&self) -> bool {
        self.has(WANTS_ID)
    }

    /// It was found out whether deletion works there, and reported if not.
    pub(crate) fn knows_way(&self) -> bool {
        self.has(WAY_KNOWN)
    }

    /// STATUS of a folder that is open is refused.
    pub(crate) fn tells_no_news(&self) -> bool {
        self.has(NO_NEWS)
    }

    pub(crate) fn learn_loses_pipelined(&self) {
        self.learn(LOSES_PIPELINED);
    }

    pub(crate) fn learn_keeps_pipelined(&self) {
        self.learn(KEEPS_PIPELINED);
    }

    pub(crate) fn learn_wants_id(&self) {
        self.learn(WANTS_ID);
    }

    pub(crate) fn learn_way(&self) {
        self.learn(WAY_KNOWN);
    }

    pub(crate) fn learn_no_news(&self) {
        self.learn(NO_NEWS);
    }

    fn has(&self, bit: u8) -> bool {
        self.0.load(Ordering::Relaxed) & bit != 0
    }

    fn learn(&self, bit: u8) {
        self.0.fetch_or(bit, Ordering::Relaxed);
    }
}

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learned")
            .field("loses_pipelined", &self.loses_pipelined())
            .field("keeps_pipelined", &self.keeps_pipelined())
            .field("wants_id", &self.wants_id())
            .field("knows_way", &self.knows_way())
            .field("tells_no_news", &self.tells_no_news())
            .finish()
    }
}

impl PartialEq for Learned {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Learned {}
