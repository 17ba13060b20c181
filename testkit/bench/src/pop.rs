//! A POP3 client that knows what it wants.

use std::sync::Arc;

use rustls::ClientConfig;

use crate::Outcome;
use crate::wire::Wire;

/// Everybody's.
pub(crate) const PASSWORD: &str = "secret";

/// Where a POP3 server listens, and how to speak to it.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    Plain(u16),
    Tls(u16, Arc<ClientConfig>),
}

pub(crate) struct Pop {
    pub(crate) wire: Wire,
}

impl Pop {
    /// Connects and reads the greeting.
    pub(crate) fn connect(door: &Door) -> Outcome<Self> {
        let wire = match door {
            Door::Plain(port) => Wire::plain(*port)?,
            Door::Tls(port, config) => Wire::tls(*port, config)?,
        };
        let mut pop = Self { wire };
        pop.ok()?;
        Ok(pop)
    }

    /// Connects and logs in.
    pub(crate) fn login(door: &Door, user: &str) -> Outcome<Self> {
        let mut pop = Self::connect(door)?;
        pop.ask(&format!("USER {user}"))?;
        pop.ask(&format!("PASS {PASSWORD}"))?;
        Ok(pop)
    }

    /// A command with an answer of one line, which has to be good.
    pub(crate) fn ask(&mut self, command: &str) -> Outcome {
        self.send(command)?;
        self.ok()
    }

    /// A command with an answer of several lines; tells how many octets.
    pub(crate) fn ask_long(&mut self, command: &str) -> Outcome<u64> {
        self.ask(command)?;
        self.wire.body()
    }

    pub(crate) fn send(&mut self, command: &str) -> Outcome {
        self.wire.send(format!("{command}\r\n").as_bytes())
    }

    pub(crate) fn ok(&mut self) -> Outcome {
        let line = self.wire.line()?;
        if line.starts_with(b"+OK") {
            return Ok(());
        }
        Err(format!("the server says {}", String::from_utf8_lossy(line)).into())
    }

    pub(crate) fn quit(mut self) -> Outcome {
        self.ask("QUIT")
    }
}
