//! `[limits]` and `[timers]`: how much and how long.

use std::path::Path;
use std::time::Duration;

use pop3_proto::server::Policy;
use pop3_server::delay::Delay;
use pop3_server::limit::Limits;
use serde_json::Value as Json;
use toml::de::DeValue;

use crate::setting::error::Problem;
use crate::setting::rows;
use crate::setting::value::{BadValue, Value};

/// RFC 1939 section 3: an autologout timer must be of at least 10 minutes.
const AUTOLOGOUT_FLOOR: Duration = Duration::from_secs(10 * 60);

/// Limits and times, for all listeners together or for each session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many connections may be open at once.
    pub limits: Limits,
    /// How many of them may be open before login, if the operator set it.
    strangers: Option<usize>,
    /// How long the logins of an address or a name wait after a failed one.
    pub delay: Delay,
    /// How many connections to upstreams may wait for the next login.
    pub parked: usize,
    /// How many octets may be fetched ahead for all sessions together.
    pub read_ahead_total: u64,
    /// What every session may take; the listeners add what they offer.
    pub policy: Policy,
    /// How long running responses may take when the gateway is asked to stop.
    pub shutdown_grace: Duration,
    /// How long it says before that it is not ready, and accepts as before, if the operator said so.
    pub drain_delay: Option<Duration>,
}

impl Default for Bounds {
    fn default() -> Self {
        let mut bounds = Self {
            limits: Limits::default(),
            strangers: None,
            delay: Delay::default(),
            parked: 1000,
            read_ahead_total: 256 << 20,
            policy: Policy::default(),
            shutdown_grace: Duration::from_secs(30),
            drain_delay: None,
        };
        bounds.limits.per_address = 50;
        bounds.allow(1000);
        bounds
    }
}

rows! {
    /// `[limits]`
    pub(crate) LIMITS: Bounds = Bounds::default();

    /// Connections at once: in all, from one IPv4 address or IPv6 /64, into one mailbox.
    told "connections" "1000" => (limits.total),
    /// Of these, how many may be not logged in yet. When all of them are taken, the oldest one from the most crowded
    /// address (IPv6: network) makes room for a newcomer. Half of all, fifty at least, if it is left out.
    told "connections_before_login" "500" => (with set_strangers, show_strangers),
    told "connections_per_address" "50" => (limits.per_address),
    told "connections_per_user" "10" => (limits.per_user),
    /// How long an address (IPv6 /64) waits after a failed login before the password of its next one is looked at,
    /// right or wrong; its logins are then taken one at a time. The wait doubles with every further failure, up to
    /// the second value. The same goes for a name that is guessed from several addresses. A device that logged in
    /// lately does not wait for others at its address. "0s" for both: no login waits.
    "failed_login_delay" r#""2s""# => (delay.first),
    "failed_login_delay_max" r#""30s""# => (delay.most),
    /// After this many logins without success, for any reason, or bad commands in a row, the connection is cut.
    told "failed_logins" "3" => (policy.failed_logins),
    "bad_commands_before_login" "10" => (policy.bad_commands_before_login),
    "bad_commands" "50" => (policy.bad_commands),
    /// How many connections to upstreams may wait for the next login, all together; the one that has waited longest makes
    /// room. Fewer where the system allows fewer open files. 0 for none.
    "parked" "1000" => (parked),
    /// How much may be fetched ahead for all sessions together.
    "read_ahead_total" r#""256 MiB""# => (read_ahead_total),
}

rows! {
    /// `[timers]`
    pub(crate) TIMERS: Bounds = Bounds::default();

    /// All the time from the greeting until the credentials are found good. A login that takes longer is answered
    /// "-ERR [SYS/TEMP]".
    told "login_grace" r#""3m""# => (policy.login_grace),
    /// Idle clients are cut off after this time, and nothing is deleted. At least "10m".
    told "autologout" r#""10m""# => (policy.autologout),
    /// So are clients that leave what is sent to them unread. At least "10m".
    told "stalled_reader" r#""10m""# => (policy.stalled_reader),
    /// How long running responses may take when the gateway is asked to stop.
    told "shutdown_grace" r#""30s""# => (shutdown_grace),
    /// How long before that /readyz says "not ready" while clients are served as before, so that a balancer can send
    /// them elsewhere. A second signal to stop ends it. Left out: not at all; with [cluster] "5s".
    told own "drain_delay" r#""5s""# => (drain_delay),
}

fn set_strangers(bounds: &mut Bounds, value: &DeValue<'_>, base: &Path) -> Result<(), BadValue> {
    bounds.strangers = Value::read(value, base)?;
    Ok(())
}

fn show_strangers(bounds: &Bounds) -> Json {
    bounds.limits.strangers.show()
}

impl Bounds {
    /// What `check` says of them.
    pub(super) fn told(&self) -> [(&'static str, String); 2] {
        let (limits, policy) = (&self.limits, &self.policy);
        let seconds = humantime::format_duration;
        [
            (
                "limits",
                format!(
                    "{} connections, {} before login, {} an address, {} a user; cut after {} failed logins",
                    limits.total,
                    limits.strangers,
                    limits.per_address,
                    limits.per_user,
                    policy.failed_logins,
                ),
            ),
            (
                "timers",
                format!(
                    "login within {}, autologout after {}, stalled readers cut after {}",
                    seconds(policy.login_grace),
                    seconds(policy.autologout),
                    seconds(policy.stalled_reader),
                ),
            ),
        ]
    }

    /// Sets the most connections in all. Before login it is the number that was configured, or half of that.
    pub fn allow(&mut self, connections: usize) {
        let usual = (connections / 2).max(50);
        self.limits.total = connections;
        self.limits.strangers = self.strangers.unwrap_or(usual).min(connections);
    }

    pub(super) fn check_limits(&mut self) -> Result<(), Problem> {
        self.allow(self.limits.total);
        let (limits, policy) = (&self.limits, &self.policy);
        let shut = [
            ("connections", limits.total == 0),
            ("connections_before_login", limits.strangers == 0),
            ("connections_per_address", limits.per_address == 0),
            ("connections_per_user", limits.per_user == 0),
            ("failed_logins", policy.failed_logins == 0),
            (
                "bad_commands_before_login",
                policy.bad_commands_before_login == 0,
            ),
            ("bad_commands", policy.bad_commands == 0),
        ];
        if let Some((key, _)) = shut.iter().find(|(_, shut)| *shut) {
            let remedy = "write at least 1; there is no unlimited, but large numbers are fine";
            return Err(Problem::new(key, "0 would shut everybody out", remedy));
        }
        if self.delay.most < self.delay.first {
            return Err(Problem::new(
                "failed_login_delay_max",
                "this is less than failed_login_delay",
                "write at least as much",
            ));
        }
        Ok(())
    }

    pub(super) fn check_timers(&mut self) -> Result<(), Problem> {
        for (key, span) in [
            ("autologout", self.policy.autologout),
            ("stalled_reader", self.policy.stalled_reader),
        ] {
            if span < AUTOLOGOUT_FLOOR {
                let what = "less than 10 minutes cuts off honest clients (RFC 1939 section 3)";
                return Err(Problem::new(key, what, "write at least \"10m\""));
            }
        }
        if self.policy.login_grace < Duration::from_secs(10) {
            let what = "no login is that fast";
            return Err(Problem::new("login_grace", what, "write at least \"10s\""));
        }
        Ok(())
    }
}
