//! `/metrics`.

use std::io::Write as _;

use crate::rig::{RUNTIMES, Rig, answer};

#[test]
fn what_is_counted_is_shown_in_the_format_that_is_asked_for() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime, "serve = \"metrics\"");
        let plain = rig.get("/metrics");
        assert!(plain.starts_with("HTTP/1.1 200 OK\r\n"), "{plain}");
        assert!(plain.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
        assert!(plain.contains("\n# TYPE pop3_gateway_limits_reached_total counter\n"));
        assert!(!plain.contains("# EOF"), "{plain}");
        let mut socket = rig.connect();
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\
                       Accept: application/openmetrics-text;version=1.0.0;q=0.6\r\n\
                       Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\r\n";
        socket.write_all(request.as_bytes()).unwrap();
        let open = answer(&mut socket);
        let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
        assert!(open.contains(kind), "{open}");
        assert!(open.ends_with("\n# EOF\n"), "{open}");
        let build = format!(
            "pop3_gateway_build_info{{version=\"{}\"",
            env!("CARGO_PKG_VERSION")
        );
        assert!(open.contains(&build), "{open}");
        // before anybody has come
        for row in [
            "pop3_gateway_sessions{listener=\"127.0.0.1:0\",state=\"authorization\"} 0\n",
            "pop3_gateway_upstream_connects_total{upstream=\"main\",result=\"unreachable\"} 0\n",
            "pop3_gateway_connections 0\n",
        ] {
            assert!(open.contains(row), "{row} {open}");
        }
    }
}

#[test]
fn a_session_shows_while_it_is_open() {
    let rig = Rig::new(RUNTIMES[0], "");
    let row = |count| {
        format!(
            "pop3_gateway_sessions{{listener=\"127.0.0.1:0\",state=\"authorization\"}} {count}\n"
        )
    };
    let session = rig.connect_pop3();
    assert!(rig.get("/metrics").contains(&row(1)));
    drop(session);
    // the server notices in its own time
    while !rig.get("/metrics").contains(&row(0)) {}
}

/// Design 8: a scrape with 10,000 sessions is no longer than with none, since nothing in it walks over sessions.
#[test]
fn a_scrape_has_as_many_rows_with_sessions_as_without() {
    let rig = Rig::new(RUNTIMES[0], "");
    let rows = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("pop3_"))
            .count()
    };
    let before = rows(&rig.get("/metrics"));
    let sessions: Vec<_> = (0..40).map(|_| rig.connect_pop3()).collect();
    assert_eq!(rows(&rig.get("/metrics")), before);
    drop(sessions);
}
