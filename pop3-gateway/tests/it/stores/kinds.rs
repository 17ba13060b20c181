//! What holds for stores of every kind.

use std::fs;

use super::{MAILDIR, Place, check, left, maildir};
use crate::common::{Gateway, RUNTIMES, imap};
use testkit::mails;

#[test]
fn w003_check_tells_of_each_kind_whether_its_unique_ids_may_come_again() {
    for (kind, more, told) in [
        ("maildir", "path = \"new\"", "must never use a name again"),
        (
            "directory",
            "path = \"new\"",
            "none comes again, though names may",
        ),
        ("list", "", "with the ids that they had"),
    ] {
        let place = Place::new(&format!(
            "[[store]]\nname = \"a\"\nkind = \"{kind}\"\naccounts = \"users\"\n{more}\n"
        ));
        maildir(place.dir.path());
        let (good, text) = check(&place);
        assert!(good && text.contains(told), "{text}");
    }
}

#[test]
fn some_users_have_imap_and_others_a_store() {
    for runtime in RUNTIMES {
        let (store, imap) = imap(&["alice"]);
        store.deliver("alice", b"Subject: imap\r\n\r\n1\r\n".to_vec());
        let place = Place::new(&format!(
            "[[upstream]]\nname = \"main\"\nurl = \"imap://{imap}\"\n{MAILDIR}\
             [routing]\ndefault = \"main\"\n[routing.user]\ntim = \"local\"\n\
             office = {{ store = \"local\", user = \"tom\" }}\n"
        ));
        for user in ["tim", "tom"] {
            maildir(&place.path(&format!("mail/{user}/Maildir")));
        }
        fs::write(
            place.path("mail/tim/Maildir/new/1.x"),
            "Subject: store\n\n1\n",
        )
        .unwrap();
        let mut gateway = place.serve(runtime);
        assert_eq!(
            gateway.log_in("alice").ask("RETR 1"),
            b"Subject: imap\r\n\r\n1\r\n"
        );
        let mut tim = gateway.log_in("tim");
        assert_eq!(tim.ask("RETR 1"), b"Subject: store\r\n\r\n1\r\n");
        gateway.cut(tim);
        let mut office = gateway.connect();
        office.say("USER office");
        assert!(office.say("PASS tom").starts_with("+OK"));
        assert!(office.say("STAT").starts_with("+OK 0 "));
        gateway.cut(office);
        // the upstream does not know him, and the store is not asked
        let mut tom = gateway.connect();
        tom.say("USER tom");
        assert!(tom.say("PASS tom").starts_with("-ERR [AUTH]"));

        // SIGHUP: another route, and the session that stands goes on
        let mut before = gateway.log_in("tim");
        let config = fs::read_to_string(&place.config).unwrap();
        fs::write(
            &place.config,
            config.replace("default = \"main\"", "default = \"local\""),
        )
        .unwrap();
        gateway.signal("HUP");
        gateway.wait_for("configuration and certificates reloaded");
        assert!(gateway.log_in("tom").say("STAT").starts_with("+OK 0 "));
        assert!(before.say("DELE 1").starts_with("+OK"));
        assert!(before.say("QUIT").starts_with("+OK"));
        assert!(gateway.log_in("tim").say("STAT").starts_with("+OK 0 "));
    }
}

/// P037, P038: killed at any moment of QUIT, what was not deleted is whole, and what was reported deleted is
/// gone.
#[test]
fn p037_p038_killed_at_quit_nothing_is_half_done() {
    use std::time::Duration;
    const MAILS: usize = 300;
    let mut cut = 0;
    // on a machine that never ends between a command and its answer there is more than one round
    for step in 0..160 {
        if step >= 16 && cut > 0 {
            break;
        }
        let runtime = RUNTIMES[step % 2];
        let place = Place::new(MAILDIR);
        let home = place.path("mail/tim/Maildir");
        maildir(&home);
        for number in 0..MAILS {
            fs::write(
                home.join(format!("new/{number}.x")),
                format!("Subject: {number}\n\nx\n"),
            )
            .unwrap();
        }
        let mut gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        // every other one
        let marks: String = (1..=MAILS)
            .step_by(2)
            .map(|n| format!("DELE {n}\r\n"))
            .collect();
        client.send(marks.as_bytes());
        for _ in (1..=MAILS).step_by(2) {
            assert!(client.line().starts_with("+OK"));
        }
        client.send(b"QUIT\r\n");
        std::thread::sleep(Duration::from_micros(300 * (step as u64 % 16)));
        gateway.kill();
        let last = String::from_utf8(client.rest()).unwrap();
        let left = left(&home.join("new")) + self::left(&home.join("cur"));
        if last.starts_with("+OK") {
            assert_eq!(left, MAILS / 2, "reported deleted and still there");
        } else {
            assert!((MAILS / 2..=MAILS).contains(&left), "{left}");
            cut += 1;
        }
        let gateway = place.serve(runtime);
        let mut client = gateway.log_in("tim");
        assert!(client.say("STAT").starts_with(&format!("+OK {left} ")));
        for number in 1..=left {
            let mail = String::from_utf8(client.ask(&format!("RETR {number}"))).unwrap();
            assert!(
                mail.starts_with("Subject: ") && mail.ends_with("\r\n\r\nx\r\n"),
                "{mail}"
            );
        }
        let subjects: Vec<_> = (1..=left)
            .map(|number| String::from_utf8(client.ask(&format!("TOP {number} 0"))).unwrap())
            .collect();
        let kept = (0..MAILS)
            .skip(1)
            .step_by(2)
            .map(|number| format!("Subject: {number}\r\n\r\n"));
        for subject in kept {
            assert!(subjects.contains(&subject), "{subject} was not marked");
        }
    }
    assert!(cut > 0, "no kill came in time");
}

