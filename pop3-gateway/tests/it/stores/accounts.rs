//! Who can log in to a store, and with what.

use std::fs;

use super::{MAILDIR, Place, USERS, maildir};
use crate::common::RUNTIMES;

/// APOP and CRAM-MD5 work for accounts with a stored secret, and for no others.
#[test]
fn p059_c002_digests_work_where_the_secret_is_stored() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        let config = fs::read_to_string(&place.config).unwrap();
        let with = "[[listener]]\napop = true\nsasl = [\"CRAM-MD5\", \"PLAIN\"]\n";
        fs::write(&place.config, config.replace("[[listener]]\n", with)).unwrap();
        maildir(&place.path("mail/tim/Maildir"));
        let mut gateway = place.serve(runtime);
        let mut client = gateway.connect();
        let greeting = String::from_utf8(client.received.clone()).unwrap();
        let stamp = pop3_proto::apop::find_timestamp(greeting.as_bytes()).unwrap();
        let digest = pop3_proto::apop::digest(stamp, &b"tim"[..].into());
        let apop = format!("APOP tim {}", pop3_proto::apop::to_hex(&digest));
        assert!(client.say(&apop).starts_with("+OK"));
        gateway.cut(client);

        // CRAM-MD5, as Python's hmac answers
        let cram = "import base64, hashlib, hmac, sys\n\
                    text = base64.b64decode(sys.argv[1])\n\
                    answer = 'tim ' + hmac.new(b'tim', text, hashlib.md5).hexdigest()\n\
                    print(base64.b64encode(answer.encode()).decode(), end='')";
        let mut client = gateway.connect();
        let challenge = client.say("AUTH CRAM-MD5");
        let challenge = challenge.strip_prefix("+ ").unwrap();
        let mut python = std::process::Command::new("python3");
        let answer = python
            .args(["-c", cram, challenge])
            .output()
            .unwrap()
            .stdout;
        let answer = client.say(&String::from_utf8(answer).unwrap());
        assert!(answer.starts_with("+OK"), "{answer}");
        assert!(client.say("STAT").starts_with("+OK 0 "));
    }
}

/// Clients that take CRAM-MD5 wherever it is offered, as curl does, log in to accounts with hashes too: it is
/// offered only as long as it works for all.
#[test]
fn w065_digests_are_offered_only_where_every_account_can_do_them() {
    const HASHED: &str = "ann:{SSHA}Ri7hleCD3vShVVRv3ayfZFjfr0nIODaO\n";
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        let config = fs::read_to_string(&place.config).unwrap();
        let with = "[[listener]]\napop = true\nsasl = [\"CRAM-MD5\", \"PLAIN\"]\n";
        fs::write(&place.config, config.replace("[[listener]]\n", with)).unwrap();
        maildir(&place.path("mail/tim/Maildir"));
        maildir(&place.path("mail/ann/Maildir"));
        let gateway = place.serve(runtime);
        let offers = || {
            let mut client = gateway.connect();
            let greeting = client.received.clone();
            let banner = pop3_proto::apop::find_timestamp(&greeting).is_some();
            let capa = String::from_utf8(client.ask("CAPA")).unwrap();
            assert!(capa.contains("SASL") && capa.contains("PLAIN"), "{capa}");
            assert_eq!(banner, capa.contains("CRAM-MD5"), "{capa}");
            banner
        };
        assert!(offers());
        let users = place.path("users");
        fs::write(&users, format!("{USERS}{HASHED}")).unwrap();
        // the login reads the file
        let mut client = gateway.connect();
        client.say("USER ann");
        assert!(client.say("PASS correct horse").starts_with("+OK"));
        assert!(!offers());
        assert!(client.say("QUIT").starts_with("+OK"));
        let refused = gateway.connect().say("AUTH CRAM-MD5");
        assert!(refused.starts_with("-ERR"), "{refused}");
        // an account without a login does not count
        fs::write(&users, format!("{USERS}ann:!\n")).unwrap();
        assert!(gateway.log_in("tim").say("STAT").starts_with("+OK"));
        assert!(offers());
        // from the start
        fs::write(&users, format!("{USERS}{HASHED}")).unwrap();
        let gateway = place.serve(runtime);
        let greeting = gateway.connect().received.clone();
        assert!(pop3_proto::apop::find_timestamp(&greeting).is_none());
    }
}

/// A wrong line concerns the user whom it is about; a path that is not a file concerns all its users.
#[test]
fn w060_a_broken_accounts_file_stops_neither_the_start_nor_others() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        for user in ["tim", "tom"] {
            maildir(&place.path(&format!("mail/{user}/Maildir")));
        }
        let users = place.path("users");
        fs::write(&users, format!("bad:{{LANMAN}}x\n{USERS}")).unwrap();
        let gateway = place.serve(runtime);
        let answer = |user: &str| {
            let mut client = gateway.connect();
            client.say(&format!("USER {user}"));
            let answer = client.say(&format!("PASS {user}"));
            client.say("QUIT");
            answer
        };
        assert!(answer("tim").starts_with("+OK"));
        assert!(answer("bad").starts_with("-ERR [SYS/PERM]"));
        fs::write(&users, "bad:{LANMAN}x\ntom:{PLAIN}tom\n").unwrap();
        assert!(answer("tim").starts_with("-ERR [AUTH]"), "removed");
        assert!(answer("tom").starts_with("+OK"));
        fs::remove_file(&users).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&users).status();
        assert!(made.unwrap().success());
        assert!(answer("tom").starts_with("-ERR [SYS/TEMP]"));
        fs::remove_file(&users).unwrap();
        fs::write(&users, USERS).unwrap();
        assert!(answer("tim").starts_with("+OK"));
    }
}
