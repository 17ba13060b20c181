//! Notes for the operator: alerts of the upstream, and what is odd about it.
//!
//! Owns what waits to be fetched, what was passed on in this session, and the upstream's last words. Never decides
//! what a text means.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use pop3_proto::backend::{FailureKind, Note};

use super::asked::Asked;
use super::maildrop::Maildrop;
use crate::config::Config;
use crate::grammar::{Code, Kind};
use crate::wire::Notice;

/// The most notes that wait to be fetched; further ones are left out.
const NOTES: usize = 32;
/// The most alerts that are passed on in a session.
const ALERTS: usize = 16;

/// Notes on their way, and what was said before.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Most sessions have none of it.
    told: Option<Box<Told>>,
    /// A wrong size from the upstream was noted.
    size_noted: bool,
}

#[derive(Debug, Default)]
struct Told {
    waiting: VecDeque<Note>,
    alerts: Vec<String>,
    /// The last failure that the server reported after its last success.
    last: Option<String>,
}

impl Notes {
    fn told(&mut self) -> &mut Told {
        self.told.get_or_insert_default()
    }

    pub(super) fn push(&mut self, note: Note) {
        let told = self.told();
        if told.waiting.len() < NOTES {
            told.waiting.push_back(note);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Note> {
        self.told.as_mut()?.waiting.pop_front()
    }

    /// Takes note of a status, whatever else comes of it.
    pub(super) fn heard(
        &mut self,
        notice: &Notice,
        ends_command: bool,
        config: &Config,
        asked: &Asked,
    ) {
        let kind = notice.kind;
        if matches!(kind, Kind::No | Kind::Bad | Kind::Bye) {
            self.told().last = Some(format!("{kind} {}", notice.text));
        } else if ends_command && let Some(told) = &mut self.told {
            told.last = None;
        }
        if notice.code != Code::Alert {
            return;
        }
        let told = self.told();
        let text = asked.masked(&notice.text);
        if told.alerts.len() < ALERTS && !told.alerts.contains(&text) {
            let at = &config.endpoint;
            let note = format!("{} port {} says: {text}", at.host, at.port);
            told.alerts.push(text);
            self.push(Note::warning(note));
        }
    }

    /// The end of a sentence about a server that fell silent.
    pub(super) fn last_words(&self) -> String {
        match self.told.as_ref().and_then(|told| told.last.as_ref()) {
            Some(last) => format!("; its last words were: {last}"),
            None => String::new(),
        }
    }

    /// The announced size is not that of the message: told once a session, because a server that estimates does so
    /// with every message.
    pub(super) fn sized(&mut self, maildrop: &Maildrop, index: u32, size: u64) {
        let announced = maildrop.size(index).unwrap_or_default();
        if announced == 0 || announced == size || mem::replace(&mut self.size_noted, true) {
            return;
        }
        let detail = format!(
            "upstream announced {announced} octets and sends {size}; this is reported once a session"
        );
        let text = maildrop
            .about(index, FailureKind::Temporary, &detail)
            .detail;
        self.push(if size < announced / 2 {
            Note::warning(text)
        } else {
            Note::information(text)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_not_flooded() {
        let mut notes = Notes::default();
        for _ in 0..NOTES + 1 {
            notes.push(Note::warning("x"));
        }
        let mut told = 0;
        while notes.pop().is_some() {
            told += 1;
        }
        assert_eq!(told, NOTES);
    }
}
