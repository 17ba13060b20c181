//! A mailbox is connected, and its devices get passwords.

use crate::rig::{ANN, BOB, RUNTIMES, Rig};

#[test]
fn qg1_a_person_gives_a_device_a_password_and_takes_it_back() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let mut ann = rig.browser();
        let told = ann.connect(ANN);
        assert!(
            told.body.contains("No device has a password yet."),
            "{told:?}"
        );
        let (name, password) = ann.device("Scanner", "read-write");
        assert_eq!(name, ANN);
        // it is shown once
        assert!(!ann.follow("/device").body.contains(&password));
        assert!(rig.log_in(&name, &password).starts_with("+OK"));
        let (second, other) = ann.device("Fax & <Phone>", "read-only");
        assert_eq!(second, "ann+faxphone@example.org");
        assert!(rig.log_in(&second, &other).starts_with("+OK"));
        assert!(rig.log_in(&second, &password).starts_with("-ERR [AUTH]"));
        let list = ann.get("/mailbox").body;
        assert!(list.contains("Fax &amp; &lt;Phone&gt;"), "{list}");
        assert!(list.contains("reads only") && list.contains("reads and deletes"));
        assert!(!list.contains(&password) && !list.contains(&other));
        let token = ann.get("/mailbox").field("token");
        let told = ann.submit("/revoke", &[("token", &token), ("name", &name)]);
        assert!(
            told.body.contains("The password was taken back."),
            "{told:?}"
        );
        assert!(rig.log_in(&name, &password).starts_with("-ERR [AUTH]"));
        assert!(rig.log_in(&second, &other).starts_with("+OK"));
        // signing in anew finds the devices again
        ann.submit("/sign-out", &[("token", &token)]);
        assert!(ann.follow("/mailbox").body.contains("Connect your mailbox"));
        assert!(ann.connect(ANN).body.contains(&second));
        let token = ann.get("/mailbox").field("token");
        rig.provider.take();
        let told = ann.submit("/disconnect", &[("token", &token)]);
        told.is(200, "Disconnected");
        assert!(rig.log_in(&second, &other).starts_with("-ERR [AUTH]"));
        assert_eq!(
            rig.provider.take()[0].field("token").unwrap(),
            format!("refresh-of-{ANN}")
        );
        assert!(rig.tool(&["status"]).contains("Nobody signed in"));
    }
}

/// Each device has a password of its own, and the connection to the mail server is the mailbox's. It waits for devices
/// that may come in, and for nobody else.
#[test]
fn devices_that_poll_share_one_login_to_the_mail_server() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let mut ann = rig.browser();
        ann.connect(ANN);
        let scanner = ann.device("Scanner", "read-write");
        let phone = ann.device("Phone", "read-only");
        // the sign-in opened the mailbox, too
        let before = rig.upstream_logins();
        for _ in 0..5 {
            for (name, password) in [&scanner, &phone] {
                assert!(rig.log_in(name, password).starts_with("+OK"));
            }
        }
        assert_eq!(rig.upstream_logins() - before, 1, "{runtime}");
        let (name, password) = &scanner;
        assert!(rig.log_in(name, "wrong").starts_with("-ERR [AUTH]"));
        let token = ann.get("/mailbox").field("token");
        ann.submit("/revoke", &[("token", &token), ("name", name)]);
        assert!(rig.log_in(name, password).starts_with("-ERR [AUTH]"));
        ann.submit("/disconnect", &[("token", &token)]);
        let (name, password) = &phone;
        assert!(rig.log_in(name, password).starts_with("-ERR [AUTH]"));
        assert_eq!(rig.upstream_logins() - before, 1, "{runtime}");
    }
}

/// Its connection waits, or it was logged out: it gets nothing more of a mailbox that its owner disconnected.
#[test]
fn a_session_that_rests_ends_with_the_mailbox() {
    let ways = ["", "park = \"off\"\n"];
    for (runtime, park) in RUNTIMES.iter().flat_map(|own| ways.map(|park| (own, park))) {
        let rig = Rig::with(runtime, "", &format!("rest = \"1s\"\n{park}"));
        let mut ann = rig.browser();
        ann.connect(ANN);
        let (name, password) = ann.device("Scanner", "read-write");
        let logouts = rig.logouts();
        let mut device = rig.dial();
        assert!(device.log_in(&name, &password).starts_with("+OK"));
        rig.waits_for_rest(logouts + 1);
        let token = ann.get("/mailbox").field("token");
        ann.submit("/disconnect", &[("token", &token)])
            .is(200, "Disconnected");
        let said = device.ask("RETR 1");
        assert!(said.starts_with("-ERR"), "{runtime} {park}: {said}");
    }
}

