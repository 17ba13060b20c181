//! A download that is killed. Apart from the other downloads: a child that is being started holds their
//! locks for a moment.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::stored::{destinations, stored, wanted};
use common::{Behaviour, Server, messages, random};

#[test]
fn killed_at_any_moment_and_run_again_it_ends_with_exactly_the_mailbox() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = messages(600);
    let server = Server::start(Behaviour::default(), mailbox.clone());
    for (to, name) in destinations(folder.path())
        .iter()
        .zip(["maildir", "mbox", "files"])
    {
        let start = || {
            std::process::Command::new(env!("CARGO_BIN_EXE_pop3-client"))
                .args([
                    "--host",
                    "localhost",
                    "--port",
                    &server.address.port().to_string(),
                ])
                .args(["--tls", "none", "--user", common::USER])
                .args(["--password-from", "env:TEST_PASSWORD"])
                .args([
                    "download",
                    "--to",
                    &format!("{name}:{}", folder.path().join(name).display()),
                ])
                .env("TEST_PASSWORD", common::PASSWORD)
                .env("XDG_CONFIG_HOME", folder.path())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        };
        let begin = Instant::now();
        let mut seed = 1;
        let mut kills = 0;
        let mut wait = 4;
        loop {
            let mut child = start();
            std::thread::sleep(Duration::from_millis(wait + random(&mut seed) % 20));
            wait += 1 + wait / 8;
            if child
                .try_wait()
                .unwrap()
                .is_some_and(|status| status.success())
            {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            assert!(begin.elapsed() < Duration::from_secs(600));
        }
        assert!(kills > 0, "the machine is too fast for this test");
        assert!(start().wait().unwrap().success());
        // a lock file of a killed run stays; nothing else does
        assert_eq!(
            stored(to),
            wanted(&mailbox, to),
            "{name} after {kills} kills"
        );
    }
}
