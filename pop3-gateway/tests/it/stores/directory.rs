//! Folders of plain files, each of them a message.

use std::fs;

use super::Place;
use crate::common::RUNTIMES;

#[test]
fn a_directory_of_files_is_a_maildrop() {
    for runtime in RUNTIMES {
        let place = Place::new(
            "[[store]]\nname = \"scans\"\nkind = \"directory\"\npath = \"scans\"\naccounts = \"users\"\n\
             suffix = \".eml\"\nsettle = \"0s\"\ndelete = \"move:done\"\n",
        );
        let scans = place.path("scans");
        fs::create_dir(&scans).unwrap();
        fs::write(scans.join("one.eml"), "Subject: scan\n\n.\n").unwrap();
        fs::write(scans.join("notes.txt"), "no mail").unwrap();
        let gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        assert_eq!(client.ask("LIST"), b"1 20\r\n");
        assert!(client.ask("UIDL").starts_with(b"1 one.eml."));
        assert_eq!(client.ask("RETR 1"), b"Subject: scan\r\n\r\n.\r\n");
        // all users share the folder, and one at a time may delete
        let mut second = gateway.connect();
        second.say("USER tom");
        assert!(second.say("PASS tom").starts_with("-ERR [IN-USE]"));
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        assert!(scans.join("done/one.eml").exists() && scans.join("notes.txt").exists());
    }
}

/// The scanner begins again at one: what `fetch everything that is new` sees of it.
#[test]
fn w002_a_scan_under_an_old_name_has_another_id() {
    for runtime in RUNTIMES {
        let place = Place::new(
            "[[store]]\nname = \"scans\"\nkind = \"directory\"\npath = \"scans\"\naccounts = \"users\"\n\
             settle = \"0s\"\n",
        );
        let scan = place.path("scans/scan0001.eml");
        fs::create_dir(place.path("scans")).unwrap();
        fs::write(&scan, "Subject: first\n\n.\n").unwrap();
        let gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        let first = client.ask("UIDL");
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        fs::write(&scan, "Subject: second\n\n.\n").unwrap();
        let mut client = gateway.log_in("tim");
        assert_ne!(client.ask("UIDL"), first);
        // overwritten before it is deleted: it stays, and the client learns it
        client.ask("RETR 1");
        fs::write(&scan, "Subject: third\n\n.\n").unwrap();
        assert!(client.say("RETR 1").starts_with("-ERR [SYS/TEMP]"));
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("-ERR"));
        assert_eq!(fs::read_to_string(&scan).unwrap(), "Subject: third\n\n.\n");
    }
}
