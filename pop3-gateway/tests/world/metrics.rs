//! What Prometheus learns of sessions. That none is counted as open for ever, the rig looks after at the end of every
//! test.

use std::time::Duration;

use pop3_proto::server::TlsOffer;
use testkit::world::Ending;

use imap_backend::Security;

use crate::rig::{Pace, Setup, USER, cut, login, session};
use testkit::world::Route;

const SERVED: &str = r#"listener="pop3",upstream="world""#;

#[test]
fn a_session_adds_to_the_figures_what_it_did() {
    let mails = ["one\r\n", "two\r\n", "three\r\n"];
    let mut rig = Setup::new(mails).start();
    let client = rig.client();
    let commands = session(&["RETR 1", "RETR 2", "TOP 3 0", "DELE 1"]);
    rig.say_all(&client, &commands, Pace::AtOnce);
    client.vanish();
    rig.world.settle();
    for (row, figure) in [
        (r#"sessions_started_total{listener="pop3"}"#.into(), 1),
        (
            r#"sessions_ended_total{listener="pop3",reason="quit"}"#.into(),
            1,
        ),
        (r#"clear_logins_total{listener="pop3"}"#.into(), 1),
        (
            r#"upstream_connects_total{upstream="world",result="connected"}"#.into(),
            1,
        ),
        (
            r#"login_seconds_count{upstream="world",result="ok"}"#.into(),
            1,
        ),
        (
            r#"login_seconds_count{upstream="world",result="failed"}"#.into(),
            0,
        ),
        (r#"first_octet_seconds_count{upstream="world"}"#.into(), 3),
        (r#"update_seconds_count{upstream="world"}"#.into(), 1),
        (format!("logins_total{{{SERVED},result=\"ok\"}}"), 1),
        (format!("messages_total{{{SERVED},what=\"retrieved\"}}"), 2),
        (format!("messages_total{{{SERVED},what=\"top\"}}"), 1),
        (format!("messages_total{{{SERVED},what=\"deleted\"}}"), 1),
        (
            r#"client_received_bytes_total{listener="pop3"}"#.into(),
            crate::rig::octets(&commands),
        ),
        (
            r#"client_sent_bytes_total{listener="pop3"}"#.into(),
            client.heard().len() as u64,
        ),
        ("connections".into(), 0),
        ("maildrops_held".into(), 0),
    ] {
        assert_eq!(rig.figure(&row), figure, "{row}");
    }
    assert!(rig.figure(&format!("messages_sent_bytes_total{{{SERVED}}}")) >= 10);
    let text = rig.scrape();
    assert!(!text.contains(USER), "{text}");
}

/// A message of several mebibytes is counted while it comes, and the rest when the upstream is let go.
#[test]
fn octets_of_an_upstream_are_counted_in_both_directions() {
    let mail = b"a line of this message\r\n".repeat(100_000);
    let length = mail.len() as u64;
    let mut rig = Setup::new([mail]).start();
    let figures = |rig: &crate::rig::Rig| {
        ["received", "sent"]
            .map(|way| rig.figure(&format!("upstream_{way}_bytes_total{{upstream=\"world\"}}")))
    };
    let client = rig.logged_in();
    rig.say_all(&client, &["RETR 1"], Pace::OneByOne);
    let [received, sent] = figures(&rig);
    assert!(received >= 1 << 20 && sent > 0, "{received} {sent}");
    rig.say_all(&client, &["QUIT"], Pace::OneByOne);
    client.vanish();
    rig.world.settle();
    let [received, sent] = figures(&rig);
    assert!((length..length + 2000).contains(&received), "{received}");
    assert!((50..2000).contains(&sent), "{sent}");
}

/// Design 8: a gauge, so it goes up and down.
#[test]
fn open_sessions_are_counted_by_their_state() {
    let mut rig = Setup::new(["a\r\n"]).start();
    let open = |rig: &crate::rig::Rig| {
        ["authorization", "transaction", "update"]
            .map(|state| rig.figure(&format!("sessions{{listener=\"pop3\",state=\"{state}\"}}")))
    };
    let [first, second] = [(); 2].map(|()| rig.client());
    rig.world.settle();
    assert_eq!(open(&rig), [2, 0, 0]);
    rig.say_all(&first, &login(), Pace::OneByOne);
    assert_eq!(open(&rig), [1, 1, 0]);
    first.vanish();
    rig.world.settle();
    assert_eq!(open(&rig), [1, 0, 0]);
    second.vanish();
    rig.world.settle();
    assert_eq!(open(&rig), [0, 0, 0]);
}

#[test]
fn logins_that_come_to_nothing_are_told_apart() {
    let mut rig = Setup::new(["a\r\n"]).start();
    let client = rig.logged_in();
    let busy = rig.client();
    rig.log_in(&busy);
    let guesser = rig.client();
    rig.ask(&guesser, &format!("USER {USER}\r\nPASS wrong"));
    rig.ask(&guesser, &format!("USER {USER}\r\nPASS wrong"));
    assert_eq!(rig.figure("logins_waiting"), 1);
    guesser.vanish();
    rig.world.settle();
    for (result, count) in [
        ("ok", 1),
        ("in_use", 1),
        ("credentials", 1),
        ("given_up", 1),
    ] {
        let row = format!("logins_total{{{SERVED},result=\"{result}\"}}");
        assert_eq!(rig.figure(&row), count, "{result}");
    }
    assert_eq!(rig.figure(r#"logins_delayed_total{listener="pop3"}"#), 1);
    drop(client);
}

#[test]
fn an_upstream_in_trouble_is_shown() {
    let broken = Route {
        there: cut(0, Ending::Reset),
        back: cut(0, Ending::Reset),
    };
    let mut rig = Setup::new(["a\r\n"]).upstream_route(broken).start();
    let client = rig.client();
    rig.log_in(&client);
    rig.world.advance(Duration::from_secs(60));
    assert_eq!(
        rig.figure(r#"upstream_errors_total{upstream="world",kind="broken"}"#),
        1
    );
    let row = format!("logins_total{{{SERVED},result=\"temporary\"}}");
    assert_eq!(rig.figure(&row), 1);
    rig.is_usable();
}

#[test]
fn tls_is_counted_by_its_version() {
    let mut rig = Setup::new(["a\r\n"])
        .with_tls(TlsOffer::Implicit, Security::Clear)
        .start();
    drop(rig.logged_in());
    let row = r#"tls_sessions_total{listener="pop3",version="TLSv1.3"}"#;
    assert_eq!(rig.figure(row), 1);
}

#[test]
fn a_limit_that_turns_clients_away_is_counted() {
    let mut setup = Setup::new(["a\r\n"]);
    setup.limits.total = 1;
    let mut rig = setup.start();
    let [_first, _second] = [(); 2].map(|()| rig.client());
    rig.world.settle();
    assert_eq!(rig.figure(r#"limits_reached_total{limit="total"}"#), 1);
    assert_eq!(rig.figure(r#"sessions_started_total{listener="pop3"}"#), 1);
}
