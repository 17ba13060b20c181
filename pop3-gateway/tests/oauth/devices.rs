//! Who may log in: accounts of the state.

use std::sync::Arc;

use gateway_state::{Access as Kept, Account, AccountChange, GrantId, Keys};
use local_accounts::{Algorithm, FileAccounts, Verifier, VerifierConfig, hash};
use pop3_gateway::layer::token::{Admission, Admits, NotAdmitted};
use pop3_gateway::oauth::{Devices, Flow, Records, now};
use pop3_proto::backend::{Access, Caller, FailureKind, Login, Open, RefusalKind};
use testkit_databases::{Kind, Server};

use crate::script::{records, secret};

fn devices(records: &Records, flow: Flow) -> Devices {
    Devices {
        file: None,
        records: Some(records.clone()),
        verifier: Arc::new(Verifier::new(VerifierConfig::default()).unwrap()),
        place: "office".into(),
        grant: "m365".into(),
        flow,
    }
}

fn account(name: &str) -> Account {
    let credential = hash(&secret("right"), Algorithm::default()).unwrap();
    Account::new(name, "Tim@example.org", "office", credential, now())
}

fn add(records: &Records, account: &Account) {
    records.with(|state| state.add_account(account)).unwrap();
}

fn open(user: &str, password: &str) -> Open {
    let (caller, presence) = Caller::new("192.0.2.7".parse().unwrap(), 0);
    // it stays on the line
    std::mem::forget(presence);
    Open::new(Login::Password {
        user: user.into(),
        password: secret(password),
    })
    .caller(caller)
}

#[test]
fn an_account_opens_its_mailbox() {
    let records = records();
    add(&records, &account("phone"));
    let mut archive = account("archive");
    archive.access = Kept::ReadOnly;
    archive.networks = vec!["198.51.100.0/24".into(), "192.0.2.0/24".into()];
    archive.expires = Some(now() + 3600);
    add(&records, &archive);
    let mut scanner = account("scanner");
    scanner.access = Kept::NoDelete;
    scanner.owner = Some("Office@example.org".into());
    add(&records, &scanner);
    for (user, flow, owner, access) in [
        ("phone", Flow::Code, "tim@example.org", Access::ReadWrite),
        ("PHONE", Flow::Device, "tim@example.org", Access::ReadWrite),
        ("archive", Flow::Code, "tim@example.org", Access::ReadOnly),
        (
            "scanner",
            Flow::Code,
            "office@example.org",
            Access::ReadWrite,
        ),
        ("scanner", Flow::App, "", Access::ReadWrite),
        (
            "scanner",
            Flow::ServiceAccount,
            "tim@example.org",
            Access::ReadWrite,
        ),
    ] {
        let admitted = devices(&records, flow).admit(&open(user, "right"));
        let expected = Admission {
            mailbox: "Tim@example.org".into(),
            grant: GrantId::new("m365", owner),
            access,
            keeps: user == "scanner",
        };
        assert_eq!(admitted, Ok(expected), "{user} {flow:?}");
    }
}

/// A device that was right a moment ago is let in without anything to wait for, and as long as it is.
#[test]
fn who_was_right_a_moment_ago_is_let_in_at_once() {
    let records = records();
    let devices = devices(&records, Flow::Code);
    let mut phone = account("phone");
    phone.networks = vec!["192.0.2.0/24".into()];
    add(&records, &phone);
    let right = open("Phone", "right");
    assert_eq!(devices.at_once(&right), None, "nobody looked at it yet");
    let admitted = devices.admit(&right).unwrap();
    assert_eq!(devices.at_once(&right), Some(admitted.clone()));
    for (user, password) in [("phone", "wrong"), ("phone", ""), ("nobody", "right")] {
        assert_eq!(devices.at_once(&open(user, password)), None, "{user}");
    }
    let change = |change: AccountChange| {
        records
            .with(|state| state.set_account("phone", &change))
            .unwrap();
    };
    change(AccountChange {
        enabled: Some(false),
        ..AccountChange::default()
    });
    assert_eq!(devices.at_once(&right), None);
    change(AccountChange {
        enabled: Some(true),
        networks: Some(vec!["198.51.100.0/24".into()]),
        ..AccountChange::default()
    });
    assert_eq!(devices.at_once(&right), None);
    change(AccountChange {
        networks: Some(Vec::new()),
        ..AccountChange::default()
    });
    assert_eq!(devices.at_once(&right), Some(admitted));
    change(AccountChange {
        credential: Some(hash(&secret("other"), Algorithm::default()).unwrap()),
        ..AccountChange::default()
    });
    assert_eq!(devices.at_once(&right), None);
    records.with(|state| state.remove_account("phone")).unwrap();
    assert_eq!(devices.at_once(&right), None);
}

