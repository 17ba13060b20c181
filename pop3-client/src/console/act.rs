//! The commands that mark, take back, and leave.

use std::collections::BTreeSet;

use pop3_proto::command::Command as Wire;

use super::{Console, Then};
use crate::text;
use pop3_client_io::Error;

impl Console<'_> {
    pub(super) fn delete(&mut self, words: &[&str]) -> Result<(), Error> {
        let Some(chosen) = self.chosen(words)? else {
            return Ok(());
        };
        let new: Vec<u32> = chosen
            .into_iter()
            .filter(|number| !self.marked.contains(number))
            .collect();
        let refused = self.with(|session| session.delete(&new))?;
        for (number, why) in &refused {
            self.say(&format!("message {number} stays: {why}"))?;
        }
        let done: BTreeSet<u32> = new
            .into_iter()
            .filter(|number| !refused.contains_key(number))
            .collect();
        let count = text::count(done.len() as u64, "message");
        self.marked.extend(done);
        self.say(&format!(
            "{count} marked; 'quit' deletes, 'rollback' takes the marks back"
        ))
    }

    pub(super) fn rollback(&mut self) -> Result<(), Error> {
        self.with(|session| session.run(&Wire::Rset))?;
        let count = text::count(self.marked.len() as u64, "mark");
        self.marked.clear();
        self.say(&format!("{count} taken back"))
    }

    /// POP3 can only take back all marks: the others are set again.
    pub(super) fn undelete(&mut self, words: &[&str]) -> Result<(), Error> {
        let Some(chosen) = self.chosen(words)? else {
            return Ok(());
        };
        let before = self.marked.len();
        let kept: Vec<u32> = self
            .marked
            .iter()
            .copied()
            .filter(|number| !chosen.contains(number))
            .collect();
        if kept.len() == before {
            return self.say("none of them is marked");
        }
        self.with(|session| session.run(&Wire::Rset))?;
        self.marked.clear();
        let refused = self.with(|session| session.delete(&kept))?;
        let kept = kept.into_iter();
        self.marked = kept
            .filter(|number| !refused.contains_key(number))
            .collect();
        let count = text::count((before - self.marked.len()) as u64, "mark");
        self.say(&format!("{count} taken back, {} left", self.marked.len()))
    }

    pub(super) fn reconnect(&mut self) -> Result<(), Error> {
        if let Some(session) = self.keeper.take() {
            session.abort();
        }
        self.open()
    }

    pub(super) fn quit(&mut self) -> Result<Then, Error> {
        let marked = self.marked.len() as u64;
        let Some(mut session) = self.keeper.take() else {
            if marked > 0 {
                self.say("the session was lost before: nothing was deleted")?;
            }
            return Ok(Then::Leave);
        };
        match (session.quit(), marked) {
            (Ok(_), 0) => {}
            (Ok(_), marked) => {
                self.say(&format!("{} deleted", text::count(marked, "message")))?;
            }
            (Err(Error::Refused { refusal, .. }), _) => {
                self.say(&format!("the server did not delete everything: {refusal}"))?;
            }
            (Err(_), 0) => {}
            (Err(error), _) => {
                let error = text::one_line(&error.to_string());
                self.say(&format!(
                    "{error}: whether the marked messages were deleted is not known"
                ))?;
            }
        }
        Ok(Then::Leave)
    }

    pub(super) fn abort(&mut self) -> Result<Then, Error> {
        if let Some(session) = self.keeper.take() {
            session.abort();
        }
        if !self.marked.is_empty() {
            self.say("nothing was deleted")?;
        }
        Ok(Then::Leave)
    }
}
