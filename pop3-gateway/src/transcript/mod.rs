//! Transcripts: both dialogues of every session, taken down beside the sessions.
//!
//! A [`Recorder`] takes lines without ever blocking a session and hands them to a [`Scribe`] on a
//! thread of its own. Lines that come too fast for the scribe are left out, and the scribe
//! reports how many.

mod display;
mod folder;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use pop3_proto::controls::escaped;
use pop3_proto::time::Time;
use pop3_proto::trace::{Direction, Trace};
use pop3_server::transcript::{Dialogue, TranscriptSink};

pub use display::Display;
pub use folder::{Bound, Folder};

use crate::queue::{Queue, Writer};

/// Lines that may wait for the scribe.
const QUEUE: usize = 16 * 1024;

/// Who says a line, as in the examples of the RFCs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The client of the dialogue: in the one with the upstream, that is the gateway.
    Client,
    /// The server of the dialogue.
    Server,
}

/// One line of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The session.
    pub session: u64,
    /// When it was said, on the clock of the process.
    pub at: Time,
    /// When it was said, on the wall clock.
    pub clock: SystemTime,
    /// In which dialogue.
    pub dialogue: Dialogue,
    /// By whom.
    pub speaker: Speaker,
    /// What was said, without control characters.
    pub text: String,
}

/// Writes lines down. Runs on a thread of its own and may block.
pub trait Scribe: Send + 'static {
    /// Writes a line down.
    fn write(&mut self, line: &Line) -> io::Result<()>;

    /// This many lines came too fast and are lost.
    fn lost(&mut self, lines: u64);
}

/// Takes lines down for a [`Scribe`].
#[derive(Debug)]
pub struct Recorder(Queue<Line>);

impl Recorder {
    /// Starts the scribe's thread. It ends with the recorder.
    pub fn start(scribe: impl Scribe) -> io::Result<Self> {
        let writer = Taking {
            scribe,
            failing: false,
        };
        Queue::start("transcript", QUEUE, writer).map(Self)
    }

    /// How many lines were lost since the start: a counter, for those who watch.
    pub fn lost(&self) -> Arc<AtomicU64> {
        self.0.all_lost()
    }

    /// Waits until everything that was taken down is written, but not for long.
    pub fn flush(&self) {
        self.0.flush();
    }
}

/// A scribe at work.
struct Taking<S> {
    scribe: S,
    failing: bool,
}

impl<S: Scribe> Writer<Line> for Taking<S> {
    fn write(&mut self, line: Line) {
        let written = self.scribe.write(&line);
        if let Err(error) = &written
            && !self.failing
        {
            tracing::error!(%error, "transcripts cannot be written");
        }
        self.failing = written.is_err();
    }

    fn lost(&mut self, lines: u64) {
        self.scribe.lost(lines);
    }
}

impl TranscriptSink for Recorder {
    fn line(&self, session: u64, at: Time, dialogue: Dialogue, line: &Trace) {
        let clock = SystemTime::now();
        let speaker = speaker(dialogue, line.direction);
        let text: String = escaped(line.text.chars()).collect();
        self.0.put(Line {
            session,
            at,
            clock,
            dialogue,
            speaker,
            text,
        });
    }
}

/// Where the lines of a session go: to both of these, as far as they are there.
pub fn sink(
    kept: Option<Arc<Recorder>>,
    shown: Option<Arc<Recorder>>,
) -> Option<Arc<dyn TranscriptSink>> {
    match (kept, shown) {
        (Some(kept), Some(shown)) => Some(Arc::new(Both(kept, shown))),
        (kept, shown) => Some(kept.or(shown)?),
    }
}

/// Two that take down the same.
struct Both(Arc<Recorder>, Arc<Recorder>);

impl TranscriptSink for Both {
    fn line(&self, session: u64, at: Time, dialogue: Dialogue, line: &Trace) {
        self.0.line(session, at, dialogue, line);
        self.1.line(session, at, dialogue, line);
    }
}

fn speaker(dialogue: Dialogue, direction: Direction) -> Speaker {
    match (dialogue, direction) {
        (Dialogue::Client, Direction::Received) | (Dialogue::Upstream, Direction::Sent) => {
            Speaker::Client
        }
        (Dialogue::Client, Direction::Sent) | (Dialogue::Upstream, Direction::Received) => {
            Speaker::Server
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<String>>>);

    impl Scribe for Memory {
        fn write(&mut self, line: &Line) -> io::Result<()> {
            let said = format!("{:?} {:?} {}", line.dialogue, line.speaker, line.text);
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(said);
            Ok(())
        }

        fn lost(&mut self, _: u64) {}
    }

    #[test]
    fn lines_arrive_in_order_with_their_speakers_and_without_control_characters() {
        let memory = Memory::default();
        let Ok(recorder) = Recorder::start(memory.clone()) else {
            panic!("no thread")
        };
        for (dialogue, direction, text) in [
            (Dialogue::Client, Direction::Received, "USER \u{1b}[31mtim"),
            (Dialogue::Client, Direction::Sent, "+OK"),
            (Dialogue::Upstream, Direction::Sent, "A1 NOOP"),
            (Dialogue::Upstream, Direction::Received, "* OK\u{7}"),
        ] {
            recorder.line(
                1,
                Time::ZERO,
                dialogue,
                &Trace {
                    direction,
                    text: text.into(),
                },
            );
        }
        let mut written = Vec::new();
        // one flush does not wait for as long as a busy machine may take
        for _ in 0..30 {
            recorder.flush();
            written.clone_from(&memory.0.lock().unwrap_or_else(PoisonError::into_inner));
            if written.len() >= 4 {
                break;
            }
        }
        assert_eq!(
            written,
            [
                "Client Client USER \\u{1b}[31mtim",
                "Client Server +OK",
                "Upstream Client A1 NOOP",
                "Upstream Server * OK\\u{7}",
            ]
        );
    }
}
