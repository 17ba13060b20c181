//! Several gateways on one state, and a balancer that leads a browser to any of them.

use testkit_databases::{Kind, Server};

use crate::rig::{ANN, RUNTIMES, Rig};

fn back(state: &str) -> String {
    format!("/signed-in?code=the-code&state={state}")
}

/// Each step at another gateway than the one before.
fn a_browser_is_led_to_any_of_them(rig: &Rig) {
    let (one, other) = (rig.another(), rig.another());
    let mut ann = rig.browser();
    ann.is_led_to(&one);
    let token = ann.get("/").field("token");
    // the form of one, sent to the other
    ann.is_led_to(&other);
    let told = ann.post("/connect", &[("token", &token), ("address", ANN)]);
    let state = crate::rig::state(&told);
    // begun at one, ended at another
    ann.is_led_to(&one);
    let old = ann.cookie.clone();
    assert_eq!(ann.get(&back(&state)).header("location"), Some("/mailbox"));
    ann.is_led_to(&other);
    // once more, which is told at a third
    assert_eq!(ann.get(&back(&state)).header("location"), Some("/mailbox"));
    let mut eve = rig.browser();
    eve.cookie = old;
    let told = eve.get(&back(&state));
    assert_eq!(told.header("location"), Some("/problem"));
    eve.is_led_to(&one);
    eve.get("/problem").is(400, "This sign-in is over");
    eve.is_led_to(&other);
    assert_eq!(eve.get("/problem").header("location"), Some("/"));
    // a password made at one is shown at the other, once, and good at all
    let token = ann.get("/mailbox").field("token");
    let fields = [
        ("token", &*token),
        ("label", "Scanner"),
        ("access", "read-write"),
    ];
    assert_eq!(
        ann.post("/devices", &fields).header("location"),
        Some("/device")
    );
    ann.is_led_to(&one);
    let shown = ann.get("/device").body;
    let (_, password) = shown.split_once("<code class=\"password\">").unwrap();
    let password = password.split('<').next().unwrap();
    ann.is_led_to(&other);
    assert_eq!(ann.get("/device").header("location"), Some("/mailbox"));
    for running in [&one, &other] {
        let said = running.log_in(ANN, password);
        assert!(said.starts_with("+OK"), "{said}");
    }
    // taken back at one, it is refused at the other at once, though that one remembers it
    let told = ann.post("/revoke", &[("token", &token), ("name", ANN)]);
    assert_eq!(told.header("location"), Some("/mailbox"));
    let said = one.log_in(ANN, password);
    assert!(said.starts_with("-ERR [AUTH]"), "{said}");
    ann.is_led_to(&one);
    assert!(
        ann.get("/mailbox")
            .body
            .contains("The password was taken back.")
    );
    // a sign-out is one everywhere
    ann.post("/sign-out", &[("token", &token)]);
    let signed_out = ann.cookie.take();
    assert_eq!(signed_out, None);
}

#[test]
fn a_browser_is_led_to_any_gateway_of_a_machine() {
    for runtime in RUNTIMES {
        a_browser_is_led_to_any_of_them(&Rig::new(runtime));
    }
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_lets_a_browser_be_led_to_any_gateway() {
    for runtime in RUNTIMES {
        let server = Server::start(Kind::Postgres);
        let rig = Rig::with_state(&server.url(), runtime, "");
        a_browser_is_led_to_any_of_them(&rig);
    }
}

/// A restart is no reason to sign in anew.
#[test]
fn a_session_outlives_the_gateway() {
    let rig = Rig::new(RUNTIMES[0]);
    let mut ann = rig.browser();
    let first = rig.another();
    ann.is_led_to(&first);
    assert!(ann.connect(ANN).body.contains("Connected mailbox"));
    drop(first);
    let second = rig.another();
    ann.is_led_to(&second);
    assert!(ann.get("/mailbox").body.contains("Connected mailbox"));
}

/// Ann's account in a file, and the line of the upstream that names it.
fn account_in_a_file() -> (tempfile::TempDir, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let accounts = folder.path().join("accounts");
    std::fs::write(&accounts, format!("{ANN}:{{PLAIN}}a-password\n")).unwrap();
    (folder, format!("accounts = {accounts:?}\n"))
}

/// A mailbox that was disconnected at one gateway does not open at another one for long, though that one has a token and
/// the account stands in a file, which no page changes.
fn a_disconnect_reaches_the_others(rig: &Rig) {
    let other = rig.another();
    let mut ann = rig.browser();
    ann.connect(ANN);
    let said = other.log_in(ANN, "a-password");
    assert!(said.starts_with("+OK"), "{said}");
    let token = ann.get("/mailbox").field("token");
    ann.submit("/disconnect", &[("token", &token)])
        .is(200, "Disconnected");
    let begin = std::time::Instant::now();
    while other.log_in(ANN, "a-password").starts_with("+OK") {
        assert!(begin.elapsed().as_secs() < 60, "it still opens");
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

#[test]
#[ignore = "takes half a minute: run .ci/run long"]
fn long_disconnect_reaches_the_other_gateways() {
    let (_folder, line) = account_in_a_file();
    for runtime in RUNTIMES {
        a_disconnect_reaches_the_others(&Rig::with(runtime, "", &line));
    }
}

#[test]
#[ignore = "needs postgresql: run .ci/run sql"]
fn postgres_tells_the_other_gateways_of_a_disconnect() {
    let (_folder, line) = account_in_a_file();
    let server = Server::start(Kind::Postgres);
    a_disconnect_reaches_the_others(&Rig::with_state(&server.url(), RUNTIMES[0], &line));
}
