//! Engines that a cluster cannot use: each is told in one text that names the thing, the cause and the remedy, and
//! nobody waits for ever.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use common::{Node, key, postgres, timing, until};
use gateway_cluster::{ClusterKey, ClusterUrl, Notice, OnFailure, Options, Outcome};
use pop3_proto::secret::Secret;
use testkit_databases::Redis;

/// What a probe says, and what a node does then.
fn refused(url: &str, words: &[&str]) {
    let parsed: ClusterUrl = url.parse().unwrap();
    refused_at(&parsed, words);
    let node = Node::start(url, "node", OnFailure::Closed);
    assert_eq!(node.take("tim"), Outcome::Lost, "{url}");
    let open = Node::start(url, "open", OnFailure::Open);
    assert_eq!(open.take("tim"), Outcome::Held, "{url}");
    until("it is said", || {
        node.noticed(|notice| matches!(notice, Notice::Gone { .. }))
    });
}

fn refused_at(url: &ClusterUrl, words: &[&str]) {
    let mut options = Options::new("node");
    options.timing = timing();
    let error = url.probe(&key(), &options).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "{word}: {error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
}

/// A server that says this to whatever it is asked.
fn says(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            thread::spawn(move || {
                let mut asked = [0; 4096];
                while let Ok(count @ 1..) = client.read(&mut asked) {
                    let questions = asked[..count].iter().filter(|octet| **octet == b'*');
                    if client.write_all(&answer.repeat(questions.count())).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("redis://127.0.0.1:{port}")
}

#[test]
fn what_is_no_address_is_refused_without_its_password() {
    for url in [
        "",
        "redis",
        "mysql://tim:hunter2@db.example/state",
        "redis://tim:hunter2@:port",
        "redis://tim:hun?ter2@db.example",
        "redis://tim:hunter2@db.example/one",
        "rediss://tim:hunter2@db.example#insecure",
        "postgres://tim:hunter2@db.example:port/state",
        "postgres://db.example/state?password=hunter2",
    ] {
        let error = url.parse::<ClusterUrl>().unwrap_err().to_string();
        assert!(!error.contains("ter2"), "{error}");
    }
    let url: ClusterUrl = "rediss://tim:hunter2@db.example:6380/1".parse().unwrap();
    assert_eq!(
        format!("{url} {url:?}"),
        "rediss://db.example:6380/1 rediss://db.example:6380/1"
    );
}

#[test]
fn names_and_secrets_are_looked_at_before_anything_is_asked() {
    let url: ClusterUrl = "memory:".parse().unwrap();
    for name in ["", "a b", "a'b", "ä", &"a".repeat(65)] {
        assert!(url.probe(&key(), &Options::new(name)).is_err(), "{name}");
    }
    assert!(ClusterKey::new(&Secret::from(&b"short"[..])).is_err());
}

#[test]
fn nothing_listens_there() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    refused(
        &format!("redis://127.0.0.1:{port}"),
        &["nothing listens", "correct the address"],
    );
    refused(
        &format!("postgres://test@127.0.0.1:{port}/test?sslmode=disable"),
        &["nothing listens", "correct the address"],
    );
}

#[test]
fn nothing_or_nonsense_is_answered() {
    refused(&says(b""), &["no answer in time"]);
    refused(&says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), &["127.0.0.1"]);
    refused(&says(b"+OK\r\n"), &["127.0.0.1"]);
    refused(&says(b"*1000000000\r\n"), &["127.0.0.1"]);
    refused(&says(b"$-7\r\n:9999999999999999999999\r\n"), &["127.0.0.1"]);
}

#[test]
fn a_version_is_too_old() {
    refused(
        &says(b"$57\r\n# Server\r\nredis_version:3.2.12\r\nrun_id:abc\r\nrole:master\r\n\r\n"),
        &["version 3.2.12 is too old", "6.0 or newer"],
    );
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_refuses_the_password() {
    let server = Redis::start_with(&["--requirepass", "tanstaaf"]);
    let words = ["refuses the user or the password", "correct them"];
    refused(&server.url(), &words);
    refused(
        &format!("redis://:hunter2@127.0.0.1:{}", server.port),
        &words,
    );
    let url: ClusterUrl = server.url().parse().unwrap();
    let url = url.with_password(&Secret::from(&b"tanstaaf"[..])).unwrap();
    url.probe(&key(), &Options::new("node")).unwrap();
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_is_a_replica() {
    let primary = Redis::start();
    let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &primary.port.to_string()]);
    refused(&replica.url(), &["replica", "name the primary"]);
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_runs_no_scripts() {
    for (command, words) in [
        ("EVALSHA", "runs no scripts"),
        ("SCRIPT", "runs no scripts"),
    ] {
        let server = Redis::start_with(&["--rename-command", command, ""]);
        refused(&server.url(), &[words]);
    }
    let server = Redis::start();
    server.cli(&[
        "ACL", "SETUSER", "small", "on", ">hunter2", "~*", "+info", "+script",
    ]);
    let url = format!("redis://small:hunter2@127.0.0.1:{}", server.port);
    refused(&url, &["the user may not do", "allow it"]);
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_has_another_name_in_its_certificate() {
    let (server, authority) = Redis::start_with_tls();
    let authority = std::fs::read(authority).unwrap();
    let at =
        |host: &str| -> ClusterUrl { format!("rediss://{host}:{}", server.port).parse().unwrap() };
    let good = at("localhost").with_ca(&authority).unwrap();
    good.probe(&key(), &Options::new("node")).unwrap();
    let words = [
        "its certificate",
        "not one for this name",
        "no authority that is trusted",
    ];
    refused_at(&at("127.0.0.1").with_ca(&authority).unwrap(), &words);
    refused_at(&at("localhost"), &words);
    // and without TLS
    let plain: ClusterUrl = format!("redis://localhost:{}", server.port)
        .parse()
        .unwrap();
    refused_at(&plain, &["localhost"]);
    assert!(plain.with_ca(&authority).is_err());
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_has_values_of_somebody_else() {
    let server = Redis::start();
    for (name, value) in [("born", "Elvis"), ("nodes", "one two"), ("fence", "many")] {
        server.cli(&["FLUSHALL"]);
        server.cli(&["SET", &format!("{{gateway}}:{name}"), value]);
        let url: ClusterUrl = server.url().parse().unwrap();
        refused_at(&url, &["did not write", "name of its own"]);
        let node = Node::start(&server.url(), "node", OnFailure::Closed);
        until("it is said", || {
            let taken = node.take("tim");
            assert_ne!(taken, Outcome::Held, "{name}");
            node.noticed(|notice| *notice == Notice::Foreign)
        });
        assert_eq!(
            server.cli(&["GET", &format!("{{gateway}}:{name}")]).trim(),
            value
        );
    }
    // one bad row costs one maildrop
    server.cli(&["FLUSHALL"]);
    let node = Node::start(&server.url(), "node", OnFailure::Closed);
    node.is_ready();
    let hold = node.cluster.take("tim");
    until("it is held", || hold.outcome() == Some(Outcome::Held));
    let name = server.cli(&["KEYS", "*hold:*"]);
    drop(hold);
    until("it is given back", || {
        server.cli(&["KEYS", "*hold:*"]).trim().is_empty()
    });
    server.cli(&["LPUSH", name.trim(), "a list"]);
    assert_eq!(node.take("tim"), Outcome::Lost);
    assert_eq!(node.take("tom"), Outcome::Held);
    assert_eq!(server.cli(&["TYPE", name.trim()]).trim(), "list");
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_has_nodes_with_another_secret() {
    let server = Redis::start();
    let node = Node::start(&server.url(), "node", OnFailure::Closed);
    node.is_ready();
    let other = Node::start_with(
        &server.url(),
        "other",
        b"quite another secret",
        OnFailure::Closed,
    );
    until("it is said", || {
        assert_eq!(other.take("tim"), Outcome::Lost);
        other.noticed(|notice| *notice == Notice::OtherSecret)
    });
    assert_eq!(node.take("tim"), Outcome::Held);
    let url: ClusterUrl = server.url().parse().unwrap();
    let secret = ClusterKey::new(&Secret::from(&b"quite another secret"[..])).unwrap();
    let error = url.probe(&secret, &Options::new("other")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("give all nodes of a cluster the same"),
        "{error}"
    );
    url.probe(&key(), &Options::new("other")).unwrap();
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_forgets_its_scripts() {
    let server = Redis::start();
    let node = Node::start(&server.url(), "node", OnFailure::Closed);
    node.is_ready();
    server.cli(&["SCRIPT", "FLUSH"]);
    assert_eq!(node.take("tim"), Outcome::Held);
    assert_eq!(node.cluster.figures().failures, 0);
}

#[test]
#[ignore = "needs redis-server: run .ci/run sql"]
fn redis_has_no_room() {
    let server = Redis::start();
    let node = Node::start(&server.url(), "node", OnFailure::Closed);
    node.is_ready();
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    until("it is said", || {
        node.take("tim");
        node.noticed(|notice| notice.to_string().contains("no memory left"))
    });
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    node.is_ready();
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_has_troubles_of_its_own() {
    let server = postgres();
    let at = |database: &str| server.url_of(database);
    refused(&at("nowhere"), &["there is no such database", "make it"]);
    server.sql("test", "CREATE ROLE small LOGIN").unwrap();
    server
        .sql("test", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        .unwrap();
    let small = at("test").replace("test@", "small@");
    refused(&small, &["the user may not do", "GRANT CREATE"]);
    // read-only, as after a failover
    server
        .sql(
            "test",
            "ALTER ROLE test SET default_transaction_read_only TO on",
        )
        .unwrap();
    refused(&at("test"), &["replica", "name the primary"]);
    server
        .sql(
            "postgres",
            "BEGIN READ WRITE; ALTER ROLE test RESET default_transaction_read_only; COMMIT",
        )
        .unwrap();
    // tables of a newer version
    let node = Node::start(&at("test"), "node", OnFailure::Closed);
    node.is_ready();
    server
        .sql("test", "UPDATE gateway_cluster_version SET version = 99")
        .unwrap();
    refused(&at("test"), &["version 99", "update this node"]);
    server
        .sql("test", "UPDATE gateway_cluster_version SET version = 1")
        .unwrap();
    // values of somebody else
    server
        .sql(
            "test",
            "UPDATE gateway_cluster SET value = 'x' WHERE name = 'gateway/nodes'",
        )
        .unwrap();
    let url: ClusterUrl = at("test").parse().unwrap();
    refused_at(&url, &["did not write", "name of its own"]);
}

/// A node that stops in the middle of a batch holds up the others for a moment at most.
#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_frees_the_lock_of_a_node_that_stands_still() {
    let server = postgres();
    let node = Node::start(&server.url(), "node", OnFailure::Closed);
    node.is_ready();
    let lock = "BEGIN; SET LOCAL idle_in_transaction_session_timeout TO 2000;
        SELECT pg_advisory_xact_lock(4915403, hashtext('gateway/')); SELECT pg_sleep(3); COMMIT";
    thread::scope(|scope| {
        scope.spawn(|| server.sql("test", lock).unwrap());
        until("it has the lock", || node.take("tim") == Outcome::Lost);
        thread::sleep(Duration::from_millis(100));
        node.is_ready();
    });
}