/// Whatever is asked is about the mailbox that was signed in for, and no other.
#[test]
fn nobody_touches_the_devices_of_another() {
    for runtime in RUNTIMES {
        let rig = Rig::new(runtime);
        let mut ann = rig.browser();
        ann.connect(ANN);
        let (name, password) = ann.device("Scanner", "read-write");
        rig.gives(BOB);
        let mut bob = rig.browser();
        let told = bob.connect(BOB);
        assert!(!told.body.contains(ANN), "{told:?}");
        let token = told.field("token");
        bob.submit("/revoke", &[("token", &token), ("name", &name)]);
        assert!(rig.log_in(&name, &password).starts_with("+OK"));
        // a token of Ann's page is of no use in Bob's browser
        let of_ann = ann.get("/mailbox").field("token");
        let told = bob.post("/revoke", &[("token", &of_ann), ("name", &name)]);
        told.is(403, "This form is out of date");
        let told = bob.submit("/disconnect", &[("token", &token)]);
        told.is(200, "Disconnected");
        assert!(rig.log_in(&name, &password).starts_with("+OK"));
    }
}

#[test]
fn a_device_may_do_the_least_if_nothing_is_said() {
    let rig = Rig::new(RUNTIMES[0]);
    let mut ann = rig.browser();
    ann.connect(ANN);
    let (name, password) = ann.device(" ", "everything");
    assert!(ann.get("/mailbox").body.contains("reads only"));
    assert!(rig.log_in(&name, &password).starts_with("+OK"));
}

/// What keeps an invited person out for a while does not use the invitation up.
#[test]
fn an_invitation_outlives_what_keeps_its_person_out() {
    let rig = Rig::new(RUNTIMES[0]);
    let said = rig.tool(&["sign-in", "--link", ANN]);
    let link = said.lines().find(|line| line.starts_with("http")).unwrap();
    let mut ann = rig.browser();
    let page = ann.get(link.strip_prefix("http://127.0.0.1").unwrap());
    let (token, key) = (page.field("token"), page.field("key"));
    let fields = [("token", &*token), ("key", &*key)];
    let (cut_off, other) = (rig.cut_off(), rig.another());
    ann.is_led_to(&cut_off);
    let told = ann.post("/connect", &fields);
    told.is(502, "Your mail provider does not answer");
    ann.is_led_to(&other);
    let state = crate::rig::state(&ann.post("/connect", &fields));
    let told = ann.follow(&format!("/signed-in?code=c&state={state}"));
    assert!(told.body.contains("Connected mailbox"), "{told:?}");
}

/// An operator's link works for whom no domain is listed, once; looking at it does not use it up.
#[test]
fn an_invitation_works_once() {
    for runtime in RUNTIMES {
        let rig = Rig::with(runtime, "", "");
        let said = rig.tool(&["sign-in", "--link", ANN]);
        let link = said.lines().find(|line| line.starts_with("http")).unwrap();
        let path = link.strip_prefix("http://127.0.0.1").unwrap();
        let mut ann = rig.browser();
        ann.get(path);
        let page = ann.get(path);
        let (token, key) = (page.field("token"), page.field("key"));
        let told = ann.post("/connect", &[("token", &token), ("key", &key)]);
        let state = crate::rig::state(&told);
        let told = ann.post("/connect", &[("token", &token), ("key", &key)]);
        told.is(400, "This invitation is not valid any more");
        let told = ann.follow(&format!("/signed-in?code=c&state={state}"));
        assert!(told.body.contains("Connected mailbox"), "{told:?}");
        let mut eve = rig.browser();
        let token = eve.get("/").field("token");
        let told = eve.post("/connect", &[("token", &token), ("key", "forged")]);
        told.is(400, "This invitation is not valid any more");
    }
}
