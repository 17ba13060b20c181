//! Both dialogues of a session side by side, for those who want to watch.
//!
//! The lines come from the machines, which know what is a secret and write its kind in its place.
//! Nothing is recorded unless a listener's settings name a sink.

use pop3_proto::time::Time;
use pop3_proto::trace::Trace;

/// Which dialogue a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialogue {
    /// With the client.
    Client,
    /// With the upstream.
    Upstream,
}

/// Takes the lines of both dialogues in the order in which they happened.
pub trait TranscriptSink: Send + Sync + 'static {
    /// A line of the session with this number. Must not block.
    fn line(&self, session: u64, at: Time, dialogue: Dialogue, line: &Trace);
}
