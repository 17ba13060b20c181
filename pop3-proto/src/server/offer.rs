//! What a session offers at the moment: greeting, capabilities, mechanisms, languages.
//!
//! It reads the policy and the state and never changes the state.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::policy::{Expire, ReadOnly, TlsOffer};
use super::session::Session;
use super::standing::State;
use crate::backend::Mechanism;
use crate::capability::Capability;
use crate::controls::dropped;

impl Session {
    pub(super) fn greet(&mut self) {
        let policy = self.policy.clone();
        let text = printable(&policy.greeting.replace(['<', '>'], ""), 200);
        let text = text.trim_start_matches(['[', ' ']);
        if self.offers_apop() {
            let stamp = self.stamp.clone();
            self.send_ok(format_args!("{text} {stamp}"));
        } else {
            self.send_ok(format_args!("{text}"));
        }
    }

    pub(super) fn capa(&mut self) {
        self.send_ok(format_args!("the capabilities"));
        for capability in self.capabilities() {
            let mut line = String::new();
            // writing to a String cannot fail
            let _ = write!(line, "{capability}");
            self.send(&line);
        }
        self.send(".");
    }

    /// What is true now. Capabilities of the state before login are listed in both states (RFC 2449 section 5),
    /// except for STLS: its line means that the command is possible now (RFC 2595 section 4).
    pub(super) fn capabilities(&self) -> Vec<Capability> {
        let before_login = matches!(self.state, State::Authorization { .. });
        let policy = &self.policy;
        let mut list = Vec::with_capacity(16);
        list.extend([Capability::Top, Capability::Uidl, Capability::RespCodes]);
        list.extend([Capability::AuthRespCode, Capability::Pipelining]);
        if policy.user_pass && self.takes_clear_secrets() {
            list.push(Capability::User);
        }
        let mechanisms = self.mechanisms();
        if !mechanisms.is_empty() {
            list.push(Capability::Sasl(fitting(mechanisms)));
        }
        if before_login && policy.tls == TlsOffer::Stls && !self.is_protected() {
            list.push(Capability::Stls);
        }
        if policy.utf8 {
            list.extend([Capability::Utf8 { user: true }, Capability::Lang]);
        }
        let days = match policy.expire {
            Expire::Never => None,
            Expire::Days(days) => Some(days),
        };
        list.push(Capability::Expire {
            days,
            per_user: false,
        });
        if policy.read_only != ReadOnly::Refused {
            list.push(Capability::ReadOnly);
        }
        list.extend(
            policy
                .implementation
                .as_deref()
                .map(|text| Capability::Implementation(printable(text, 480))),
        );
        list
    }

    /// The mechanisms that can be used now.
    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        let usable = |mechanism: &&Mechanism| match mechanism.as_str() {
            "PLAIN" | "LOGIN" => self.takes_clear_secrets(),
            // RFC 7628 section 3: never without TLS
            "XOAUTH2" | "OAUTHBEARER" => self.is_protected(),
            _ => true,
        };
        self.policy
            .mechanisms
            .iter()
            .filter(usable)
            .cloned()
            .collect()
    }

    pub(super) fn lang(&mut self, tag: Option<&str>) {
        match tag {
            None => {
                self.send_ok(format_args!("the languages"));
                self.send("en English");
                self.send("i-default English");
                self.send(".");
            }
            Some("*") => self.send_ok(format_args!(
                "i-default responses are in the default language"
            )),
            Some(tag)
                if tag.eq_ignore_ascii_case("en") || tag.eq_ignore_ascii_case("i-default") =>
            {
                let tag = if tag.len() == 2 { "en" } else { "i-default" };
                self.send_ok(format_args!("{tag} responses are in English"));
            }
            Some(_) => self.send_err(None, "no such language, nothing changed"),
        }
    }

    pub(super) fn is_protected(&self) -> bool {
        self.summary.tls.is_some() || matches!(self.policy.tls, TlsOffer::Implicit)
    }

    pub(super) fn takes_clear_secrets(&self) -> bool {
        self.is_protected() || self.policy.clear_login
    }

    /// The timestamp of APOP is in the greeting, so APOP is offered from the start or never; and never
    /// where an eavesdropper could collect digests.
    pub(super) fn offers_apop(&self) -> bool {
        let safe = matches!(self.policy.tls, TlsOffer::Implicit) || self.policy.clear_login;
        self.policy.apop && safe && !self.stamp.is_empty()
    }
}

/// The mechanisms whose names fit into one line (X007), the strongest first. The others can be used all
/// the same, and AUTH without arguments lists them.
fn fitting(mut mechanisms: Vec<Mechanism>) -> Vec<Mechanism> {
    let mut room = 480_usize;
    let fits = |mechanism: &Mechanism| {
        let left = room.checked_sub(1 + mechanism.as_str().len());
        room = left.unwrap_or(0);
        left.is_some()
    };
    let count = mechanisms.iter().map(fits).take_while(|fits| *fits).count();
    mechanisms.truncate(count);
    mechanisms
}

/// At most this many octets of a text, without anything that could end its line.
fn printable(text: &str, octets: usize) -> String {
    let mut kept = String::new();
    for c in dropped(text.chars()) {
        if kept.len() + c.len_utf8() > octets {
            break;
        }
        kept.push(c);
    }
    kept
}
