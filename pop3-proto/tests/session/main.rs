//! The server session against the conformance list, through its public API.
#![allow(clippy::unwrap_used, reason = "tests")]

mod endings;
mod input;
mod login;
mod maildrop;
mod offers;
mod record;
mod sasl;
mod tls;

use pop3_proto::backend::Mechanism;
use pop3_proto::server::{Policy, TlsOffer};

const MAIL: &[u8] = b"Subject: a\r\n\r\none\r\n.two\r\nthree\r\n";

fn mechanisms(names: &[&str]) -> Vec<Mechanism> {
    names
        .iter()
        .filter_map(|name| Mechanism::new(name))
        .collect()
}

fn stls() -> Policy {
    Policy::default().tls(TlsOffer::Stls)
}
