//! Whole configurations: the smallest, the fullest, and the example.

use std::path::PathBuf;
use std::time::Duration;

use imap_backend::{AuthPreference, DeletePolicy, PipelineLogin, Security};
use pop3_gateway::config::{LogFormat, LogLevel, RuntimeKind};
use pop3_proto::server::{ReadOnly, TlsOffer};

use super::{LISTENER, UPSTREAM, error, parse};

#[test]
fn the_smallest_configuration_has_safe_defaults() {
    let config = parse(&format!("{LISTENER}{UPSTREAM}")).unwrap();
    let listener = &config.listeners[0];
    assert_eq!(listener.name, "127.0.0.1:1110");
    assert_eq!(listener.policy.tls, TlsOffer::None);
    assert!(listener.policy.clear_login, "loopback");
    assert!(listener.policy.user_pass);
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.imap.security, Security::Implicit);
    assert_eq!(upstream.imap.server_name, "imap.example.org");
    assert_eq!(upstream.imap.folder, "INBOX");
    assert_eq!(upstream.imap.delete, DeletePolicy::Expunge);
    assert!(!upstream.imap.mark_seen);
    assert_eq!(config.routing.default.as_deref(), Some("main"));
    assert_eq!(config.bounds.policy.autologout, Duration::from_secs(600));
    assert_eq!(config.runtime, None);
    assert_eq!(config.transcript, None);
}

#[test]
fn everything_that_is_said_is_heard() {
    let config = parse(
        r#"
        runtime = "smol"
        [[listener]]
        name = "public"
        listen = ["0.0.0.0:995", "[::]:995"]
        tls = "implicit"
        greeting = "hello"
        user_pass = false
        sasl = ["plain", "SCRAM-SHA-256"]
        implementation = ""
        utf8 = false
        read_only = "always"
        [[listener.certificate]]
        cert = "a.pem"
        key = "/keys/a.pem"
        [[listener.certificate]]
        cert = "b.pem"
        key = "b.key"
        [[upstream]]
        name = "one"
        url = "imap+starttls://mail.example.org:10143"
        ca_file = "ca.pem"
        server_name = "mail.internal"
        folder = "Archive"
        delete = "move:Deleted Items"
        mark_seen = true
        read_ahead = "1 MiB"
        login = "plain"
        pipeline_login = "never"
        send_id = true
        without = "literal+"
        connect_timeout = "5s"
        reply_timeout = "1m"
        keep_alive = "2m"
        [[upstream]]
        name = "two"
        url = "imap://10.0.0.1"
        allow_clear = true
        [routing]
        default = "one"
        [routing.domain]
        "Example.ORG" = "one"
        [routing.user]
        bob = "two"
        "scanner" = { upstream = "one", user = "scanner@example.org" }
        [limits]
        connections = 5
        connections_per_address = 4
        connections_per_user = 3
        failed_login_delay = "1s"
        failed_login_delay_max = "9s"
        failed_logins = 2
        bad_commands_before_login = 6
        bad_commands = 7
        read_ahead_total = "8 MiB"
        [timers]
        login_grace = "1m"
        autologout = "30m"
        stalled_reader = "11m"
        shutdown_grace = "3s"
        drain_delay = "4s"
        [log]
        format = "json"
        level = "debug"
        [transcript]
        dir = "transcripts"
        "#,
    )
    .unwrap();
    assert_eq!(config.runtime, Some(RuntimeKind::Smol));
    let listener = &config.listeners[0];
    assert_eq!(listener.name, "public");
    assert_eq!(listener.addresses.len(), 2);
    assert_eq!(listener.policy.tls, TlsOffer::Implicit);
    assert!(!listener.policy.clear_login && !listener.policy.user_pass && !listener.policy.utf8);
    assert_eq!(
        listener.certificates[0].chain,
        PathBuf::from("/etc/a.pem"),
        "relative to the file"
    );
    assert_eq!(listener.certificates[0].key, PathBuf::from("/keys/a.pem"));
    assert_eq!(listener.certificates.len(), 2);
    let sasl: Vec<_> = listener
        .policy
        .mechanisms
        .iter()
        .map(|mechanism| mechanism.as_str())
        .collect();
    assert_eq!(sasl, ["PLAIN", "SCRAM-SHA-256"]);
    assert_eq!(listener.policy.implementation, None);
    assert_eq!(listener.policy.read_only, ReadOnly::Always);
    let upstream = &config.upstreams[0];
    assert_eq!(
        upstream.url().to_string(),
        "imap+starttls://mail.example.org:10143"
    );
    assert_eq!(upstream.ca_file, Some("/etc/ca.pem".into()));
    assert_eq!(upstream.imap.server_name, "mail.internal");
    assert_eq!(upstream.imap.folder, "Archive");
    assert_eq!(
        upstream.imap.delete,
        DeletePolicy::Move("Deleted Items".into())
    );
    assert!(upstream.imap.mark_seen);
    assert_eq!(upstream.imap.read_ahead, 1 << 20);
    assert_eq!(upstream.imap.auth, AuthPreference::Plain);
    assert!(
        upstream.imap.quirks.pipeline_login == PipelineLogin::Never && upstream.imap.quirks.send_id
    );
    assert_eq!(upstream.imap.quirks.masked_capabilities, ["literal+"]);
    assert_eq!(upstream.imap.connect_timeout, Duration::from_secs(5));
    assert_eq!(upstream.imap.login_timeout, Duration::from_secs(30));
    assert!(upstream.certificate_sha256.is_empty() && !upstream.imap.own);
    assert_eq!(upstream.imap.response_timeout, Duration::from_secs(60));
    assert_eq!(upstream.imap.keep_alive, Duration::from_secs(120));
    assert_eq!(config.routing.default.as_deref(), Some("one"));
    assert_eq!(config.routing.domains["example.org"].to, "one");
    assert_eq!(config.routing.users["bob"].to, "two");
    assert_eq!(
        config.routing.users["scanner"].user.as_deref(),
        Some("scanner@example.org")
    );
    assert_eq!(config.bounds.limits.total, 5);
    assert_eq!(config.bounds.limits.per_address, 4);
    assert_eq!(config.bounds.limits.per_user, 3);
    assert_eq!(config.bounds.delay.first, Duration::from_secs(1));
    assert_eq!(config.bounds.delay.most, Duration::from_secs(9));
    assert_eq!(config.bounds.policy.failed_logins, 2);
    assert_eq!(config.bounds.policy.bad_commands_before_login, 6);
    assert_eq!(config.bounds.policy.bad_commands, 7);
    assert_eq!(config.bounds.read_ahead_total, 8 << 20);
    assert_eq!(config.bounds.policy.login_grace, Duration::from_secs(60));
    assert_eq!(config.bounds.policy.autologout, Duration::from_secs(1800));
    assert_eq!(
        config.bounds.policy.stalled_reader,
        Duration::from_secs(660)
    );
    assert_eq!(config.bounds.shutdown_grace, Duration::from_secs(3));
    assert_eq!(config.drain_delay(), Duration::from_secs(4));
    assert_eq!(
        (config.log.format, config.log.level),
        (LogFormat::Json, LogLevel::Debug)
    );
    assert_eq!(config.transcript, Some("/etc/transcripts".into()));
}

