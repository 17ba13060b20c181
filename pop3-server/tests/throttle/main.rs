//! Which login is looked at when, in virtual time.
#![allow(clippy::unwrap_used, reason = "tests")]

mod memory;
mod others;
mod owners;
mod turns;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use pop3_proto::backend::{Login, Mechanism, Names};
use pop3_proto::time::Time;
use pop3_server::delay::{Delay, Fault};
use pop3_server::throttle::{Look, Throttle};

pub(crate) const OFFICE: &str = "192.0.2.1";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn at(millis: u64) -> Time {
    Time::from_start(Duration::from_millis(millis))
}

pub(crate) fn password(user: &str, password: &str) -> Login {
    Login::Password {
        user: user.into(),
        password: password.as_bytes().into(),
    }
}

/// Every form of login that a client can choose, for this user.
pub(crate) fn forms(user: &str) -> Vec<Login> {
    let mechanism = |name| Mechanism::new(name).unwrap();
    vec![
        password(user, "p"),
        Login::ActingFor {
            user: "somebody".into(),
            by: user.into(),
            password: b"p"[..].into(),
        },
        Login::Apop {
            user: user.into(),
            timestamp: "<1@x>".into(),
            digest: [1; 16],
        },
        Login::CramMd5 {
            user: user.into(),
            challenge: "<1@x>".into(),
            digest: [1; 16],
        },
        Login::Bearer {
            mechanism: mechanism("XOAUTH2"),
            user: user.into(),
            token: b"token"[..].into(),
            renewal: None,
        },
        Login::Relay {
            mechanism: mechanism("SCRAM-SHA-256"),
            initial: Some(b"n,,n=x,r=y"[..].into()),
            names: Names {
                authentication: Some(user.into()),
                authorization: None,
            },
        },
    ]
}

/// A throttle with its rules.
pub(crate) struct Play {
    pub(crate) throttle: Throttle,
    pub(crate) rules: Delay,
}

impl Play {
    pub(crate) fn new() -> Self {
        Self {
            throttle: Throttle::new(),
            rules: Delay::default(),
        }
    }

    /// With room for this many subjects of a kind.
    pub(crate) fn remembering(most: usize) -> Self {
        Self {
            throttle: Throttle::new().remembering(most),
            rules: Delay::default(),
        }
    }

    pub(crate) fn ask(&self, login: &Login, address: &str, now: Time) -> Look {
        self.throttle.ask(&self.rules, login, ip(address), now)
    }

    /// Asks once; the wait in milliseconds, 0 for none.
    pub(crate) fn wait(&self, login: &Login, address: &str, now: Time) -> u64 {
        let again = self.ask(login, address, now).poll(now);
        let wait = again.map_or(Duration::ZERO, |again| again.since(now));
        u64::try_from(wait.as_millis()).unwrap()
    }

    /// Looks at a login that fails, when its turn has come; says when that was.
    pub(crate) fn fail(&self, login: &Login, address: &str, fault: Fault, now: Time) -> Time {
        let mut look = self.ask(login, address, now);
        let mut now = now;
        while let Some(again) = look.poll(now) {
            now = again;
        }
        look.wrong(fault, now);
        now
    }

    pub(crate) fn succeed(&self, login: &Login, address: &str, now: Time) {
        let mut look = self.ask(login, address, now);
        let mut now = now;
        while let Some(again) = look.poll(now) {
            now = again;
        }
        look.right(now);
    }
}

/// Where an attacker comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    Address,
    Network,
    Site,
}

impl From {
    pub(crate) fn address(self, n: u64) -> IpAddr {
        let base = 0x2001_0db8_0001_0000_u128 << 64;
        match self {
            Self::Address => ip(OFFICE),
            Self::Network => Ipv6Addr::from_bits(base | u128::from(n)).into(),
            Self::Site => Ipv6Addr::from_bits(base | u128::from(n & 0xFFFF) << 64).into(),
        }
    }
}
