//! One screen at a time.

use super::{Console, Input};
use crate::session::Error;

impl Console<'_> {
    /// Shows lines, as many at once as there are rows. Only what is looked at is made.
    pub(super) fn page(&mut self, text: &str) -> Result<(), Error> {
        let rows = self.rows();
        let (columns, _) = self.terminal.size().unwrap_or((usize::MAX, 0));
        let mut room = rows;
        for line in text.lines() {
            // a long line takes several rows
            let taken = 1 + line.chars().count().saturating_sub(1) / columns.max(1);
            if room < taken && !self.wants_more()? {
                return Ok(());
            }
            room = if room < taken { rows } else { room }.saturating_sub(taken);
            self.say(line)?;
        }
        Ok(())
    }

    /// How many lines go before the user is asked.
    pub(super) fn rows(&self) -> usize {
        self.terminal
            .size()
            .map_or(usize::MAX, |(_, rows)| rows.saturating_sub(1).max(1))
    }

    pub(super) fn columns(&self) -> usize {
        self.terminal
            .size()
            .map_or(usize::MAX, |(columns, _)| columns)
    }

    pub(super) fn wants_more(&mut self) -> Result<bool, Error> {
        match self.terminal.ask("-- more (return, or q) -- ") {
            Ok(Input::Line(answer)) => Ok(!answer.trim_start().starts_with(['q', 'Q', 'n', 'N'])),
            Ok(Input::Interrupted | Input::End) => Ok(false),
            Err(error) => Err(Error::Local(error)),
        }
    }
}
