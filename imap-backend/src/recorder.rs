//! Records the dialogue with the upstream in lines that an operator may read.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;

use pop3_proto::trace::{Direction, Trace};

/// The most lines that wait to be fetched; further ones are only counted.
const BOUND: usize = 1024;
/// How many FETCH lines in a row are shown.
const FETCHES: u64 = 3;

/// Costs nothing until it is switched on.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Option<Box<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<Trace>,
    left_out: u64,
    fetches: u64,
}

impl Recorder {
    pub(crate) fn switch_on(&mut self) {
        self.0.get_or_insert_default();
    }

    pub(crate) fn pop(&mut self) -> Option<Trace> {
        self.0.as_mut()?.lines.pop_front()
    }

    /// A line to be written, where lines are recorded.
    pub(crate) fn line(&self) -> Option<String> {
        self.0.is_some().then(String::new)
    }

    pub(crate) fn sent(&mut self, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.end_fetches();
            lines.push(Direction::Sent, text());
        }
    }

    pub(crate) fn received(&mut self, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.end_fetches();
            lines.push(Direction::Received, text());
        }
    }

    /// A FETCH without a body; thousands may come in a row.
    pub(crate) fn fetch(&mut self, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.fetches += 1;
            if lines.fetches <= FETCHES {
                lines.push(Direction::Received, text());
            }
        }
    }
}

impl Lines {
    fn end_fetches(&mut self) {
        let hidden = core::mem::take(&mut self.fetches).saturating_sub(FETCHES);
        if hidden > 0 {
            self.push(Direction::Received, format!("<{hidden} more FETCH lines>"));
        }
    }

    fn push(&mut self, direction: Direction, text: String) {
        if self.lines.len() >= BOUND {
            self.left_out += 1;
            return;
        }
        let left_out = core::mem::take(&mut self.left_out);
        if left_out > 0 {
            let text = format!("<{left_out} lines not recorded>");
            self.lines.push_back(Trace { direction, text });
        }
        self.lines.push_back(Trace { direction, text });
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn lines(recorder: &mut Recorder) -> Vec<String> {
        core::iter::from_fn(|| recorder.pop().map(|line| line.text)).collect()
    }

    #[test]
    fn what_is_not_fetched_is_counted() {
        let mut recorder = Recorder::default();
        recorder.sent(|| "nobody asked".into());
        recorder.switch_on();
        for n in 0..BOUND + 3 {
            recorder.sent(|| format!("{n}"));
        }
        let kept = lines(&mut recorder);
        assert_eq!((kept.len(), kept[0].as_str()), (BOUND, "0"));
        recorder.sent(|| "next".into());
        recorder.received(|| "and".into());
        assert_eq!(
            lines(&mut recorder),
            ["<3 lines not recorded>", "next", "and"]
        );
    }

    #[test]
    fn many_fetches_are_summed_up_and_few_are_shown() {
        for (count, expected) in [(3, 4), (4, 5), (100, 5)] {
            let mut recorder = Recorder::default();
            recorder.switch_on();
            for _ in 0..count {
                recorder.fetch(|| "fetch".into());
            }
            recorder.received(|| "end".into());
            let said = lines(&mut recorder);
            assert_eq!(said.len(), expected, "{said:?}");
            let hidden = count - 3;
            let summed = said.contains(&format!("<{hidden} more FETCH lines>"));
            assert_eq!(summed, hidden > 0);
        }
    }
}
