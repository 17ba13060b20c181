//! What is entered into a device: server, port, encryption.
//!
//! Owns the choice among the listeners that devices can reach. Knows no password.

use pop3_proto::server::TlsOffer;

use crate::config::Listener;

/// One way to the POP3 server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The port.
    pub port: u16,
    /// How it is encrypted.
    pub tls: TlsOffer,
}

/// The POP3 server as devices see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Its name.
    pub server: String,
    /// The ways to it, the safest first.
    pub ways: Vec<Way>,
}

impl Card {
    /// Of these listeners. Those that only this machine reaches count where there is no other.
    pub fn new(server: &str, listeners: &[Listener]) -> Self {
        let takes = |own: &&Listener| {
            let policy = &own.policy;
            policy.user_pass && (policy.tls != TlsOffer::None || policy.clear_login)
        };
        let all = || {
            let usable = listeners.iter().filter(takes);
            usable.flat_map(|own| own.addresses.iter().map(move |at| (at, own.policy.tls)))
        };
        let is_open = |(at, _): &(&std::net::SocketAddr, TlsOffer)| !at.ip().is_loopback();
        let mut ways: Vec<_> = match all().any(|way| is_open(&way)) {
            true => all().filter(is_open).map(way).collect(),
            false => all().map(way).collect(),
        };
        ways.sort_by_key(|way| (rank(way.tls), way.port));
        ways.dedup();
        Self {
            server: server.into(),
            ways,
        }
    }
}

fn way((at, tls): (&std::net::SocketAddr, TlsOffer)) -> Way {
    Way {
        port: at.port(),
        tls,
    }
}

const fn rank(tls: TlsOffer) -> u8 {
    match tls {
        TlsOffer::Implicit => 0,
        TlsOffer::Stls => 1,
        TlsOffer::None => 2,
    }
}

impl Way {
    /// As programs call it.
    pub const fn encryption(&self) -> &'static str {
        match self.tls {
            TlsOffer::Implicit => "SSL/TLS",
            TlsOffer::Stls => "STARTTLS",
            TlsOffer::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn card(listeners: &str) -> Vec<(u16, &'static str)> {
        let text = format!("{listeners}[[upstream]]\nname = \"m\"\nurl = \"imap://127.0.0.1\"\n");
        let config = Config::parse(&text, Path::new("g.toml")).unwrap();
        let card = Card::new("pop.example.org", &config.listeners);
        let ways = card.ways.iter();
        ways.map(|way| (way.port, way.encryption())).collect()
    }

    #[test]
    fn the_safest_way_that_others_reach_comes_first() {
        let clear =
            "[[listener]]\nlisten = [\"0.0.0.0:110\", \"[::]:110\"]\nallow_clear_login = true\n";
        let local = "[[listener]]\nlisten = \"127.0.0.1:1110\"\n";
        let tls =
            "[[listener]]\nlisten = \"0.0.0.0:995\"\ntls = \"implicit\"\nself_signed = \"t\"\n";
        assert_eq!(card(local), [(1110, "none")]);
        assert_eq!(card(&format!("{local}{clear}")), [(110, "none")]);
        assert_eq!(
            card(&format!("{local}{clear}{tls}")),
            [(995, "SSL/TLS"), (110, "none")]
        );
    }
}