const EXAMPLE: &str = include_str!("../../../pop3-gateway.example.toml");

#[test]
fn the_example_is_a_good_configuration() {
    parse(EXAMPLE).unwrap();
    let whole = parse(&example_with_stores()).unwrap();
    assert_eq!(whole.stores.len(), 4);
    assert!(whole.monitor.is_some());
}

/// The example's stores and monitoring account name places that are not there, so that they stand in
/// comments. Here they are taken out of them.
fn example_with_stores() -> String {
    let start = EXAMPLE.find("# Stores: ").unwrap();
    let end = EXAMPLE.find("# Who goes where: ").unwrap();
    let is_key = |text: &str| {
        let key = text.split_once(" = ").map_or("", |(key, _)| key);
        !key.is_empty() && !key.contains(' ') || text.starts_with('[')
    };
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(text) if is_key(text) => format!("{text}\n"),
        _ => format!("{line}\n"),
    };
    let stores: String = EXAMPLE[start..end].lines().map(line).collect();
    format!("{}{stores}{}", &EXAMPLE[..start], &EXAMPLE[end..])
}

/// Each table of the example is given an unknown key; the answer lists the known ones.
#[test]
fn the_example_shows_every_key() {
    let alien = "qqqqqqqqqqqqqqqqqqqq = 1\n";
    let mut keys = 0;
    let example = example_with_stores();
    let mut offsets: Vec<_> = example
        .match_indices("\n[")
        .map(|(at, _)| at + 1 + example[at + 1..].find('\n').unwrap() + 1)
        .collect();
    offsets.push(0);
    for at in offsets {
        let header = example[..at].lines().last().unwrap_or("the top");
        let own = [
            "[routing.domain]",
            "[routing.user]",
            "[store.template.headers]",
        ];
        if own.contains(&header) {
            continue;
        }
        let message = error(&format!("{}{alien}{}", &example[..at], &example[at..]));
        let (_, known) = message
            .split_once("known here: ")
            .unwrap_or_else(|| panic!("{message}"));
        for key in known.split(", ") {
            let shown = example.lines().any(|line| {
                let line = line.trim_start_matches("# ");
                line.starts_with(&format!("{key} = "))
                    || line.contains(&format!(": {key} = "))
                    || line.contains(&format!(", {key} = "))
                    || line.starts_with(&format!("[{key}]"))
                    || line.starts_with(&format!("[[{key}]]"))
                    || line.starts_with('[') && line.contains(&format!(".{key}]"))
            });
            assert!(shown, "{key} of {header} is not in the example");
            keys += 1;
        }
    }
    assert!(keys > 40, "only {keys} keys were looked for");
}
