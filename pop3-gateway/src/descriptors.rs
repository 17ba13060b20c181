//! How many files and sockets the system lets this process have open, and whether that is enough.
//!
//! A session takes two: the client's socket and the upstream's, or a store's file. The soft limit is raised to
//! the hard one, which needs no privilege; only the operator can raise that one.

use crate::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a session takes.
const SESSION: u64 = 2;

/// What is open beside sessions: standard streams, the runtime's, certificates and accounts while they are
/// read, a database's pool.
const RESERVE: u64 = 64;

/// Which part of the descriptors connections that wait get at least, where there are too few for everything: one in
/// this many. Without any, each poll of a device would be a login upstream.
const WAITING: u64 = 16;

/// Files of transcripts that are open at once.
const TRANSCRIPTS: u64 = 64;

/// Raises the soft limit to the hard one; returns what holds then, `None` for no limit.
pub fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        // macOS names a hard limit that it does not grant; then the soft limit stays
        Err(_) => current,
    }
}

/// The most that this process could have, `None` for no limit.
pub fn most() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// How many of this many descriptors are left beside those that the configured connections need.
pub fn left(config: &Config, limit: u64) -> usize {
    usize::try_from(limit.saturating_sub(needed(config))).unwrap_or(usize::MAX)
}

/// What the configured connections need, and everything beside them.
fn needed(config: &Config) -> u64 {
    connections(config)
        .saturating_mul(SESSION)
        .saturating_add(others(config))
}

fn connections(config: &Config) -> u64 {
    u64::try_from(config.bounds.limits.total).unwrap_or(u64::MAX)
}

fn others(config: &Config) -> u64 {
    let listeners = config.listeners.iter().map(|own| own.addresses.len());
    let transcripts = config.transcript.as_ref().map_or(0, |_| TRANSCRIPTS);
    #[cfg(feature = "http")]
    let listeners = {
        let http = config.http.iter();
        listeners.chain(http.map(|own| own.addresses.len().saturating_add(own.connections)))
    };
    RESERVE + transcripts + u64::try_from(listeners.sum::<usize>()).unwrap_or(0)
}

/// If this many descriptors are too few for the configured connections: how many connections they are
/// enough for, and the warning to the operator.
pub fn shortage(config: &Config, limit: Option<u64>) -> Option<(usize, String)> {
    let limit = limit?;
    let (connections, needed) = (connections(config), needed(config));
    if needed <= limit {
        return None;
    }
    let waiting = u64::try_from(config.bounds.parked).unwrap_or(u64::MAX);
    let beside = others(config).saturating_add(waiting.min(limit / WAITING));
    let fitting = limit.saturating_sub(beside) / SESSION;
    let fitting = usize::try_from(fitting).unwrap_or(usize::MAX).max(1);
    Some((
        fitting,
        format!(
            "limits.connections = {connections} needs {needed} open files, and the system allows {limit}: \
             {fitting} connections are accepted; raise the limit (LimitNOFILE={needed} in the systemd unit, or \
             `ulimit -Hn`), or lower limits.connections"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags};

    fn config(connections: usize) -> Config {
        let flags = Flags {
            upstream: Some("imaps://imap.example.org".into()),
            listen: vec!["127.0.0.1:1110".into()],
            ..Flags::default()
        };
        let Ok(mut config) = Config::from_flags(flags) else {
            panic!("a good configuration")
        };
        config.bounds.allow(connections);
        config
    }

    #[test]
    fn w024_what_does_not_fit_is_reported_with_its_remedy() {
        for (connections, limit, fitting) in [
            (1000, None, None),
            (1000, Some(2065), None),
            (1000, Some(2064), Some(935)),
            (1000, Some(1024), Some(447)),
            (1000, Some(10), Some(1)),
            (4_294_967_295, Some(1 << 20), Some(523_755)),
        ] {
            let short = shortage(&config(connections), limit);
            assert_eq!(
                short.as_ref().map(|(fits, _)| *fits),
                fitting,
                "{connections} {limit:?}"
            );
            if let Some((fits, text)) = short {
                assert!(
                    text.contains("LimitNOFILE=") && text.contains("ulimit"),
                    "{text}"
                );
                assert_eq!(
                    shortage(&config(fits), limit.filter(|limit| *limit > 100)),
                    None
                );
            }
        }
    }

    #[test]
    fn where_descriptors_are_short_some_are_left_for_connections_that_wait() {
        let mut config = config(20_000);
        let limit = 20_000;
        let Some((fitting, _)) = shortage(&config, Some(limit)) else {
            panic!("too few for twice as many")
        };
        config.bounds.allow(fitting);
        assert_eq!(left(&config, limit).min(config.bounds.parked), 1000);
        config.bounds.parked = 0;
        config.bounds.allow(20_000);
        let without = shortage(&config, Some(limit));
        assert_eq!(without.map(|(fits, _)| fits), Some(9967));
    }
}
