//! How many files and sockets the system lets this process have open, and whether that is enough.
//!
//! A session takes two: the client's socket and the upstream's, or a store's file. One that rests takes the client's
//! alone. The soft limit is raised to the hard one, which needs no privilege; only the operator can raise that one.

use crate::config::Config;
use crate::mailbox::imap::Upstream;
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

/// Allows no more connections than this many descriptors are enough for: a client that is turned away learns why, and
/// one that is never accepted does not. Where sessions rest, that depends on how many do. Returns a warning if they are
/// fewer than was configured.
pub fn fit(config: &mut Config, limit: Option<u64>) -> Option<String> {
    let limit = limit?;
    let short = shortage(config, Some(limit));
    let waiting = waiting(config, limit);
    match &short {
        Some(_) if config.upstreams.iter().any(Upstream::rests) => {
            let own = count(limit.saturating_sub(others(config)));
            let bounds = &mut config.bounds;
            bounds.parked = waiting;
            bounds.limits.sockets = own.saturating_sub(bounds.parked).max(count(SESSION));
            bounds.allow(bounds.limits.total.min(bounds.limits.sockets));
        }
        Some((fitting, _)) => config.bounds.allow(*fitting),
        None => {}
    }
    if config.bounds.limits.sockets == 0 {
        config.bounds.parked = config.bounds.parked.min(left(config, limit));
    }
    short.map(|(_, warning)| warning)
}

/// How many connections may wait where descriptors are few.
fn waiting(config: &Config, limit: u64) -> usize {
    config.bounds.parked.min(count(limit / WAITING))
}

fn count(descriptors: u64) -> usize {
    usize::try_from(descriptors).unwrap_or(usize::MAX)
}

/// How many of this many descriptors are left beside those that the configured connections need.
fn left(config: &Config, limit: u64) -> usize {
    count(limit.saturating_sub(needed(config)))
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
    let own = count(limit.saturating_sub(others(config)));
    let fitting = own.saturating_sub(waiting(config, limit)) / count(SESSION);
    let fitting = fitting.max(1);
    let more = match config.upstreams.iter().any(Upstream::rests) {
        true => ", and more while sessions rest",
        false => "",
    };
    Some((
        fitting,
        format!(
            "limits.connections = {connections} needs {needed} open files, and the system allows {limit}: \
             {fitting} connections are accepted{more}; raise the limit (LimitNOFILE={needed} in the systemd unit, or \
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

    /// Sessions that rest leave a descriptor each to others, and the connections that wait have their part.
    #[test]
    fn w024_sessions_that_rest_make_room_for_others() {
        let fitted = |rests: bool, connections, limit| {
            let mut config = config(connections);
            if !rests {
                config.upstreams[0].imap.rest = std::time::Duration::ZERO;
            }
            let warning = fit(&mut config, limit);
            assert_eq!(
                warning.is_some_and(|text| text.contains("while sessions rest")),
                rests && config.bounds.limits.sockets > 0
            );
            let (limits, parked) = (config.bounds.limits, config.bounds.parked);
            (limits.total, limits.sockets, parked)
        };
        assert_eq!(fitted(true, 30_000, None), (30_000, 0, 1000));
        assert_eq!(fitted(true, 1000, Some(20_000)), (1000, 0, 1000));
        assert_eq!(fitted(true, 1000, Some(2100)), (1000, 0, 35));
        assert_eq!(fitted(true, 30_000, Some(20_000)), (18_935, 18_935, 1000));
        assert_eq!(fitted(false, 30_000, Some(20_000)), (9467, 0, 1000));
        assert_eq!(fitted(true, 1000, Some(10)), (2, 2, 0));
    }
}
