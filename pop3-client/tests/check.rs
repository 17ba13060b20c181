//! `check` finds the planted faults, and no others.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Behaviour, Fault, Server, identity, message, messages};
use pop3_client::check::{Plan, Report, Verdict, check};
use pop3_client_io::{Identity, TlsMode, Transcript};
use pop3_proto::secret::Secret;

fn report(behaviour: Behaviour, tls: TlsMode, mailbox: Vec<common::Message>) -> Report {
    let server = Server::start(behaviour, mailbox);
    let report = checked(&server, tls);
    assert_eq!(server.ids().len(), 4, "nothing may be deleted");
    report
}

fn checked(server: &Server, tls: TlsMode) -> Report {
    let mut endpoint = server.endpoint(tls);
    endpoint.patience = std::time::Duration::from_secs(10);
    let plan = Plan {
        endpoint,
        identity: Some(identity()),
        intrusive: true,
        sample: 8,
    };
    check(&plan, &Transcript::default()).unwrap()
}

fn faults(report: &Report) -> Vec<&'static str> {
    let mut ids: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fault)
        .flat_map(|finding| finding.ids.iter().copied())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[test]
fn a_proper_server_has_no_faults() {
    for tls in [TlsMode::Starttls, TlsMode::None, TlsMode::Implicit] {
        let behaviour = Behaviour {
            implicit: tls == TlsMode::Implicit,
            ..Behaviour::default()
        };
        let report = report(behaviour, tls, messages(4));
        assert_eq!(report.faults(), 0, "{}", report.show());
        assert!(report.show().contains("0 faults in"));
    }
}

#[test]
fn each_planted_fault_is_found_and_nothing_else() {
    let planted = [
        (Fault::F14, "P043"),
        (Fault::F15, "P032"),
        (Fault::F16, "P049"),
        (Fault::F17, "P063"),
        (Fault::F18, "T006"),
        (Fault::F18, "T005"),
        (Fault::F19, "P056"),
        (Fault::F19, "U003"),
        (Fault::F20, "P052"),
    ];
    for (fault, id) in planted {
        let behaviour = Behaviour {
            fault: Some(fault),
            ..Behaviour::default()
        };
        let mut mailbox = messages(4);
        if fault == Fault::F16 {
            // (12, 3) and (1, 23), with nothing in between
            mailbox[1].0 = format!("{}{}", 12, 3);
            mailbox[2].0 = format!("{}{}", 1, 23);
        }
        let report = checked(&Server::start(behaviour, mailbox), TlsMode::Starttls);
        let found = faults(&report);
        assert!(found.contains(&id), "{fault:?}: {}", report.show());
        let own: &[&str] = match fault {
            Fault::F14 => &["F14", "P042", "P043", "P044"],
            Fault::F15 => &[
                "F15", "F20", "P024", "P025", "P026", "P030", "P032", "P052", "P068",
            ],
            Fault::F16 => &["F16", "P049"],
            Fault::F17 => &["F17", "P028", "P063"],
            Fault::F18 => &["T005", "T006"],
            Fault::F19 => &["F19", "P056", "U003"],
            Fault::F20 => &["F15", "F20", "P026", "P032", "P052"],
        };
        assert!(
            found.iter().all(|id| own.contains(id)),
            "{fault:?}: {found:?}\n{}",
            report.show()
        );
    }
}

#[test]
fn a_refused_login_leaves_the_front_of_the_report() {
    let server = Server::start(Behaviour::default(), messages(1));
    let plan = Plan {
        endpoint: server.endpoint(TlsMode::Starttls),
        identity: Some(Identity {
            secret: Secret::from(&b"wrong"[..]),
            ..identity()
        }),
        intrusive: false,
        sample: 8,
    };
    let report = check(&plan, &Transcript::default()).unwrap();
    assert_eq!(report.faults(), 0, "{}", report.show());
    assert!(report.show().contains("[AUTH]"));
}

#[test]
fn without_a_user_only_the_front_is_probed_and_the_report_is_harmless() {
    let server = Server::start(
        Behaviour::default(),
        vec![("a".into(), message("x", "y\r\n"))],
    );
    let plan = Plan {
        endpoint: server.endpoint(TlsMode::Starttls),
        identity: None,
        intrusive: true,
        sample: 8,
    };
    let report = check(&plan, &Transcript::default()).unwrap();
    assert_eq!(report.faults(), 0, "{}", report.show());
    assert!(
        !server
            .heard()
            .iter()
            .any(|line| line.contains(common::PASSWORD))
    );
    assert!(report.show().chars().all(|c| c == '\n' || !c.is_control()));
    assert!(
        serde_json::to_string(&report)
            .unwrap()
            .contains("\"findings\"")
    );
}