/// Whatever is wrong, the answer is the same, and as dear.
/// A database that stands still: few logins wait for it, the others are answered at once, and none is refused.
#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_that_stands_still_holds_few_logins_and_refuses_none() {
    let server = Server::start(Kind::Postgres);
    let url = server.url().parse().unwrap();
    let records = Records::open(&url, Keys::generate().unwrap()).unwrap();
    add(&records, &account("phone"));
    let devices = devices(&records, Flow::Code);
    assert!(devices.admit(&open("phone", "right")).is_ok());
    server.pause();
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..200)
            .map(|_| scope.spawn(|| devices.admit(&open("phone", "right"))))
            .collect();
        for login in logins {
            match login.join().unwrap() {
                Err(NotAdmitted::Failed(failure)) => {
                    assert_eq!(failure.kind, FailureKind::Temporary);
                    let text = failure.detail;
                    let is_clear = text.contains("the state is slow") || text.contains("no answer");
                    assert!(is_clear, "{text}");
                }
                other => panic!("{other:?}"),
            }
        }
    });
    server.go_on();
    crate::script::until("it is asked again", || {
        devices.admit(&open("phone", "right")).is_ok()
    });
}

#[test]
fn what_is_wrong_with_a_login_is_not_told() {
    let records = records();
    add(&records, &account("phone"));
    let mut off = account("off");
    off.enabled = false;
    add(&records, &off);
    let mut ended = account("ended");
    ended.expires = Some(now());
    add(&records, &ended);
    let mut elsewhere = account("elsewhere");
    elsewhere.networks = vec!["198.51.100.0/24".into(), "no network".replace(' ', "-")];
    add(&records, &elsewhere);
    let mut other = account("other");
    other.place = "another upstream".into();
    add(&records, &other);
    let devices = devices(&records, Flow::Code);
    let mut refusals = Vec::new();
    for (user, password) in [
        ("phone", "wrong"),
        ("phone", ""),
        ("nobody", "right"),
        ("", "right"),
        ("off", "right"),
        ("ended", "right"),
        ("elsewhere", "right"),
        ("other", "right"),
    ] {
        let before = devices.verifier.hashes_computed();
        let Err(NotAdmitted::Refused(refusal)) = devices.admit(&open(user, password)) else {
            panic!("{user}");
        };
        assert_eq!(refusal.kind, RefusalKind::Credentials, "{user}");
        // an empty password is nobody's, so it tells nothing
        let hashes = u64::from(!password.is_empty());
        let computed = devices.verifier.hashes_computed() - before;
        assert_eq!(computed, hashes, "{user}");
        refusals.push(refusal);
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1);
    // without accounts there is no login
    let mut none = devices;
    none.records = None;
    assert!(none.admit(&open("phone", "right")).is_err());
}

#[test]
fn qg5_an_account_of_the_file_that_takes_any_password_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devices");
    let credential = hash(&secret("right"), Algorithm::default()).unwrap();
    let text = format!("open:::::::nopassword user=tim@example.org\nphone:{credential}\n");
    std::fs::write(&path, text).unwrap();
    let verifier = Arc::new(Verifier::new(VerifierConfig::default()).unwrap());
    let devices = Devices {
        file: Some(FileAccounts::open(&path, Arc::clone(&verifier)).unwrap()),
        records: None,
        verifier,
        place: "office".into(),
        grant: "m365".into(),
        flow: Flow::App,
    };
    assert_eq!(
        devices.admit(&open("phone", "right")).unwrap().mailbox,
        "phone"
    );
    let Err(NotAdmitted::Refused(refusal)) = devices.admit(&open("open", "anything")) else {
        panic!("it was let in");
    };
    assert_eq!(refusal.kind, RefusalKind::Credentials);
}
