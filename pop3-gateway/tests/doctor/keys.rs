//! The key of a state: another one, and none that opens it.

use std::fs;
use std::process::Output;

use gateway_state::Keys;

use crate::rig::{Built, Rig};

fn said(output: &Output) -> String {
    let octets = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(octets).unwrap()
}

/// What `doctor` finds wrong with the state.
fn wrong(rig: &Built) -> Option<String> {
    let steps = rig.examine().into_iter();
    steps
        .filter(|step| step.step == "state" && !step.ok)
        .map(|step| step.what)
        .next()
}

#[test]
fn a_key_is_changed_and_the_old_one_goes() {
    let rig = Rig::default().build();
    let file = rig.folder.path().join("state.key");
    let old = fs::read_to_string(&file).unwrap();
    let new = Keys::generate().unwrap().to_text();
    let new = String::from_utf8(new.expose().to_vec()).unwrap();
    fs::write(&file, format!("{new}{old}")).unwrap();
    let done = rig.tool(&["state", "reseal"], &[]);
    assert!(done.status.success(), "{done:?}");
    let text = said(&done);
    assert!(text.contains("1 now, 0 before"), "{text}");
    assert!(!text.contains(new.trim()) && !text.contains(old.trim()));
    // once more changes nothing
    let done = rig.tool(&["state", "reseal"], &["--json"]);
    assert_eq!(
        said(&done),
        "{\"current\":1,\"failed\":[],\"resealed\":0}\n"
    );
    // what is left of the file opens everything
    fs::write(&file, &new).unwrap();
    assert_eq!(wrong(&rig), None);
    assert!(rig.examine().iter().all(|step| step.ok));
    // and the old one nothing
    fs::write(&file, &old).unwrap();
    assert!(wrong(&rig).is_some());
}

#[test]
fn a_grant_that_no_key_opens_is_named_and_its_key_kept() {
    let rig = Rig::default().build();
    let file = rig.folder.path().join("state.key");
    let old = fs::read_to_string(&file).unwrap();
    let new = Keys::generate().unwrap().to_text();
    let mut both = new.expose().to_vec();
    both.extend_from_slice(old.as_bytes());
    fs::write(&file, both).unwrap();
    let spoil = "UPDATE gateway_grants SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) || x'00' AS BLOB)";
    crate::rig::change_state(&rig.folder.path().join("state.db"), spoil);
    let done = rig.tool(&["state", "reseal"], &[]);
    assert_eq!(done.status.code(), Some(1));
    let text = said(&done);
    assert!(text.contains(crate::rig::ANN), "{text}");
    assert!(text.contains("keep the others"), "{text}");
}

#[test]
fn a_lost_key_costs_the_grants_and_no_account() {
    let rig = Rig::default().build();
    // not lost: nothing happens
    let done = rig.tool(&["state", "forget-grants"], &[]);
    assert!(said(&done).contains("No grant was removed"), "{done:?}");
    assert!(rig.grant().is_some());
    let file = rig.folder.path().join("state.key");
    fs::remove_file(&file).unwrap();
    let done = rig.tool(&["state", "forget-grants"], &[]);
    assert!(!done.status.success());
    assert!(said(&done).contains("openssl rand"), "{done:?}");
    fs::write(&file, Keys::generate().unwrap().to_text().expose()).unwrap();
    let accounts = rig.accounts();
    let done = rig.tool(&["state", "forget-grants"], &[]);
    assert!(done.status.success(), "{done:?}");
    assert!(said(&done).contains("1 removed"), "{done:?}");
    assert_eq!(wrong(&rig), None);
    assert_eq!(rig.accounts(), accounts);
    assert!(accounts > 0);
}
