//! What an upstream says besides its answers: alerts for the operator, and its last words.
//!
//! Owns which alerts were passed on in this session. Never decides what a text means.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use pop3_proto::backend::Note;

use super::ImapBackend;
use crate::grammar::{Code, Kind};
use crate::text::Mask;
use crate::wire::Notice;

/// The most alerts that are passed on in a session.
const ALERTS: usize = 16;

/// What the upstream said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    alerts: Vec<String>,
    /// The last failure that the server reported after its last success.
    last: Option<String>,
}

impl Said {
    /// The end of a sentence about a server that fell silent.
    pub(super) fn last_words(&self) -> String {
        match &self.last {
            Some(last) => format!("; its last words were: {last}"),
            None => String::new(),
        }
    }
}

impl ImapBackend {
    /// Takes note of a status, whatever else comes of it.
    pub(super) fn heard(&mut self, notice: &Notice, ends_command: bool) {
        let kind = notice.kind;
        if matches!(kind, Kind::No | Kind::Bad | Kind::Bye) {
            self.said.last = Some(format!("{kind} {}", notice.text));
        } else if ends_command {
            self.said.last = None;
        }
        if notice.code != Code::Alert || self.said.alerts.len() >= ALERTS {
            return;
        }
        let text = self.masked(&notice.text);
        if !self.said.alerts.contains(&text) {
            let at = &self.config.endpoint;
            let note = format!("{} port {} says: {text}", at.host, at.port);
            self.said.alerts.push(text);
            self.note(Note::warning(note));
        }
    }

    /// The connection's mask is gone after the login, but the credentials are still here.
    fn masked(&self, text: &str) -> String {
        let mut mask = Mask::default();
        if let Some(open) = &self.open {
            mask.add_login(&open.login);
        }
        mask.clean(text.as_bytes())
    }
}
