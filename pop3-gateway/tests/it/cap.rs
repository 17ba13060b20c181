//! `max_per_account`: the connections of one account at its upstream.

use std::fs;

use crate::common::{Client, Gateway, RUNTIMES, imap};

#[test]
fn an_account_has_no_more_connections_than_it_may() {
    for runtime in RUNTIMES {
        let (_store, server) = imap(&["tim", "tom"]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("g.toml");
        let text = format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\n\
             [[upstream]]\nname = \"main\"\nurl = \"imap://{server}\"\nmax_per_account = 1\n"
        );
        fs::write(&file, text).unwrap();
        let gateway = Gateway::start(runtime, 1, &["--config", file.to_str().unwrap()]);
        let mut first = gateway.log_in("tim");
        // others have their own
        let _other = gateway.log_in("tom");
        let mut second = gateway.connect();
        second.say("USER Tim");
        // the maildrop is in use as well, but the upstream was not asked
        let answer = second.say("PASS tim");
        assert!(answer.starts_with("-ERR [SYS/TEMP]"), "{answer}");
        // one that waits gets the place of one that leaves
        let address = gateway.addresses[0];
        let waits = std::thread::spawn(move || Client::try_log_in(address, "tim").is_some());
        first.say("QUIT");
        assert!(waits.join().unwrap());
    }
}