/// V35: the monitoring account is there only if it is configured, with a secret of its own.
#[test]
fn v35_the_monitoring_account_has_a_message_at_each_login() {
    use std::os::unix::fs::PermissionsExt as _;
    for runtime in RUNTIMES {
        // no server answers at the upstream's address
        let place = Place::new(
            "[[upstream]]\nname = \"main\"\nurl = \"imap://127.0.0.1:9\"\n\
             [monitor]\nuser = \"probe\"\nsecret_file = \"probe.secret\"\n",
        );
        let gateway = place.serve(runtime);
        let file = place.path("probe.secret");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let secret = fs::read_to_string(&file).unwrap();
        assert!(secret.trim().len() >= 20);
        let mut seen = Vec::new();
        let log_in = || {
            let mut client = gateway.connect();
            client.say("USER probe");
            assert!(
                client
                    .say(&format!("PASS {}", secret.trim()))
                    .starts_with("+OK")
            );
            client
        };
        let _other = log_in();
        for login in 2..4 {
            let mut client = log_in();
            assert!(client.say("STAT").starts_with("+OK 1 "));
            seen.push(client.ask("UIDL"));
            let message = String::from_utf8(client.ask("RETR 1")).unwrap();
            assert!(
                message.contains(&format!("login {login}\r\nDate: ")),
                "{message}"
            );
            assert!(client.say("DELE 1").starts_with("+OK"));
            assert!(client.say("QUIT").starts_with("+OK"));
        }
        seen.dedup();
        assert_eq!(seen.len(), 2, "another id each time");
        let mut wrong = gateway.connect();
        wrong.say("USER probe");
        assert!(wrong.say("PASS monitor").starts_with("-ERR [AUTH]"));
        drop(gateway);
        let gateway = place.serve(runtime);
        let mut client = gateway.connect();
        client.say("USER probe");
        assert!(
            client
                .say(&format!("PASS {}", secret.trim()))
                .starts_with("+OK"),
            "the secret stays"
        );
    }
}

/// The same session is the same on both runtimes, and so is its transcript, in which no secret stands.
#[test]
fn a_session_with_a_store_is_the_same_on_both_runtimes() {
    let [tokio, smol] = RUNTIMES.map(|runtime| {
        let place = Place::new(MAILDIR);
        let home = place.path("mail/tim/Maildir");
        maildir(&home);
        for (number, mail) in mails::sample().into_iter().enumerate() {
            let content: Vec<u8> = mail.content.to_vec();
            fs::write(home.join(format!("new/{number}.x")), content).unwrap();
        }
        let folder = place.path("transcripts");
        let arguments = [
            "--config",
            &place.config,
            "--transcript",
            folder.to_str().unwrap(),
        ];
        let mut gateway = Gateway::start(runtime, 1, &arguments);
        let mut client = gateway.connect();
        client.play(&[
            "CAPA.",
            "USER tim",
            "PASS sw0rdfish",
            "USER tim",
            "PASS tim",
            "STAT",
            "LIST.",
            "UIDL.",
            "TOP 2 1.",
            "RETR 1.",
            "RETR 99",
            "DELE 2",
            "LIST.",
            "QUIT",
        ]);
        gateway.wait_for("session ended");
        gateway.signal("TERM");
        assert!(gateway.ended().success());
        let files: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "one session, one file");
        let transcript = fs::read_to_string(&files[0]).unwrap();
        assert!(
            transcript.contains("POP3 C: PASS <password>") && !transcript.contains("sw0rdfish"),
            "{transcript}"
        );
        assert_eq!(left(&home.join("new")), mails::sample().len() - 1);
        String::from_utf8_lossy(&client.received).into_owned()
    });
    assert_eq!(tokio, smol);
    assert!(tokio.contains("\r\n+OK bye, 1 deleted\r\n"), "{tokio}");
}

#[test]
fn a_store_that_is_not_there_is_reported_and_tried_again() {
    for runtime in RUNTIMES {
        let place = Place::new(MAILDIR);
        let mut gateway = place.serve(runtime);
        let mut client = gateway.connect();
        client.say("USER tim");
        let answer = client.say("PASS tim");
        assert!(answer.starts_with("-ERR [SYS/"), "{answer}");
        gateway.cut(client);
        maildir(&place.path("mail/tim/Maildir"));
        assert!(gateway.log_in("tim").say("STAT").starts_with("+OK 0 "));
    }
}
