//! `[limits]` and `[timers]`: how much and how long.

use std::time::Duration;

use super::document::Table;
use super::error::{Fault, Problem};
use super::value::Size;

/// RFC 1939 section 3: an autologout timer must be of at least 10 minutes.
const AUTOLOGOUT_FLOOR: Duration = Duration::from_secs(10 * 60);

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: u32,
    /// Connections that have not logged in, all together. Not said: half of all, fifty at least.
    pub connections_before_login: Option<u32>,
    /// Connections from one address (IPv4) or one /64 (IPv6).
    pub connections_per_address: u32,
    /// Sessions of one user.
    pub connections_per_user: u32,
    /// How long the next login from an address waits after a failed one, before its password is looked at; it
    /// grows with every failure. A device that was right lately does not wait.
    pub failed_login_delay: Duration,
    /// Up to which.
    pub failed_login_delay_max: Duration,
    /// After how many logins without success, whatever the reason, a connection is cut.
    pub failed_logins: u32,
    /// After how many bad commands a connection is cut before login.
    pub bad_commands_before_login: u32,
    /// After how many bad commands a connection is cut after login.
    pub bad_commands: u32,
    /// How many octets may be fetched ahead for all sessions together.
    pub read_ahead_total: usize,
}

/// `[timers]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timers {
    /// How long a client may take, in all, until its credentials are found good; a login under way is answered
    /// within it.
    pub login_grace: Duration,
    /// How long a client may be idle after login.
    pub autologout: Duration,
    /// How long a client may go without taking anything of what is sent.
    pub stalled_reader: Duration,
    /// How long running responses may take when the gateway is told to stop.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1000,
            connections_before_login: None,
            connections_per_address: 50,
            connections_per_user: 10,
            failed_login_delay: Duration::from_secs(2),
            failed_login_delay_max: Duration::from_secs(30),
            failed_logins: 3,
            bad_commands_before_login: 10,
            bad_commands: 50,
            read_ahead_total: 256 << 20,
        }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            login_grace: Duration::from_secs(3 * 60),
            autologout: AUTOLOGOUT_FLOOR,
            stalled_reader: AUTOLOGOUT_FLOOR,
            shutdown_grace: Duration::from_secs(30),
        }
    }
}

impl Limits {
    pub(super) fn read(mut table: Table<'_>) -> Result<Self, Fault> {
        let mut limits = Self::default();
        table.set("connections", &mut limits.connections)?;
        limits.connections_before_login = table.get("connections_before_login")?;
        table.set(
            "connections_per_address",
            &mut limits.connections_per_address,
        )?;
        table.set("connections_per_user", &mut limits.connections_per_user)?;
        table.set("failed_login_delay", &mut limits.failed_login_delay)?;
        table.set("failed_login_delay_max", &mut limits.failed_login_delay_max)?;
        table.set("failed_logins", &mut limits.failed_logins)?;
        table.set(
            "bad_commands_before_login",
            &mut limits.bad_commands_before_login,
        )?;
        table.set("bad_commands", &mut limits.bad_commands)?;
        let mut read_ahead_total = Size(limits.read_ahead_total);
        table.set("read_ahead_total", &mut read_ahead_total)?;
        limits.read_ahead_total = read_ahead_total.0;
        table.finish()?;
        limits.check().map_err(|problem| table.fault(problem))?;
        Ok(limits)
    }

    /// Connections that have not logged in, all together.
    pub fn before_login(&self) -> u32 {
        let usual = (self.connections / 2).max(50);
        self.connections_before_login
            .unwrap_or(usual)
            .min(self.connections)
    }

    fn check(&self) -> Result<(), Problem> {
        let counts = [
            ("connections", self.connections),
            ("connections_before_login", self.before_login()),
            ("connections_per_address", self.connections_per_address),
            ("connections_per_user", self.connections_per_user),
            ("failed_logins", self.failed_logins),
            ("bad_commands_before_login", self.bad_commands_before_login),
            ("bad_commands", self.bad_commands),
        ];
        if let Some((key, _)) = counts.iter().find(|(_, count)| *count == 0) {
            let remedy = "write at least 1; there is no unlimited, but large numbers are fine";
            return Err(Problem::new(key, "0 would shut everybody out", remedy));
        }
        if self.failed_login_delay_max < self.failed_login_delay {
            return Err(Problem::new(
                "failed_login_delay_max",
                "this is less than failed_login_delay",
                "write at least as much",
            ));
        }
        Ok(())
    }
}

impl Timers {
    pub(super) fn read(mut table: Table<'_>) -> Result<Self, Fault> {
        let mut timers = Self::default();
        table.set("login_grace", &mut timers.login_grace)?;
        table.set("autologout", &mut timers.autologout)?;
        table.set("stalled_reader", &mut timers.stalled_reader)?;
        table.set("shutdown_grace", &mut timers.shutdown_grace)?;
        table.finish()?;
        timers.check().map_err(|problem| table.fault(problem))?;
        Ok(timers)
    }

    fn check(&self) -> Result<(), Problem> {
        for (key, span) in [
            ("autologout", self.autologout),
            ("stalled_reader", self.stalled_reader),
        ] {
            if span < AUTOLOGOUT_FLOOR {
                let what = "less than 10 minutes cuts off honest clients (RFC 1939 section 3)";
                return Err(Problem::new(key, what, "write at least \"10m\""));
            }
        }
        if self.login_grace < Duration::from_secs(10) {
            let what = "nobody can log in that fast";
            return Err(Problem::new("login_grace", what, "write at least \"10s\""));
        }
        Ok(())
    }
}
