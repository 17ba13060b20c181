//! `doctor` names the step that is missing, and its remedy, for each fault that is put in its way; it removes nothing.
//! Beside it, the way of a newcomer.
#![cfg(all(feature = "oauth", feature = "tokio"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod faults;
mod keys;
#[cfg(feature = "smol")]
mod newcomer;
mod rig;

use rig::{ANN, Rig};

#[test]
fn a_way_without_a_fault_is_taken_to_its_end_and_the_new_token_is_kept() {
    let rig = Rig::default().build();
    let steps = rig.examine();
    let names: Vec<_> = steps.iter().map(|step| step.step).collect();
    let all = [
        "configuration",
        "state",
        "app",
        "provider",
        "clock",
        "token",
        "claims",
        "mailbox",
        "accounts",
    ];
    assert_eq!(names, all, "{steps:#?}");
    assert!(steps.iter().all(|step| step.ok), "{steps:#?}");
    let grant = rig.grant().unwrap();
    assert_eq!(grant.tokens.refresh.unwrap().expose(), b"refresh-2");
}

#[test]
fn an_app_and_a_service_account_need_nobody_to_sign_in() {
    for rig in [Rig::app(), Rig::service_account()] {
        let rig = rig.build();
        let steps = rig.examine();
        assert!(steps.iter().all(|step| step.ok), "{steps:#?}");
    }
}

#[test]
fn a_mailbox_that_opens_proves_more_than_claims_do() {
    let mut rig = Rig::default();
    rig.claims["upn"] = "someone@example.org".into();
    rig.opens_whatever_it_says = true;
    let steps = rig.build().examine();
    assert!(steps.iter().all(|step| step.ok), "{steps:#?}");
}

#[test]
fn each_fault_has_its_step_and_its_remedy_and_nothing_is_removed() {
    let faults = faults::all();
    assert!(faults.len() >= 30);
    let mut wrong = Vec::new();
    for (name, fault) in faults {
        let mut rig = fault.on;
        (fault.put)(&mut rig);
        let rig = rig.build();
        let before = (rig.accounts(), rig.grant().is_some());
        let steps = rig.examine();
        let missing = steps.iter().find(|step| !step.ok);
        let remedy = missing.and_then(|step| step.remedy.as_deref());
        let remedy = remedy.unwrap_or_default();
        let shown = format!("{steps:?}");
        let secrets = ["refresh-1", "refresh-2", "the-app-secret", &rig.token];
        let is_right = missing.is_some_and(|step| step.step == fault.step)
            && fault.remedy.iter().all(|part| remedy.contains(part))
            && !remedy.contains("MAILBOX")
            && !secrets.iter().any(|secret| shown.contains(secret));
        let is_kept = !rig.state_is_whole || (rig.accounts(), rig.grant().is_some()) == before;
        if !is_right || !is_kept {
            wrong.push(format!("{name}: kept {is_kept}: {steps:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn without_a_mailbox_all_are_examined_and_the_command_says_which_step_is_missing() {
    let rig = Rig {
        has_account: false,
        ..Rig::default()
    }
    .build();
    let output = rig.command(&["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let steps: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let last = steps.as_array().unwrap().last().unwrap();
    assert_eq!(last["step"], "accounts");
    assert_eq!(last["of"], ANN);
    assert!(
        last["remedy"]
            .as_str()
            .unwrap()
            .contains(&format!("--mailbox {ANN}"))
    );
    let output = rig.command(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(&format!("ok      mailbox of {ANN}: it opens: 1 messages")),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "MISSING accounts of {ANN}: no account opens {ANN}"
        )),
        "{text}"
    );
}
