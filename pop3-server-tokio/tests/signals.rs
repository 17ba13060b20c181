//! SIGHUP reloads, SIGTERM stops. Alone in its process, because signals are the process's.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pop3_server::listen::listen;
use pop3_server_tokio::Setup;
use testkit_server::socket;

fn signal(name: &str) {
    let pid = std::process::id().to_string();
    assert!(
        Command::new("kill")
            .args([name, &pid])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn g19_signals_reload_and_stop() {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let settings = socket::clear(testkit_server::jobs::JobService);
    let (reloaded, reloads) = channel();
    let server = thread::spawn(move || {
        let setup = Setup::new().pop3(listener, settings);
        pop3_server_tokio::run(setup.on_reload(move || reloaded.send(()).unwrap()))
    });
    let mut client = socket::Client::new(socket::connect(address));
    assert!(client.line().starts_with("+OK"));
    for _ in 0..2 {
        signal("-HUP");
        reloads.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    assert!(client.ask("CAPA").starts_with("+OK"), "the session stays");
    signal("-TERM");
    server.join().unwrap().unwrap();
    while !client.line().is_empty() {}
}
