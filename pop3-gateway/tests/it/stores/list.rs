//! Messages that the configuration names one by one.

use std::fs;

use super::Place;
use crate::common::{Gateway, RUNTIMES};

/// SIGHUP brings back what was deleted, under the ids that clients know; a message that is changed is another
/// one.
#[test]
fn w002_a_list_that_is_read_again_has_new_ids_for_new_messages_alone() {
    for runtime in RUNTIMES {
        let place = Place::new(
            "[[store]]\nname = \"notes\"\nkind = \"list\"\naccounts = \"users\"\n\
             [[store.message]]\nfile = \"one.eml\"\n[[store.message]]\nfile = \"two.eml\"\n",
        );
        let write = |name: &str, text: &str| {
            fs::write(place.path(name), format!("Subject: x\n\n{text}\n")).unwrap();
        };
        write("one.eml", "1");
        write("two.eml", "2");
        let ids = |gateway: &Gateway| -> Vec<String> {
            let mut client = gateway.log_in("tim");
            let listed = client.ask("UIDL");
            assert!(client.say("QUIT").starts_with("+OK"));
            let listed = str::from_utf8(&listed).unwrap().lines();
            listed.map(str::to_owned).collect()
        };
        let mut gateway = place.serve(runtime);
        let before = ids(&gateway);
        let mut client = gateway.log_in("tim");
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        assert_eq!(ids(&gateway).len(), 1);
        for text in ["2", "3"] {
            write("two.eml", text);
            gateway.signal("HUP");
            gateway.wait_for("configuration and certificates reloaded");
            let after = ids(&gateway);
            assert_eq!(after[0], before[0]);
            assert_eq!(after[1] == before[1], text == "2");
        }
    }
}

#[test]
fn p050_a_list_is_the_same_for_everybody_until_it_is_deleted() {
    for runtime in RUNTIMES {
        let place = Place::new(
            "[[store]]\nname = \"notes\"\nkind = \"list\"\naccounts = \"users\"\n\
             [[store.message]]\nsubject = \"Welcome\"\ntext = \"Grüße\\n\"\ndate = 2026-11-20\n\
             [[store.message]]\nfile = \"second.eml\"\n",
        );
        fs::write(place.path("second.eml"), "Subject: two\n\n2\n").unwrap();
        let gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        let ids = client.ask("UIDL");
        let first = String::from_utf8(client.ask("RETR 1")).unwrap();
        for part in [
            "Subject: Welcome\r\n",
            "Date: Fri, 20 Nov 2026 00:00:00 +0000\r\n",
            "\r\n\r\nR3LDvMOfZQ0K\r\n",
        ] {
            assert!(first.contains(part), "{first}");
        }
        assert_eq!(client.ask("RETR 2"), b"Subject: two\r\n\r\n2\r\n");
        client.say("DELE 1");
        assert!(client.say("QUIT").starts_with("+OK"));
        assert!(gateway.log_in("tim").say("STAT").starts_with("+OK 1 "));
        assert!(gateway.log_in("tom").say("STAT").starts_with("+OK 2 "));
        drop(gateway);
        // P050: the ids are the same after a restart
        let gateway = place.serve(runtime);
        assert_eq!(gateway.log_in("tim").ask("UIDL"), ids);
        drop(gateway);
    }
}
